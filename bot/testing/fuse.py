"""A fuse that burns at the n-th thing done to the ledger or to a target: the process dies just there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.testing.story import Story


class Died(BaseException):
    """The process is no more; nothing in it may notice."""


class Fuse:
    """Counts what is done, right before and right after each thing; ``burn`` is called at the n-th."""

    def __init__(self, story: Story) -> None:
        self.left: int | None = None
        self.burn: Callable[[], None] = _die
        for name in ("read", "commit", "claim", "read_all", "commit_all"):
            setattr(story.memory, name, self._around(getattr(story.memory, name)))
        for target in story.targets.values():
            target.before = target.after = self._tick
        story.messenger.before = story.messenger.after = lambda: self._tick("")

    @property
    def burnt(self) -> bool:
        return self.left is not None and self.left < 0

    @contextmanager
    def off(self) -> Iterator[None]:
        """For who only watches: looking kills nobody."""
        left, self.left = self.left, None
        yield
        self.left = left

    def _around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            self._tick("")
            answer = call(*arguments, **named)
            self._tick("")
            return answer

        return watched

    def _tick(self, _what: str) -> None:
        if self.left is None or self.left < 0:
            return
        self.left -= 1
        if self.left < 0:
            self.burn()


def _die() -> None:
    raise Died
