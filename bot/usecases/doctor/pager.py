"""Checks whether it is known who is on call: the sources answer, the rosters are fresh, and somebody is in
them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from bot.core.belief import Doubt
from bot.core.catalog import Catalog, shift_rules
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.shifts import Roster
from bot.ports.deadline import Deadline
from bot.ports.documents import Key
from bot.ports.ledger import Ledger
from bot.ports.oncall import OnCallSource
from bot.usecases.doctor.findings import Finding, ago, count_of, few, look_at, ok, when, wrong

ON_CALL = "on call"
AHEAD = timedelta(hours=24)
DOUBTS: Mapping[str, str] = {
    Doubt.UNKNOWN: "the source suddenly does not know this schedule",
    Doubt.NOBODY: "it suddenly shows nobody on call",
    Doubt.LEVELS: "it suddenly shows nobody on call at one level",
}


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
            about,
            str(failure),
            "check the source's status page; access still ends at the last known end of the shift",
        )
    except PermanentFailure as failure:
        yield wrong(about, str(failure))
    else:
        yield ok(about, f"answers for {count_of(len(schedules), 'schedule')}")


def look_at_rosters(ledger: Ledger, catalog: Catalog) -> Iterator[Finding]:
    """Look at the rosters as the workers keep them, because decisions are made by these."""
    schedules = catalog.schedules()
    snap = ledger.read(Key.of(Roster, each) for each in schedules)
    found = [
        finding
        for each in schedules
        for finding in roster(
            snap.find(Roster, each), each, timedelta(seconds=catalog.source(each).stale_after), snap.now
        )
    ]
    rules = [who for resource in catalog.resources.values() for who in resource.selectors()]
    levels = {who.schedule for who in shift_rules(rules) if who.levels}
    for each in snap.all(Roster):
        if each.unattached and each.schedule in levels:
            what = f"{each.schedule} is not in any escalation policy, so nobody is on call at any level of it"
            found.append(wrong(ON_CALL, what, "add it to one, or remove levels in access.yaml"))
    yield from found
    if schedules and not found:
        oldest = min(each.read_at for each in snap.all(Roster))
        yield ok(
            ON_CALL,
            f"{count_of(len(schedules), 'schedule')}, read {ago(oldest, snap.now)} ago; somebody is on each",
        )


def roster(it: Roster | None, schedule: str, stale_after: timedelta, now: datetime) -> Iterator[Finding]:
    """Report what is wrong with one roster, or worth a look; nothing if all is well."""
    if it is None:
        what = f"{schedule} was never read, so it approves nobody and starts no access"
        yield wrong(ON_CALL, what, "look for its source in the workers' logs, and check the schedule's id")
        return
    if it.age(now) > stale_after:
        what = f"{schedule} was last read {when(it.read_at, now)}, so it approves nobody"
        yield wrong(
            ON_CALL,
            what,
            "check its source and the workers; access still ends at the last known end of the shift",
        )
    if it.doubted:
        doubt = DOUBTS.get(it.doubted, it.doubted)
        what = f"{schedule}: {doubt}, so the shifts known before still count"
        yield look_at(ON_CALL, what, "check the schedule in the source")
    yield from few(
        [
            look_at(
                ON_CALL,
                f"{user} is on call for {schedule}, but the source shows no email address for them",
                "add one in the source",
            )
            for user in it.unnamed
        ]
    )
    if not any(shift.covers(now) for shift in it.shifts):
        soon = any(shift.overlaps(now, now + AHEAD) for shift in it.shifts)
        what = f"nobody is on call for {it.schedule} now" + ("" if soon else ", nor in the next 24 hours")
        yield look_at(ON_CALL, what, "check the schedule; until somebody is on call, approvers are asked")
    emails = {shift.email for shift in it.shifts if shift.person is None and shift.overlaps(now, now + AHEAD)}
    do = "give this person the same address in both"
    what = f"is on call for {it.schedule}, but is not the address of exactly one person in Slack"
    yield from few([look_at(ON_CALL, f"{email} {what}", do) for email in sorted(emails)])
