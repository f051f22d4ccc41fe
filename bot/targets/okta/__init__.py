"""Okta as a target: membership in its groups."""
