"""Ids of grants, alerts and the like."""

import secrets

ID_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"

ID_LENGTH = 12


def new_id() -> str:
    """Make an id that cannot be guessed and is short enough to be typed: 60 bits, without letters that look
    like others."""
    return "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
