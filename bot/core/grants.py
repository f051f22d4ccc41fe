"""A grant: one person's timed right to one resource, from request to gone.

    ASKED ──► (WAITING) ──► APPROVED ──► ACTIVE ──► ENDING ──► ENDED
      │           │             └─ could not be given: revoke ─►┘
      └───────────┴─► DENIED · WITHDRAWN · LAPSED

WAITING is agreed and has no lease yet, because it starts later. A grant stands on one or more grounds; its
lease ends with the last of them that stands. Moves are functions that return the grant moved, and raise
Refused if the move is not legal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.core.catalog import AutomaticRule, OnCall, shift_rules
from bot.core.document import Document
from bot.core.errors import refuse
from bot.core.holds import Hold
from bot.core.reasons import Reason, Why, because

GIVE_WITHIN = timedelta(minutes=15)
"""The time limit for granting after approval; what could not be granted by then is revoked and reported."""

SLOW_GIVE = timedelta(seconds=30)
"""Granting that took longer than this moves the end by as long as it took."""


class State(StrEnum):
    ASKED = "asked"
    WAITING = "waiting"
    APPROVED = "approved"
    ACTIVE = "active"
    ENDING = "ending"
    ENDED = "ended"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    ADDED = "added"
    """Approved, but the person had the resource by then: the grant they have stands on one more ground."""


LIVE = frozenset({State.APPROVED, State.ACTIVE})
NOT_BEGUN = frozenset({State.ASKED, State.WAITING})
"""No lease yet: it can be denied or withdrawn, or lapse."""

OPEN = LIVE | NOT_BEGUN | {State.ENDING}
"""Not finished: something may still be owed."""


class Origin(StrEnum):
    ASKED = "asked"
    SHIFT = "shift"


class HoldState(StrEnum):
    """The state of one hold, as one grant sees it. KEPT: another grant goes on holding it."""

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
    """An approval. ``terms`` is the digest of the terms that it was given for."""

    person: str
    at: datetime
    terms: str = ""


class Cause(StrEnum):
    """The kinds of ground."""

    SHIFT = "shift"
    INCIDENT = "incident"
    RULE = "rule"
    APPROVAL = "approval"
    BREAK_GLASS = "break-glass"


@dataclass(frozen=True, kw_only=True)
class Ground:
    """One reason why a grant stands, with an end of its own.

    ``rule`` names what let it in. ``lives_by`` is the rule of the policy that has to go on being true of the
    person, if there is one; it is judged as long as the ground stands, even if the policy no longer has it.
    ``ends_with``: the end is that of the person's shift by this rule, and follows it both ways, up to
    ``cap``; without it facts move the end only to an earlier moment. ``wanted`` is the end that was
    requested, if an earlier one was given. ``approved_by`` are the people who approved it. ``fell`` is the
    reason why it no longer stands.
    """

    cause: Cause
    since: datetime
    until: datetime
    rule: str = ""
    lives_by: AutomaticRule | None = None
    ends_with: OnCall | None = None
    cap: datetime | None = None
    wanted: datetime | None = None
    approved_by: tuple[str, ...] = ()
    fell: Reason | None = None

    def stands(self, now: datetime) -> bool:
        return self.fell is None and now < self.until

    @property
    def shift_rule(self) -> OnCall | None:
        """Return the rule whose shift the end depends on, if it depends on one."""
        return next(iter(shift_rules((self.ends_with, self.lives_by))), None)


class Answer(StrEnum):
    """The outcome of an extension. REPLACED: the person requested another one instead."""

    APPROVED = "approved"
    DENIED = "denied"
    REPLACED = "replaced"
    LAPSED = "lapsed"


@dataclass(frozen=True, kw_only=True)
class Extension:
    """A request on a live grant for a later end, ``until``; with ``ends_with`` that is the end of the shift
    by this rule, whenever that will be. ``answer`` is None while it waits, and it lapses with the lease."""

    id: str
    asked_at: datetime
    until: datetime
    policy: str
    ends_with: OnCall | None = None
    trace: tuple[Traced, ...] = ()
    approvals: int = 1
    votes: tuple[Vote, ...] = ()
    asked_people: tuple[str, ...] = ()
    asked_in: str | None = None
    answer: Answer | None = None
    answered_at: datetime | None = None
    decided_by: str | None = None
    why: Reason | None = None


MOST_EXTENSIONS = 10
"""The number of answered extensions that a grant remembers; older ones are in the audit only."""


@dataclass(frozen=True, kw_only=True)
class Grant(Document, kind="grant"):
    """One person's timed right to one resource.

    ``length`` is what was requested in seconds, None for *until the shift ends*. ``starts_at`` is the start
    that was requested, None for at once. ``until`` is the end of the lease as last written, which is that of
    the last ground. ``gives`` is what it holds, resolved when approved, and ``holds`` maps those holds' keys
    to their states. ``rule`` and ``trace`` say what let it in. ``undecided``: facts are missing; the worker
    decides when it has them. ``asked_people`` get the card if there is no channel ``asked_in``. ``seated``:
    only one person at a time could hold the resource when it was approved.

    An older version wrote no ``grounds`` but ``depends_on``, the rule that the grant lives by, and wrote an
    extension as a grant of its own, which ``follows`` the one that it prolongs.
    """

    id: str
    person: str
    resource: str
    origin: Origin
    state: State
    asked_at: datetime
    length: int | None
    reason: str
    policy: str
    starts_at: datetime | None = None
    wished: int | None = None
    """The seconds that were requested, if an approver granted fewer."""
    rule: str = ""
    grounds: tuple[Ground, ...] = ()
    extensions: tuple[Extension, ...] = ()
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
    """The moment from which it was no longer allowed. ``ended_at`` is when everything was seen gone."""
    ended_at: datetime | None = None
    ended: Reason | None = None
    decided_by: str | None = None
    gives: tuple[Hold, ...] = ()
    holds: Mapping[str, HoldState] = field(default_factory=dict)
    kept_by: str | None = None
    had_before: bool = False
    seated: bool = False
    left_by: str | None = None
    sessions_kept: tuple[str, ...] = ()
    """Targets that say they left sessions open which used the access."""
    """The grantor, in the target's words, of the same access that the person still has after the end."""
    overdue_since: datetime | None = None
    trouble: str | None = None

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def stands_on(self) -> tuple[Ground, ...]:
        """Return the grounds that have not fallen; a grant of an older version gets one made from its
        fields."""
        if self.grounds or self.until is None:
            return tuple(each for each in self.grounds if each.fell is None)
        return (_older_ground(self, self.until),)

    @property
    def shift_ground(self) -> Ground | None:
        return next((each for each in self.stands_on if each.cause is Cause.SHIFT), None)

    @property
    def extension_ids(self) -> tuple[str, ...]:
        """Return the ids of all extensions that there ever were: the id of the grant, a dash, and a
        number."""
        last = int(self.extensions[-1].id.rpartition("-")[2]) if self.extensions else 0
        return tuple(f"{self.id}-{number + 1}" for number in range(last))

    @property
    def extension(self) -> Extension | None:
        """Return the extension that waits, if there is one."""
        return next((each for each in self.extensions if each.answer is None), None)


