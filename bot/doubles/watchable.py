"""State that a double keeps behind one lock, and that its page waits for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Watchable:
    """State with a version that each change raises. ``moved`` is the lock, notified of each change."""

    def __init__(self) -> None:
        self.moved = threading.Condition(threading.RLock())
        self.version = 1

    @contextmanager
    def change(self) -> Iterator[None]:
        """Hold the lock for a change. An exception inside leaves the version as it was."""
        with self.moved:
            yield
            self.version += 1
            self.moved.notify_all()

    def touch(self) -> None:
        """Raise the version, for a change of something that is kept elsewhere."""
        with self.change():
            pass

    def wait_for_change(self, version: int, seconds: float) -> int:
        """Wait until there is a later version, for some seconds at most, and return the version then."""
        with self.moved:
            self.moved.wait_for(lambda: self.version > version, seconds)
            return self.version
