"""Reads who is on call, ahead of time, and does not believe a single wrong answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from bot.core.ages import UNKNOWN_AGE, age
from bot.core.belief import Answer, Doubt, Limits, Objection, needs_second_look, objection, roster_to_believe
from bot.core.catalog import Catalog, shift_rules
from bot.core.document import Document
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.reasons import Reason, Why, because
from bot.core.shifts import Roster, levelless
from bot.ports.changes import Change, Done, Due, Entry
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, Note, Readings, SourceState
from bot.ports.oncall import OnCallSource
from bot.usecases.context import Context
from bot.usecases.job import Job
from bot.usecases.notes import note_change
from bot.usecases.schedules.owners import LEAVE_SECONDS, Owners, in_order
from bot.usecases.schedules.readings import names_to_read, renewal_of

BACK, AHEAD = timedelta(hours=24), timedelta(days=14)
RETRY_AT_MOST = timedelta(minutes=1)
NAMES_AGAIN = timedelta(seconds=10)
OLD = timedelta(minutes=5)
"""A roster older than this may have held something up, even if the new one says the same."""
TELL_AGAIN = timedelta(hours=1)
"""The shortest time between two reports about one schedule that is doubted again and again."""
MOST_NEWS = 5
"""The most reports about one source at once; if there are more, only their number is reported."""
DOUBTED: Mapping[Doubt, Why] = {
    Doubt.UNKNOWN: Why.SCHEDULE_UNKNOWN,
    Doubt.NOBODY: Why.SCHEDULE_EMPTY,
    Doubt.LEVELS: Why.SCHEDULE_LACKS,
}
"""The report about each doubt."""
Failure = TemporaryFailure | PermanentFailure


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One reading of a source: what was known, what it answered at ``now``, and why that is not believed.
    ``failure`` is the last thing that went wrong; a schedule without an answer was not read."""

    source: str
    catalog: Catalog
    now: datetime
    state: SourceState | None
    before: Mapping[str, Roster | None]
    answers: Mapping[str, Answer]
    against: Mapping[str, Objection | None]
    failure: Failure | None = None

    @property
    def unknown(self) -> tuple[str, ...]:
        """Return the schedules that the source lacks, even if it could not be asked again this time."""
        known_before = self.state.unknown if self.state else ()
        unsure = {each for each in self.before if each not in self.answers or not self.answers[each].is_whole}
        missing = {each.schedule for each in self.answers.values() if each.unknown}
        return tuple(sorted(missing | unsure.intersection(known_before)))

    @cached_property
    def graces(self) -> Mapping[str, timedelta]:
        """Return for each schedule the longest grace by which any rule lets access outlast a shift. Shifts
        have to be known for that long after their end."""
        longest: dict[str, timedelta] = {}
        for resource in self.catalog.resources.values():
            for rule in shift_rules(resource.selectors()):
                grace = timedelta(seconds=rule.grace)
                longest[rule.schedule] = max(longest.get(rule.schedule, grace), grace)
        return longest

    def limits(self, schedule: str) -> Limits:
        at_most = timedelta(seconds=self.catalog.source(schedule).start_stale_after)
        return Limits(now=self.now, grace=self.graces.get(schedule, timedelta()), at_most=at_most)

    def believable_rosters(self) -> Mapping[str, Roster]:
        """Return the rosters to go by. Nothing is stored for a schedule of which nothing is known yet: an
        empty roster would count as knowledge, and end what rests on it."""
        found: dict[str, Roster] = {}
        doubted = {each for each, why in self.against.items() if why and self.before[each]}
        for schedule, answer in self.answers.items():
            roster = roster_to_believe(
                self.before[schedule],
                answer,
                self.against[schedule],
                self.limits(schedule),
                others_well=not doubted - {schedule},
            )
            if roster:
                found[schedule] = roster
        return found


