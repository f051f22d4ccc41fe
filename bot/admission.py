"""Who gets the next thread: threads are reserved by what a due thing waits for. Nothing is done here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from bot.ports import Room

SLACK, REDIS, ALARMS = "slack", "redis", "alarms"

OF_TARGETS = ("hold", "sweep")
OF_SOURCES = ("roster", "incidents")
OF_ALARMS = ("alarm",)
OF_SLACK = ("card", "note", "alert", "home", "people", "groups", "workspace")
BY_THE_GRANT = ("card", "home")
"""Owed once for each grant, so very many at once when very many grants end."""

RESERVED: Mapping[str, int] = {SLACK: 2, REDIS: 1, ALARMS: 1}
"""Threads, besides one for each target and each source."""

DEFAULT_THREADS = 16
SPARE = 8
"""Threads by default beyond one for each target and each source."""


def awaited(member: str) -> str:
    """What a due thing waits for: ``target NAME``, ``source NAME``, SLACK, or Redis alone: ALARMS, REDIS."""
    kind, _, rest = member.partition(":")
    name = rest.partition("/")[0]
    if kind in OF_TARGETS:
        return target(name)
    if kind in OF_SOURCES:
        return source(name)
    if kind in OF_SLACK:
        return SLACK
    return ALARMS if kind in OF_ALARMS else REDIS


def target(name: str) -> str:
    return f"target {name}"


def source(name: str) -> str:
    return f"source {name}"


@dataclass(frozen=True, kw_only=True)
class World:
    """The names of what is waited for outside, as the policy in force has them."""

    targets: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()

    @property
    def least(self) -> int:
        """Threads without which something could make something else wait."""
        return len(self.targets) + len(self.sources) + sum(RESERVED.values())

    @property
    def by_default(self) -> int:
        return max(DEFAULT_THREADS, len(self.targets) + len(self.sources) + SPARE)

    def own(self) -> dict[str, int]:
        names = (*map(target, self.targets), *map(source, self.sources))
        return {**RESERVED, **dict.fromkeys(names, 1)}


@dataclass(frozen=True, kw_only=True)
class Use:
    """The threads that wait for one thing. ``stuck`` ones are in a call that did not come back by its
    deadline. ``trusted``: a call was answered a moment ago, and none has met its deadline since."""

    busy: int = 0
    stuck: int = 0
    trusted: bool = False


@dataclass(frozen=True, kw_only=True)
class Admission:
    """``threads`` in all, of which ``own`` are reserved by what is waited for. Nothing gets more than
    ``share``, and what is not trusted no more than its own; a call that is stuck is replaced once."""

    threads: int
    share: int
    own: Mapping[str, int]
    uses: Mapping[str, Use] = field(default_factory=dict)

    @property
    def shared(self) -> int:
        """Threads that are free and that nobody has reserved."""
        names = self.own.keys() | self.uses.keys()
        return max(self.threads - sum(max(self.own.get(n, 0), self._use(n).busy) for n in names), 0)

    def free_own(self, name: str) -> int:
        return min(max(self.own.get(name, 0) - self._use(name).busy, 0), self._room(name))

    def room(self, name: str) -> int:
        """Threads that may begin to wait for it now."""
        return self.free_own(name) + self.free_shared(name)

    def free_shared(self, name: str) -> int:
        return min(self._room(name) - self.free_own(name), self.shared)

    def trusts(self, name: str) -> bool:
        return self._use(name).trusted

    def rooms(self, world: World, *, besides: Collection[str], flood: bool) -> tuple[Room, ...]:
        """For one claim of all kinds that are not ``besides``. In a ``flood`` of ends nothing else has more
        threads than its own."""
        targets, sources = map(target, world.targets), map(source, world.sources)
        found = (
            self._of([kind for kind in OF_TARGETS if kind not in besides], targets),
            self._of(OF_SOURCES, sources),
            self._of(OF_ALARMS, (ALARMS,)),
            self._of(OF_SLACK, (SLACK,)),
            self._of((), (REDIS,)),
        )
        if not flood:
            return found
        return tuple(Room(kinds=each.kinds, own=each.own, shared=0) for each in found)

    def _of(self, kinds: Collection[str], names: Iterable[str]) -> Room:
        known = tuple(names)
        own = sum(self.free_own(name) for name in known)
        alone = len(known) == 1 and known[0] in RESERVED
        shared = self.free_shared(known[0]) if alone else self.shared
        return Room(kinds=tuple(kinds), own=own, shared=shared)

    def _room(self, name: str) -> int:
        use = self._use(name)
        most = self.share if use.trusted else max(self.own.get(name, 0), 1) + min(use.stuck, 1)
        return max(most - use.busy, 0)

    def _use(self, name: str) -> Use:
        return self.uses.get(name, Use())
