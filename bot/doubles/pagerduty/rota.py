"""Rotas: shifts and rotations laid over one another, and overrides over them all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

ALWAYS = datetime.min.replace(tzinfo=UTC)
"""The start of a stint that has none."""
FOREVER = datetime.max.replace(tzinfo=UTC)
"""The end of a stint that has none."""


@dataclass(frozen=True, kw_only=True)
class User:
    """A user. ``slack`` is for the sandbox's page; PagerDuty does not know it."""

    id: str
    name: str
    email: str
    slack: str | None = None


@dataclass(frozen=True, kw_only=True)
class Stint:
    """A time on call: ``user`` in [start, end); None: nobody, on purpose. ``override`` is the id of the
    override that it is, if it is one."""

    user: str | None
    start: datetime
    end: datetime
    level: int = 1
    override: str = ""

    @property
    def people(self) -> tuple[str, ...]:
        return (self.user,) if self.user else ()

    def overlaps(self, since: datetime, until: datetime) -> bool:
        """Return whether it overlaps the window. An empty window means the moment at which it is."""
        return self.end > since and (self.start < until or self.start == since)


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """A rotation of the users, each on call for ``turn``."""

    users: tuple[str, ...]
    start: datetime
    turn: timedelta
    end: datetime = FOREVER
    level: int = 1

    @property
    def people(self) -> tuple[str, ...]:
        return self.users

    def stints(self, since: datetime, until: datetime) -> list[Stint]:
        """Return the turns that overlap the window, whole."""
        number = (since - self.start) // self.turn if since > self.start else 0
        start = self.start + number * self.turn
        found = []
        while start <= until and start < self.end:
            user, end = self.users[number % len(self.users)], min(start + self.turn, self.end)
            found.append(Stint(user=user, start=start, end=end, level=self.level))
            number, start = number + 1, end
        return found


@dataclass(frozen=True, kw_only=True)
class Policy:
    """An escalation policy that notifies a schedule at ``level``."""

    id: str
    name: str
    level: int = 1


@dataclass(frozen=True, kw_only=True)
class Direct:
    """A user whom a policy names without a schedule: always on call."""

    user: str
    policy: Policy


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A schedule. A later layer lies over the earlier ones, a later override over all. A person on call at a
    level of the schedule is on call one further down for each level below 1 at which a policy names it."""

    id: str
    name: str
    policies: tuple[Policy, ...]
    shift_based: bool = False
    layers: tuple[Stint | Rotation, ...] = ()
    overrides: tuple[Stint, ...] = ()

    def final(self, since: datetime, until: datetime) -> list[Stint]:
        """Return the stints of those on call in the window, unclipped, by start."""
        levels = {each.level for each in (*self.layers, *self.overrides)}
        found = [stint for level in levels for stint in self._paint(level, since, until)]
        shown = [each for each in found if each.user and each.overlaps(since, until)]
        return sorted(shown, key=lambda each: (each.start, each.level))

    def now(self, at: datetime, level: int) -> Stint | None:
        return next((each for each in self.final(at, at) if each.level == level), None)

    def _paint(self, level: int, since: datetime, until: datetime) -> list[Stint]:
        painted: list[Stint] = []
        for layer in self.layers:
            if layer.level == level:
                laid = layer.stints(since, until) if isinstance(layer, Rotation) else [layer]
                painted = cut(painted, layer.start, layer.end) + laid
        for override in self.overrides:
            if override.level == level:
                painted = [*cut(painted, override.start, override.end), override]
        return painted


def cut(stints: Iterable[Stint], start: datetime, end: datetime) -> list[Stint]:
    """Return the parts of the stints outside [start, end)."""
    left = []
    for each in stints:
        if each.end <= start or each.start >= end:
            left.append(each)
            continue
        if each.start < start:
            left.append(replace(each, end=start))
        if each.end > end:
            left.append(replace(each, start=end))
    return left