def _older_ground(grant: Grant, until: datetime) -> Ground:
    """Return the one ground of a grant that an older version approved."""
    voters = tuple(each.person for each in grant.votes)
    cause = Cause.RULE if grant.depends_on or not voters else Cause.APPROVAL
    by_shift = grant.origin is Origin.SHIFT
    since = grant.approved_at or grant.asked_at
    wanted = since + timedelta(seconds=grant.length) if grant.length is not None else None
    return Ground(
        cause=Cause.SHIFT if by_shift else cause,
        since=since,
        until=until,
        rule=grant.rule,
        lives_by=grant.depends_on,
        ends_with=next(iter(shift_rules((grant.depends_on,))), None) if by_shift else None,
        wanted=wanted if wanted and until < wanted - timedelta(seconds=1) else None,
        approved_by=voters,
    )


def agree(grant: Grant, *, rule: str) -> Grant:
    """Move ASKED to WAITING: this rule agreed, and the lease begins at ``starts_at``."""
    _only(grant, State.ASKED)
    return replace(grant, state=State.WAITING, rule=rule, undecided=False, lapses_at=None)


def approve(grant: Grant, *, now: datetime, ground: Ground, gives: Iterable[Hold]) -> Grant:
    """Move ASKED or WAITING to APPROVED, standing on its first ground, with the holds it will stand
    behind."""
    _only(grant, *NOT_BEGUN)
    held = tuple(gives)
    return replace(
        grant,
        state=State.APPROVED,
        undecided=False,
        approved_at=now,
        until=ground.until,
        rule=ground.rule,
        grounds=(ground,),
        gives=held,
        holds={hold.key: HoldState.PENDING for hold in held},
    )


