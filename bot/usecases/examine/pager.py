"""Whether it is known who is on call: the sources answer, the rosters are fresh, and somebody is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from bot.core.catalog import Catalog
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.shifts import Roster
from bot.ports import Deadline, Key, Ledger, OnCallSource
from bot.usecases.examine.findings import Finding, ago, counted, few, look_at, ok, when, wrong

ON_CALL = "on call"
AHEAD = timedelta(hours=24)


def sources_of(catalog: Catalog) -> tuple[str, ...]:
    return tuple(dict.fromkeys(schedule.partition("/")[0] for schedule in catalog.schedules()))


def look_at_source(
    find: Callable[[str], OnCallSource], name: str, catalog: Catalog, now: datetime, deadline: Deadline
) -> Iterator[Finding]:
    about = f"{ON_CALL} {name}"
    schedules = [each.partition("/")[2] for each in catalog.schedules() if each.partition("/")[0] == name]
    try:
        find(name).shifts(schedules, now, now + AHEAD, deadline)
    except TemporaryFailure as failure:
        yield wrong(
            about, str(failure), "access still ends at the last known end of a shift; see its status page"
        )
    except PermanentFailure as failure:
        yield wrong(about, str(failure))
    else:
        yield ok(about, f"answers, for {counted(len(schedules), 'schedule')}")


def look_at_rosters(ledger: Ledger, catalog: Catalog) -> Iterator[Finding]:
    """As the workers keep them: that is what is decided by."""
    schedules = catalog.schedules()
    snap = ledger.read(Key.of(Roster, each) for each in schedules)
    found = [
        finding
        for each in schedules
        for finding in roster(
            snap.find(Roster, each), each, timedelta(seconds=catalog.source(each).stale_after), snap.now
        )
    ]
    yield from found
    if schedules and not found:
        oldest = min(each.read_at for each in snap.all(Roster))
        yield ok(
            ON_CALL,
            f"{counted(len(schedules), 'schedule')}, read {ago(oldest, snap.now)} ago; somebody is on each",
        )


def roster(it: Roster | None, schedule: str, stale_after: timedelta, now: datetime) -> Iterator[Finding]:
    """What is to be said about one; nothing where all is well."""
    if it is None:
        what = f"{schedule} was never read: nobody is approved by it, and no shift of it begins"
        yield wrong(ON_CALL, what, "look in the workers' logs for its source, and whether the id is right")
        return
    if it.age(now) > stale_after:
        what = f"{schedule} was last read {when(it.read_at, now)}: nobody is approved by it any more"
        yield wrong(
            ON_CALL, what, "look at its source, and at the workers; access still ends at the known end"
        )
    if it.doubted:
        what = f"{schedule}: {it.doubted}, so the shifts known before stand"
        yield look_at(ON_CALL, what, "look at the schedule in the source")
    yield from _gaps(it, now)
    yield from few(_strangers(it, now))


def _gaps(it: Roster, now: datetime) -> Iterator[Finding]:
    if any(shift.covers(now) for shift in it.shifts):
        return
    soon = any(shift.overlaps(now, now + AHEAD) for shift in it.shifts)
    what = f"nobody is on call for {it.schedule} now" + ("" if soon else ", nor in the next 24 hours")
    yield look_at(ON_CALL, what, "look at the schedule; until then approvers are asked")


def _strangers(it: Roster, now: datetime) -> list[Finding]:
    emails = {shift.email for shift in it.shifts if shift.person is None and shift.overlaps(now, now + AHEAD)}
    do = "let both know the person by one address"
    return [
        look_at(ON_CALL, f"{email} is on call for {it.schedule}, and one person in Slack has to have it", do)
        for email in sorted(emails)
    ]
