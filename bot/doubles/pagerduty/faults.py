"""Faults of the pager, switched on by a test or a person."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Oddity:
    """An answer sent instead of the right one. A ``body`` that is not text is sent as JSON."""

    body: Any
    status: int = 200
    to: str = ""
    """The endpoint that answers it, as `Rest` calls it; empty: any."""
    headers: Mapping[str, str] = field(default_factory=dict)


HTML = "<!doctype html><title>Sign in</title><p>Please sign in to continue."
FOREVER = 1_000_000_000


@dataclass(kw_only=True)
class Faults:
    """The faults. Set a field and it holds from the next call on. Counts run down to 0."""

    changed: Callable[[], None]
    down: bool = False
    """Every call answers 503."""
    slow: float = 0.0
    """Seconds each call takes before it is answered."""
    drip: float = 0.0
    """Seconds between the bytes of an answer."""
    limited: int = 0
    """The next n calls answer 429."""
    limit_seconds: float = 1
    """The seconds that a 429 says it will last."""
    silent_limits: bool = False
    """A 429 does not say how long it will last."""
    strict: bool = False
    """/oncalls answers 404 if a requested schedule does not exist; otherwise it shows nobody."""
    bare: bool = False
    """Users are references only, whatever the call wants included."""
    unseen: frozenset[str] = frozenset()
    """Schedules for which /oncalls shows nobody, though they have people."""
    unseen_levels: frozenset[int] = frozenset()
    """Levels at which /oncalls shows nobody, though somebody is on call."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._oddities: list[tuple[Oddity, int]] = []

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if not name.startswith("_") and "_oddities" in self.__dict__:
            self.changed()

    def answer(self, body: Any, *, times: int = 1, **how: Any) -> None:
        """Set this answer for the next ``times`` calls (of the endpoint ``to``); ``how`` as in Oddity."""
        with self._lock:
            self._oddities.append((Oddity(body=body, **how), times))

    def take_limit(self) -> bool:
        with self._lock:
            left = self.limited
            if left > 0:
                self.limited = left - 1
        return left > 0

    def take_oddity(self, endpoint: str) -> Oddity | None:
        with self._lock:
            for place, (oddity, times) in enumerate(self._oddities):
                if oddity.to in {"", endpoint}:
                    self._oddities[place : place + 1] = [(oddity, times - 1)] if times > 1 else []
                    return oddity
        return None
