"""Ten thousand leases that end in one second while a hundred thousand others live on.

Real workers on a real Valkey that writes each change to its disk; the databases do nothing and Slack agrees
to everything. Those who live on are looked at every ten minutes, as in earnest, spread evenly.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.usecases.access.outcomes import LOOK_EVERY
from tests.bench.deployment import Deployment, cpu, deployed
from tests.bench.notes import Notes
from tests.bench.population import Life, account_of, channel_of, settle
from tests.bench.table import Row, quantile, spread

RESOURCES = 50
SEATS = 100
"""Resources that only one may hold: so many of those that end have a seat, at most."""
TIME_TO_WRITE = 3.0
"""Times what it took so far to write as many: so that all that end are there before the first does."""
WARMING_UP = 200
OVER_WITHIN = 120.0
HAD = "H"
"""How the names of those begin who had it before."""
PROMISED = 2.5
NOTE_PROMISED = 10.0


@dataclass(frozen=True, kw_only=True)
class Size:
    live: int = 100_000
    ends: int = 10_000
    workers: int = 2
    targets: int = 1
    odd: int = 10
    """Percent of those that end: two roles, a seat, or had before, as many of each."""


def load(size: Size) -> Iterator[Row]:
    """Evenly over one second, then all in the same millisecond."""
    with deployed(_policy(size.targets)) as deployment:
        scene = Scene(size, deployment)
        scene.fill()
        for how, apart in (("in one second", 1.0), ("at the same millisecond", 0.0)):
            yield from scene.measured(how, apart)


class Scene:
    def __init__(self, size: Size, deployment: Deployment) -> None:
        self.size, self.deployment = size, deployment
        self.ledger, self.slack = deployment.ledger, deployment.slack
        self.workers = [deployment.worker() for _ in range(size.workers)]
        print("workers:", *self.workers, file=sys.stderr)

    def fill(self) -> None:
        """Those who live on. Their holds are looked at every ten minutes, as always: evenly spread."""
        now = self.ledger.read(()).now
        lives = (
            Life(
                name=f"L{number:07}",
                given_at=now,
                seen_at=now + (number / self.size.live - 1) * LOOK_EVERY,
                until=now + timedelta(hours=4, seconds=number % 3600),
            )
            for number in range(self.size.live)
        )
        began = time.monotonic()
        settle(self.ledger, self.deployment.deeds, self.deployment.catalog, lives)
        self._each = (time.monotonic() - began) / max(self.size.live, 1)
        self._warm_up()

    def _warm_up(self) -> None:
        """What a worker does for the first time takes longer; those of a deployment have worked before."""
        ends = self._about_to_end(WARMING_UP, 1.0, "warming up")
        _until(lambda: all(self._told_at(name) >= at for name, at in ends.items()))

    def measured(self, how: str, apart: float) -> Iterator[Row]:
        size = self.size
        yield Row(f"{size.ends} leases end {how}, {size.live} live, {size.workers} workers", "", "")
        last = self._last_entry()
        ends = self._about_to_end(size.ends, apart, how)
        first = min(ends.values())
        time.sleep(max(first - 0.5 - time.time(), 0))
        before = self._cpu()
        notes = Notes(self.deployment, how.replace(" ", ""))
        with notes.being_owed():
            _until(lambda: self.ledger.condition().open <= size.live)
        spent = self._cpu() - before
        ended = self._ended_since(last)
        over = max(ended.values(), default=first)
        taken = self.deployment.deeds.taken()
        ours = {name: at for name, at in ends.items() if not name.startswith(HAD)}
        yield _late("take", {name: taken.get(account_of(name)) for name in ours}, ours, PROMISED)
        yield _late("ended in Redis", {name: ended.get(name) for name in ends}, ends)
        _until(notes.all_sent)
        late = notes.late()
        yield Row(
            "  note owed meanwhile to sent", f"{NOTE_PROMISED:.0f} s", spread(late), max(late) / NOTE_PROMISED
        )
        _until(lambda: all(self._told_at(name) >= at for name, at in ended.items()))
        yield _late("card", {name: self._told_at(name) or None for name in ends}, ends)
        yield Row(
            "  pace",
            "",
            f"{len(ended) / max(over - first, 0.001):.0f} a second; {spent.each(max(len(ended), 1))}",
        )

    def _told_at(self, name: str) -> float:
        return self.slack.written.get(channel_of(name), 0.0)

    def _about_to_end(self, count: int, apart: float, how: str) -> dict[str, float]:
        """Written now, and ending once all are; the ends as Redis has them."""
        now, short = self.ledger.read(()).now, how.replace(" ", "")[-6:]
        ahead = timedelta(seconds=5 + count * self._each * TIME_TO_WRITE)
        first = now.replace(microsecond=0) + ahead
        lives = [
            self._life(number, short, now, first + timedelta(milliseconds=number * apart * 1000 // count))
            for number in range(count)
        ]
        settle(self.ledger, self.deployment.deeds, self.deployment.catalog, lives)
        if self.ledger.read(()).now > first - timedelta(seconds=1):
            raise RuntimeError("this machine is too slow: not all was written before the first end")
        return {life.name: life.until.timestamp() for life in lives}

    def _life(self, number: int, short: str, now: datetime, until: datetime) -> Life:
        """One in so many is not plain: each kind of these in its turn."""
        life = Life(name=f"{short}{number:07}", given_at=now, seen_at=now, until=until)
        if not self.size.odd or number % (100 // self.size.odd):
            return life
        turn, which = divmod(number // (100 // self.size.odd), 3)
        if which == 0:
            return replace(life, name=f"{HAD}{life.name}", had_before=True)
        if which == 1 and turn < SEATS:
            return replace(life, resource=f"seat{turn}")
        return replace(life, resource="both")

    def _ended_since(self, last: str) -> dict[str, float]:
        """When, as the audit tells it from behind the entry named in ``last``."""
        ended: dict[str, float] = {}
        while rows := self.ledger.entries(last, 1000):
            last = rows[-1][0]
            ended.update((e.grant, at.timestamp()) for _, at, e in rows if e.what == "ended" and e.grant)
        return ended

    def _last_entry(self) -> str:
        found: Any = self.deployment.redis.xrevrange("rotakey:{main}:audit", count=1)
        return next((str(name) for name, _ in found), "")

    def _cpu(self) -> Spent:
        return Spent(worker=sum(map(cpu, self.workers)), server=cpu(self.deployment.valkey_pid()))


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Seconds of CPU."""

    worker: float
    server: float

    def each(self, count: int) -> str:
        parts = {"workers": self.worker, "Valkey": self.server}
        told = (f"{cpu:.1f} s of {who} ({cpu / count * 1000:.2f} ms each)" for who, cpu in parts.items())
        return f"CPU {', '.join(told)}"

    def __sub__(self, other: Spent) -> Spent:
        return Spent(worker=self.worker - other.worker, server=self.server - other.server)


