"""The grounds of a grant as today's facts leave them: facts shorten them, and rarely prolong one."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.core.catalog import Catalog, Lengths, OnCall, shift_rules
from bot.core.grants import Cause, Grant, Ground, drop_ground, move_ground
from bot.core.members import NO, Facts, belongs, current_shift, end_of
from bot.core.people import objection
from bot.core.policy import ban_objection
from bot.core.reasons import Reason, Why, because
from bot.core.shifts import last_ended


def rightful(grant: Grant, catalog: Catalog, facts: Facts, *, may_grow: bool = True) -> Grant | Reason:
    """Return a live grant with its grounds as today's facts leave them, or the reason why it ends now.

    Facts that are missing change nothing, so access ends at the last known end. Without ``may_grow`` no
    ground ends later than before.
    """
    person = facts.people.get(grant.person)
    if person is not None:
        against = objection(person, home=facts.home, domains=catalog.people.email_domains)
        if against and against.why is not Why.WORKSPACE_UNKNOWN:
            return against
    banned = ban_objection(grant.person, facts)
    if banned:
        return banned
    fallen: list[tuple[datetime, Reason]] = []
    for ground in grant.stands_on:
        found = ground_end(ground, grant, catalog, facts)
        if found is None:
            continue
        until, reason = found
        if until <= facts.now:
            fallen.append((ground.until, reason))
            grant = drop_ground(grant, ground, reason=reason)
        elif until < ground.until or may_grow:
            grant = move_ground(grant, ground, until=until)
    if fallen and not any(each.stands(facts.now) for each in grant.stands_on):
        return max(fallen, key=lambda each: each[0])[1]
    return grant


def ground_end(
    ground: Ground, grant: Grant, catalog: Catalog, facts: Facts
) -> tuple[datetime, Reason] | None:
    """Return the end that today's facts give a ground, and why; None if they do not change it."""
    if ground.lives_by and not shift_rules((ground.lives_by,)):
        line = belongs(grant.person, ground.lives_by, catalog, facts)
        if line.outcome == NO:
            return facts.now, line.reason
    rule = _shift_rule(ground, grant, catalog) or ground.shift_rule
    if rule is None or rule.schedule not in facts.rosters:
        return None
    shift = current_shift(grant.person, rule, facts)
    if shift is not None:
        end = end_of(shift, rule) or _unending(ground, grant, catalog, facts)
    else:
        last = last_ended(facts.rosters[rule.schedule], rule.levels, grant.person, facts.now)
        over = end_of(last, rule) if last else None
        end = max(over or facts.now, facts.now)
    if ground.cap:
        end = min(end, ground.cap)
    grows = ground.ends_with and (ground.cause is not Cause.SHIFT or _shift_rule(ground, grant, catalog))
    moved = end != ground.until if grows else end < ground.until
    return (end, because(Why.SHIFT_OVER)) if moved else None


def extended_end(end: datetime, by: int, lengths: Lengths, now: datetime) -> datetime:
    """Return the end after an extension: ``by`` seconds later, never beyond the longest length from now."""
    return min(end + timedelta(seconds=by), now + timedelta(seconds=lengths.max))


def _shift_rule(ground: Ground, grant: Grant, catalog: Catalog) -> OnCall | None:
    """Return the rule by which a shift's own ground follows the shift: today's, while there is one."""
    resource = catalog.resources.get(grant.resource)
    return resource.on_shift if resource and ground.cause is Cause.SHIFT else None


def _unending(ground: Ground, grant: Grant, catalog: Catalog, facts: Facts) -> datetime:
    """Return the end for a shift that has none: the resource's longest length from now, moved on when half of
    that is over, but never beyond what was requested."""
    resource = catalog.resources.get(grant.resource)
    if not ground.ends_with or resource is None:
        return ground.until
    if ground.cap:
        return ground.cap
    longest = timedelta(seconds=resource.lengths.max)
    return ground.until if longest / 2 < ground.until - facts.now <= longest else facts.now + longest
