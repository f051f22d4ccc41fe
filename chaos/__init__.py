"""Proof by breaking: real processes, killed and paused at every step, and an observer who believes nobody."""
