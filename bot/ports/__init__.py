"""Interfaces and values between the use-cases and the world: what each promises, and what it raises."""
