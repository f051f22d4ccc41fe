"""The named steps at which a process can be told to die or to sleep, and the files by which it is told.

Each process has a folder. ``order`` there is what it is to do the next time it comes to a step, ``executed``
has a line for each order carried out, ``hits`` a byte for each step that it came to. All are files, because
what was written to a file outlives a kill.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

VERBS = ("has", "prepare", "grant", "revoke")
COMMITS = ("giving", "given", "ending", "taking", "gone", "failed", "card", "action")
"""What a commit writes: how far a hold has come, that a grant's time is over, or where a card is. An action
is what somebody did in Slack, and is written by the web process."""
CALLS = (*VERBS, "show", *(f"commit of {each}" for each in COMMITS))
STEPS = ("after claim", *(f"{when} {call}" for call in CALLS for when in ("before", "after")))
OF_WEB = tuple(step for step in STEPS if step.endswith("commit of action"))
ON_THE_WAY = tuple(step for step in STEPS if step not in OF_WEB and not step.endswith("commit of failed"))
"""The worker's steps that every grant passes. Nothing fails unless something is away."""

KILL, SLEEP, LOSE = "kill", "sleep", "lose"


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order to die at ``step``, to sleep for ``seconds``, or to lose the reply because Valkey is killed
    after the write."""

    step: str
    do: str
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Execution:
    """An order that a process has carried out."""

    order: Order
    at: float
    pid: int


class Failpoints:
    """The folder of one process, for the one who gives orders and for the process itself."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._order = folder / "order"
        self._executed = folder / "executed"
        self._hits = folder / "hits"
        self._reply_lost = folder / "reply-lost"
        self._read = 0
        self._lock = threading.Lock()

    # ------------------------------------------------------------------------- giving orders

    def arm(self, order: Order) -> None:
        fresh = self._folder / "order.new"
        fresh.write_text(json.dumps(asdict(order)))
        fresh.rename(self._order)

    def is_armed(self) -> bool:
        """Return whether the process has not come to the step yet."""
        return self._order.exists()

    def disarm(self) -> None:
        self._order.unlink(missing_ok=True)

    def new_executions(self) -> list[Execution]:
        """Return the executions since the last call."""
        if not self._executed.exists():
            return []
        with self._executed.open("rb") as file:
            file.seek(self._read)
            lines = [line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]
        self._read += sum(map(len, lines))
        executed = [json.loads(line) for line in lines]
        return [Execution(**{**each, "order": Order(**each["order"])}) for each in executed]

    def hits(self) -> Counter[str]:
        """Return how often the process came to each step, in all its lives."""
        return Counter(STEPS[each] for each in self._hits.read_bytes()) if self._hits.exists() else Counter()

    def report_lost_reply(self) -> None:
        """Tell the process that Valkey is dead: it must not read the reply that it has held back."""
        self._reply_lost.touch()

    # --------------------------------------------------------------------------- in the process

    def hit(self, step: str) -> Order | None:
        """Record that the process came to this step. Return the order for it; no other thread gets it."""
        with self._lock:
            _append(self._hits, bytes((STEPS.index(step),)))
        if not self._order.exists():
            return None
        with suppress(FileNotFoundError, ValueError):
            order = Order(**json.loads(self._order.read_text()))
            if order.step == step:
                self._order.rename(self._folder / f"order-{os.getpid()}-{threading.get_ident()}")
                return order
        return None

    def record(self, execution: Execution) -> None:
        self._reply_lost.unlink(missing_ok=True)
        _append(self._executed, json.dumps(asdict(execution)).encode() + b"\n")

    def is_reply_lost(self) -> bool:
        return self._reply_lost.exists()


def _append(path: Path, what: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, what)
    finally:
        os.close(descriptor)
