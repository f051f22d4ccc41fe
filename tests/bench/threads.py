"""Hanging targets stop nothing else: ends at one target, and notes, alone and while other targets hang.

One worker on a real Valkey; each call of a target takes some milliseconds, or until its deadline.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from bot.sandbox.stack.deployment import wait_until
from tests.bench.deployment import BenchDeployment, bench_deployment, cpu
from tests.bench.notes import Notes
from tests.bench.population import LiveGrant, account_of, write_grants
from tests.bench.table import Row, quantile, spread

TARGETS = 5
ANSWERS_AFTER = 0.005
"""Seconds."""
MEASURED_FOR = 20.0
"""Seconds: longer than a call may take."""
WRITTEN_IN = 6.0
"""Seconds until all leases are written, before the first ends."""
OVER_WITHIN, POLL = 90.0, 0.25
POLICY = "\n".join(
    (
        "people: {email_domains: [example.com]}",
        "targets:",
        *(f"  db{number}: {{kind: postgres, url: '${{DB_{number}}}'}}" for number in range(TARGETS)),
        "resources:",
        *(
            f"  of-db{number}: {{title: R, gives: [{{target: db{number}, role: rw}}], approvers: [U02BOB],"
            " duration: {max: 12h}}"
            for number in range(TARGETS)
        ),
    )
)


@dataclass(frozen=True, kw_only=True)
class Scale:
    ends: int = 200


def threads(scale: Scale) -> Iterator[Row]:
    with bench_deployment(POLICY, BENCH_ANSWERS_AFTER=str(ANSWERS_AFTER)) as deployment:
        bench = ThreadsBench(scale, deployment)
        bench.run("warming up", 0)
        alone = bench.run("alone", 0)
        yield from alone.rows(alone)
        for hanging in (2, 4):
            yield from bench.run(f"while {hanging} targets hang", hanging).rows(alone)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    how: str
    ends: list[float]
    missing: int
    notes: list[float]

    def rows(self, alone: Outcome) -> Iterator[Row]:
        """Return the rows. The promise is that p99 is at most twice that of ``alone``."""
        lacking = f"; {self.missing} NOT YET" if self.missing else ""
        for what, mine, theirs in (
            (f"{len(self.ends)} leases end at a target", self.ends, alone.ends),
            ("a note is due", self.notes, alone.notes),
        ):
            beside = quantile(mine, 0.99) / quantile(theirs, 0.99)
            measured = spread(mine) + (lacking if mine is self.ends else "")
            promised = "" if self is alone else "p99 twice that alone"
            yield Row(f"  {what}, {self.how}", promised, measured, None if self is alone else beside / 2)


class ThreadsBench:
    def __init__(self, scale: Scale, deployment: BenchDeployment) -> None:
        self.scale, self.deployment = scale, deployment
        [process] = deployment.processes
        self.worker = process.pid
        print("worker:", self.worker, file=sys.stderr)

    def run(self, how: str, hanging: int) -> Outcome:
        """Let leases end at the same moment at the target that is measured and at those that hang."""
        began = cpu(self.worker)
        which = [f"db{number + 1}" for number in range(hanging)]
        ends = self._write_ending_grants(how, ["db0", *which])
        self.deployment.hanging.set(*which)
        first = min(ends.values())
        time.sleep(max(first - time.time(), 0))
        notes = Notes(self.deployment, how.replace(" ", ""))
        with notes.adding():
            time.sleep(MEASURED_FOR)
        mine = {name: at for name, at in ends.items() if "db0" in name}
        wait_until(lambda: notes.are_all_sent() and self._are_revoked(mine), OVER_WITHIN, POLL)
        revoked_at, now = self.deployment.calls.revocations(), time.time()
        late = [revoked_at.get(account_of(name), now) - at for name, at in mine.items()]
        missing = sum(account_of(name) not in revoked_at for name in mine)
        outcome = Outcome(how=how, ends=late, missing=missing, notes=notes.delays())
        self.deployment.hanging.set()
        wait_until(lambda: self._are_revoked(ends), OVER_WITHIN, POLL)
        print(f"{how}: {cpu(self.worker) - began:.1f} s of CPU of the worker", file=sys.stderr)
        return outcome

    def _are_revoked(self, names: Iterable[str]) -> bool:
        return {account_of(name) for name in names} <= self.deployment.calls.revocations().keys()

    def _write_ending_grants(self, how: str, targets: list[str]) -> dict[str, float]:
        """Write grants that end soon, and return their ends by name."""
        ledger = self.deployment.ledger
        now = ledger.read(()).now
        until = now + timedelta(seconds=WRITTEN_IN)
        grants = [
            LiveGrant(
                name=f"{how.replace(' ', '')}-{target}-{number:05}",
                given_at=now,
                seen_at=now,
                until=until,
                resource=f"of-{target}",
            )
            for number in range(self.scale.ends)
            for target in targets
        ]
        write_grants(ledger, self.deployment.calls, self.deployment.catalog, grants)
        if ledger.read(()).now > until:
            raise RuntimeError("this machine is too slow: not all was written before the end")
        return {grant.name: grant.until.timestamp() for grant in grants}
