"""The policy changes now and then, and back: resources give something else, rules and shifts leave."""

from __future__ import annotations

import random
import threading
import time
from typing import Self

from tests.chaos import scenario
from tests.chaos.deployment import Deployment

PAUSE, LASTS = (1.0, 10.0), (1.0, 6.0)
"""Seconds between two changes, and how long one lasts."""
WITHIN = 60.0


class Policies:
    """Use it as a context manager. ``end`` puts the plain policy in force for good."""

    def __init__(self, deployment: Deployment, rng: random.Random, *, change: bool = True) -> None:
        self._deployment, self._rng, self._change = deployment, rng, change
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_changing, daemon=True, name="policies")
        self.changes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        self._surely()

    def _keep_changing(self) -> None:
        while self._change and not self._over.wait(self._rng.uniform(*PAUSE)):
            self._deployment.write_policy(self._rng.choice(tuple(scenario.VARIANTS)))
            self.changes += self._surely()
            self._over.wait(self._rng.uniform(*LASTS))
            self._deployment.write_policy("")
            self._surely()

    def _surely(self) -> bool:
        """Apply what is written, as soon as Redis is there."""
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            if self._deployment.apply_policy():
                return True
            time.sleep(0.2)
        return False
