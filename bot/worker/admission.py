"""The admission of jobs to threads. Threads are reserved by what a job waits for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from bot.core.errors import Misconfigured
from bot.ports.changes import Room
from bot.usecases.duties import KINDS, WaitsFor, kinds_waiting_for

SLACK, REDIS, ALARMS = WaitsFor.SLACK.value, WaitsFor.REDIS.value, WaitsFor.ALARMS.value
TARGET, SOURCE = f"{WaitsFor.TARGET.value} ", f"{WaitsFor.SOURCE.value} "
RESERVED: Mapping[str, int] = {SLACK: 2, REDIS: 1, ALARMS: 1}
"""Threads reserved besides one for each target and each source."""

DEFAULT_THREADS = 16
SPARE = 8
"""Threads by default beyond one for each target and each source."""


def dependency(member: str) -> str:
    """Return what a due job waits for: ``target NAME``, ``source NAME``, SLACK, or Redis alone (ALARMS,
    REDIS)."""
    kind, _, rest = member.partition(":")
    name, row = rest.partition("/")[0], KINDS.get(kind)
    match row and row.waits_for:
        case WaitsFor.TARGET:
            return target(name)
        case WaitsFor.SOURCE:
            return source(name)
        case WaitsFor.SLACK | WaitsFor.ALARMS as neighbour:
            return neighbour.value
        case _:
            return REDIS


def target(name: str) -> str:
    return f"{TARGET}{name}"


def source(name: str) -> str:
    return f"{SOURCE}{name}"


@dataclass(frozen=True, kw_only=True)
class World:
    """The names of everything outside that jobs wait for, by the policy in force. ``wished`` is the number of
    threads that was configured; None: as many as are useful."""

    targets: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    wished: int | None = None

    @property
    def own(self) -> Mapping[str, int]:
        """Return the threads that nothing else gets, by what they wait for."""
        names = (*map(target, sorted(self.targets)), *map(source, sorted(self.sources)))
        return {**RESERVED, **dict.fromkeys(names, 1)}

    @property
    def least(self) -> int:
        """Return the least number of threads with which nothing that hangs makes something else wait."""
        return sum(self.own.values())

    @property
    def threads(self) -> int:
        by_default = max(DEFAULT_THREADS, len(self.targets) + len(self.sources) + SPARE)
        return by_default if self.wished is None else self.wished

    def demand(self) -> None:
        """Raise Misconfigured if there are fewer threads than ``least``."""
        if self.threads < self.least:
            raise Misconfigured(
                f"WORKER_THREADS: {self.threads} is too few; set at least {self.least}: one for each target"
                f" ({len(self.targets)}) and on-call source ({len(self.sources)}), and"
                f" {sum(RESERVED.values())} for everything else. Or leave it unset"
            )


@dataclass(frozen=True, kw_only=True)
class Use:
    """The threads that wait for one thing. ``stuck`` ones are in a call that did not return by its deadline.
    ``trusted``: a call was answered a moment ago, and none has missed its deadline since."""

    busy: int = 0
    stuck: int = 0
    trusted: bool = False


UNUSED = Use()


@dataclass(frozen=True, kw_only=True)
class Admission:
    """The free threads of one moment: ``threads`` in all; ``own`` are those reserved, by what they wait for.
    No dependency gets more than ``share``. One that is not trusted gets only its own threads, and one stuck
    call is replaced."""

    threads: int
    share: int
    own: Mapping[str, int]
    uses: Mapping[str, Use] = field(default_factory=dict)

    @property
    def spare(self) -> int:
        """Return the number of threads that are free and not reserved."""
        names = self.own.keys() | self.uses.keys()
        return max(self.threads - sum(max(self.own.get(n, 0), self._use(n).busy) for n in names), 0)

    def room(self, name: str) -> int:
        """Return the number of threads that may start to wait for it now."""
        return self.free_own(name) + self.free_shared(name)

    def free_own(self, name: str) -> int:
        return min(max(self.own.get(name, 0) - self._use(name).busy, 0), self._most(name))

    def free_shared(self, name: str) -> int:
        return min(self._most(name) - self.free_own(name), self.spare)

    def trusts(self, name: str) -> bool:
        return self._use(name).trusted

    def rooms(self, besides: Collection[str], *, flood: bool) -> tuple[Room, ...]:
        """Return the rooms for one claim of all kinds except those of ``besides``. In a ``flood`` of ends
        everything else gets only its own threads. More than its room may be claimed for a single target or
        source."""
        targets = [name for name in self.own if name.startswith(TARGET)]
        sources = [name for name in self.own if name.startswith(SOURCE)]
        of_targets = tuple(kind for kind in kinds_waiting_for(WaitsFor.TARGET) if kind not in besides)
        found = [
            Room(kinds=of_targets, own=self._free_own(targets), shared=self.spare),
            Room(kinds=kinds_waiting_for(WaitsFor.SOURCE), own=self._free_own(sources), shared=self.spare),
        ]
        for kinds, name in (
            (kinds_waiting_for(WaitsFor.ALARMS), ALARMS),
            (kinds_waiting_for(WaitsFor.SLACK), SLACK),
            ((), REDIS),
        ):
            found.append(Room(kinds=kinds, own=self.free_own(name), shared=self.free_shared(name)))
        return tuple(replace(each, shared=0) if flood else each for each in found)

    def _free_own(self, names: Iterable[str]) -> int:
        return sum(map(self.free_own, names))

    def _most(self, name: str) -> int:
        use = self._use(name)
        most = self.share if use.trusted else max(self.own.get(name, 0), 1) + min(use.stuck, 1)
        return max(most - use.busy, 0)

    def _use(self, name: str) -> Use:
        return self.uses.get(name, UNUSED)
