"""Checks that a stored policy text is the one its version names: the hash matches, and an HMAC is ours."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence

from bot.core.catalog import version_of
from bot.core.reasons import Reason, Why, because

PURPOSE = b"rotakey policy text\n"
"""A prefix of what is authenticated, so that no HMAC made for something else fits."""

MOST_KEPT = 4
"""The most HMACs kept with one text: of the current keys, and of a rotation that is under way."""


def hmac_of(text: str, key: bytes) -> str:
    return hmac.digest(key, PURPOSE + text.encode(), "sha256").hex()


def hmacs_with(found: Iterable[str], text: str, keys: Sequence[bytes]) -> tuple[str, ...]:
    """Return the HMACs found and ours. The others stay: while keys are rotated, processes with another key
    need them."""
    ours = [hmac_of(text, key) for key in keys]
    others = [each for each in found if each not in ours]
    return (*ours, *others)[:MOST_KEPT] if ours else tuple(found)


def text_objection(
    version: str, text: str | None, hmacs: Iterable[str], keys: Sequence[bytes]
) -> Reason | None:
    """Return why a text kept under this version must not be followed, or None. Without keys only its hash is
    compared."""
    if text is None:
        return because(Why.POLICY_LOST, version=version)
    if version_of(text) != version:
        return because(Why.POLICY_CHANGED, version=version)
    found, ours = [each.encode() for each in hmacs], [hmac_of(text, key).encode() for key in keys]
    if keys and not any(hmac.compare_digest(one, each) for one in ours for each in found):
        return because(Why.POLICY_UNSIGNED, version=version)
    return None
