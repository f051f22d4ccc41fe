"""The live access that a policy would not allow, if it was granted under an earlier one."""

from __future__ import annotations

from bot.core.catalog import Catalog, Resource
from bot.core.grants import Cause, Grant, Ground
from bot.core.members import Facts
from bot.core.people import objection
from bot.core.policy import may_not_ask
from bot.core.reasons import Reason, Why, because

UNKNOWN = frozenset({Why.PERSON_UNKNOWN, Why.WORKSPACE_UNKNOWN})


def policy_objection(grant: Grant, catalog: Catalog, facts: Facts) -> Reason | None:
    """Return why the policy does not allow this live grant, or None if it does, or if facts are missing."""
    resource = catalog.resources.get(grant.resource)
    if resource is None:
        return because(Why.RESOURCE_GONE, resource=grant.resource)
    if any(hold.entitlement not in resource.gives for hold in grant.gives):
        return because(Why.NO_LONGER_GIVEN, resource=grant.resource)
    if not any(_allows(resource, ground) for ground in grant.stands_on):
        return because(Why.RULE_GONE, resource=grant.resource)
    against = objection(facts.people.get(grant.person), home=facts.home, domains=catalog.people.email_domains)
    if against:
        return None if against.why in UNKNOWN else against
    by_shift_alone = all(each.cause is Cause.SHIFT for each in grant.stands_on)
    denied = None if by_shift_alone else may_not_ask(grant.person, resource, catalog, facts)
    return denied if denied and denied.why is Why.MAY_NOT_ASK else None


def _allows(resource: Resource, ground: Ground) -> bool:
    """Return whether the policy still has a rule that this ground may stand on."""
    match ground.cause:
        case Cause.SHIFT:
            return resource.on_shift is not None
        case Cause.APPROVAL:
            return bool(resource.approvers)
        case Cause.RULE:
            return ground.lives_by is None or ground.lives_by in resource.approve_automatically
        case _:
            return True
