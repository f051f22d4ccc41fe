"""Notes that fall due while something else is measured, and how late each was sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bot.core.reasons import Why, because
from bot.ports.changes import Change, Due
from bot.ports.documents import Key, Note
from tests.bench.deployment import BenchDeployment

EVERY = 0.25
"""Seconds."""


class Notes:
    """Notes, each in a channel of its own; ``due_at`` has the time at which each was due."""

    def __init__(self, deployment: BenchDeployment, name: str) -> None:
        self._deployment, self._name = deployment, name
        self.due_at: dict[str, float] = {}
        self._over = threading.Event()

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Add notes from a thread of its own."""
        thread = threading.Thread(target=self._keep_adding, name="notes")
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def delays(self) -> list[float]:
        """Return the seconds from due to sent. A note that was not sent yet counts as sent now."""
        now, posted_at = time.time(), self._deployment.slack.posted_at
        return [posted_at.get(channel, now) - at for channel, at in self.due_at.items()]

    def are_all_sent(self) -> bool:
        return self.due_at.keys() <= self._deployment.slack.posted_at.keys()

    def _keep_adding(self) -> None:
        while not self._over.wait(EVERY):
            self._add(f"{self._name}{len(self.due_at):05}")

    def _add(self, name: str) -> None:
        reason = because(Why.VANISHED, person="U02ADA", resource="r0", access="rw on db0")
        note = Note(id=name, channel=f"C{name}", reason=reason)
        due = (Due.note(name, at=self._deployment.ledger.read(()).now),)
        self.due_at[note.channel] = time.time()
        self._deployment.ledger.commit(Change(put={Key.of(Note, name): note}, due=due))
