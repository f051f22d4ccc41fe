"""Requests, votes, extensions, and ends that people ask for."""
