"""How hostile input is tried: a few seconds of it in the suite, far more if FUZZ says how many.

Each input is timed. One that takes over five seconds fails. One that never returns ends the run, with the
lines where every thread stands, because a runaway regular expression lets no other thread run.
"""

from __future__ import annotations

import faulthandler
import functools
import io
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

IN_ALL = int(os.environ.get("FUZZ", "0"))
"""Inputs of all tests together; 0: as few as the suite has time for."""

SLOW, HANGS, LOST = 1.0, 5.0, 60.0
"""Seconds for one input: told, failed, and ended with the whole run."""

Test = TypeVar("Test", bound=Callable[..., None])


@dataclass
class Tally:
    """The outcomes of the inputs of one test."""

    inputs: int = 0
    failed: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_input: str = ""
    slow: list[str] = field(default_factory=list)

    def add(self, took: float, given: Mapping[str, object]) -> None:
        self.inputs += 1
        self.seconds += took
        if took > self.slowest:
            self.slowest, self.slowest_input = took, shown(given)
        if took > SLOW:
            self.slow.append(f"{took:.1f} s: {shown(given)}")

    def __str__(self) -> str:
        return (
            f"{self.inputs:>9} inputs {self.failed:>4} failed {self.seconds:>8.1f} s, "
            f"slowest {self.slowest * 1000:>7.1f} ms"
        )


TALLIES: dict[str, Tally] = {}
stderr: io.TextIOWrapper | None = None
"""Where the lines of all threads go; set by conftest.py, which knows what is behind pytest's capture."""


def thrown(*, few: int, share: float, **inputs: SearchStrategy[Any]) -> Callable[[Test], Any]:
    """Return Hypothesis's ``given`` with ``few`` inputs in the suite, and ``share`` of FUZZ if that is
    set."""
    many = max(few, round(IN_ALL * share))
    unhurried = settings(max_examples=many, deadline=None, suppress_health_check=list(HealthCheck))

    def decorated(test: Test) -> Any:
        tally = TALLIES.setdefault(test.__name__.removeprefix("test_"), Tally())
        return unhurried(given(**inputs)(_timed(test, tally, tuple(inputs))))

    return decorated


def _timed(test: Test, tally: Tally, names: tuple[str, ...]) -> Callable[..., None]:
    @functools.wraps(test)
    def timed(*args: Any, **kwargs: Any) -> None:
        given = {name: kwargs[name] for name in names}
        began = time.monotonic()
        try:
            with watched():
                test(*args, **kwargs)
        except Exception:
            tally.failed += 1
            raise
        finally:
            took = time.monotonic() - began
            tally.add(took, given)
        assert took < HANGS, f"took {took:.1f} s"

    return timed


@contextmanager
def watched() -> Iterator[None]:
    """End the whole run, with the lines where every thread stands, if this does not return."""
    if stderr is None:
        yield
        return
    faulthandler.dump_traceback_later(LOST, exit=True, file=stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def shown(given: Mapping[str, object]) -> str:
    """Return the value short enough to read, on one line."""
    text = ascii(dict(given))
    return text if len(text) <= 160 else f"{text[:100]} … {text[-40:]} ({len(text)} characters)"
