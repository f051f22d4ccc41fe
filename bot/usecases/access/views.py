"""A hold as it stands at one moment: its record, the grants behind it, and which of them are live."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from bot.core.ages import UNKNOWN_AGE, age
from bot.core.grants import GIVE_WITHIN, LIVE, SETTLED, Grant, HoldState, State
from bot.core.holds import Hold, HoldRecord, Phase, Presence, Receipt
from bot.ports.changes import Snapshot
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, Losses, Restore, TargetSystems
from bot.ports.ledger import Ledger


@dataclass(frozen=True, kw_only=True)
class View:
    """One look at a hold. ``looked_at`` is the moment of ``snap`` on our own clock, or a little before."""

    hold: Hold
    record: HoldRecord
    snap: Snapshot
    looked_at: Deadline

    @property
    def key(self) -> str:
        return self.hold.key

    @property
    def now(self) -> datetime:
        return self.snap.now

    @cached_property
    def behind(self) -> tuple[Grant, ...]:
        return tuple(g for g in self.snap.all(Grant) if self.key in g.holds)

    @cached_property
    def live(self) -> tuple[Grant, ...]:
        return tuple(g for g in self.behind if g.state in LIVE and self.snap.live(g))

    @cached_property
    def ending(self) -> tuple[Grant, ...]:
        unsettled = (g for g in self.behind if g.state is State.ENDING)
        return tuple(g for g in unsettled if g.holds[self.key] not in SETTLED)

    @cached_property
    def over(self) -> tuple[Grant, ...]:
        """Return the grants that are live by their state, but have lost their lease or could not be granted
        in time."""
        return tuple(
            g for g in self.behind if g.state in LIVE and (not self.snap.live(g) or too_late(g, self.now))
        )

    @property
    def own(self) -> Snapshot:
        """Return the record's own part of the snapshot."""
        key = Key.of(HoldRecord, self.key)
        return Snapshot(now=self.now, versions={key: self.snap.versions.get(key, 0)})

    @property
    def has_news(self) -> bool:
        """Return whether a live grant stands behind it for which it was not given yet."""
        return any(g.holds[self.key] is not HoldState.GIVEN for g in self.live)

    @property
    def losses(self) -> int:
        found = self.snap.find(Losses)
        return found.count if found else 0

    @cached_property
    def until(self) -> datetime | None:
        """Return the latest end of the live grants; None if one of them has none, or if none is live."""
        ends = [self.snap.leases[g.id] for g in self.live]
        known = [end for end in ends if end is not None]
        return max(known, default=None) if len(known) == len(ends) else None

    @cached_property
    def last(self) -> Grant | None:
        """Return the live grant that ends last."""
        unending = [g for g in self.live if self.snap.leases[g.id] is None]
        if unending:
            return unending[0]
        return max(self.live, key=lambda g: self.snap.leases[g.id] or self.now, default=None)

    def with_receipts(self, receipts: tuple[Receipt, ...]) -> View:
        return replace(self, record=replace(self.record, receipts=receipts))


def too_late(grant: Grant, now: datetime) -> bool:
    """Return whether it was approved so long ago that nothing more is granted for it."""
    return grant.state is State.APPROVED and now - (grant.approved_at or now) > GIVE_WITHIN


Query = tuple[set[Key], tuple[str, ...]]
"""Keys of documents, and the indexes whose grants are read with them."""


def look(ledger: Ledger, hold: str) -> View | None:
    """Read the hold of this key; None if there is neither a record nor a grant behind it."""
    looked_at = Deadline.after(0)
    return view_of(hold, ledger.read(*query(hold)), looked_at)


def query(hold: str) -> Query:
    """Return what has to be read to see a hold."""
    return {Key.of(HoldRecord, hold), *map(Key.of, (Restore, TargetSystems, Losses))}, (f"hold:{hold}",)


def view_of(hold: str, snap: Snapshot, looked_at: Deadline) -> View | None:
    """Return the hold as a snapshot shows it; None if there is neither a record nor a grant behind it. A hold
    without a record is empty, unless a grant says that something was done about it: then the record was
    lost."""
    record = snap.find(HoldRecord, hold)
    if record is None:
        every = (each for grant in snap.all(Grant) for each in grant.gives)
        found = next((each for each in every if each.key == hold), None)
        if found is None:
            return None
        record = HoldRecord(hold=found)
        behind = [grant for grant in snap.all(Grant) if hold in grant.holds]
        touched = [g for g in behind if g.holds[hold] in (HoldState.GIVEN, HoldState.FAILED)]
        if touched:
            theirs = any(grant.had_before for grant in touched)
            baseline = Presence.THEIRS if theirs else Presence.NONE
            record = replace(record, phase=Phase.GIVEN, baseline=baseline)
    if record.seen_at and age(record.seen_at, snap.now) == UNKNOWN_AGE:
        record = replace(record, seen_at=None)
    return View(hold=record.hold, record=record, snap=snap, looked_at=looked_at)
