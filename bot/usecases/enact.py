"""Putting a policy in force, and the standing duties that come with it."""

from __future__ import annotations

from bot.core.catalog import Catalog, OnCall
from bot.ports import Change, Document, Due, Entry, Key, Ledger, PolicyInForce, PolicyText
from bot.usecases.attempts import settled
from bot.usecases.retention import KEEP
from bot.usecases.seal import SEAL

OWED = "owed:all"
"""The look at whether everything is owed that should be."""


def enact(ledger: Ledger, catalog: Catalog, text: str) -> None:
    """Make this checked text the policy in force, if it is not, and see to it that everything it needs
    to know is being read. Safe to repeat; the last process to start with a new text wins."""
    settled(lambda: _enact(ledger, catalog, text))


def _enact(ledger: Ledger, catalog: Catalog, text: str) -> None:
    key = Key.of(PolicyInForce)
    kept = Key.of(PolicyText, catalog.version)
    snap = ledger.read({key, kept})
    before = snap.find(PolicyInForce)
    put: dict[Key, Document | None] = {}
    audit: tuple[Entry, ...] = ()
    if before is None or before.version != catalog.version:
        put[key] = PolicyInForce(version=catalog.version)
        was = before.version if before else None
        audit = (Entry(what="policy in force", facts={"version": catalog.version, "was": was}),)
    if kept not in snap.documents:
        put[kept] = PolicyText(text=text)
    due = tuple(Due(member=member, at=snap.now) for member in standing_duties(catalog))
    ledger.commit(Change(rests_on=(snap,), put=put, due=due, audit=audit))


def standing_duties(catalog: Catalog) -> tuple[str, ...]:
    """What the worker owes for as long as this policy is in force."""
    sources = dict.fromkeys(schedule.partition("/")[0] for schedule in catalog.schedules())
    followed = [
        name
        for name, resource in catalog.resources.items()
        if any(isinstance(who, OnCall) for who in resource.selectors())
    ]
    return (
        "workspace:self",
        "groups:all",
        SEAL,
        KEEP,
        OWED,
        *(f"roster:{source}" for source in sources),
        *(f"shift:{name}" for name in followed),
        *(f"sweep:{name}" for name in catalog.targets()),
    )
