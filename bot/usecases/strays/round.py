"""One round of a sweep: what the target showed, and what the ledger had right after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bot.core.catalog import Catalog, Entitlement, StrayMode
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.grants import LIVE, SETTLED, Grant, State
from bot.core.holds import Hold, HoldRecord, Presence, System
from bot.core.strays import Sight
from bot.ports.changes import Snapshot
from bot.ports.documents import Restore, Strays


@dataclass(frozen=True, kw_only=True)
class Looked:
    """The holders at a target, by entitlement and account. ``rest``: there was no time for these.
    ``failure``: some of it could not be read."""

    target: str
    holders: Mapping[Entitlement, Mapping[str, Presence]]
    system: System | None = None
    rest: tuple[Entitlement, ...] = ()
    failure: TemporaryFailure | PermanentFailure | None = None

    @cached_property
    def there(self) -> Mapping[str, Hold]:
        """Return everything that is held there, no matter who granted it, by the keys of the holds."""
        holds = (
            Hold(target=self.target, account=account, entitlement=entitlement)
            for entitlement, accounts in self.holders.items()
            for account in accounts
        )
        return {hold.key: hold for hold in holds}

    @cached_property
    def ours(self) -> Mapping[str, Hold]:
        """Return the part of it that we granted."""
        return {
            key: hold
            for key, hold in self.there.items()
            if self.holders[hold.entitlement][hold.account] is Presence.OURS
        }


@dataclass(frozen=True, kw_only=True)
class Held:
    """The side of the ledger, read right after the target was: the keys of the holds of our making that have
    a record and a grant (``explained``), those that were given to live grants and have ``vanished``, and the
    entitlements that are held. ``whole``: there was time to read everything that was not seen there."""

    explained: frozenset[str] = frozenset()
    vanished: tuple[str, ...] = ()
    entitlements: frozenset[Entitlement] = frozenset()
    whole: bool = True


@dataclass(frozen=True, kw_only=True)
class Round:
    """The facts of one round. ``snap`` is what decisions rest on, with the records of all that no grant
    explains; ``alerts`` is what was reported."""

    catalog: Catalog
    looked: Looked
    held: Held
    snap: Snapshot
    alerts: Snapshot

    @property
    def known(self) -> Strays:
        return self.snap.find(Strays, self.looked.target) or Strays(at=self.snap.now)

    @property
    def takes(self) -> bool:
        """Return whether strays are revoked. None is while it is not known what a Redis that came back older
        has forgotten."""
        return self.catalog.strays.mode is StrayMode.ENFORCE and not self.snap.find(Restore)

    @property
    def asks(self) -> bool:
        return self.catalog.strays.mode is not StrayMode.REPORT

    @property
    def entitlements(self) -> tuple[Entitlement, ...]:
        """Return the entitlements to look through next time even if the policy no longer gives them: as long
        as anything is held by them, or anything of ours is left."""
        read = self.looked.holders if self.held.whole else ()
        unread = (each for each in self.known.entitlements if each not in read)
        ours = (each for each, who in self.looked.holders.items() if Presence.OURS in who.values())
        held = sorted(self.held.entitlements, key=lambda each: each.what)
        return tuple(dict.fromkeys((*ours, *unread, *held)))

    @cached_property
    def sight(self) -> Sight:
        explained = self.held.explained | behind(self.snap)
        suspects = {key: hold for key, hold in self.looked.ours.items() if key not in explained}
        owed = {key for key in suspects if self.snap.find(HoldRecord, key)}
        return Sight(
            now=self.snap.now,
            read=self.looked.holders.keys(),
            unexplained={key: hold for key, hold in suspects.items() if key not in owed},
            owed=owed,
        )


def behind(snap: Snapshot) -> set[str]:
    """Return the keys of the holds that a grant stands behind, or that an ending grant waits to see gone."""
    return {
        key
        for grant in snap.all(Grant)
        for key, how in grant.holds.items()
        if grant.state in LIVE or (grant.state is State.ENDING and how not in SETTLED)
    }
