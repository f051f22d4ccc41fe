"""A sampler that reads all live grants every second, and checks what must hold at each moment."""

from __future__ import annotations

import threading
from typing import Self

from bot.core.errors import TemporaryFailure
from bot.core.grants import LIVE, Grant
from bot.ledger.redis_ledger import RedisLedger
from tests.chaos.grounds import contents, lease_violation
from tests.chaos.violations import Violation

EVERY = 1.0


class Sampler:
    """The sampler. A context manager; it reads from a thread of its own."""

    def __init__(self, ledger: RedisLedger) -> None:
        self._ledger = ledger
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_reading, name="sampler", daemon=True)
        self._violations: dict[tuple[str, str | None], Violation] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def violations(self) -> list[Violation]:
        return list(self._violations.values())

    def _keep_reading(self) -> None:
        while not self._over.wait(EVERY):
            try:
                self._check()
            except TemporaryFailure:
                continue

    def _check(self) -> None:
        snap = self._ledger.read((), ("open",))
        live = [each for each in snap.all(Grant) if each.state in LIVE and snap.live(each)]
        seen: dict[object, str] = {}
        for grant in live:
            lease = snap.leases[grant.id]
            if found := lease_violation(grant, lease.timestamp() if lease else None):
                self._add(found)
            if other := seen.get(contents(grant)):
                about = f"together with {other}"
                self._add(Violation(what="two live grants of one resource", about=about, grant=grant.id))
            seen[contents(grant)] = grant.id

    def _add(self, found: Violation) -> None:
        self._violations.setdefault((found.what, found.grant), found)
