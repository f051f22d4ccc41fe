"""A program of one's own as a target."""
