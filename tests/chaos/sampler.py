"""Looks at all live grants every second, for what must be so of them at each moment."""

from __future__ import annotations

import threading
from typing import Self

from bot.core.errors import TemporaryFailure
from bot.core.grants import LIVE, Grant
from bot.ledger.redis_ledger import RedisLedger
from tests.chaos.grounds import alike, lease_differs
from tests.chaos.violations import Violation

EVERY = 1.0


class Sampler:
    """Use it as a context manager; it reads from a thread of its own."""

    def __init__(self, ledger: RedisLedger) -> None:
        self._ledger = ledger
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sampler", daemon=True)
        self.looks = 0
        self._found: dict[tuple[str, str | None], Violation] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def found(self) -> list[Violation]:
        return list(self._found.values())

    def _watch(self) -> None:
        while not self._over.wait(EVERY):
            try:
                self._look()
            except TemporaryFailure:
                continue

    def _look(self) -> None:
        snap = self._ledger.read((), ("open",))
        live = [each for each in snap.all(Grant) if each.state in LIVE and snap.live(each)]
        seen: dict[object, str] = {}
        for grant in live:
            lease = snap.leases[grant.id]
            if found := lease_differs(grant, lease.timestamp() if lease else None):
                self._note(found)
            if other := seen.get(alike(grant)):
                about = f"together with {other}"
                self._note(Violation(what="two live grants of one resource", about=about, grant=grant.id))
            seen[alike(grant)] = grant.id
        self.looks += 1

    def _note(self, found: Violation) -> None:
        self._found.setdefault((found.what, found.grant), found)
