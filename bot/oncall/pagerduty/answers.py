"""PagerDuty's answers, as far as we read them. Any other shape is not a valid answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from bot.core.shifts import Shift


class User(BaseModel):
    """A user; a mere reference to one has no email."""

    id: str
    email: str | None = None


class ScheduleReference(BaseModel):
    id: str


class Row(BaseModel):
    """A row of on-calls. ``start`` None: since always; ``end`` None: no end known. Both keys must be
    there."""

    user: User
    schedule: ScheduleReference | None
    escalation_level: int
    start: AwareDatetime | None
    end: AwareDatetime | None

    def shift(self, schedule: str, email: str) -> Shift:
        return Shift(
            schedule=schedule,
            email=email,
            level=self.escalation_level,
            start=self.start and self.start.astimezone(UTC),
            end=self.end and self.end.astimezone(UTC),
            user="" if email else self.user.id,
        )


class Page(BaseModel):
    oncalls: tuple[Row, ...]
    more: bool
    total: int | None = None


class OneUser(BaseModel):
    user: User


class Users(BaseModel):
    users: tuple[User, ...]


class Entry(BaseModel):
    user: User
    start: AwareDatetime
    end: AwareDatetime | None

    def row(self, schedule: str) -> Row:
        return _row(self.user.id, schedule, self.start, self.end)


class Entries(BaseModel):
    rendered_schedule_entries: tuple[Entry, ...]


class Layered(BaseModel):
    type: Literal["schedule"]
    final_schedule: Entries


class Upgraded(BaseModel):
    """A schedule of the newer, shift-based kind, as it appears among those of layers."""

    type: Literal["schedule_v3"]


class Rendered(BaseModel):
    schedule: Layered | Upgraded = Field(discriminator="type")


class Member(BaseModel):
    """A member of a shift, without a user if the shift is nobody's on purpose."""

    user_id: str | None = None


class Assignment(BaseModel):
    member: Member
    start_time: AwareDatetime
    end_time: AwareDatetime | None

    def row(self, schedule: str) -> Row | None:
        user = self.member.user_id
        return _row(user, schedule, self.start_time, self.end_time) if user else None


class Assignments(BaseModel):
    computed_shift_assignments: tuple[Assignment, ...]


class Computed(BaseModel):
    final_schedule: Assignments


class ShiftBased(BaseModel):
    schedule: Computed


class Problem(BaseModel):
    message: str
    code: int


class Refusal(BaseModel):
    """The body of PagerDuty's own errors; those of a proxy look different."""

    error: Problem


def _row(user: str, schedule: str, start: datetime, end: datetime | None) -> Row:
    """Make a row. A schedule does not say at which level it is notified."""
    where = ScheduleReference(id=schedule)
    return Row(user=User(id=user), schedule=where, escalation_level=0, start=start, end=end)
