"""Checks whether workers are at work: their sign of life, what waits, what fails again and again, and
sweeps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Protocol

from bot.core import durations
from bot.core.holds import HoldRecord
from bot.ports.changes import Snapshot
from bot.ports.documents import Key, Swept
from bot.ports.ledger import Condition, Inspection, Ledger, Owed, SetAside
from bot.usecases.access.outcomes import hold_name
from bot.usecases.doctor.findings import Finding, ago, count_of, few, look_at, ok, wrong
from bot.usecases.duties import name_of

WORKER, SWEEP, RECORDS = "worker", "sweep", "records"
DEAD_AFTER = timedelta(seconds=10)
LATE, FAR_TOO_LATE = timedelta(seconds=10), timedelta(seconds=60)
SWEEP_FORGOTTEN = timedelta(hours=25)


class InspectedLedger(Ledger, Inspection, Protocol):
    """A ledger that also reports its own condition."""


def look_at_worker(ledger: InspectedLedger) -> Iterator[Finding]:
    condition = ledger.condition()
    holds = [each.member.partition(":")[2] for each in condition.failing if each.member.startswith("hold:")]
    snap = ledger.read(Key.of(HoldRecord, each) for each in holds)
    yield from at_work(condition)
    yield from few([failing(each, snap) for each in condition.failing])


def at_work(it: Condition) -> Iterator[Finding]:
    if it.beat is None:
        yield wrong(WORKER, "no worker has ever asked for work", "start one with rotakey worker")
    elif it.now - it.beat > DEAD_AFTER:
        what = f"no worker has asked for work for {ago(it.beat, it.now)}, so nobody gets or loses access"
        yield wrong(WORKER, what, "start one with rotakey worker; until then, run rotakey sweep --once")
    elif it.oldest and it.now - it.oldest > LATE:
        grade = wrong if it.now - it.oldest > FAR_TOO_LATE else look_at
        what = (
            f"work has been due for {ago(it.oldest, it.now)} and is not started; {count_of(it.owed, 'job')}"
            " pending"
        )
        yield grade(WORKER, what, "start more workers, and check their logs")
    else:
        owed = count_of(it.owed, "job")
        yield ok(WORKER, f"a worker asked for work {ago(it.beat, it.now)} ago; {owed} pending, none late")


def failing(it: Owed, snap: Snapshot) -> Finding:
    """Report a job that keeps failing. ``snap`` has the records of the holds that fail."""
    kind, _, about = it.member.partition(":")
    record = snap.find(HoldRecord, about) if kind == "hold" else None
    what = hold_name(record.hold) if record else name_of(it.member)
    again = durations.rough((it.at - snap.now).total_seconds())
    why = f": {record.last_error}" if record and record.last_error else ""
    do = "" if why else f"look for {it.member} in the workers' logs"
    return look_at(WORKER, f"{what} failed {it.tries} times in a row; next attempt in {again}{why}", do)


def look_at_records(ledger: InspectedLedger, workspace: str) -> Iterator[Finding]:
    """Report the records that were set aside. One that is still there and still cannot be read is the worse
    case."""
    aside = ledger.condition().set_aside
    snap = ledger.read({each.key for each in aside})
    yield from few([unreadable(each, snap, workspace) for each in aside])


def unreadable(it: SetAside, snap: Snapshot, workspace: str) -> Finding:
    name = f"{it.key.kind}:{it.key.id}"
    what = f"the record {name} could not be read {ago(it.at, snap.now)} ago: {it.error}"
    kept = f"its content is kept in the hash rotakey:{{{workspace}}}:aside"
    if snap.versions.get(it.key) and it.key not in snap.documents:
        return wrong(RECORDS, what, f"check by hand that the access it granted is gone; {kept}")
    return look_at(
        RECORDS, f"{what}; it is gone by now", f"{kept}; delete its field once you have checked it"
    )


def look_at_sweep(ledger: Ledger) -> Iterator[Finding]:
    snap = ledger.read({Key.of(Swept)})
    yield from sweep(snap.find(Swept), snap.now)


def sweep(it: Swept | None, now: datetime) -> Iterator[Finding]:
    """Report the last sweep; nothing if there was none (None), which only targets that end no access
    themselves may need."""
    if it is None:
        return
    what = f"rotakey sweep ran {ago(it.at, now)} ago"
    if it.left:
        yield wrong(SWEEP, f"{what}, and could not revoke {count_of(it.left, 'hold')} past the end")
    elif now - it.at > SWEEP_FORGOTTEN:
        yield look_at(SWEEP, f"{what}, and has not run since", "check the crontab that runs it")
    else:
        yield ok(SWEEP, f"{what}, and left nothing behind")
