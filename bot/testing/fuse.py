"""A fuse that burns at the n-th action on the ledger, a target or Slack: the process dies at that very
point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bot.ports.changes import Claims

if TYPE_CHECKING:
    from bot.testing.story import Story


class Died(BaseException):
    """The death of the process; nothing in it may notice."""


READS = ("read", "read_all")
WRITES = ("commit", "commit_all", "claim")
LOOKS = ("has", "holders", "prepare")
"""The calls of a target that change nothing there."""


class Fuse:
    """A counter of actions, each counted right after it; ``burn`` is called at the n-th. Calls that change
    nothing do not count: to die there is to die after the last one that did. ``everywhere``: all calls count,
    right before and right after, because something other than a death happens there."""

    def __init__(self, story: Story, *, everywhere: bool = False) -> None:
        self.left: int | None = None
        self.burn: Callable[[], None] = _die
        self._everywhere = everywhere
        for name in (*WRITES, *(READS if everywhere else ())):
            setattr(story.memory, name, self._ticking(getattr(story.memory, name)))
        for target in story.targets.values():
            target.after = self._tick
            if everywhere:
                target.before = self._tick
        story.messenger.after = self._tick
        if everywhere:
            story.messenger.before = self._tick

    @property
    def burnt(self) -> bool:
        return self.left is not None and self.left < 0

    @contextmanager
    def off(self) -> Iterator[None]:
        """Switch it off for somebody who only watches: looking kills nobody."""
        left, self.left = self.left, None
        yield
        self.left = left

    def _ticking(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Count a call of the ledger, except a claim that gets nothing: that changes nothing."""

        def ticking(*arguments: Any, **named: Any) -> Any:
            if self._everywhere:
                self._tick()
            answer = call(*arguments, **named)
            if self._everywhere or not isinstance(answer, Claims) or answer.claims:
                self._tick()
            return answer

        return ticking

    def _tick(self, verb: str = "") -> None:
        if verb in LOOKS and not self._everywhere:
            return
        if self.left is None or self.left < 0:
            return
        self.left -= 1
        if self.left < 0:
            self.burn()


def _die() -> None:
    raise Died
