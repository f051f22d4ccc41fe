"""The audit as values: chain, anchor and proof. Pure."""