def add_ground(grant: Grant, ground: Ground) -> Grant:
    """Add a ground to a live grant, which ends with the last of its grounds."""
    _only(grant, *LIVE)
    kept = [each for each in _kept_grounds(grant) if each.stands(ground.since)]
    if ground.cause is Cause.RULE:  # it takes the place of what the same rule gave for no longer
        kept = [each for each in kept if _basis(each) != _basis(ground) or ground.until < each.until]
    return _standing_on(grant, (*kept, ground))


def move_ground(grant: Grant, ground: Ground, *, until: datetime) -> Grant:
    """Move the end of one of the grounds that a live grant stands on. If the end was cut short, the one that
    was wanted is remembered."""
    cut = not ground.ends_with and until < ground.until
    wanted = ground.wanted or (ground.until if cut else None)
    return _with_ground(grant, ground, replace(ground, until=until, wanted=wanted))


def drop_ground(grant: Grant, ground: Ground, *, reason: Reason) -> Grant:
    """Record that one of the grounds of a live grant has fallen; the others go on."""
    return _with_ground(grant, ground, replace(ground, fell=reason))


def _basis(ground: Ground) -> tuple[object, ...]:
    return ground.cause, ground.rule, ground.lives_by, ground.ends_with


def _with_ground(grant: Grant, old: Ground, new: Ground) -> Grant:
    _only(grant, *LIVE)
    return _standing_on(grant, tuple(new if each == old else each for each in _kept_grounds(grant)))


def _kept_grounds(grant: Grant) -> tuple[Ground, ...]:
    return grant.grounds or grant.stands_on


def _standing_on(grant: Grant, grounds: tuple[Ground, ...]) -> Grant:
    ends = [each.until for each in grounds if each.fell is None]
    return replace(grant, grounds=grounds, until=max(ends, default=grant.until))


def request_extension(grant: Grant, extension: Extension) -> Grant:
    """Add an extension that waits. One that waited before is replaced, and its votes no longer count."""
    before = _with_answer(grant, Answer.REPLACED, now=extension.asked_at)
    _only(grant, *LIVE)
    return replace(before, extensions=(*before.extensions[-MOST_EXTENSIONS:], extension))


def vote_extension(grant: Grant, votes: tuple[Vote, ...], *, approvals: int) -> Grant:
    """Set the votes of the waiting extension, and the number of approvals that it needs."""
    _only(grant, *LIVE)
    voted = (_with(each, votes=votes, approvals=approvals) for each in grant.extensions)
    return replace(grant, extensions=tuple(voted))


def change_extension(grant: Grant, shorter: Extension) -> Grant:
    """Replace the waiting extension by a shorter one."""
    _only(grant, *LIVE)
    changed = (shorter if each.answer is None else each for each in grant.extensions)
    return replace(grant, extensions=tuple(changed))


def approve_extension(grant: Grant, ground: Ground) -> Grant:
    """Turn the waiting extension into a ground."""
    return add_ground(_with_answer(grant, Answer.APPROVED, now=ground.since), ground)


def deny_extension(grant: Grant, *, person: str, now: datetime, why: Reason | None = None) -> Grant:
    _only(grant, *LIVE)
    return _with_answer(grant, Answer.DENIED, now=now, by=person, why=why)


def _with_answer(
    grant: Grant, answer: Answer, *, now: datetime | None, by: str | None = None, why: Reason | None = None
) -> Grant:
    """Give the waiting extension, if there is one, its answer."""
    answered = (
        _with(each, answer=answer, answered_at=now, decided_by=by, why=why) for each in grant.extensions
    )
    return replace(grant, extensions=tuple(answered))


def _with(extension: Extension, **changes: Any) -> Extension:
    return extension if extension.answer else replace(extension, **changes)


def add_to(grant: Grant, other: Grant, *, now: datetime) -> Grant:
    """Mark the request as approved and added to ``other``, the grant that the person already has."""
    _only(grant, *NOT_BEGUN)
    return replace(grant, state=State.ADDED, ended_at=now, kept_by=other.id, until=other.until)


