"""Sources that say who is on call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bot.core.shifts import Shift
from bot.ports.deadline import Deadline


class OnCallSource(Protocol):
    """A roster source, such as PagerDuty. Ids are the source's own, without ``source/``.

    Every method raises TemporaryFailure (no answer, limits, 5xx) or PermanentFailure (refused credentials, a
    request that will never be good) within the deadline.
    """

    def shifts(
        self, schedules: Sequence[str], since: datetime, until: datetime, deadline: Deadline
    ) -> Mapping[str, tuple[Shift, ...]]:
        """Read the final shifts, overrides applied, of all ``schedules`` in as few calls as the source
        allows; an empty tuple if it shows nobody. A person whose email it does not show appears with their
        ``user`` only. Nothing is changed."""
        ...

    def confirm(
        self, schedule: str, since: datetime, until: datetime, deadline: Deadline
    ) -> tuple[Shift, ...] | None:
        """Read the shifts of one schedule another way; None if the source does not know the schedule. If this
        way knows no levels, they are 0."""
        ...
