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
        for name in (*WRITES, *(READS if everywhere else ())):
            around = self._around if everywhere else self._after
            setattr(story.memory, name, around(getattr(story.memory, name)))
        for target in story.targets.values():
            target.after = self._tick if everywhere else self._count_action
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

    def _around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def tick_around(*arguments: Any, **named: Any) -> Any:
            self._tick()
            answer = call(*arguments, **named)
            self._tick()
            return answer

        return tick_around

    def _after(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Count a call afterwards, except a claim that gets nothing: that changes nothing."""

        def tick_after(*arguments: Any, **named: Any) -> Any:
            answer = call(*arguments, **named)
            if not isinstance(answer, Claims) or answer.claims:
                self._tick()
            return answer

        return tick_after

    def _count_action(self, verb: str) -> None:
        if verb not in LOOKS:
            self._tick()

    def _tick(self, _verb: str = "") -> None:
        if self.left is None or self.left < 0:
            return
        self.left -= 1
        if self.left < 0:
            self.burn()


def _die() -> None:
    raise Died
