"""The pager's memory, behind one lock; each change raises the version."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bot.doubles.pagerduty.faults import Faults
from bot.doubles.pagerduty.rota import ALWAYS, FOREVER, Direct, Policy, Rotation, Schedule, Stint, User, cut
from bot.doubles.snapshots import read_snapshot, write_snapshot
from bot.doubles.watchable import Watchable

WEEK = timedelta(days=7)
AHEAD = timedelta(days=14)
SHOWN_NEXT = 3


class PagerError(Exception):
    """It cannot be done: there is no such schedule or person, or nobody is on call."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything that is saved: not the faults, and not the calls."""

    version: int
    last_id: int
    users: list[User]
    schedules: list[Schedule]
    directs: list[Direct]


SNAPSHOT = TypeAdapter(Snapshot)


class Pager(Watchable):
    """The pager. People are named by user id, Slack id or email. Times are aware."""

    def __init__(
        self,
        token: str,
        clock: Callable[[], datetime] | None = None,
        zone: tzinfo = UTC,
    ) -> None:
        super().__init__()
        self.token = token
        self.zone = zone
        self.clock = clock or (lambda: datetime.now(UTC))
        self.users: dict[str, User] = {}
        self.schedules: dict[str, Schedule] = {}
        self.directs: list[Direct] = []
        self.faults = Faults(changed=self.touch)
        self.calls: deque[str] = deque(maxlen=10_000)
        """The calls that came in, ``GET /oncalls?…``, in order."""
        self.answered = 0
        self.hurry = threading.Event()
        """Set when nothing may be slow any more."""
        self._last_id = 0

    def add_user(self, user: str, name: str, email: str, slack: str | None = None) -> str:
        """Add a user whose id is ``user``, and return it."""
        with self.change():
            self.users[user] = User(id=user, name=name, email=email, slack=slack)
        return user

    def remove_user(self, whom: str) -> None:
        """Delete a user at PagerDuty; shifts that name them stay."""
        with self.change():
            del self.users[self.user(whom).id]

    def add_schedule(
        self,
        schedule: str,
        name: str = "",
        policies: Sequence[Policy] | None = None,
        *,
        shift_based: bool = False,
    ) -> str:
        """Add a schedule whose id is ``schedule``. Without ``policies`` one of its own names it at level 1;
        if no policy names it, its people are not in /oncalls."""
        own = (Policy(id=f"E{schedule}", name=f"Escalation of {name or schedule}"),)
        with self.change():
            self.schedules[schedule] = Schedule(
                id=schedule,
                name=name or schedule,
                policies=own if policies is None else tuple(policies),
                shift_based=shift_based,
            )
        return schedule

    def remove_schedule(self, schedule: str) -> None:
        with self.change():
            del self.schedules[self.schedule(schedule).id]

    def add_shift(
        self, schedule: str, user: str, start: datetime | None, end: datetime | None, level: int = 1
    ) -> None:
        """Lay a shift over what the schedule has at that level. ``start`` None: since always; ``end`` None:
        no end."""
        shift = Stint(user=self.user(user).id, start=start or ALWAYS, end=end or FOREVER, level=level)
        with self.change():
            self._lay(schedule, shift)

    def add_rotation(
        self, schedule: str, users: Sequence[str], start: datetime, turn: timedelta = WEEK, level: int = 1
    ) -> None:
        ids = tuple(self.user(each).id for each in users)
        with self.change():
            self._lay(schedule, Rotation(users=ids, start=start, turn=turn, level=level))

    def add_direct(self, user: str, policy: Policy) -> None:
        with self.change():
            self.directs.append(Direct(user=self.user(user).id, policy=policy))

    def override(self, schedule: str, user: str, start: datetime, end: datetime, level: int = 1) -> str:
        """Add an override and return its id. It covers what it lies over, and only that."""
        if end <= start:
            raise PagerError("Override must end after its start")
        with self.change():
            self._last_id += 1
            name = f"Q{self._last_id:07d}"
            made = Stint(user=self.user(user).id, start=start, end=end, level=level, override=name)
            found = self.schedule(schedule)
            self.schedules[schedule] = replace(found, overrides=(*found.overrides, made))
        return name

    def end_override(self, schedule: str, override: str, now: datetime) -> bool:
        """End an override, and return whether a part of it stays: the part before ``now``."""
        with self.change():
            found = self.schedule(schedule)
            one = next((each for each in found.overrides if each.override == override), None)
            if not one:
                raise PagerError(f"no override {override}")
            kept = (replace(one, end=now),) if one.start < now else ()
            others = tuple(each for each in found.overrides if each != one)
            self.schedules[schedule] = replace(found, overrides=(*others, *kept))
        return bool(kept)

    def hand_over(self, schedule: str, to: str, now: datetime, level: int = 1) -> str:
        """Add an override from now to the end of the present shift."""
        with self.moved:
            present = self._present(schedule, now, level)
            return self.override(schedule, to, now, min(present.end, now + WEEK), level)

    def start_shift(self, schedule: str, who: str, now: datetime, minutes: float, level: int = 1) -> None:
        """Start a shift now, over everything."""
        end = now + timedelta(minutes=minutes)
        with self.change():
            self._clear_overrides(schedule, now, end, level)
            self._lay(schedule, Stint(user=self.user(who).id, start=now, end=end, level=level))

    def end_shift(self, schedule: str, now: datetime, level: int = 1) -> None:
        """Leave nobody on call from now until the present shift would have ended."""
        with self.change():
            present = self._present(schedule, now, level)
            self._clear_overrides(schedule, now, present.end, level)
            self._lay(schedule, Stint(user=None, start=now, end=present.end, level=level))

    def user(self, whom: str) -> User:
        with self.moved:
            for each in self.users.values():
                if whom in (each.id, each.slack) or whom.casefold() == each.email.casefold():
                    return each
        raise PagerError(f"nobody is called {whom}")

    def schedule(self, schedule: str) -> Schedule:
        with self.moved:
            found = self.schedules.get(schedule)
        if not found:
            raise PagerError(f"no schedule {schedule}")
        return found

    def state(self, now: datetime) -> dict[str, Any]:
        """Return the state for the sandbox's page."""
        with self.moved:
            listed = []
            for each in self.schedules.values():
                ahead = each.final(now, now + AHEAD)
                present = [self._shown_stint(stint) for stint in ahead if stint.start <= now]
                coming = [self._shown_stint(stint) for stint in ahead if stint.start > now][:SHOWN_NEXT]
                listed.append({"id": each.id, "name": each.name, "now": present, "next": coming})
            return {"down": self.faults.down, "schedules": listed}

    def save(self, path: Path) -> None:
        with self.moved:
            snapshot = Snapshot(
                version=self.version,
                last_id=self._last_id,
                users=list(self.users.values()),
                schedules=list(self.schedules.values()),
                directs=self.directs,
            )
            write_snapshot(path, SNAPSHOT, snapshot)

    def load(self, path: Path) -> None:
        """Load what was saved. Raise UnreadableError if it cannot be read."""
        saved = read_snapshot(path, SNAPSHOT)
        with self.change():
            self.version = max(self.version, saved.version)
            self._last_id = saved.last_id
            self.users = {each.id: each for each in saved.users}
            self.schedules = {each.id: each for each in saved.schedules}
            self.directs = saved.directs

    def _lay(self, schedule: str, layer: Stint | Rotation) -> None:
        found = self.schedule(schedule)
        self.schedules[schedule] = replace(found, layers=(*found.layers, layer))

    def _clear_overrides(self, schedule: str, start: datetime, end: datetime, level: int) -> None:
        found = self.schedule(schedule)
        here = [each for each in found.overrides if each.level == level]
        others = tuple(each for each in found.overrides if each.level != level)
        self.schedules[schedule] = replace(found, overrides=(*others, *cut(here, start, end)))

    def _present(self, schedule: str, now: datetime, level: int) -> Stint:
        present = self.schedule(schedule).now(now, level)
        if not present:
            raise PagerError(f"nobody is on call for {schedule}")
        return present

    def _shown_stint(self, stint: Stint) -> dict[str, Any]:
        user = self.users.get(stint.user or "")
        return {
            "user": user and user.slack,
            "name": user.name if user else stint.user,
            "level": stint.level,
            "start": None if stint.start == ALWAYS else stint.start.timestamp(),
            "end": None if stint.end == FOREVER else stint.end.timestamp(),
            "override": bool(stint.override),
        }
