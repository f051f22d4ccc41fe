"""An on-call source in memory, with switches for what can go wrong at one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.core.errors import TemporaryFailure
from bot.core.shifts import Shift
from bot.ports import Deadline


class FakeSource:
    """Implements OnCallSource. ``rota`` has the shifts by the source's own schedule ids.

    ``away``: nothing answers. ``hidden``: schedules that ``shifts`` shows nobody of, though there is
    somebody. ``unknown``: schedules that the source says it does not have. ``rendered``: what ``confirm``
    shows of a schedule, where that is something else.
    """

    def __init__(self, rota: dict[str, tuple[Shift, ...]]) -> None:
        self.rota = rota
        self.away = False
        self.hidden: set[str] = set()
        self.unknown: set[str] = set()
        self.rendered: dict[str, tuple[Shift, ...]] = {}
        self.reads = 0

    def shifts(
        self, schedules: Sequence[str], since: datetime, until: datetime, deadline: Deadline
    ) -> Mapping[str, tuple[Shift, ...]]:
        self._answer(deadline)
        shown = [each for each in schedules if each not in self.hidden | self.unknown]
        return {each: self._between(each, since, until) for each in shown}

    def confirm(
        self, schedule: str, since: datetime, until: datetime, deadline: Deadline
    ) -> tuple[Shift, ...] | None:
        self._answer(deadline)
        if schedule in self.unknown:
            return None
        return self.rendered.get(schedule) or self._between(schedule, since, until)

    def _answer(self, deadline: Deadline) -> None:
        self.reads += 1
        if self.away or deadline.passed:
            raise TemporaryFailure("the pager does not answer")

    def _between(self, schedule: str, since: datetime, until: datetime) -> tuple[Shift, ...]:
        return tuple(
            shift
            for shift in self.rota.get(schedule, ())
            if (shift.end is None or shift.end > since) and (shift.start is None or shift.start < until)
        )
