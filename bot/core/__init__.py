"""The domain: frozen values and pure functions. No clock, no environment, no randomness, no I/O."""
