"""Requests from Slack: read, carried out by a use-case, answered."""
