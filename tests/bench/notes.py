"""Messages of their own that are owed now and then, and how late each was sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bot.core.reasons import Why, because
from bot.ports.changes import Change, Due
from bot.ports.documents import Key, Note
from tests.bench.deployment import Deployment

EVERY = 0.25
"""Seconds."""


class Notes:
    """``owed`` maps a channel of its own to when its note was owed."""

    def __init__(self, deployment: Deployment, name: str) -> None:
        self._deployment, self._name = deployment, name
        self.owed: dict[str, float] = {}
        self._over = threading.Event()

    @contextmanager
    def being_owed(self) -> Iterator[None]:
        thread = threading.Thread(target=self._owe_on, name="notes")
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def late(self) -> list[float]:
        """Seconds. One that was not sent yet is late by at least that much."""
        now = time.time()
        return [self._deployment.slack.written.get(channel, now) - at for channel, at in self.owed.items()]

    def all_sent(self) -> bool:
        return all(channel in self._deployment.slack.written for channel in self.owed)

    def _owe_on(self) -> None:
        while not self._over.wait(EVERY):
            self._owe(f"{self._name}{len(self.owed):05}")

    def _owe(self, name: str) -> None:
        reason = because(Why.VANISHED, person="U02ADA", resource="r0", access="rw on db0")
        note = Note(id=name, channel=f"C{name}", reason=reason)
        due = (Due.note(name, at=self._deployment.ledger.read(()).now),)
        self.owed[note.channel] = time.time()
        self._deployment.ledger.commit(Change(put={Key.of(Note, name): note}, due=due))
