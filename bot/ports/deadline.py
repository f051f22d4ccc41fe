"""Deadlines of calls, on the clock of this process."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """A moment on this process's monotonic clock after which a call is no longer worth making."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def seconds_left(self) -> float:
        """Return zero or more seconds."""
        return max(self.at - time.monotonic(), 0.0)

    @property
    def is_over(self) -> bool:
        return self.seconds_left() <= 0

    def sooner(self, other: Deadline) -> Deadline:
        return min(self, other, key=lambda each: each.at)
