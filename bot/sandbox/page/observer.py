"""The real state, seen from outside the bot: access as each target has it, leases as Redis does."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from bot.core.catalog import Catalog
from bot.core.errors import TemporaryFailure
from bot.core.grants import Grant
from bot.ports.ledger import Ledger
from bot.sandbox.cast import role_of
from bot.sandbox.stack.system import System

Json = dict[str, Any]


class Observer:
    """The targets and the ledger for the page. It never raises: what cannot be read is reported as such."""

    def __init__(self, ledger: Ledger, systems: Iterable[System], catalog: Catalog) -> None:
        self._ledger = ledger
        self._systems = tuple(systems)
        self._catalog = catalog
        self._leases: list[Json] = []

    def clock(self) -> float:
        """Return the seconds since the epoch, by the clock that ends leases if it can be read."""
        try:
            return self._ledger.read(()).now.timestamp()
        except TemporaryFailure:
            return time.time()

    def targets(self) -> list[Json]:
        """Return the state of each target's system; see System."""
        return [each.state() for each in self._systems]

    def leases(self) -> list[Json]:
        """Return the live leases, `{"grant", "person", "resource", "until"}` each; one whose `until` is None
        has no end. While Redis is away, they are those that were live when it was last read."""
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
        """Return what the policy in force lets people request: `{"name", "title", "gives": [{"target",
        "role"}]}` each."""
        return [
            {
                "name": each.name,
                "title": each.title,
                "gives": [{"target": gives.target, "role": role_of(gives)} for gives in each.gives],
            }
            for each in self._catalog.resources.values()
        ]
