"""Waiting for something to become true."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], seconds: float = 20.0, *, expected: T | None = None) -> T:
    """Return what ``look`` returns as soon as that is as expected; without ``expected``, as soon as it counts
    as true. Raise AssertionError if it does not become so within some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen == expected if expected is not None else seen:
            return seen
        if time.monotonic() > deadline:
            wanted = "something" if expected is None else repr(expected)
            raise AssertionError(f"not within {seconds:g} s: wanted {wanted}, at last saw {seen!r}")
        time.sleep(0.005)
