"""Figures: how fast access comes and goes, on real parts, as a table."""
