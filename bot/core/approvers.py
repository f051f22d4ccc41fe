"""The people who could approve a request before it lapses, counted when it is made, so that none waits in
vain."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bot.core.catalog import Catalog, Everyone, Resource, groups_in, schedules_in, shift_rules
from bot.core.members import CANNOT_TELL, Facts, belongs, names_of
from bot.core.people import objection, same_human
from bot.core.reasons import Reason, Why, because
from bot.core.shifts import Shift, at_levels

Objection = Callable[[str, Resource, Catalog, Facts], Reason | None]


def possible_approvers(resource: Resource, facts: Facts) -> tuple[str, ...]:
    """Return everyone who might approve a request that is made now, as far as the facts tell."""
    later = (shift.person for shift in _coming_shifts(resource, facts) if shift.person)
    return tuple(dict.fromkeys((*names_of(resource.approvers, facts), *later)))


def lack_of_approvers(
    person: str, resource: Resource, catalog: Catalog, facts: Facts, click_objection: Objection
) -> Reason | None:
    """Return why too few others can approve a request of this person before it lapses.

    Return None if enough can, or if that cannot be known: a group or a roster is missing or too old, or
    somebody was never looked up. ``click_objection`` judges a click; people who come on call later are judged
    as persons only.
    """
    if Everyone() in resource.approvers or any(
        belongs(person, who, catalog, facts).outcome == CANNOT_TELL for who in resource.approvers
    ):
        return None
    coming = _coming_shifts(resource, facts)
    on_call_later = {(shift.person, shift.email) for shift in coming}
    count = sum(shift.person is None for shift in coming)
    requester = facts.people.get(person)
    humans = [requester] if requester else []
    for name in possible_approvers(resource, facts):
        found = facts.people.get(name)
        if found is None:
            count += name != person
        elif not any(same_human(found, each, catalog) for each in humans) and (
            click_objection(name, resource, catalog, facts) is None
            or (
                (found.id, found.email) in on_call_later
                and objection(found, home=facts.home, domains=catalog.people.email_domains) is None
            )
        ):
            humans.append(found)
            count += 1
        if count >= resource.approvals:
            return None
    return _too_few(resource, count) if count < resource.approvals else None


def _coming_shifts(resource: Resource, facts: Facts) -> tuple[Shift, ...]:
    """Return the shifts of approvers that are on or begin before a request of now lapses."""
    until = facts.now + timedelta(seconds=resource.lapse_after)
    return tuple(
        shift
        for who in shift_rules(resource.approvers)
        if (roster := facts.rosters.get(who.schedule))
        for shift in at_levels(roster, who.levels)
        if shift.overlaps(facts.now, until)
    )


def _too_few(resource: Resource, count: int) -> Reason:
    about: dict[str, str | int] = {"resource": resource.name}
    if groups := groups_in(resource.approvers):
        about["groups"] = ", ".join(groups)
    if schedules := schedules_in(resource.approvers):
        about["schedules"] = ", ".join(schedules)
    if count == 0:
        return because(Why.NO_APPROVER, **about)
    return because(Why.TOO_FEW_APPROVERS, needed=resource.approvals, count=count, **about)
