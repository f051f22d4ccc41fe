"""Changes of the policy, and back: resources give something else, rules and shifts are removed."""

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


class PolicyChanges:
    """A thread that changes the policy. A context manager. ``stop`` puts the plain policy in force for good;
    without ``change`` it never changes."""

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

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        self._apply()

    def _keep_changing(self) -> None:
        while self._change and not self._over.wait(self._rng.uniform(*PAUSE)):
            self._deployment.write_policy(self._rng.choice(tuple(scenario.VARIANTS)))
            self.changes += self._apply()
            self._over.wait(self._rng.uniform(*LASTS))
            self._deployment.write_policy("")
            self._apply()

    def _apply(self) -> bool:
        """Apply the policy that was written last, and return whether Redis was there in time."""
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            if self._deployment.apply_policy():
                return True
            time.sleep(0.2)
        return False
