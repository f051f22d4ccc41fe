"""Strays at a target: found by looking through it, reported, asked about, decided about, revoked."""
