"""Faults of Slack, or between Slack and the bot, switched on by a test or a person."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(kw_only=True)
class Faults:
    """The faults. Set a field and it holds from the next call on. Counts run down to 0."""

    changed: Callable[[], None]
    down: bool = False
    """Every Web API call answers 503."""
    refusing: bool = False
    """The connection of every Web API call is closed before anything is done."""
    slow: float = 0.0
    """Seconds each Web API call takes."""
    limited: int = 0
    """The next n calls answer 429 with Retry-After: 1."""
    one_a_second: bool = False
    """A second message within a second in the same channel answers 429."""
    lost_replies: int = 0
    """The next n calls are done, and then the connection is closed without an answer."""
    twice: bool = False
    """Each delivery to the bot is sent twice at the same time, equal to the last byte."""
    forged: bool = False
    """Deliveries are signed with a secret that is not the app's."""
    late_by: float = 0.0
    """Deliveries carry (and are signed for) a time this many seconds ago."""
    patience: float = 3.0
    """Seconds that Slack waits for the bot's answer to a delivery."""
    retry_pauses: tuple[float, ...] = (0.0, 60.0, 300.0)
    """Seconds that Slack waits before each new attempt to deliver an event."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if not name.startswith("_") and "_lock" in self.__dict__:
            self.changed()

    def take_one(self, count: str) -> bool:
        """Return True for the next n callers, where n is the value of `count`."""
        with self._lock:
            left = int(getattr(self, count))
            if left > 0:
                setattr(self, count, left - 1)
        return left > 0
