"""Tracks which system each target name reaches: a running system has one name, and a replaced one is
accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import HoldRecord, Presence, Replacement, System
from bot.core.reasons import Why, because
from bot.ports.changes import Change, Due, Entry, Snapshot
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, Note, PolicyInForce, TargetSystems
from bot.ports.ledger import Census, Ledger
from bot.ports.target import Target
from bot.usecases.access.outcomes import hold_name
from bot.usecases.notes import note_change
from bot.usecases.retry import retry_conflicts

SYSTEMS = Key.of(TargetSystems)
LOOK_WITHIN = 10.0
"""Seconds for each hold when a person accepts a system."""


def first_name(snap: Snapshot, name: str, names: Sequence[str]) -> str | None:
    """Return the name that grants at the running system which ``name`` reaches, or None if that is ``name``
    itself: it is the first of ``names``, which are in the order of access.yaml."""
    known = snap.find(TargetSystems)
    same = known.namesakes(name) if known else ()
    earlier = names[: names.index(name)] if name in names else names
    return next((each for each in earlier if each in same), None)


def note_system(
    ledger: Ledger, name: str, system: System | None, names: Sequence[str], channel: str | None
) -> bool:
    """Commit which system a target name reached, if that is new, and return whether it was. ``channel`` is
    notified each time a second name for one running system appears."""

    def attempt() -> bool:
        snap = ledger.read({SYSTEMS, Key.of(PolicyInForce)})
        known, force = snap.find(TargetSystems) or TargetSystems(), snap.find(PolicyInForce)
        # what left the file may still be held under its name
        held = {*names, *(force.former if force else ())}
        if system is None or name not in held or known.found.get(name) == system:
            return False
        others = {each: there for each, there in known.found.items() if each in held}
        accepted = tuple(each for each in known.accepted if each.target in held)
        after = TargetSystems(found={**others, name: system}, accepted=accepted)
        change = Change(rests_on=(snap,), put={SYSTEMS: after}, frees=True)
        for each in sorted(set(after.namesakes(name)) - set(known.namesakes(name))):
            if channel and {each, name} <= set(names):
                first, second = sorted((name, each), key=names.index)
                reason = because(Why.SAME_SYSTEM, target=second, other=first)
                note = Note(id=f"same-system-{name}-{each}", channel=channel, reason=reason)
                change = change.plus(note_change(snap.now, note))
        ledger.commit(change)
        return True

    return retry_conflicts(attempt)


# --------------------------------------------------------------------------------- accepting another one


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The outcome of accepting a system. ``moved`` are the holds whose receipts now name the system that
    answers. ``unread``: why others could not be looked at."""

    moved: tuple[str, ...]
    unread: tuple[str, ...]


def accept_system(
    ledger: Ledger, census: Census, find: Callable[[str], Target], name: str, *, by: str
) -> Accepted:
    """Record that a person says the system which answers now is the one the receipts name, upgraded or
    restored. From then on the target looks there by object id and by name, and what is held gets settled.
    Safe to repeat. Raises PermanentFailure if the target is not known."""
    target = find(name)
    moved: list[str] = []
    unread: list[str] = []

    def move_receipts(hold: str) -> bool:
        snap = ledger.read({Key.of(HoldRecord, hold)})
        record = snap.find(HoldRecord, hold)
        if record is None:
            return False
        seen = target.has(record.hold, record.receipts, Deadline.after(LOOK_WITHIN))
        if seen.presence is not Presence.ELSEWHERE or seen.system is None:
            return False
        ledger.commit(receipts_moved(snap, record, seen.system.id, by))
        return True

    for page in census.holds():
        records = ledger.read(Key.of(HoldRecord, each) for each in page).all(HoldRecord)
        for hold in (each.hold for each in records if each.hold.target == name and each.receipts):
            try:
                if retry_conflicts(partial(move_receipts, hold.key)):
                    moved.append(hold_name(hold))
            except (TemporaryFailure, PermanentFailure) as failure:
                unread.append(f"{hold_name(hold)}: {failure}")
    return Accepted(moved=tuple(moved), unread=tuple(unread))


def receipts_moved(snap: Snapshot, record: HoldRecord, system: str, by: str | None) -> Change:
    """Return the change after which the receipts of a hold, as read in ``snap``, name the ``system`` that
    ``by`` says is the same one."""
    facts = {
        "hold": hold_name(record.hold),
        "from": sorted({each.system for each in record.receipts} - {system}),
        "to": system,
    }
    receipts = tuple(
        replace(each, system=system, moved_from=each.moved_from or each.system)
        if each.system != system
        else each
        for each in record.receipts
    )
    moved = replace(record, receipts=receipts, seen_at=None)
    return Change(
        rests_on=(snap,),
        put={Key.of(HoldRecord, record.hold.key): moved},
        due=(Due.hold(record.hold.key, at=snap.now),),
        audit=(Entry(what="system accepted", by=by, facts=facts),),
        frees=True,
    )


def accepted_for(snap: Snapshot, record: HoldRecord) -> tuple[Replacement, ...]:
    """Return what people have said about all the systems that the hold's receipts name. A statement that does
    not cover one of them proves nothing about the access there."""
    known, named_there = snap.find(TargetSystems), {each.system for each in record.receipts}
    said = [each for each in (known.accepted if known else ()) if each.target == record.hold.target]
    return tuple(each for each in said if set() < named_there - {each.system} <= {*each.earlier})