def read_roster(context: Context, source: Callable[[str], OnCallSource], job: Job) -> None:
    """Read all configured schedules of one source (``roster:<name>``) and store what changed; due again in a
    minute. If the source is down, the last rosters stand, growing older; people are notified once that lasts
    longer than ``stale_after``, and once more when the source can be read again."""
    name = job.claim.id
    catalog = context.catalog()
    named = [s for s in catalog.schedules() if s.partition("/")[0] == name]
    readings = context.ledger.read({Key.of(Readings, f"roster:{name}")})
    known = named or name in catalog.sources
    schedules = names_to_read(f"roster:{name}", named, readings) if known else ()
    if not schedules:
        gone: dict[Key, Document | None] = {Key.of(SourceState, name): None}
        context.ledger.commit(Change(put=gone, done=Done(claim=job.claim), frees=True))
        return
    renewal = renewal_of(f"roster:{name}", named, catalog, readings)
    if renewal.put:
        context.ledger.commit(renewal)
    reading = _read(context, source, job, catalog, schedules)
    if not reading.answers:
        wait = min(timedelta(seconds=2.0 ** min(job.claim.tries + 1, 6)), RETRY_AT_MOST)
        entry = Entry(what="roster not read", facts={"source": name, "error": str(reading.failure)[:300]})
        state, news = _state_after(reading)
        silent = Change(
            put={Key.of(SourceState, name): state},
            audit=(entry,) if job.claim.tries == 0 else (),
            done=Done(claim=job.claim, next_at=reading.now + wait, failed=True),
            frees=True,
        )
        context.ledger.commit(silent.plus(_notes_change(context, reading, [news] if news else [])))
        return
    rosters = reading.believable_rosters()
    owners = Owners(context, job)
    owners.find(in_order(rosters.values()))
    owned = {schedule: owners.with_people(roster) for schedule, roster in rosters.items()}
    _store(context, job, reading, owned, names_missing=owners.left)


def _read(
    context: Context,
    source: Callable[[str], OnCallSource],
    job: Job,
    catalog: Catalog,
    schedules: Sequence[str],
) -> Reading:
    name = job.claim.id
    snap = context.ledger.read({Key.of(SourceState, name), *(Key.of(Roster, each) for each in schedules)})
    found = {each: snap.find(Roster, each) for each in schedules}
    before = {each: levelless(roster) if roster else None for each, roster in found.items()}
    state = snap.find(SourceState, name)
    reading = Reading(
        source=name, catalog=catalog, now=snap.now, state=state, before=before, answers={}, against={}
    )
    since, until = snap.now - max((BACK, *reading.graces.values())), snap.now + AHEAD
    try:
        shown = source(name).shifts([_id(each) for each in schedules], since, until, job.call())
    except (TemporaryFailure, PermanentFailure) as failure:
        return replace(reading, failure=failure)
    answers: dict[str, Answer] = {}
    against: dict[str, Objection | None] = {}
    trouble: Failure | None = None
    for each in schedules:
        limits = reading.limits(each)
        answer = Answer(schedule=each, since=since, first=shown.get(_id(each), ()))
        if needs_second_look(before[each], answer, limits):
            try:
                second = source(name).confirm(_id(each), since, until, _second_call(job))
                answer = replace(answer, second=second, unknown=second is None and not answer.first)
            except (TemporaryFailure, PermanentFailure) as failure:
                trouble = failure
                known = before[each]
                if known and known.unattached and not answer.first:
                    against[each] = Objection(doubt=Doubt.NOBODY)
                    continue  # the other way is the only one for it: it was not read
        answers[each] = answer
        against[each] = objection(before[each], answer, limits)
    return replace(reading, answers=answers, against=against, failure=trouble)


def _id(schedule: str) -> str:
    return schedule.partition("/")[2]


def _second_call(job: Job) -> Deadline:
    """Return the deadline for reading one schedule another way, which leaves time to store what was read
    within this job. Raises TemporaryFailure if no time is left."""
    if job.deadline.seconds_left() < LEAVE_SECONDS:
        raise TemporaryFailure("there was no time left to confirm it another way")
    return job.call().sooner(Deadline(job.deadline.at - LEAVE_SECONDS))


# ---------------------------------------------------------------------------------------------- store


def _store(
    context: Context, job: Job, reading: Reading, rosters: Mapping[str, Roster], *, names_missing: bool
) -> None:
    now, catalog = context.ledger.read().now, reading.catalog
    put: dict[Key, Document | None] = {}
    due: list[Due] = []
    audit: list[Entry] = []
    state, heard = _state_after(reading)
    news = [heard] if heard else []
    for each in reading.unknown:
        doubted = each in rosters and rosters[each].doubted
        if not doubted and each not in (reading.state.unknown if reading.state else ()):
            news.append(because(Why.SCHEDULE_MISSING, schedule=each))
    for schedule, read in rosters.items():
        before = reading.before[schedule]
        doubts = _news_of(read, before, reading) if catalog.security_channel else None
        news += [doubts] if doubts else []
        roster = replace(read, told_at=reading.now) if doubts else read
        put[Key.of(Roster, schedule)] = roster
        changed = before is None or (before.shifts, before.doubted) != (roster.shifts, roster.doubted)
        audit += _entries(roster, before, changed=changed)
        if changed or (before and before.age(now) > OLD):
            followers = (each for each in catalog.resources.values() if schedule in each.schedules())
            due += [Due.shift(each.name, at=now) for each in followers]
    put[Key.of(SourceState, reading.source)] = state
    every = timedelta(seconds=catalog.source(f"{reading.source}/").every)
    done = Done(claim=job.claim, next_at=now + (min(every, NAMES_AGAIN) if names_missing else every))
    change = Change(put=put, due=tuple(due), audit=tuple(audit), done=done, frees=True)
    context.ledger.commit(change.plus(_notes_change(context, reading, news)))


