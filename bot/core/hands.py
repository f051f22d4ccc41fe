"""Proof that somebody removed access at the target by hand: it is gone, and Rotakey did not revoke it.

Without the proof nobody is blamed, because it may have been the target, which went back; the ledger, which
forgot that it was revoked; or a late call of our own.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.core.ages import UNKNOWN_AGE, age
from bot.core.holds import Absence, HoldRecord, Missing, Position, Seen, System

LOOK_TWICE = timedelta(seconds=10)
"""The time between the two looks that must both show nothing."""

MOST_BY_HAND = 3
"""If more than this many are missing at once, people are asked before anything ends."""

ENDS_ITSELF = timedelta(minutes=1)
"""If the target itself ends access, it may do so this much earlier, because the two clocks may differ."""


def missing_after(record: HoldRecord, seen: Seen, losses: int, now: datetime) -> Missing:
    """Return what is known after a look that showed nothing.

    ``cause`` is None until a second look is due: it has to come LOOK_TWICE after the first, by a clock that
    was not set back in between. A target that went back is known at once.
    """
    first = record.missing
    if first is None or age(first.since, now) == UNKNOWN_AGE:
        first = Missing(since=now, system=seen.system, position=seen.position)
    cause: Absence | None = cause_of(record, first, seen, losses)
    if cause is not Absence.TARGET and now - first.since < LOOK_TWICE:
        cause = None
    return Missing(
        since=first.since, system=first.system, position=first.position, cause=cause, asked=first.asked
    )


def cause_of(record: HoldRecord, first: Missing, seen: Seen, losses: int) -> Absence:
    """Return why the access is not there, if two looks showed nothing. A ledger that lost something proves
    nothing, so that comes first: granting again what had ended is worse than ending what had not."""
    if record.losses != losses:
        return Absence.LEDGER
    if record.witness is None:
        return Absence.UNKNOWN
    return max(
        _step(record.witness.system, record.witness.position, first.system, first.position),
        _step(first.system, first.position, seen.system, seen.position),
        key=(Absence.HAND, Absence.UNKNOWN, Absence.TARGET).index,
    )


def _step(
    system: System | None, position: Position | None, then: System | None, at: Position | None
) -> Absence:
    """Return what can have happened at the target from one look to the next: HAND if it has only gone on."""
    if (system.id if system else None) != (then.id if then else None):
        return Absence.TARGET
    if position is None or at is None:
        return Absence.HAND if position == at else Absence.UNKNOWN
    went_on = position.timeline == at.timeline and position.at <= at.at
    return Absence.HAND if went_on else Absence.TARGET


def may_have_ended_itself(until: datetime | None, now: datetime) -> bool:
    """Return whether the target may have ended it, given ``until``, the end that was last sent to it."""
    return until is not None and until - now <= ENDS_ITSELF


def is_crowd(missing: int, held: int, share: int) -> bool:
    """Return whether too many of ``held`` are missing at once, so that people have to be asked first: more
    than MOST_BY_HAND, or more than ``share`` percent; a single one never is."""
    return missing >= 2 and (missing > MOST_BY_HAND or missing * 100 > held * share)
