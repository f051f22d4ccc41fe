"""How old a fact is, by a clock that may have been set back since it was read."""

from __future__ import annotations

from datetime import datetime, timedelta

AHEAD_AT_MOST = timedelta(seconds=5)
"""Clocks of two servers may differ by this much: a replica that was promoted, another node of a cluster."""

UNKNOWN_AGE = timedelta.max


def age(read_at: datetime, now: datetime) -> timedelta:
    """Return how long ago something was read; never negative.

    If it was read more than AHEAD_AT_MOST after ``now``, the clock was set back since then and nobody can
    say how long ago that was: UNKNOWN_AGE, which is older than any limit.
    """
    if read_at - now > AHEAD_AT_MOST:
        return UNKNOWN_AGE
    return max(now - read_at, timedelta())
