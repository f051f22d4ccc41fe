"""The age of a fact, by a clock that may have been set back since the fact was read."""

from __future__ import annotations

from datetime import datetime, timedelta

AHEAD_AT_MOST = timedelta(seconds=5)
"""The clocks of two servers (a promoted replica, another node of a cluster) may differ by this much."""

UNKNOWN_AGE = timedelta.max


def age(read_at: datetime, now: datetime) -> timedelta:
    """Return how long ago something was read; never negative.

    If it was read more than AHEAD_AT_MOST after ``now``, the clock was set back since then and nobody can say
    how long ago that was: the result is UNKNOWN_AGE, which is older than any limit.
    """
    if read_at - now > AHEAD_AT_MOST:
        return UNKNOWN_AGE
    return max(now - read_at, timedelta())
