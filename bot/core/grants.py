"""A grant: one person's timed right to one resource, from asking to gone.

    ASKED ──► APPROVED ──► ACTIVE ──► ENDING ──► ENDED
      │           └─ could not be given: take back ─►┘
      └─► DENIED · WITHDRAWN · LAPSED

Moves are functions that return the grant moved, and raise Refused where the move is not legal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.core.catalog import AutomaticRule
from bot.core.errors import refuse
from bot.core.holds import Hold
from bot.core.reasons import Reason, Why, because

GIVE_WITHIN = timedelta(minutes=15)
"""What could not be given in this time after approval is taken back and told."""

SLOW_GIVE = timedelta(seconds=30)
"""Giving that took longer moves the end by as much as it took."""


class State(StrEnum):
    ASKED = "asked"
    APPROVED = "approved"
    ACTIVE = "active"
    ENDING = "ending"
    ENDED = "ended"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


LIVE = frozenset({State.APPROVED, State.ACTIVE})
OPEN = LIVE | {State.ASKED, State.ENDING}
"""Not finished: something may still be owed."""


class Origin(StrEnum):
    ASKED = "asked"
    SHIFT = "shift"


class HoldState(StrEnum):
    """How one hold stands, seen from one grant. KEPT: another grant goes on holding it."""

    PENDING = "pending"
    GIVEN = "given"
    GONE = "gone"
    KEPT = "kept"
    FAILED = "failed"


SETTLED = frozenset({HoldState.GONE, HoldState.KEPT})


@dataclass(frozen=True, kw_only=True)
class Traced:
    """One line of a decision: a rule, what it came to (yes, no, cannot tell), and why."""

    rule: str
    outcome: str
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class Vote:
    person: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Grant:
    """``length`` is what was asked for in seconds, None for *until the shift ends*. ``until`` is the end
    of the lease as last written. ``gives`` is what it holds, resolved when approved, and ``holds`` maps
    those holds' keys to how they stand. ``depends_on`` is the rule of the policy that let it in and that it
    lives by: it ends when the rule no longer holds. ``follows`` is the grant that this one prolongs.
    ``undecided``: facts are missing; the worker decides when it has them. ``asked_people`` get the card
    where there is no channel ``asked_in``. ``seated``: it holds the seat of a resource that only one may
    hold."""

    id: str
    person: str
    resource: str
    origin: Origin
    state: State
    asked_at: datetime
    length: int | None
    reason: str
    policy: str
    rule: str = ""
    trace: tuple[Traced, ...] = ()
    undecided: bool = False
    lapses_at: datetime | None = None
    approvals: int = 1
    votes: tuple[Vote, ...] = ()
    asked_people: tuple[str, ...] = ()
    asked_in: str | None = None
    depends_on: AutomaticRule | None = None
    follows: str | None = None
    until: datetime | None = None
    approved_at: datetime | None = None
    active_at: datetime | None = None
    lease_ended_at: datetime | None = None
    """Since when it is not allowed any more. ``ended_at`` is when everything was seen gone."""
    ended_at: datetime | None = None
    ended: Reason | None = None
    decided_by: str | None = None
    gives: tuple[Hold, ...] = ()
    holds: Mapping[str, HoldState] = field(default_factory=dict)
    kept_by: str | None = None
    had_before: bool = False
    seated: bool = False
    left_by: str | None = None
    """The grantor, in the target's words, of the same access that the person still has after the end."""
    overdue_since: datetime | None = None
    trouble: str | None = None

    @property
    def open(self) -> bool:
        return self.state in OPEN


def approve(grant: Grant, *, now: datetime, until: datetime, gives: Iterable[Hold], rule: str) -> Grant:
    """ASKED to APPROVED, with the end of its lease and the holds it will stand behind."""
    _only(grant, State.ASKED)
    held = tuple(gives)
    return replace(
        grant,
        state=State.APPROVED,
        undecided=False,
        approved_at=now,
        until=until,
        rule=rule,
        gives=held,
        holds={hold.key: HoldState.PENDING for hold in held},
    )


