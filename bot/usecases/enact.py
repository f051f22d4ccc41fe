"""Puts a policy in force, with the standing duties that it brings, and reports if it is not followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.core.authentic import hmacs_with, text_objection
from bot.core.catalog import Catalog, OnCall, version_of
from bot.core.reasons import Reason
from bot.ports import (
    Change,
    Document,
    Due,
    Entry,
    Key,
    Ledger,
    Note,
    PolicyDoubt,
    PolicyInForce,
    PolicyText,
)
from bot.usecases.attempts import settled
from bot.usecases.former import FORMER, force_after, former_versions
from bot.usecases.seal import KEEP, SEAL

OWED = "owed:all"
"""The duty that checks that everything is due that should be."""
ALWAYS_OWED: tuple[str, ...] = ("workspace:self", "groups:all", SEAL, KEEP, OWED, FORMER)
"""Duties under any policy, even one that cannot be followed."""

POLICY, DOUBT = Key.of(PolicyInForce), Key.of(PolicyDoubt)


def enact(ledger: Ledger, catalog: Catalog, text: str, keys: Sequence[bytes] = ()) -> None:
    """Make this checked text the policy in force, if it is not yet; authenticate it with ``keys``; and make
    sure that everything it needs to know is being read. Safe to repeat; the last process to start with a new
    text wins. A full Redis takes no new text, and still owes what the one in force needs."""
    settled(lambda: _enact(ledger, catalog, text, keys))


def _enact(ledger: Ledger, catalog: Catalog, text: str, keys: Sequence[bytes]) -> None:
    key = Key.of(PolicyText, catalog.version)
    snap = ledger.read({POLICY, DOUBT, key})
    before, kept = snap.find(PolicyInForce), snap.find(PolicyText, catalog.version)
    force = force_after(before, catalog, snap.now)
    earlier = ledger.read(_texts_of(force) if keys else ())
    put: dict[Key, Document | None] = dict(_signed_again(earlier.all(PolicyText), keys))
    audit: list[Entry] = []
    if before is None or before.version != catalog.version:
        was = before.version if before else None
        audit.append(Entry(what="policy in force", facts={"version": catalog.version, "was": was}))
    if force != before:
        put[POLICY] = force
    if kept and kept.text != text:
        audit.append(Entry(what="policy text put right", facts={"version": catalog.version}))
        kept = None
    ours = PolicyText(text=text, hmacs=hmacs_with(kept.hmacs if kept else (), text, keys))
    if ours != kept:
        put[key] = ours
    if snap.find(PolicyDoubt):
        put[DOUBT] = None
    due = tuple(Due(member=member, at=snap.now) for member in standing_duties(catalog))
    frees = kept is not None and POLICY not in put and not audit
    ledger.commit(Change(rests_on=(snap, earlier), put=put, due=due, audit=tuple(audit), frees=frees))


def _texts_of(force: PolicyInForce) -> set[Key]:
    """Return the keys of the texts that define former targets."""
    return {Key.of(PolicyText, each) for every in former_versions(force).values() for each in every}


def _signed_again(texts: Sequence[PolicyText], keys: Sequence[bytes]) -> dict[Key, PolicyText]:
    """Return the texts that one of the keys fits, with HMACs of all keys, so that the older key can be
    removed."""
    found: dict[Key, PolicyText] = {}
    for each in texts:
        version = version_of(each.text)
        signed = replace(each, hmacs=hmacs_with(each.hmacs, each.text, keys))
        if signed != each and text_objection(version, each.text, each.hmacs, keys) is None:
            found[Key.of(PolicyText, version)] = signed
    return found


def standing_duties(catalog: Catalog) -> tuple[str, ...]:
    """What the worker owes for as long as this policy is in force."""
    sources = dict.fromkeys(schedule.partition("/")[0] for schedule in catalog.schedules())
    followed = [
        name
        for name, resource in catalog.resources.items()
        if any(isinstance(who, OnCall) for who in resource.selectors())
    ]
    return (
        *ALWAYS_OWED,
        *(f"roster:{source}" for source in sources),
        *(f"shift:{name}" for name in followed),
        *(f"sweep:{name}" for name in catalog.targets()),
    )


# ------------------------------------------------------------------------------------------ doubts


def report_doubt(
    ledger: Ledger, force: PolicyInForce, why: Reason, channel: str | None, new_id: Callable[[], str]
) -> None:
    """Commit that the text in force is not followed, and why. The first process to do so notifies
    ``channel``; nobody does again while that stands. If a process that follows the text clears it, those that
    do not follow it report again."""
    settled(lambda: _report_doubt(ledger, force, why, channel, new_id))


def _report_doubt(
    ledger: Ledger, force: PolicyInForce, why: Reason, channel: str | None, new_id: Callable[[], str]
) -> None:
    snap = ledger.read({DOUBT, POLICY})
    known, current = snap.find(PolicyDoubt), snap.find(PolicyInForce)
    if known or current is None or current.version != force.version:
        return
    put: dict[Key, Document | None] = {DOUBT: PolicyDoubt(reason=why, noticed_at=snap.now)}
    due: tuple[Due, ...] = ()
    if channel:
        note = Note(id=new_id(), channel=channel, reason=why)
        put[Key.of(Note, note.id)] = note
        due = (Due(member=f"note:{note.id}", at=snap.now),)
    entry = Entry(what="policy not followed", facts={"why": why.why.value, **why.facts})
    ledger.commit(Change(rests_on=(snap,), put=put, due=due, audit=(entry,), frees=True))


def clear_doubt(ledger: Ledger) -> None:
    """Commit that the text in force is followed again."""
    settled(lambda: _clear_doubt(ledger))


def _clear_doubt(ledger: Ledger) -> None:
    snap = ledger.read({DOUBT, POLICY})
    if snap.find(PolicyDoubt):
        audit = (Entry(what="policy followed again"),)
        ledger.commit(Change(rests_on=(snap,), put={DOUBT: None}, audit=audit, frees=True))
