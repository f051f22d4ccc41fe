"""Doubts about an access.yaml that has no mistakes: each is a warning, and stops nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bot.config.conflicts import Parts, entitlement_of
from bot.config.mistakes import Fault
from bot.config.patterns import matches_anything, slow_text
from bot.config.shapes import ReasonShape
from bot.config.tree import part
from bot.usecases.requests.reasons_fit import AT_ONCE


def doubts(parts: Parts, filled: object, *, copies: int, tries: float) -> Iterator[Fault]:
    """Yield the warnings. ``filled`` is the file with its variables, ``copies`` the number of copies of Redis
    that are required. Slow patterns are looked for during ``tries`` seconds."""
    if not part(filled, "people").get("email_domains"):
        text = (
            "has no email_domains, so full members with an address at any domain may request; list your"
            " domains"
        )
        yield Fault(path=("people",), text=text)
    if not part(filled, "security").get("channel"):
        text = "has no channel, so nobody is told if access cannot be revoked in time; name one"
        yield Fault(path=("security",), text=text)
    if part(filled, "sweep"):
        yield Fault(
            path=("sweep",), text="is called strays now; rename it, because the old name will go away"
        )
    if said := caution(anchor_file(filled), copies):
        yield Fault(path=("audit",), text=said)
    for target, kind in parts.kinds.items():
        if said := kind.caution_of(part(part(filled, "targets"), target)):
            yield Fault(path=("targets", target), text=said)
    for target, settings in parts.settings.items():
        yield from (Fault(path=("targets", target, key), text=text) for key, text in settings.cautions())
    for name, at, given in parts.resource_gives():
        if said := given.caution():
            yield Fault(path=("resources", name, "gives", at), text=said)
    yield from _ways_around(parts)
    yield from _patterns(parts, tries)


def caution(file: str | None, copies: int) -> str | None:
    """Return a warning about what delays access after a failover if this many copies are required and the
    anchor is not in a file."""
    if file or not copies:
        return None
    return (
        "REDIS_COPIES is set, but audit: {anchor: {file: …}} is not, so after a failover nothing is granted"
        " until somebody runs rotakey doctor --accept-restore; name a file outside Redis that workers can"
        " compare with"
    )


def anchor_file(filled: object) -> str | None:
    found = part(part(filled, "audit"), "anchor").get("file")
    return str(found) if found else None


def _ways_around(parts: Parts) -> Iterator[Fault]:
    """Yield a warning for each entitlement that some get without approvers although elsewhere it has them."""
    asked = {
        entitlement_of(given): name
        for name, _, given in reversed(list(parts.resource_gives()))
        if parts.resources[name].approvers
    }
    for name, at, given in parts.resource_gives():
        other = asked.get(entitlement_of(given))
        if other is not None and not parts.resources[name].approvers:
            text = (
                f"is given here without approvers, but by {other} only with them; check that this is intended"
            )
            yield Fault(path=("resources", name, "gives", at), text=text)


def _patterns(parts: Parts, tries: float) -> Iterator[Fault]:
    ends_at, known = time.monotonic() + tries, dict[str, bool]()
    for name, resource in parts.resources.items():
        if not isinstance(resource.reason, ReasonShape):
            continue
        pattern, path = resource.reason.pattern, ("resources", name, "reason", "pattern")
        if matches_anything(pattern):
            text = "matches any reason; write reason: required, or a stricter pattern"
            yield Fault(path=path, text=text)
        if pattern not in known:
            left = ends_at - time.monotonic()
            known[pattern] = left >= AT_ONCE and slow_text(pattern, AT_ONCE, left) is not None
        if known[pattern]:
            text = (
                f"takes longer than {AT_ONCE:g} s to match some reasons, so requests wait for a worker or"
                " are refused; do not nest repetitions in it"
            )
            yield Fault(path=path, text=text)
