"""The end that today's facts allow a grant: earlier than written when they change, and rarely later."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.core.catalog import Catalog, InGroup, Lengths, OnCall
from bot.core.grants import Grant, Origin
from bot.core.members import NO, Facts, belongs, current_shift, end_of
from bot.core.people import objection
from bot.core.policy import ban_objection
from bot.core.reasons import Reason, Why, because
from bot.core.shifts import last_ended


def rightful_end(grant: Grant, catalog: Catalog, facts: Facts) -> tuple[datetime, Reason] | None:
    """The end that today's facts allow a live grant, where they say anything: None changes nothing.

    What was asked for may only shrink; a shift's own grant moves with the shift. Facts that are
    missing change nothing, so access ends at the last known end.
    """
    person = facts.people.get(grant.person)
    if person is not None:
        against = objection(person, home=facts.home, domains=catalog.people.email_domains)
        if against and against.why is not Why.WORKSPACE_UNKNOWN:
            return facts.now, against
    banned = ban_objection(grant.person, facts)
    if banned:
        return facts.now, banned
    rule = _followed(grant, catalog) or grant.depends_on
    match rule:
        case InGroup():
            return _by_group(grant.person, rule, catalog, facts)
        case OnCall():
            return _by_shift(grant, rule, catalog, facts)
        case None:
            return None


def extended_end(end: datetime, by: int, lengths: Lengths, now: datetime) -> datetime:
    """The end after an extension: later by so many seconds, never beyond the longest length from now."""
    return min(end + timedelta(seconds=by), now + timedelta(seconds=lengths.max))


def _by_group(person: str, rule: InGroup, catalog: Catalog, facts: Facts) -> tuple[datetime, Reason] | None:
    line = belongs(person, rule, catalog, facts)
    return (facts.now, line.reason) if line.outcome == NO else None


def _by_shift(grant: Grant, rule: OnCall, catalog: Catalog, facts: Facts) -> tuple[datetime, Reason] | None:
    if rule.schedule not in facts.rosters or grant.until is None:
        return None
    end = _shift_end(grant, rule, catalog, facts)
    moved = end != grant.until if _followed(grant, catalog) else end < grant.until
    return (end, because(Why.SHIFT_OVER)) if moved else None


def _followed(grant: Grant, catalog: Catalog) -> OnCall | None:
    """The rule by which a shift's own grant moves with the shift: today's, while there is one."""
    resource = catalog.resources.get(grant.resource)
    return resource.on_shift if resource and grant.origin is Origin.SHIFT else None


def _shift_end(grant: Grant, rule: OnCall, catalog: Catalog, facts: Facts) -> datetime:
    shift = current_shift(grant.person, rule, facts)
    if shift is not None:
        return end_of(shift, rule) or _unending(grant, catalog, facts)
    last = last_ended(facts.rosters[rule.schedule], rule.levels, grant.person, facts.now)
    end = end_of(last, rule) if last else None
    return max(end, facts.now) if end else facts.now


def _unending(grant: Grant, catalog: Catalog, facts: Facts) -> datetime:
    """A shift without an end is followed by the resource's longest length at a time, and moved on when
    half of that is over."""
    until = grant.until or facts.now
    resource = catalog.resources.get(grant.resource)
    if grant.origin is Origin.ASKED or resource is None:
        return until
    longest = timedelta(seconds=resource.lengths.max)
    return until if longest / 2 < until - facts.now <= longest else facts.now + longest
