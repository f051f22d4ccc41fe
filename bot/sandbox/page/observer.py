"""The real state, seen from outside the bot: roles as PostgreSQL has them, leases as Redis does."""

from __future__ import annotations

import time
from typing import Any, Protocol

from bot.core.catalog import Catalog
from bot.core.errors import TemporaryFailure
from bot.core.grants import Grant
from bot.core.people import Group
from bot.core.shifts import Roster
from bot.ports.documents import Home, Key
from bot.ports.ledger import Ledger

Json = dict[str, Any]


class Database(Protocol):
    """Roles and sessions, read from the database itself."""

    def state(self) -> Json: ...


class Observer:
    """Reads the target and the ledger. It never raises: what cannot be read is reported as such."""

    def __init__(self, ledger: Ledger, database: Database, catalog: Catalog) -> None:
        self._ledger = ledger
        self._database = database
        self._catalog = catalog
        self._leases: list[Json] = []

    def clock(self) -> float:
        try:
            return self._ledger.read(()).now.timestamp()
        except TemporaryFailure:
            return time.time()

    def database(self) -> Json:
        return self._database.state()

    def leases(self) -> list[Json]:
        """Return the live leases; while Redis is away, those that were live when it was last read."""
        try:
            snap = self._ledger.read((), ("open",))
        except TemporaryFailure:
            return self._leases
        self._leases = [
            {
                "grant": grant.id,
                "person": grant.person,
                "resource": grant.resource,
                "until": until.timestamp() if (until := snap.leases[grant.id]) else None,
            }
            for grant in snap.all(Grant)
            if snap.live(grant)
        ]
        return self._leases

    def resources(self) -> list[Json]:
        return [{"name": each.name, "title": each.title} for each in self._catalog.resources.values()]

    def ready(self) -> bool:
        """Return whether the worker has read all that the first decision rests on: workspace, groups and
        rosters."""
        catalog = self._catalog
        keys = {Key.of(Home)}
        keys |= {Key.of(Group, name) for name in catalog.groups()}
        keys |= {Key.of(Roster, schedule) for schedule in catalog.schedules()}
        try:
            return keys <= self._ledger.read(keys).documents.keys()
        except TemporaryFailure:
            return False
