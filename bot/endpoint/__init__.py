"""Targets that somebody else implements: a request, an answer, and what the answer proves."""
