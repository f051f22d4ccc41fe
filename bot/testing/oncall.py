"""An on-call source in memory, with switches for what can go wrong at one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.core.errors import TemporaryFailure
from bot.core.shifts import Shift
from bot.ports.deadline import Deadline


class FakeSource:
    """An on-call source. Implements OnCallSource. ``rota`` has the shifts by the source's own schedule ids.

    ``away``: nothing answers. ``hidden``: schedules for which ``shifts`` shows nobody, though there is
    somebody, and ``lacking`` those for which it does not show these levels. ``unknown``: schedules that the
    source says it does not have. ``rendered``: what ``confirm`` shows of a schedule, if that is something
    else; ``unrendered``: those that it cannot read. ``since``: the start of the last window that was read.
    """

    def __init__(self, rota: dict[str, tuple[Shift, ...]]) -> None:
        self.rota = rota
        self.away = False
        self.hidden: set[str] = set()
        self.unknown: set[str] = set()
        self.lacking: dict[str, set[int]] = {}
        self.rendered: dict[str, tuple[Shift, ...]] = {}
        self.unrendered: set[str] = set()
        self.since: datetime | None = None
        self.reads = 0

    def shifts(
        self, schedules: Sequence[str], since: datetime, until: datetime, deadline: Deadline
    ) -> Mapping[str, tuple[Shift, ...]]:
        self._answer(deadline)
        self.since = since
        shown = [each for each in schedules if each not in self.hidden | self.unknown]
        return {
            each: tuple(
                shift
                for shift in self._between(each, since, until)
                if shift.level not in self.lacking.get(each, ())
            )
            for each in shown
        }

    def confirm(
        self, schedule: str, since: datetime, until: datetime, deadline: Deadline
    ) -> tuple[Shift, ...] | None:
        """Return the shifts without levels, as PagerDuty renders a schedule."""
        self._answer(deadline)
        if schedule in self.unrendered:
            raise TemporaryFailure(f"the pager does not render {schedule}")
        if schedule in self.unknown:
            return None
        shown = self.rendered.get(schedule, self._between(schedule, since, until))
        return tuple(replace(shift, level=0) for shift in shown)

    def _answer(self, deadline: Deadline) -> None:
        self.reads += 1
        if self.away or deadline.is_over:
            raise TemporaryFailure("the pager does not answer")

    def _between(self, schedule: str, since: datetime, until: datetime) -> tuple[Shift, ...]:
        return tuple(
            shift
            for shift in self.rota.get(schedule, ())
            if (shift.end is None or shift.end > since) and (shift.start is None or shift.start < until)
        )
