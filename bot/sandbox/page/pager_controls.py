"""The pager as the page's buttons change it: now, by Slack id, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.doubles.pagerduty import Pager, PagerError
from bot.doubles.slack.model import ImpossibleError


class PagerControls:
    """The pager for the page. People are named by their Slack ids. Each change is written to ``path``; if one
    is not possible, ImpossibleError says why."""

    def __init__(
        self, pager: Pager, path: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._pager = pager
        self._path = path
        self._clock = clock

    @property
    def down(self) -> bool:
        return self._pager.faults.down

    @down.setter
    def down(self, down: bool) -> None:
        self._pager.faults.down = down

    def state(self) -> dict[str, Any]:
        """Return `{"down", "schedules": [{"id", "name", "now": [shift], "next": [shift]}]}`; a shift is
        `{"user", "name", "level", "start", "end", "override"}` in seconds since the epoch."""
        return self._pager.state(self._clock())

    def hand_over(self, schedule: str, to: str) -> None:
        """Give ``to`` the rest of the shift that runs now."""
        with self._saving():
            self._pager.hand_over(schedule, to, self._clock())

    def start_shift(self, schedule: str, who: str, minutes: float) -> None:
        with self._saving():
            self._pager.start_shift(schedule, who, self._clock(), minutes)

    def end_shift(self, schedule: str) -> None:
        with self._saving():
            self._pager.end_shift(schedule, self._clock())

    @contextmanager
    def _saving(self) -> Iterator[None]:
        try:
            yield
        except PagerError as error:
            raise ImpossibleError(str(error)) from error
        self._pager.save(self._path)
