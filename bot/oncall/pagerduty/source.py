"""The on-call source PagerDuty: read from /oncalls, and another way from the schedule itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from bot.core.errors import Misconfigured, PermanentFailure, TemporaryFailure
from bot.core.shifts import Shift, merge
from bot.oncall.pagerduty.answers import (
    Assignment,
    Entry,
    Layered,
    OneUser,
    Page,
    Rendered,
    Row,
    ShiftBased,
    User,
    Users,
)
from bot.oncall.pagerduty.calls import TOKEN_SETTING, Calls, Params
from bot.ports.deadline import Deadline
from bot.upstream import within

PAGE = 100
LAST_ROW = 10_000
"""The last row that PagerDuty serves."""
IDS_LENGTH = 3_000
"""The characters of a URL that schedule ids may take."""
LEAST_WINDOW = timedelta(minutes=1)


class PagerDuty:
    """An OnCallSource. ``name`` is the source's in access.yaml."""

    def __init__(self, name: str, token: str, api_url: str = "https://api.pagerduty.com") -> None:
        if not (token and token.isascii() and token.isprintable()):
            raise Misconfigured(f"{TOKEN_SETTING} must be one line of plain characters: copy it again")
        self._name = name
        self._token = token
        self._api_url = api_url.rstrip("/")

    def shifts(
        self, schedules: Sequence[str], since: datetime, until: datetime, deadline: Deadline
    ) -> Mapping[str, tuple[Shift, ...]]:
        asked = tuple(dict.fromkeys(schedules))

        def read() -> Mapping[str, tuple[Shift, ...]]:
            with self._calls(deadline) as calls:
                rows = [row for ids in _by_length(asked) for row in _oncalls(calls, ids, since, until)]
                return self._shifts(asked, rows, _People(calls))

        return within(deadline, self._name, read) if asked else {}

    def confirm(
        self, schedule: str, since: datetime, until: datetime, deadline: Deadline
    ) -> tuple[Shift, ...] | None:
        """Read the schedule's own rendering, which knows no levels: all are 0."""
        path, window = f"/schedules/{quote(schedule, safe='')}", _window(since, until)

        def read() -> tuple[Shift, ...] | None:
            with self._calls(deadline) as calls:
                entries = _fetch_rendered(calls, path, window)
                if entries is None:
                    return None
                rows = [row for each in entries if (row := each.row(schedule))]
                people = _People(calls)
                if len({row.user.id for row in rows}) > 1:
                    people.learn(f"{path}/users", window)
                return self._shifts((schedule,), rows, people)[schedule]

        return within(deadline, self._name, read)

    def _calls(self, deadline: Deadline) -> Calls:
        return Calls(self._name, self._token, self._api_url, deadline)

    def _shifts(
        self, schedules: Iterable[str], rows: Iterable[Row], people: _People
    ) -> Mapping[str, tuple[Shift, ...]]:
        """Make the shifts. Rows of other schedules are left out, and rows of users who no longer exist."""
        found: dict[str, list[Shift]] = {each: [] for each in schedules}
        for row in rows:
            schedule = row.schedule.id if row.schedule else ""
            if schedule not in found:
                continue
            email = people.email(row.user)
            if email is not None:
                found[schedule].append(row.shift(f"{self._name}/{schedule}", email))
        return {each: merge(told) for each, told in found.items()}


class _NoSuchSchedule(Exception):
    """At least one of the requested schedules does not exist."""


def _oncalls(calls: Calls, ids: Sequence[str], since: datetime, until: datetime) -> list[Row]:
    """Return all rows that overlap the window; it is halved if there are more than PagerDuty serves."""
    asked = {"schedule_ids": ids, "include": ["users"], "total": "true", **_window(since, until)}
    try:
        rows = _all_pages(calls, asked)
    except _NoSuchSchedule:
        half = len(ids) // 2
        return (
            [row for part in (ids[:half], ids[half:]) for row in _oncalls(calls, part, since, until)]
            if half
            else []
        )
    if rows is not None:
        return rows
    if until - since < LEAST_WINDOW:
        raise PermanentFailure(
            f"more than {LAST_ROW} people are on call at once for {', '.join(ids)}: name a smaller schedule"
        )
    middle = since + (until - since) / 2
    return _oncalls(calls, ids, since, middle) + _oncalls(calls, ids, middle, until)


def _all_pages(calls: Calls, asked: Params) -> list[Row] | None:
    """Read all pages; return None if there are more rows than PagerDuty serves.

    A total that changes between pages means that rows have moved, and one may have been missed.
    """
    rows: list[Row] = []
    totals: set[int | None] = set()
    while len(rows) < LAST_ROW:
        place = {"offset": len(rows), "limit": min(PAGE, LAST_ROW - len(rows))}
        page = calls.find(Page, "/oncalls", {**asked, **place})
        if page is None:
            raise _NoSuchSchedule
        rows.extend(page.oncalls)
        totals.add(page.total)
        if len(totals) > 1:
            raise TemporaryFailure(f"{calls.name}: GET /oncalls: the answer changed while it was read")
        if not page.more:
            return rows
        if not page.oncalls:
            raise TemporaryFailure(f"{calls.name}: GET /oncalls: an empty page came before the last one")
    return None


def _fetch_rendered(calls: Calls, path: str, window: Params) -> Sequence[Entry | Assignment] | None:
    """Return the entries, unclipped; None if there is no such schedule, neither of layers nor of shifts."""
    asked = {**window, "overflow": "true"}
    found = calls.find(Rendered, path, asked)
    if found and isinstance(found.schedule, Layered):
        return found.schedule.final_schedule.rendered_schedule_entries
    asked = {**asked, "include": ["final_schedule"]}
    shift_based = calls.find(ShiftBased, f"/v3{path}", asked, absent=() if found else (400, 404))
    return shift_based.schedule.final_schedule.computed_shift_assignments if shift_based else None


class _People:
    """The emails of users: as answered, otherwise looked up, once each."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._emails: dict[str, str | None] = {}

    def learn(self, path: str, window: Params) -> None:
        """Add the emails that one call returns, if PagerDuty serves it."""
        found = self._calls.find(Users, path, window, absent=(400, 404))
        self._emails |= {user.id: user.email for user in (found.users if found else ()) if user.email}

    def email(self, user: User) -> str | None:
        """Return the email, casefolded; empty if PagerDuty shows none, None if the user no longer exists."""
        if not user.email and user.id not in self._emails:
            found = self._calls.find(OneUser, f"/users/{quote(user.id, safe='')}", {})
            self._emails[user.id] = (found.user.email or "") if found else None
        email = user.email or self._emails[user.id]
        return email and email.strip().casefold()


def _by_length(ids: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    length = 0
    for each in ids:
        added = len("&schedule_ids%5B%5D=") + len(quote(each, safe=""))
        if chunk and length + added > IDS_LENGTH:
            yield chunk
            chunk, length = [], 0
        chunk.append(each)
        length += added
    yield chunk


def _window(since: datetime, until: datetime) -> Params:
    return {"since": _timestamp(since), "until": _timestamp(until)}


def _timestamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