def one_more(
    votes: tuple[Vote, ...], requester: str, *, person: str, now: datetime, terms: str
) -> tuple[Vote, ...]:
    """Return the votes with that of ``person``. Raise Refused if it is the requester's own, or their
    second."""
    if person == requester:
        raise refuse(Why.OWN_REQUEST)
    if any(each.person == person for each in votes):
        raise refuse(Why.VOTED_ALREADY)
    return (*votes, Vote(person=person, at=now, terms=terms))


def deny(grant: Grant, *, person: str | None, now: datetime, because_of: Reason | None = None) -> Grant:
    _only(grant, *NOT_BEGUN)
    return replace(grant, state=State.DENIED, decided_by=person, ended_at=now, ended=because_of)


def withdraw(grant: Grant, *, now: datetime) -> Grant:
    _only(grant, *NOT_BEGUN)
    return replace(grant, state=State.WITHDRAWN, decided_by=grant.person, ended_at=now)


def lapse(grant: Grant, *, now: datetime, reason: Reason | None = None) -> Grant:
    """Record that nobody decided in time; or, with a ``reason``, that what was agreed could not begin."""
    _only(grant, *NOT_BEGUN)
    return replace(grant, state=State.LAPSED, ended_at=now, ended=reason or because(Why.ASK_LAPSED))


def end(grant: Grant, *, now: datetime, reason: Reason, by: str | None = None) -> Grant:
    """Move APPROVED or ACTIVE to ENDING: from here on what it held is revoked. A waiting extension lapses.
    ``now`` may be long after the end of its lease, if no worker ran."""
    _only(grant, *LIVE)
    grant = _with_answer(grant, Answer.LAPSED, now=now)
    ended = min(grant.until or now, now)
    return replace(grant, state=State.ENDING, lease_ended_at=ended, ended=reason, decided_by=by, trouble=None)


def hold_given(grant: Grant, hold: str, *, now: datetime, had_before: bool) -> Grant:
    """Record that a hold was seen to be granted; the last one makes the grant ACTIVE."""
    _only(grant, *LIVE)
    holds = {**grant.holds, hold: HoldState.GIVEN}
    moved = replace(grant, holds=holds, had_before=grant.had_before or had_before, trouble=None)
    if grant.state is State.APPROVED and set(holds.values()) == {HoldState.GIVEN}:
        return replace(moved, state=State.ACTIVE, active_at=now)
    return moved


def hold_failed(grant: Grant, hold: str, *, now: datetime, trouble: str) -> Grant:
    """Record that a hold cannot be granted at all: the whole grant ends, and what was granted of it is
    revoked."""
    _only(grant, *LIVE)
    moved = end(grant, now=now, reason=because(Why.COULD_NOT_GIVE))
    return replace(moved, holds={**grant.holds, hold: HoldState.FAILED}, trouble=trouble)


def hold_settled(
    grant: Grant,
    hold: str,
    *,
    now: datetime,
    kept_by: str | None = None,
    left_by: str | None = None,
    sessions_at: str | None = None,
) -> Grant:
    """Record that a hold is gone, or goes on for another grant; the last one makes the grant ENDED.
    ``left_by`` is the grantor of access that the person still has from somebody else; ``sessions_at`` is the
    target, if it says that it left sessions open."""
    _only(grant, State.ENDING)
    open_at = dict.fromkeys((*grant.sessions_kept, *([sessions_at] if sessions_at else [])))
    grant = replace(grant, left_by=left_by or grant.left_by, sessions_kept=tuple(open_at))
    how = HoldState.KEPT if kept_by else HoldState.GONE
    holds = {**grant.holds, hold: how}
    keeper = kept_by or grant.kept_by
    if not SETTLED.issuperset(holds.values()):
        return replace(grant, holds=holds, kept_by=keeper)
    could_not_give = grant.ended is not None and grant.ended.why is Why.COULD_NOT_GIVE
    return replace(
        grant,
        holds=holds,
        kept_by=keeper,
        state=State.ENDED,
        ended_at=now,
        overdue_since=None,
        trouble=grant.trouble if could_not_give else None,
    )


def _only(grant: Grant, *states: State) -> None:
    if grant.state not in states:
        raise refuse(Why.DECIDED_ALREADY, state=grant.state.value, **decided_by(grant))


def decided_by(grant: Grant) -> dict[str, str | int]:
    """Return the facts for somebody who clicks late: who decided, if somebody did."""
    if grant.decided_by:
        return {"by_person": grant.decided_by}
    if grant.votes:
        return {"by_person": grant.votes[-1].person}
    return {}
