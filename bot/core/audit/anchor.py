"""The part of the audit that is kept outside Redis: the newest seal, and the grants that ended recently."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core.audit.chain import before_all, moment, read_moment

SETTLES = timedelta(seconds=2)
"""Entries younger than this are not sealed: a Redis that syncs its disk once a second may lose them in a
crash."""

MOST_SEALED = 5_000
"""The most entries in one seal; if there are more, the next seal follows at once."""

LASTS = timedelta(seconds=4)
"""A seal of this age is assumed to survive any crash; a ledger without it is an older copy."""

WAITS = timedelta(minutes=2)
"""The longest that an entry waits for its seal while a worker runs."""

ENDED_KEPT = timedelta(hours=24)
ENDED_MOST = 1_000
GIVEN_UP_MOST = 100
MILESTONE_EVERY = timedelta(days=1)
MILESTONES_MOST = 1_000

_SHORT = re.compile(r"(?:(\d{1,12}):)?([0-9a-f]{64})")
_GRANT = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A grant that began to end at ``at``. A ledger that later shows it as live is older than that."""

    grant: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class GivenUp:
    """A seal that was lost, and whose loss somebody accepted: the seal numbered ``accepted`` says who and
    why."""

    seal: int
    head: str
    accepted: int


@dataclass(frozen=True, kw_only=True)
class Milestone:
    """A seal, made at ``at``, through which the chain was followed."""

    number: int
    head: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class PolicyMark:
    """A version of the policy that was put in force at ``since``, in whole milliseconds."""

    version: str
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Anchored:
    """A seal that was in the ledger: its number (0: not known), its head, the last entry that it closed, and
    the name of the ``key`` that signed it. ``ended`` are the most recent grants that had ended by then;
    ``given_up`` the most recent losses by then; ``milestones`` are earlier seals, one a day;
    ``policy`` is the newest policy that was in force."""

    number: int
    head: str
    last: str = ""
    ended: tuple[Ended, ...] = ()
    key: str | None = None
    given_up: tuple[GivenUp, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    policy: PolicyMark | None = None

    @property
    def short(self) -> str:
        """Return the form in which people copy it, ``number:head``."""
        return f"{self.number}:{self.head}"


def is_grant_id(name: object) -> bool:
    """Return whether a grant may have this id. An intruder may have put anything into Redis."""
    return isinstance(name, str) and bool(_GRANT.fullmatch(name))


def all_ended(before: Iterable[Ended], since: Iterable[Ended]) -> tuple[Ended, ...]:
    """Return both lists as one, each grant once, in the order of their ends."""
    every = {each.grant: each for each in (*since, *before)}
    return tuple(sorted(every.values(), key=lambda it: (it.at, it.grant)))


def ended_lately(before: Iterable[Ended], since: Iterable[Ended], now: datetime) -> tuple[Ended, ...]:
    """Return the grants that ended within the last day; if there are very many, the latest of them."""
    every = {each.grant: each for each in (*since, *before)}
    recent = sorted((each for each in every.values() if now - each.at <= ENDED_KEPT), key=lambda it: it.at)
    return tuple(recent[-ENDED_MOST:])


def milestones_with(before: Sequence[Milestone], latest: Milestone) -> tuple[Milestone, ...]:
    """Return the milestones with the latest one, at most one a day. If there are very many, drop every other
    one of the older half."""
    if before and latest.at - before[-1].at < MILESTONE_EVERY:
        return tuple(before)
    kept = (*before, latest)
    if len(kept) <= MILESTONES_MOST:
        return kept
    half = MILESTONES_MOST // 2
    return (*kept[:half:2], *kept[half:])


def newer(one: Anchored | None, other: Anchored | None) -> Anchored | None:
    """Return the one with the higher number. Numbers only grow, even when a restore is accepted."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda each: each.number)


def policy_mark(version: str, since: datetime) -> PolicyMark:
    return PolicyMark(version=version, since=since.replace(microsecond=since.microsecond // 1_000 * 1_000))


def has_come_back(mark: PolicyMark, now: PolicyMark, *, applied: bool, known: bool) -> bool:
    """Return whether a ledger with the policy ``now`` is older than one with ``mark``, and the difference is
    not that a person ``applied`` another one since. ``known``: the ledger knows that version at all."""
    if now.version == mark.version:
        return False
    return now.since <= mark.since or not (known or applied)


def newer_policy(one: PolicyMark | None, other: PolicyMark | None) -> PolicyMark | None:
    """Return the one that came into force later."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda each: each.since)


def says_more(one: Anchored, kept: Anchored | None) -> bool:
    """Return whether ``one`` replaces what is kept: its seal is newer, or its list of ends or its policy
    differs. One with an older policy does not."""
    if kept is None:
        return True
    if newer_policy(kept.policy, one.policy) != one.policy:
        return False
    if one.number != kept.number:
        return one.number > kept.number
    return one.head == kept.head and (one.ended, one.policy) != (kept.ended, kept.policy)


# ---------------------------------------------------------------------------------- writing and reading


def text_of(anchored: Anchored) -> str:
    """Write it as one line."""
    said = {
        "seal": anchored.number,
        "head": anchored.head,
        "last": anchored.last,
        "ended": [[each.grant, moment(each.at)] for each in anchored.ended],
        "key": anchored.key,
        "given_up": [[each.seal, each.head, each.accepted] for each in anchored.given_up[-GIVEN_UP_MOST:]],
        "milestones": [[each.number, each.head, moment(each.at)] for each in anchored.milestones],
        "policy": [anchored.policy.version, moment(anchored.policy.since)] if anchored.policy else None,
    }
    return json.dumps(said, separators=(",", ":")) + "\n"


def read_anchor(text: str) -> Anchored:
    """Read the line of ``text_of``, or the short form that people copy. Raise ValueError if it is neither."""
    short = _SHORT.fullmatch(text.strip())
    if short:
        return Anchored(number=int(short[1] or 0), head=short[2])
    try:
        said = json.loads(text)
        before_all(said["last"])
        found = Anchored(
            number=int(said["seal"]),
            head=str(said["head"]),
            last=said["last"],
            ended=tuple(
                Ended(grant=grant, at=read_moment(at)) for grant, at in said["ended"] if is_grant_id(grant)
            ),
            key=said.get("key"),
            given_up=tuple(
                GivenUp(seal=int(seal), head=str(head), accepted=int(accepted))
                for seal, head, accepted in said.get("given_up", ())
            ),
            milestones=tuple(
                Milestone(number=int(number), head=str(head), at=read_moment(at))
                for number, head, at in said.get("milestones", ())
            ),
            policy=_read_mark(*said["policy"]) if said.get("policy") else None,
        )
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise ValueError("it is not a valid audit anchor") from error
    if not _SHORT.fullmatch(found.short):
        raise ValueError("it is not a valid audit anchor")
    return found


def _read_mark(version: str, since: str) -> PolicyMark:
    return policy_mark(str(version), read_moment(since))
