"""Changes of shifts at the pager: overrides made a moment ahead, some of them ended early."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from tests.chaos import scenario
from tests.chaos.deployment import Deployment


@dataclass(frozen=True, kw_only=True)
class Override:
    """An override, as the pager showed it from ``made`` on. ``cut`` is when it was ended early. All times are
    in epoch seconds."""

    schedule: str
    person: str
    made: float
    start: float
    end: float
    cut: float | None = None

    @property
    def last(self) -> float:
        """Return the moment at which the person was no longer on call."""
        return self.end if self.cut is None else max(min(self.cut, self.end), self.start)


class ShiftChanges:
    """A thread for each schedule that changes its shifts. A context manager; leaving it ends the present
    overrides."""

    def __init__(self, deployment: Deployment, rng: random.Random, longest: int) -> None:
        self._pager = deployment.pager
        self._rng = rng
        self._longest = max(longest, 3)
        self._over = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._keep_changing, args=(schedule, random.Random(rng.random())), daemon=True
            )
            for schedule in scenario.STAND_INS
        ]
        self.overrides: list[Override] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _keep_changing(self, schedule: str, rng: random.Random) -> None:
        while not self._over.wait(rng.uniform(0.5, 6)):
            who = rng.choice(scenario.STAND_INS[schedule])
            start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=rng.randint(1, 5))
            end = start + timedelta(seconds=rng.randint(2, self._longest))
            made = datetime.now(UTC).timestamp()
            name = self._pager.override(schedule, who, start, end)
            override = Override(
                schedule=schedule, person=who, made=made, start=start.timestamp(), end=end.timestamp()
            )
            early = rng.random() < 0.3
            wait = override.end - made
            over = self._over.wait(rng.uniform(0, wait) if early else wait)
            if early or over:
                now = datetime.now(UTC)
                self._pager.end_override(schedule, name, now)
                override = replace(override, cut=now.timestamp())
            with self._lock:
                self.overrides.append(override)
