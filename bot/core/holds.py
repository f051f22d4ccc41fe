"""Holds: one person's one entitlement at one target, kept while a live grant stands behind it.

    EMPTY ──► GIVING ──► GIVEN ──► TAKING ──► EMPTY
                 └────────────────►┘

The phase is what was *written down before acting*, so after a crash it never claims less than may be
true at the target: from GIVING on the access may be there, and is taken before the hold is EMPTY again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from bot.core.catalog import Entitlement, digest

OVERDUE_AFTER_FAILURES = 3
LONGEST_BACKOFF = timedelta(minutes=5)


class Presence(StrEnum):
    """What a target shows: nothing there, made by us, made by somebody else, cannot be told."""

    NONE = "none"
    OURS = "ours"
    THEIRS = "theirs"
    UNKNOWN = "unknown"


class Phase(StrEnum):
    EMPTY = "empty"
    GIVING = "giving"
    GIVEN = "given"
    TAKING = "taking"


@dataclass(frozen=True, kw_only=True)
class Hold:
    """What is held: fixed when it is first approved, so what is taken is what was given."""

    target: str
    account: str
    entitlement: Entitlement

    @cached_property
    def key(self) -> str:
        """``target/digest``: the part before the slash is the lane the worker's threads are shared by."""
        return f"{self.target}/{digest(self.account, self.entitlement.what)}"


@dataclass(frozen=True, kw_only=True)
class HoldRecord:
    """How far a hold has come. ``baseline`` is what the target showed before we first gave; None
    while the hold is empty. ``given_until`` is the end that the target was last told, for one that
    keeps ends itself. ``failures`` counts failed attempts in a row."""

    hold: Hold
    phase: Phase = Phase.EMPTY
    baseline: Presence | None = None
    given_until: datetime | None = None
    seen_at: datetime | None = None
    failures: int = 0
    failing_since: datetime | None = None
    last_error: str | None = None
    look_again: bool = False
    """A claim on this hold was once taken over: somebody may still act late, so look once more."""
    wished_by: str | None = None
    """Somebody wants it tried now, and waits to hear what came of that."""
    by_hand: bool = False
    """Somebody says they took it away by hand: where taking fails, what the target shows counts."""

    @property
    def untouchable(self) -> bool:
        """The access was there before us, or may have been: it is not ours to take."""
        return self.baseline in (Presence.THEIRS, Presence.UNKNOWN)


def backoff(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: 1, 2, 4 … seconds, at most five minutes."""
    return min(timedelta(seconds=2 ** min(max(failures - 1, 0), 9)), LONGEST_BACKOFF)
