"""Shifts that come and go at the pager: overrides made a moment ahead, some of them taken back again."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from tests.chaos import scenario
from tests.chaos.deployment import Deployment


@dataclass(frozen=True, kw_only=True)
class Stint:
    """An override, as it was known from ``made`` on. ``cut`` is when it was taken back early, in epoch
    seconds like the others."""

    schedule: str
    person: str
    made: float
    start: float
    end: float
    cut: float | None = None

    @property
    def last(self) -> float:
        return self.end if self.cut is None else max(min(self.cut, self.end), self.start)


class Shifts:
    """Use it as a context manager; leaving it ends the override that is on."""

    def __init__(self, deployment: Deployment, rng: random.Random, longest: int) -> None:
        self._pager = deployment.pager
        self._rng = rng
        self._longest = max(longest, 3)
        self._over = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._keep_shifting, args=(schedule, random.Random(rng.random())), daemon=True
            )
            for schedule in scenario.STAND_INS
        ]
        self.stints: list[Stint] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _keep_shifting(self, schedule: str, rng: random.Random) -> None:
        while not self._over.wait(rng.uniform(0.5, 6)):
            who = rng.choice(scenario.STAND_INS[schedule])
            start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=rng.randint(1, 5))
            end = start + timedelta(seconds=rng.randint(2, self._longest))
            made = datetime.now(UTC).timestamp()
            name = self._pager.override(schedule, who, start, end)
            stint = Stint(
                schedule=schedule, person=who, made=made, start=start.timestamp(), end=end.timestamp()
            )
            early = rng.random() < 0.3
            wait = stint.end - made
            over = self._over.wait(rng.uniform(0, wait) if early else wait)
            if early or over:
                now = datetime.now(UTC)
                self._pager.end_override(schedule, name, now)
                stint = replace(stint, cut=now.timestamp())
            with self._lock:
                self.stints.append(stint)