def vote(grant: Grant, *, person: str, now: datetime) -> Grant:
    """One more approval. Raises Refused for one's own ask and for a second vote of the same person."""
    _only(grant, State.ASKED)
    if person == grant.person:
        raise refuse(Why.OWN_REQUEST)
    if any(each.person == person for each in grant.votes):
        raise refuse(Why.VOTED_ALREADY)
    return replace(grant, votes=(*grant.votes, Vote(person=person, at=now)))


def deny(grant: Grant, *, person: str | None, now: datetime, because_of: Reason | None = None) -> Grant:
    _only(grant, State.ASKED)
    return replace(grant, state=State.DENIED, decided_by=person, ended_at=now, ended=because_of)


def withdraw(grant: Grant, *, now: datetime) -> Grant:
    _only(grant, State.ASKED)
    return replace(grant, state=State.WITHDRAWN, decided_by=grant.person, ended_at=now)


def lapse(grant: Grant, *, now: datetime) -> Grant:
    _only(grant, State.ASKED)
    return replace(grant, state=State.LAPSED, ended_at=now, ended=because(Why.ASK_LAPSED))


def end(grant: Grant, *, now: datetime, reason: Reason, by: str | None = None) -> Grant:
    """APPROVED or ACTIVE to ENDING; what it held is to be taken from here on. ``now`` may be long after
    the end of its lease, if no worker ran."""
    _only(grant, *LIVE)
    ended = min(grant.until or now, now)
    return replace(grant, state=State.ENDING, lease_ended_at=ended, ended=reason, decided_by=by, trouble=None)


def move_end(grant: Grant, *, until: datetime) -> Grant:
    """A live grant ends later, or earlier; its lease is to be moved in the same commit."""
    _only(grant, *LIVE)
    return replace(grant, until=until)


def hold_given(grant: Grant, hold: str, *, now: datetime, had_before: bool) -> Grant:
    """A hold was observed given; the last one makes the grant ACTIVE."""
    _only(grant, *LIVE)
    holds = {**grant.holds, hold: HoldState.GIVEN}
    moved = replace(grant, holds=holds, had_before=grant.had_before or had_before, trouble=None)
    if grant.state is State.APPROVED and set(holds.values()) == {HoldState.GIVEN}:
        return replace(moved, state=State.ACTIVE, active_at=now)
    return moved


def hold_failed(grant: Grant, hold: str, *, now: datetime, trouble: str) -> Grant:
    """A hold cannot be given at all: the whole grant ends, and what was given of it is taken back."""
    _only(grant, *LIVE)
    moved = end(grant, now=now, reason=because(Why.COULD_NOT_GIVE))
    return replace(moved, holds={**grant.holds, hold: HoldState.FAILED}, trouble=trouble)


def hold_settled(
    grant: Grant, hold: str, *, now: datetime, kept_by: str | None = None, left_by: str | None = None
) -> Grant:
    """Record that a hold is gone, or goes on for another grant; the last one makes the grant ENDED.
    ``left_by`` is who else granted access that the person still has."""
    _only(grant, State.ENDING)
    grant = replace(grant, left_by=left_by or grant.left_by)
    how = HoldState.KEPT if kept_by else HoldState.GONE
    holds = {**grant.holds, hold: how}
    keeper = kept_by or grant.kept_by
    if not SETTLED.issuperset(holds.values()):
        return replace(grant, holds=holds, kept_by=keeper)
    return replace(
        grant,
        holds=holds,
        kept_by=keeper,
        state=State.ENDED,
        ended_at=now,
        overdue_since=None,
        trouble=_lasting(grant),
    )


def _lasting(grant: Grant) -> str | None:
    failed = grant.ended is not None and grant.ended.why is Why.COULD_NOT_GIVE
    return grant.trouble if failed else None


def _only(grant: Grant, *states: State) -> None:
    if grant.state not in states:
        raise refuse(Why.DECIDED_ALREADY, state=grant.state.value, **decided_by(grant))


def decided_by(grant: Grant) -> dict[str, str | int]:
    """Facts for a late clicker: who decided, where somebody did."""
    if grant.decided_by:
        return {"by_person": grant.decided_by}
    if grant.votes:
        return {"by_person": grant.votes[-1].person}
    return {}