def _late(what: str, seen: dict[str, float | None], ends: dict[str, float], promised: float = 0) -> Row:
    """What has not come to be by now is late by at least that much."""
    missing, now = sum(at is None for at in seen.values()), time.time()
    late = [(seen[name] or now) - end for name, end in ends.items()]
    told = spread(late) + (f"; {missing} NOT YET" if missing else "")
    ratio = quantile(late, 0.99) / promised if promised else None
    return Row(f"  lease end to {what}", f"p99 {promised:g} s" if promised else "", told, ratio)


def _until(condition: Callable[[], bool]) -> None:
    """It is so, or OVER_WITHIN is over."""
    deadline = time.monotonic() + OVER_WITHIN
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.25)


def _policy(targets: int) -> str:
    named = [f"  db{number}: {{kind: postgres, url: '${{DB_{number}}}'}}" for number in range(targets)]
    resources = [
        f"  r{number}: {{title: R, gives: [{{target: db{number % targets}, role: rw}}], approvers: [U02BOB],"
        " duration: {max: 12h}}"
        for number in range(RESOURCES)
    ]
    resources += [
        f"  seat{number}: {{title: S, gives: [{{target: db0, role: s{number}}}], approvers: [U02BOB],"
        " one_holder: true, duration: {max: 12h}}"
        for number in range(SEATS)
    ]
    both = "[{target: db0, role: rw}, {target: db0, role: ro}]"
    resources.append(f"  both: {{title: B, gives: {both}, approvers: [U02BOB], duration: {{max: 12h}}}}")
    return "\n".join(("people: {email_domains: [example.com]}", "targets:", *named, "resources:", *resources))
