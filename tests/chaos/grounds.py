"""What must never be so of grants, their grounds, and the votes for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from bot.core.grants import Answer, Grant, Vote
from bot.core.reasons import Why
from tests.chaos import scenario
from tests.chaos.deeds import DONE, UNKNOWN, Deed
from tests.chaos.history import Shown
from tests.chaos.promises import SLACK
from tests.chaos.store import Happened
from tests.chaos.truth import Truth
from tests.chaos.violations import Violation

JUST = 0.01
"""Seconds; Redis keeps the end of a lease in milliseconds."""


def last_ground(grant: Grant) -> float | None:
    """The end of the last ground that has not fallen, in epoch seconds."""
    ends = [each.until.timestamp() for each in grant.grounds if each.fell is None]
    return max(ends, default=None)


def lease_differs(grant: Grant, lease: float | None) -> Violation | None:
    """``lease`` is the end that it has, in epoch seconds."""
    last = last_ground(grant)
    if lease is None or last is None or abs(lease - last) <= JUST:
        return None
    about = f"its lease ends at {lease:.3f}, its last ground at {last:.3f}"
    return Violation(what="lease not the last ground", about=about, grant=grant.id)


def ends_differ(truth: Truth) -> Iterator[Violation]:
    for name, grant in truth.books.grants.items():
        if grant.approved_at is None or grant.until is None:
            continue
        found = lease_differs(grant, grant.until.timestamp())
        lease = truth.books.leases.get(name) if name in truth.books.live else None
        found = found or (lease_differs(grant, lease.timestamp()) if lease else None)
        if found:
            yield found


def alike(grant: Grant) -> tuple[str, str, frozenset[str]]:
    """Of two live grants that have this in common there is only one."""
    return grant.person, grant.resource, frozenset(hold.key for hold in grant.gives)


def two_live(truth: Truth) -> Iterator[Violation]:
    """At the same time, of one person and resource, which give the same. A grant that takes the place of
    another is approved in the commit that ends it, a little after it was decided."""
    found = defaultdict(list)
    for name, grant in truth.books.grants.items():
        if reason := truth.reason_of(name):
            written = [each.at for each in truth.books.trail.get(name, ()) if each.entry.what == "approved"]
            found[alike(grant)].append(replace(reason, since=max([reason.since, *written[:1]])))
    for every in found.values():
        every.sort(key=lambda each: each.since)
        for early, late in pairwise(every):
            if late.since < early.until - JUST:
                about = f"{early.grant.id} until {early.until:.3f}, this one since {late.since:.3f}"
                yield Violation(what="two live grants of one resource", about=about, grant=late.grant.id)


# --------------------------------------------------------------------------------- what was taken away


def given_back(truth: Truth) -> Iterator[Violation]:
    """By a rule or a shift, or to somebody who is to have nothing, though people took it away. Entries are in
    the order in which it happened."""
    blocked: dict[tuple[object, object], float] = {}
    banned: set[object] = set()
    frozen = False
    for each in truth.books.entries:
        entry, facts = each.entry, each.entry.facts
        person, resource = facts.get("person"), facts.get("resource")
        match entry.what:
            case "banned":
                banned.add(person)
            case "allowed":
                banned.discard(person)
            case "frozen" | "unfrozen":
                frozen = entry.what == "frozen"
            case "ending" if _taken_away(truth, each):
                blocked[(person, resource)] = each.at + scenario.REVOKED_FOR
            case "approved" | "ground added" | "extended":
                by_rule = not facts.get("votes")
                stopped = frozen or each.at < blocked.get((person, resource), 0)
                if person in banned or (by_rule and stopped):
                    why = "banned" if person in banned else "frozen" if frozen else "revoked"
                    about = f"{resource} to {person}, who is {why}: {facts.get('rule')}"
                    yield Violation(
                        what="given back by a rule after a revocation", about=about, grant=entry.grant
                    )
                if not by_rule and entry.what == "approved":
                    blocked.pop((person, resource), None)


def _taken_away(truth: Truth, happened: Happened) -> bool:
    """Somebody else revoked this very resource, or a hand took it at the target."""
    entry, facts = happened.entry, happened.entry.facts
    if facts.get("why") == Why.HAND_REMOVED:
        return True
    return facts.get("why") == Why.REVOKED and any(
        each.what == "revoke"
        and each.by == entry.by != facts.get("person")
        and (each.person, each.resource) == (facts.get("person"), facts.get("resource"))
        and each.sent - SLACK <= happened.at <= each.answered + SLACK
        for each in truth.deeds
    )


# ----------------------------------------------------------------------------------------------- votes


def voted_on_other_terms(truth: Truth) -> Iterator[Violation]:
    """What was given is not what each who approved it had before their eyes, or is more."""
    cast = defaultdict[tuple[str | None, str], list[Deed]](list)
    for deed in truth.deeds:
        if deed.what in ("approve", "less") and deed.outcome in (DONE, UNKNOWN):
            cast[(deed.grant, deed.by)].append(deed)
    for grant in truth.books.grants.values():
        kept = truth.books.grants.get(grant.kept_by or "", grant) if not grant.gives else grant
        given = Shown(value="", roles=_roles(kept), seconds=grant.length or 0)
        if (grant.approved_at or grant.kept_by) and not _granted_again(grant):
            yield from _unseen(grant.id, grant.votes, given, grant, cast)
        for each in grant.extensions:
            if each.answer is Answer.APPROVED:
                more = Shown(value="", roles=_roles(grant), until=int(each.until.timestamp()))
                yield from _unseen(each.id, each.votes, more, grant, cast)


def _unseen(
    which: str,
    votes: tuple[Vote, ...],
    given: Shown,
    grant: Grant,
    cast: dict[tuple[str | None, str], list[Deed]],
) -> Iterator[Violation]:
    for vote in votes:
        seen = [shown for deed in cast[(which, vote.person)] for shown in deed.shown]
        if not any(_covers(each, given) for each in seen):
            about = f"{vote.person} approved {which} for {given}, and was shown {seen}"
            yield Violation(what="voted on other terms than shown", about=about, grant=grant.id)


def _covers(shown: Shown, given: Shown) -> bool:
    return shown.roles == given.roles and shown.seconds >= given.seconds and shown.until >= given.until


def _roles(grant: Grant) -> frozenset[str]:
    return frozenset(hold.entitlement["role"] for hold in grant.gives)


def _granted_again(grant: Grant) -> bool:
    """By the buttons of an alert, which say so."""
    return any(each.rule == "granted again" for each in grant.trace)
