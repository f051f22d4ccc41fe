"""Holders of what only one may hold: everyone whose hold on it is not empty, through whichever resource they
got it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from bot.core.catalog import Catalog, Entitlement, Resource
from bot.core.errors import Refused
from bot.core.grants import SETTLED, Grant
from bot.core.holds import Hold, HoldRecord, Phase
from bot.core.members import SeatHolder
from bot.core.strays import StrayState
from bot.ports.changes import Seats, Snapshot
from bot.ports.documents import Account, Key, Seat, Strays, TargetSystems
from bot.ports.ledger import Ledger
from bot.usecases.requests.admit import gives_index
from bot.usecases.schedules.ownership import account_name

ENDLESS = datetime.max.replace(tzinfo=UTC)


def seat_keys(resource: Resource) -> set[Key]:
    """Return the keys to read first to know who holds a resource that only one may hold. A process of an
    older version that gives it to somebody at the same moment writes the Seat."""
    return {Key.of(Seat, resource.name), Key.of(TargetSystems)}


def with_seats(ledger: Ledger, keys: Iterable[Key], catalog: Catalog, snap: Snapshot) -> Snapshot:
    """Return the snapshot with the holders of those resources whose ``seat_keys`` are among the keys."""
    keys = set(keys)
    kind = Key.of(Seat).kind
    wanted = [catalog.resources[key.id] for key in keys if key.kind == kind and key.id in catalog.resources]
    if not wanted:
        return snap
    needed = {index for each in wanted for index in _indexes(each, catalog, snap)}
    found = dict(zip(needed, ledger.read_all([((), (index,)) for index in needed]), strict=True))
    account = Key.of(Account).kind
    people = {key.id.partition("/")[0] for key in keys if key.kind == account}

    # Strays that are being revoked count until they are gone, although no grant is behind them.
    given = {entitlement for each in wanted for entitlement, _ in _entitlements(each, snap)}
    swept = ledger.read(Key.of(Strays, target) for target in {each.target for each in given}).all(Strays)
    taking = [it for each in swept for it in each.found.values() if it.state is StrayState.TAKING]
    records_of = [Key.of(HoldRecord, each.hold.key) for each in taking if each.hold.entitlement in given]
    records = ledger.read(records_of).all(HoldRecord) if records_of else ()
    strays = [each.hold for each in records if each.phase is not Phase.EMPTY]

    seats = {each.name: _seats(each, people, catalog, snap, found, strays) for each in wanted}
    return replace(snap, seats=seats)


def _entitlements(resource: Resource, snap: Snapshot) -> Iterator[tuple[Entitlement, str]]:
    """Yield what the resource gives, also as it is called under other names of the same running system, each
    with the name of the target by which the resource gives it."""
    systems = snap.find(TargetSystems) or TargetSystems()
    for each in resource.gives:
        for name in (each.target, *systems.namesakes(each.target)):
            yield replace(each, target=name), each.target


def _indexes(resource: Resource, catalog: Catalog, snap: Snapshot) -> Iterator[str]:
    """Yield the indexes that together have everyone who holds any of it. What an older version granted may
    only be in that of its resource so far."""
    for given, _ in _entitlements(resource, snap):
        yield gives_index(given)
        yield from (f"resource:{each.name}" for each in catalog.giving(given))


def _seats(
    resource: Resource,
    people: set[str],
    catalog: Catalog,
    snap: Snapshot,
    found: Mapping[str, Snapshot],
    strays: Iterable[Hold],
) -> Seats:
    holders: dict[tuple[str | None, frozenset[str]], SeatHolder] = {}
    members: dict[str, tuple[str, ...]] = {}
    read = [found[index] for index in _indexes(resource, catalog, snap)]
    grants = {grant.id: (grant, there) for there in read for grant in there.all(Grant)}
    for given, target in _entitlements(resource, snap):
        index = gives_index(given)
        members[index] = tuple(key.id for key in found[index].versions if key.kind == Key.of(Grant).kind)
        for grant, there in grants.values():
            by = catalog.resources.get(grant.resource)
            # What is said about one resource must not reveal who has another one that is hidden.
            may_be_named = grant.resource == resource.name or (by is not None and not by.hidden)
            for hold in grant.gives:
                if hold.entitlement != given or grant.holds.get(hold.key) in SETTLED or not grant.open:
                    continue
                holder = SeatHolder(
                    person=grant.person if may_be_named else None,
                    until=there.leases.get(grant.id),
                    users=_users(hold, target, people, catalog, snap),
                )
                known = holders.get((holder.person, holder.users), holder)
                holders[holder.person, holder.users] = max(holder, known, key=_end)
        unnamed = [
            _users(hold, target, people, catalog, snap) for hold in strays if hold.entitlement == given
        ]
        there = found[index]
        if any(version and key not in there.documents for key, version in there.versions.items()):
            unnamed.append(frozenset())
        holders |= {(None, users): SeatHolder(person=None, users=users) for users in unnamed}
    ordered = sorted(holders.values(), key=lambda each: (_end(each), each.person or ""), reverse=True)
    return Seats(holders=tuple(ordered), members=members)


def _users(hold: Hold, target: str, people: set[str], catalog: Catalog, snap: Snapshot) -> frozenset[str]:
    """Return the people whose account has the hold. A login that several share counts as one account."""
    users = set()
    for person in people:
        with suppress(Refused):
            if account_name(person, target, catalog, snap) == hold.account:
                users.add(person)
    return frozenset(users)


def _end(holder: SeatHolder) -> datetime:
    return holder.until or ENDLESS
