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
    if keys and not _fits(text, hmacs, keys):
        return because(Why.POLICY_UNSIGNED, version=version)
    return None


def _fits(text: str, hmacs: Iterable[str], keys: Sequence[bytes]) -> bool:
    found = [each.encode() for each in hmacs]
    return any(hmac.compare_digest(hmac_of(text, key).encode(), each) for key in keys for each in found)
