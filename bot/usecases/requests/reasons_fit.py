"""Checks whether a reason has what its resource requires. Patterns run here, each within a set time, never in
the core."""

from __future__ import annotations

import regex

from bot.core.catalog import Catalog, ReasonRule, Resource
from bot.core.grants import Grant
from bot.core.policy import REASON_AT_MOST

AT_ONCE = 0.5
"""Seconds of computing while somebody waits for the answer."""
AT_LEISURE = 2.0
"""Seconds in the worker, which then has to decide."""


def reason_fits(rule: ReasonRule, reason: str, within: float = AT_ONCE) -> bool | None:
    """Return whether the pattern is found in the reason; None if that cannot be decided in time."""
    if rule.pattern is None:
        return True
    if len(reason) > REASON_AT_MOST:
        return None
    try:
        return regex.search(rule.pattern, reason.strip(), timeout=within) is not None
    except (TimeoutError, MemoryError):
        return None


def reason_still_fits(grant: Grant, resource: Resource, catalog: Catalog) -> bool | None:
    """Return whether the reason fits today's pattern. It is matched again only if the policy is another one
    than the request was decided by."""
    if grant.policy == catalog.version and not grant.undecided:
        return True
    return reason_fits(resource.reason, grant.reason)
