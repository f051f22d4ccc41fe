"""Strays at a target: found by looking through it, told, asked about, decided about, taken back."""
