"""Vault or OpenBao as a target: policies, attached to a person's entity by a group."""
