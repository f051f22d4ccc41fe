"""What hangs stops nothing else: ends at one target and notes, alone and while other targets answer nothing.

One worker on a real Valkey; each call of a target takes some milliseconds, or as long as it may.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from tests.bench.deployment import Deployment, cpu, deployed
from tests.bench.notes import Notes
from tests.bench.population import Life, account_of, settle
from tests.bench.table import Row, quantile, spread

TARGETS = 5
ANSWERS_AFTER = 0.005
"""Seconds."""
MEASURED_FOR = 20.0
"""Seconds: longer than a call may take."""
WRITTEN_IN = 6.0
"""Seconds until all leases are written, before the first ends."""
OVER_WITHIN = 90.0


@dataclass(frozen=True, kw_only=True)
class Scale:
    ends: int = 200


def threads(scale: Scale) -> Iterator[Row]:
    with deployed(_policy()) as deployment:
        scene = Scene(scale, deployment)
        scene.run("warming up", 0)
        alone = scene.run("alone", 0)
        yield from alone.rows(alone)
        for hanging in (2, 4):
            yield from scene.run(f"while {hanging} targets hang", hanging).rows(alone)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    how: str
    ends: list[float]
    missing: int
    notes: list[float]

    def rows(self, alone: Outcome) -> Iterator[Row]:
        """The ratio is that of p99 to the promise: twice what it is alone."""
        lacking = f"; {self.missing} NOT YET" if self.missing else ""
        for what, mine, theirs in (
            (f"{len(self.ends)} leases end at a target", self.ends, alone.ends),
            ("a note is owed", self.notes, alone.notes),
        ):
            beside = quantile(mine, 0.99) / quantile(theirs, 0.99)
            told = spread(mine) + (lacking if mine is self.ends else "")
            promised = "" if self is alone else "p99 twice that alone"
            yield Row(f"  {what}, {self.how}", promised, told, None if self is alone else beside / 2)


class Scene:
    def __init__(self, scale: Scale, deployment: Deployment) -> None:
        self.scale, self.deployment = scale, deployment
        self.worker = deployment.worker(BENCH_ANSWERS_AFTER=str(ANSWERS_AFTER))
        print("worker:", self.worker, file=sys.stderr)

    def run(self, how: str, hanging: int) -> Outcome:
        """Leases end in the same moment at the target that is measured and at those that hang."""
        began = cpu(self.worker)
        which = [f"db{number + 1}" for number in range(hanging)]
        ends = self._about_to_end(how, ["db0", *which])
        self.deployment.hanging.let_hang(*which)
        first = min(ends.values())
        time.sleep(max(first - time.time(), 0))
        notes = Notes(self.deployment, how.replace(" ", ""))
        with notes.being_owed():
            time.sleep(MEASURED_FOR)
        mine = {name: at for name, at in ends.items() if "db0" in name}
        self._until(lambda: notes.all_sent() and all(account_of(n) in self._taken() for n in mine))
        taken, now = self._taken(), time.time()
        late = [taken.get(account_of(name), now) - at for name, at in mine.items()]
        missing = sum(account_of(name) not in taken for name in mine)
        outcome = Outcome(how=how, ends=late, missing=missing, notes=notes.late())
        self.deployment.hanging.let_hang()
        self._until(lambda: all(account_of(name) in self._taken() for name in ends))
        print(f"{how}: {cpu(self.worker) - began:.1f} s of CPU of the worker", file=sys.stderr)
        return outcome

    def _taken(self) -> dict[str, float]:
        return self.deployment.deeds.taken()

    def _about_to_end(self, how: str, targets: list[str]) -> dict[str, float]:
        ledger = self.deployment.ledger
        now = ledger.read(()).now
        until = now + timedelta(seconds=WRITTEN_IN)
        lives = [
            Life(
                name=f"{how.replace(' ', '')}-{target}-{number:05}",
                given_at=now,
                seen_at=now,
                until=until,
                resource=f"of-{target}",
            )
            for number in range(self.scale.ends)
            for target in targets
        ]
        settle(ledger, self.deployment.deeds, self.deployment.catalog, lives)
        if ledger.read(()).now > until:
            raise RuntimeError("this machine is too slow: not all was written before the end")
        return {life.name: life.until.timestamp() for life in lives}

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + OVER_WITHIN
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.25)


def _policy() -> str:
    targets = [f"  db{number}: {{kind: postgres, url: '${{DB_{number}}}'}}" for number in range(TARGETS)]
    resources = [
        f"  of-db{number}: {{title: R, gives: [{{target: db{number}, role: rw}}], approvers: [U02BOB],"
        " duration: {max: 12h}}"
        for number in range(TARGETS)
    ]
    return "\n".join(
        ("people: {email_domains: [example.com]}", "targets:", *targets, "resources:", *resources)
    )
