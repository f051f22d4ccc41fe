"""Ten thousand leases that end in one second while a hundred thousand others live on.

Real workers on a real Valkey that writes each change to its disk; the databases do nothing and Slack agrees
to everything. The holds of leases that live on are looked at every ten minutes, as in production.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.sandbox.stack.deployment import wait_until
from bot.usecases.access.outcomes import LOOK_EVERY
from tests.bench.deployment import BenchDeployment, bench_deployment, cpu
from tests.bench.notes import Notes
from tests.bench.population import LiveGrant, account_of, channel_of, write_grants
from tests.bench.table import Row, quantile, spread

RESOURCES = 50
SEATS = 100
"""Resources with one holder, and the most of the ending grants that are of one."""
TIME_TO_WRITE = 3.0
"""How many times the expected time is allowed for writing the grants before the first ends."""
WARMING_UP = 200
OVER_WITHIN = 120.0
HAD = "H"
"""The first letter of the names of people who had it before."""
PROMISED = 2.5
NOTE_PROMISED = 10.0


@dataclass(frozen=True, kw_only=True)
class Size:
    live: int = 100_000
    ends: int = 10_000
    workers: int = 2
    targets: int = 1
    odd: int = 10
    """Percent of the ending grants that give two roles, have a seat, or give what their holder had before."""


def load(size: Size) -> Iterator[Row]:
    """Measure ends that are spread evenly over one second, then ends in the same millisecond."""
    with bench_deployment(policy_for(size.targets), workers=size.workers) as deployment:
        bench = LoadBench(size, deployment)
        bench.fill()
        for how, apart in (("in one second", 1.0), ("at the same millisecond", 0.0)):
            yield from bench.measure(how, apart)


class LoadBench:
    def __init__(self, size: Size, deployment: BenchDeployment) -> None:
        self.size, self.deployment = size, deployment
        self.ledger, self.slack = deployment.ledger, deployment.slack
        self.workers = [each.pid for each in deployment.processes]
        print("workers:", *self.workers, file=sys.stderr)

    def fill(self) -> None:
        """Write the grants that live on. Their holds are looked at every ten minutes, as always: evenly
        spread. Then let the workers warm up: what one does for the first time takes longer."""
        now = self.ledger.read(()).now
        grants = (
            LiveGrant(
                name=f"L{number:07}",
                given_at=now,
                seen_at=now + (number / self.size.live - 1) * LOOK_EVERY,
                until=now + timedelta(hours=4, seconds=number % 3600),
            )
            for number in range(self.size.live)
        )
        began = time.monotonic()
        write_grants(self.ledger, self.deployment.calls, self.deployment.catalog, grants)
        self._seconds_per_grant = (time.monotonic() - began) / max(self.size.live, 1)
        ends = self._write_ending_grants(WARMING_UP, 1.0, "warming up")
        _wait_until(lambda: self._are_shown(ends))

    def measure(self, how: str, apart: float) -> Iterator[Row]:
        size = self.size
        yield Row(f"{size.ends} leases end {how}, {size.live} live, {size.workers} workers", "", "")
        last = self._last_entry()
        ends = self._write_ending_grants(size.ends, apart, how)
        first = min(ends.values())
        time.sleep(max(first - 0.5 - time.time(), 0))
        before = self._cpu()
        notes = Notes(self.deployment, how.replace(" ", ""))
        with notes.adding():
            _wait_until(lambda: self.ledger.condition().open <= size.live)
        used = self._cpu() - before
        ended = self._ends_since(last)
        over = max(ended.values(), default=first)
        revoked_at = self.deployment.calls.revocations()
        ours = {name: at for name, at in ends.items() if not name.startswith(HAD)}
        yield _delay_row("revoke", {name: revoked_at.get(account_of(name)) for name in ours}, ours, PROMISED)
        yield _delay_row("ended in Redis", {name: ended.get(name) for name in ends}, ends)
        _wait_until(notes.are_all_sent)
        delays = notes.delays()
        yield Row(
            "  note due meanwhile to sent",
            f"{NOTE_PROMISED:.0f} s",
            spread(delays),
            max(delays) / NOTE_PROMISED,
        )
        _wait_until(lambda: self._are_shown(ended))
        yield _delay_row("card", {name: self._shown_at(name) or None for name in ends}, ends)
        pace = len(ended) / max(over - first, 0.001)
        yield Row("  pace", "", f"{pace:.0f} a second; {used.per(max(len(ended), 1))}")

    def _are_shown(self, ends: dict[str, float]) -> bool:
        return all(self._shown_at(name) >= at for name, at in ends.items())

    def _shown_at(self, name: str) -> float:
        return self.slack.posted_at.get(channel_of(name), 0.0)

    def _write_ending_grants(self, count: int, apart: float, how: str) -> dict[str, float]:
        """Write grants that end once all are written, and return their ends as Redis has them."""
        now, short = self.ledger.read(()).now, how.replace(" ", "")[-6:]
        ahead = timedelta(seconds=5 + count * self._seconds_per_grant * TIME_TO_WRITE)
        first = now.replace(microsecond=0) + ahead
        grants = [
            self._grant(number, short, now, first + timedelta(milliseconds=number * apart * 1000 // count))
            for number in range(count)
        ]
        write_grants(self.ledger, self.deployment.calls, self.deployment.catalog, grants)
        if self.ledger.read(()).now > first - timedelta(seconds=1):
            raise RuntimeError("this machine is too slow: not all was written before the first end")
        return {grant.name: grant.until.timestamp() for grant in grants}

    def _grant(self, number: int, short: str, now: datetime, until: datetime) -> LiveGrant:
        """Return a grant. ``odd`` percent of them give two roles, have a seat, or give what their holder had
        before, in turns."""
        grant = LiveGrant(name=f"{short}{number:07}", given_at=now, seen_at=now, until=until)
        if not self.size.odd or number % (100 // self.size.odd):
            return grant
        turn, which = divmod(number // (100 // self.size.odd), 3)
        if which == 0:
            return replace(grant, name=f"{HAD}{grant.name}", had_before=True)
        if which == 1 and turn < SEATS:
            return replace(grant, resource=f"seat{turn}")
        return replace(grant, resource="both")

    def _ends_since(self, last: str) -> dict[str, float]:
        """Return when each grant ended, by the audit behind the entry named in ``last``."""
        ended: dict[str, float] = {}
        while rows := self.ledger.entries(last, 1000):
            last = rows[-1][0]
            ended.update((e.grant, at.timestamp()) for _, at, e in rows if e.what == "ended" and e.grant)
        return ended

    def _last_entry(self) -> str:
        found: Any = self.deployment.redis.xrevrange("rotakey:{main}:audit", count=1)
        return next((str(name) for name, _ in found), "")

    def _cpu(self) -> CpuTime:
        return CpuTime(worker=sum(map(cpu, self.workers)), server=cpu(self.deployment.valkey_pid()))


@dataclass(frozen=True, kw_only=True)
class CpuTime:
    """Seconds of CPU that the workers and Valkey have used."""

    worker: float
    server: float

    def per(self, count: int) -> str:
        parts = {"workers": self.worker, "Valkey": self.server}
        shown = (f"{cpu:.1f} s of {who} ({cpu / count * 1000:.2f} ms each)" for who, cpu in parts.items())
        return f"CPU {', '.join(shown)}"

    def __sub__(self, other: CpuTime) -> CpuTime:
        return CpuTime(worker=self.worker - other.worker, server=self.server - other.server)


def _delay_row(what: str, at: dict[str, float | None], ends: dict[str, float], promised: float = 0) -> Row:
    """Return the row for the delays from the ends. Where nothing has happened yet, the delay is at least that
    until now."""
    missing, now = sum(each is None for each in at.values()), time.time()
    delays = [(at[name] or now) - end for name, end in ends.items()]
    measured = spread(delays) + (f"; {missing} NOT YET" if missing else "")
    ratio = quantile(delays, 0.99) / promised if promised else None
    return Row(f"  lease end to {what}", f"p99 {promised:g} s" if promised else "", measured, ratio)


def _wait_until(condition: Callable[[], bool]) -> None:
    wait_until(condition, OVER_WITHIN, poll=0.25)


def policy_for(targets: int) -> str:
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
