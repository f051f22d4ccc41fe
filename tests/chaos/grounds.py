"""Violations that grants, their grounds and the votes for them can show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from bot.core.grants import Answer, Grant, Vote
from bot.core.reasons import Why
from tests.chaos import scenario
from tests.chaos.actions import DONE, UNKNOWN, Action
from tests.chaos.history import ShownTerms
from tests.chaos.promises import TOLERANCE as ANSWER_TOLERANCE
from tests.chaos.store import AuditEntry
from tests.chaos.truth import Truth
from tests.chaos.violations import Violation

TOLERANCE = 0.01
"""Seconds; Redis keeps the end of a lease in milliseconds."""


def last_end(grant: Grant) -> float | None:
    """Return the end of the last ground that has not fallen, in epoch seconds."""
    ends = [each.until.timestamp() for each in grant.grounds if each.fell is None]
    return max(ends, default=None)


def lease_violation(grant: Grant, lease: float | None) -> Violation | None:
    """Return the violation if the lease, whose end is in epoch seconds, does not end with the last ground."""
    last = last_end(grant)
    if lease is None or last is None or abs(lease - last) <= TOLERANCE:
        return None
    about = f"its lease ends at {lease:.3f}, its last ground at {last:.3f}"
    return Violation(what="lease does not end with the last ground", about=about, grant=grant.id)


def wrong_lease_ends(truth: Truth) -> Iterator[Violation]:
    for name, grant in truth.ledger.grants.items():
        if grant.approved_at is None or grant.until is None:
            continue
        found = lease_violation(grant, grant.until.timestamp())
        lease = truth.ledger.leases.get(name) if name in truth.ledger.live else None
        found = found or (lease_violation(grant, lease.timestamp()) if lease else None)
        if found:
            yield found


def contents(grant: Grant) -> tuple[str, str, frozenset[str]]:
    """Return what no two live grants may have in common."""
    return grant.person, grant.resource, frozenset(hold.key for hold in grant.gives)


def duplicate_grants(truth: Truth) -> Iterator[Violation]:
    """Yield grants that were live while another one of the same person and resource gave the same. A grant
    that replaces another is approved in the commit that ends it, a little after it was decided."""
    found = defaultdict(list)
    for name, grant in truth.ledger.grants.items():
        if reason := truth.reason_of(name):
            written = [each.at for each in truth.ledger.trail.get(name, ()) if each.entry.what == "approved"]
            found[contents(grant)].append(replace(reason, since=max([reason.since, *written[:1]])))
    for every in found.values():
        every.sort(key=lambda each: each.since)
        for early, late in pairwise(every):
            if late.since < early.until - TOLERANCE:
                about = f"{early.grant.id} until {early.until:.3f}, this one since {late.since:.3f}"
                yield Violation(what="two live grants of one resource", about=about, grant=late.grant.id)


# ------------------------------------------------------------------------------------- revocations


def grants_after_revocation(truth: Truth) -> Iterator[Violation]:
    """Yield grants by a rule or a shift after people had revoked access, or to somebody who is banned.
    Entries are in order."""
    blocked: dict[tuple[object, object], float] = {}
    banned: set[object] = set()
    frozen = False
    for each in truth.ledger.entries:
        entry, facts = each.entry, each.entry.facts
        person, resource = facts.get("person"), facts.get("resource")
        match entry.what:
            case "banned":
                banned.add(person)
            case "allowed":
                banned.discard(person)
            case "frozen" | "unfrozen":
                frozen = entry.what == "frozen"
            case "ending" if _is_revocation(truth, each):
                blocked[(person, resource)] = each.at + scenario.REVOKED_FOR
            case "approved" | "ground added" | "extended":
                by_rule = not facts.get("votes")
                stopped = frozen or each.at < blocked.get((person, resource), 0)
                if person in banned or (by_rule and stopped):
                    why = "banned" if person in banned else "frozen" if frozen else "revoked"
                    about = f"{resource} to {person}, who is {why}: {facts.get('rule')}"
                    yield Violation(
                        what="granted by a rule after a revocation", about=about, grant=entry.grant
                    )
                if not by_rule and entry.what == "approved":
                    blocked.pop((person, resource), None)


def _is_revocation(truth: Truth, written: AuditEntry) -> bool:
    """Return whether somebody else revoked this resource, or a hand removed it at the target."""
    entry, facts = written.entry, written.entry.facts
    if facts.get("why") == Why.HAND_REMOVED:
        return True
    return facts.get("why") == Why.REVOKED and any(
        each.what == "revoke"
        and each.by == entry.by != facts.get("person")
        and (each.person, each.resource) == (facts.get("person"), facts.get("resource"))
        and each.sent - ANSWER_TOLERANCE <= written.at <= each.answered + ANSWER_TOLERANCE
        for each in truth.actions
    )


# ----------------------------------------------------------------------------------------------- votes


def votes_on_other_terms(truth: Truth) -> Iterator[Violation]:
    """Yield grants and extensions that gave something else, or more, than an approver was shown."""
    cast = defaultdict[tuple[str | None, str], list[Action]](list)
    for action in truth.actions:
        if action.what in ("approve", "less") and action.outcome in (DONE, UNKNOWN):
            cast[(action.grant, action.by)].append(action)
    for grant in truth.ledger.grants.values():
        kept = truth.ledger.grants.get(grant.kept_by or "", grant) if not grant.gives else grant
        granted = ShownTerms(value="", roles=_roles(kept), seconds=grant.length or 0)
        if (grant.approved_at or grant.kept_by) and not _granted_again(grant):
            yield from _unshown(grant.id, grant.votes, granted, grant, cast)
        for each in grant.extensions:
            if each.answer is Answer.APPROVED:
                more = ShownTerms(value="", roles=_roles(grant), until=int(each.until.timestamp()))
                yield from _unshown(each.id, each.votes, more, grant, cast)


def _unshown(
    which: str,
    votes: tuple[Vote, ...],
    granted: ShownTerms,
    grant: Grant,
    cast: dict[tuple[str | None, str], list[Action]],
) -> Iterator[Violation]:
    for vote in votes:
        shown = [terms for action in cast[(which, vote.person)] for terms in action.shown]
        if not any(_covers(each, granted) for each in shown):
            about = f"{vote.person} approved {which} for {granted}, and was shown {shown}"
            yield Violation(what="voted on other terms than shown", about=about, grant=grant.id)


def _covers(shown: ShownTerms, granted: ShownTerms) -> bool:
    return shown.roles == granted.roles and shown.seconds >= granted.seconds and shown.until >= granted.until


def _roles(grant: Grant) -> frozenset[str]:
    return frozenset(hold.entitlement["role"] for hold in grant.gives)


def _granted_again(grant: Grant) -> bool:
    """Return whether it was granted by a button of an alert, which names what it gives."""
    return any(each.rule == "granted again" for each in grant.trace)