def _entries(roster: Roster, before: Roster | None, *, changed: bool) -> Iterator[Entry]:
    """Yield an entry for a changed roster, and one for each person on call who newly has no email address:
    only their own shifts are left out."""
    if changed:
        on_call = [
            f"{s.email} level {s.level} until {s.end.isoformat() if s.end else 'further notice'}"
            for s in roster.shifts
            if s.covers(roster.read_at)
        ]
        facts = {"schedule": roster.schedule, "on_call": on_call, "doubted": roster.doubted or ""}
        yield Entry(what="roster changed", facts=facts)
    for user in roster.unnamed:
        if before is None or user not in before.unnamed:
            about = {"schedule": roster.schedule, "user": user}
            yield Entry(what="on call without an email address", facts=about)


# ------------------------------------------------------------------------------- what security hears


def _notes_change(context: Context, reading: Reading, news: Sequence[Reason]) -> Change:
    channel, more = reading.catalog.security_channel, len(news) - MOST_NEWS
    if more > 0:
        rest = because(Why.SCHEDULES_MORE, source=reading.source, count=more)
        news = (*news[:MOST_NEWS], rest)
    notes = [Note(id=context.new_id(), channel=channel, reason=each) for each in news] if channel else []
    return note_change(reading.now, *notes)


def _state_after(reading: Reading) -> tuple[SourceState, Reason | None]:
    """Return the source's state, and what people are to be told about it: once that it cannot be read, and
    once that it can be again. The commit that closes the claim writes both, so no other worker repeats it."""
    now, partly = reading.now, bool(reading.answers)
    state = reading.state or SourceState(well_at=now, answered_at=now)
    if reading.failure is None:
        well = because(Why.SOURCE_WELL, source=reading.source) if state.told_at else None
        return SourceState(well_at=now, answered_at=now, unknown=reading.unknown), well
    since = state.well_at if partly else state.answered_at
    answered_at = now if partly else state.answered_at
    state = replace(state, answered_at=answered_at, unknown=reading.unknown)
    silent = age(since, now)
    if silent == UNKNOWN_AGE:
        return replace(state, well_at=now, answered_at=now), None  # the clock was set back
    stale_after = timedelta(seconds=reading.catalog.source(f"{reading.source}/").stale_after)
    heard = state.told_at and (partly or not state.partly)
    if heard or silent <= stale_after or not reading.catalog.security_channel:
        return state, None
    reason = because(
        Why.SOURCE_PARTLY if partly else Why.SOURCE_SILENT,
        source=reading.source,
        since_at=int(since.timestamp()),
        trouble=str(reading.failure)[:300].rstrip(". "),
    )
    return replace(state, told_at=now, partly=partly), reason


def _news_of(roster: Roster, before: Roster | None, reading: Reading) -> Reason | None:
    """Return what to report about a doubt that has begun, or about one that was reported and is over."""
    if roster.doubted and roster.doubted_since:
        if _is_told(roster) or (roster.told_at and age(roster.told_at, reading.now) < TELL_AGAIN):
            return None
        doubt, schedule = Doubt(roster.doubted), roster.schedule
        levels = {"levels": ", ".join(map(str, roster.doubted_levels))} if doubt is Doubt.LEVELS else {}
        until = roster.doubted_since + reading.limits(schedule).at_most
        return because(DOUBTED[doubt], schedule=schedule, **levels, until_at=int(until.timestamp()))
    if before is None or not before.doubted or not _is_told(before):
        return None
    if reading.against[roster.schedule]:
        return because(Why.SCHEDULE_BELIEVED, schedule=roster.schedule)
    return because(Why.SCHEDULE_WELL, schedule=roster.schedule)


def _is_told(roster: Roster) -> bool:
    since, told = roster.doubted_since, roster.told_at
    return since is not None and told is not None and since <= told
