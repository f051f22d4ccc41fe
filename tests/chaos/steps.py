"""The named steps at which a process can be told to die or to sleep, and how it is told.

Each process has a folder. ``order`` there is what it is to do the next time it comes to a step, ``done``
has a line for each order carried out, ``passed`` a byte for each step that was passed. All three are
files, because what was written to a file outlives a kill.
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
COMMITS = ("giving", "given", "ending", "taking", "gone", "failed", "card", "deed")
"""What a commit writes: how far a hold has come, that a grant's time is over, where a card is; a deed is
what somebody did in Slack, and is written by the web process."""
CALLS = (*VERBS, "show", *(f"commit of {each}" for each in COMMITS))
STEPS = ("after claim", *(f"{when} {call}" for call in CALLS for when in ("before", "after")))
OF_WEB = tuple(step for step in STEPS if step.endswith("commit of deed"))
ON_THE_WAY = tuple(step for step in STEPS if step not in OF_WEB and not step.endswith("commit of failed"))
"""The worker's steps that every grant comes by; to fail, something has to be away."""

KILL, SLEEP, LOSE = "kill", "sleep", "lose"


@dataclass(frozen=True, kw_only=True)
class Order:
    """At ``step``: die, sleep for ``seconds``, or have Valkey killed when it has written but is not heard."""

    step: str
    do: str
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Obeyed:
    order: Order
    at: float
    pid: int


class Post:
    """The folder, seen from either side."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._order = folder / "order"
        self._done = folder / "done"
        self._passed = folder / "passed"
        self._lost = folder / "lost"
        self._read = 0
        self._lock = threading.Lock()

    # ------------------------------------------------------------------------- who gives orders

    def give(self, order: Order) -> None:
        fresh = self._folder / "order.new"
        fresh.write_text(json.dumps(asdict(order)))
        fresh.rename(self._order)

    def waiting(self) -> bool:
        """Nobody has come by the step yet."""
        return self._order.exists()

    def withdraw(self) -> bool:
        """Whether it was still there to be withdrawn."""
        with suppress(FileNotFoundError):
            self._order.unlink()
            return True
        return False

    def news(self) -> list[Obeyed]:
        """What was obeyed since the last look."""
        if not self._done.exists():
            return []
        with self._done.open("rb") as file:
            file.seek(self._read)
            lines = [line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]
        self._read += sum(map(len, lines))
        told = [json.loads(line) for line in lines]
        return [Obeyed(order=Order(**each["order"]), at=each["at"], pid=each["pid"]) for each in told]

    def passed(self) -> Counter[str]:
        """How often each step was passed, in all its lives."""
        return (
            Counter(STEPS[each] for each in self._passed.read_bytes()) if self._passed.exists() else Counter()
        )

    def say_lost(self) -> None:
        """Valkey is dead: the reply that was held back is not to be heard any more."""
        self._lost.touch()

    # --------------------------------------------------------------------------- who obeys them

    def come_by(self, step: str) -> Order | None:
        """Note that this step is passed; the order to be obeyed at it, which is then nobody else's."""
        with self._lock:
            _append(self._passed, bytes((STEPS.index(step),)))
        return self._taken(step) if self._order.exists() else None

    def obey(self, obeyed: Obeyed) -> None:
        self._lost.unlink(missing_ok=True)
        _append(self._done, json.dumps(asdict(obeyed)).encode() + b"\n")

    def is_lost(self) -> bool:
        return self._lost.exists()

    def _taken(self, step: str) -> Order | None:
        with suppress(FileNotFoundError, ValueError):
            order = Order(**json.loads(self._order.read_text()))
            if order.step == step:
                self._order.rename(self._folder / f"order-{os.getpid()}-{threading.get_ident()}")
                return order
        return None


def _append(path: Path, what: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, what)
    finally:
        os.close(descriptor)
