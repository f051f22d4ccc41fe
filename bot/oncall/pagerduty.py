"""PagerDuty: who is on call, from /oncalls, and read another way from the schedule itself."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, cast
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, Field, ValidationError
from requests import Response
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, Timeout

from bot.core.errors import Misconfigured, PermanentFailure, TemporaryFailure
from bot.core.shifts import Shift, merged
from bot.ports import Deadline
from bot.upstream import from_status, short_retries, time_left, too_late, wait_asked_for, within

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", 'The package "pdpyras" is deprecated', UserWarning)
    import pdpyras

PAGE = 100
LAST_ROW = 10_000
"""PagerDuty serves no row beyond it."""
IDS_LENGTH = 3_000
"""Characters of a URL that schedule ids may take."""
LEAST_WINDOW = timedelta(minutes=1)

TOKEN_SETTING = "PAGERDUTY_TOKEN"  # noqa: S105 -- the setting's name, not a secret
URL_SETTING = "PAGERDUTY_API_URL"


class PagerDuty:
    """An OnCallSource. ``name`` is the source's in access.yaml."""

    def __init__(self, name: str, token: str, api_url: str = "https://api.pagerduty.com") -> None:
        if not (token and token.isascii() and token.isprintable()):
            raise Misconfigured(f"{TOKEN_SETTING} must be one line of plain characters")
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
        """From the schedule's own rendering, which knows no levels: all are 1."""
        path, window = f"/schedules/{quote(schedule, safe='')}", _window(since, until)

        def read() -> tuple[Shift, ...] | None:
            with self._calls(deadline) as calls:
                entries = _rendered(calls, path, window)
                if entries is None:
                    return None
                people = _People(calls)
                people.learn(f"{path}/users", window)
                rows = [row for each in entries if (row := each.row(schedule))]
                return self._shifts((schedule,), rows, people)[schedule]

        return within(deadline, self._name, read)

    def _calls(self, deadline: Deadline) -> _Calls:
        session = pdpyras.APISession(self._token)
        session.url = self._api_url
        return _Calls(self._name, session, deadline)

    def _shifts(
        self, schedules: Iterable[str], rows: Iterable[_Row], people: _People
    ) -> Mapping[str, tuple[Shift, ...]]:
        """Rows of other schedules, and of users who are no more, tell nothing."""
        found: dict[str, list[Shift]] = {each: [] for each in schedules}
        for row in rows:
            told = found.get(row.schedule.id) if row.schedule else None
            email = people.email(row.user) if told is not None else None
            if row.schedule and told is not None and email:
                told.append(row.shift(f"{self._name}/{row.schedule.id}", email))
        return {each: merged(told) for each, told in found.items()}


# -------------------------------------------------------------------------- how PagerDuty is called


class _Calls:
    """The calls of one reading: by one deadline, in a session of their own, which is for one thread."""

    def __init__(self, name: str, session: Any, deadline: Deadline) -> None:
        session.max_network_attempts = 0
        session.max_http_attempts, session.retry = -1, {429: 1}  # else it waits out a 429 for ever
        session.headers["Content-Type"] = "application/json"  # PagerDuty's API asks for it on a GET too
        self._name, self._session, self._deadline = name, session, deadline

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def get(
        self, shape: type[Answer], path: str, params: Mapping[str, object], absent: Sequence[int] = ()
    ) -> Answer | None:
        """None where the status is one of ``absent``."""
        what = f"{self._name}: GET {path}"

        def once() -> Answer | None:
            response = self._sent(path, params, what)
            if response.status_code in absent:
                return None
            return _parsed(shape, response, what)

        return short_retries(once, self._deadline)

    def must(self, shape: type[Answer], path: str, params: Mapping[str, object]) -> Answer:
        return cast("Answer", self.get(shape, path, params))

    def _sent(self, path: str, params: Mapping[str, object], what: str) -> Response:
        self._session.timeout = time_left(self._deadline, what)
        try:
            return cast("Response", self._session.get(path, params=params))
        except pdpyras.PDHTTPError as error:
            return cast("Response", error.response)
        except pdpyras.PDClientError as error:
            raise _unreachable(error.__cause__, what) from error.__cause__


def _parsed(shape: type[Answer], response: Response, what: str) -> Answer:
    if not response.ok:
        asked = wait_asked_for(response.headers, "retry-after", "ratelimit-reset")
        raise from_status(response.status_code, what, retry_after=asked, setting=TOKEN_SETTING)
    try:
        return shape.model_validate_json(response.content)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(each) for each in wrong["loc"]) or "its answer"
        raise TemporaryFailure(f"{what}: {where}: {wrong['msg']}") from None


def _unreachable(cause: BaseException | None, what: str) -> TemporaryFailure | PermanentFailure:
    if isinstance(cause, Timeout):
        return too_late(what)
    if isinstance(cause, InvalidSchema | InvalidURL | MissingSchema):
        return PermanentFailure(f"{what}: no such address: check {URL_SETTING}")
    return TemporaryFailure(f"{what}: no answer: {type(cause).__name__}")


# ----------------------------------------------------------------------------------- what is asked


def _oncalls(calls: _Calls, ids: Sequence[str], since: datetime, until: datetime) -> list[_Row]:
    """All rows that overlap the window; it is halved where they are more than PagerDuty serves."""
    asked = {"schedule_ids": ids, "include": ["users"], "total": "true", **_window(since, until)}
    rows = _all_pages(calls, asked)
    if rows is not None:
        return rows
    if until - since < LEAST_WINDOW:
        raise PermanentFailure(f"more than {LAST_ROW} people on call at once for {', '.join(ids)}")
    middle = since + (until - since) / 2
    return _oncalls(calls, ids, since, middle) + _oncalls(calls, ids, middle, until)


def _all_pages(calls: _Calls, asked: Mapping[str, object]) -> list[_Row] | None:
    """None where they are more than PagerDuty serves.

    A total that moves between pages means that rows moved too, and one may have been missed.
    """
    rows: list[_Row] = []
    totals: set[int | None] = set()
    while len(rows) < LAST_ROW:
        place = {"offset": len(rows), "limit": min(PAGE, LAST_ROW - len(rows))}
        page = calls.must(_Page, "/oncalls", {**asked, **place})
        rows.extend(page.oncalls)
        totals.add(page.total)
        if len(totals) > 1:
            raise TemporaryFailure("GET /oncalls: changed while it was read")
        if not page.more:
            return rows
        if not page.oncalls:
            raise TemporaryFailure("GET /oncalls: an empty page that is not the last")
    return None


def _rendered(
    calls: _Calls, path: str, window: Mapping[str, object]
) -> Sequence[_Entry | _Assignment] | None:
    """Entries unclipped; None where there is no such schedule, neither of layers nor of shifts."""
    asked = {**window, "overflow": "true"}
    found = calls.get(_Rendered, path, asked, absent=(404,))
    if found and isinstance(found.schedule, _Layered):
        return found.schedule.final_schedule.rendered_schedule_entries
    asked = {**asked, "include": ["final_schedule"]}
    shift_based = calls.get(_ShiftBased, f"/v3{path}", asked, absent=() if found else (400, 404))
    return shift_based.schedule.final_schedule.computed_shift_assignments if shift_based else None


class _People:
    """Emails of users: as answered, else looked up, once each."""

    def __init__(self, calls: _Calls) -> None:
        self._calls = calls
        self._emails: dict[str, str | None] = {}

    def learn(self, path: str, window: Mapping[str, object]) -> None:
        """Many in one call, where that is served."""
        found = self._calls.get(_Users, path, window, absent=(400, 404))
        self._emails |= {user.id: user.email for user in (found.users if found else ()) if user.email}

    def email(self, user: _User) -> str | None:
        """Casefolded; None where the user is no more."""
        if user.email:
            return user.email.casefold()
        if user.id not in self._emails:
            self._emails[user.id] = self._looked_up(user.id)
        email = self._emails[user.id]
        return email and email.casefold()

    def _looked_up(self, user: str) -> str | None:
        path = f"/users/{quote(user, safe='')}"
        found = self._calls.get(_OneUser, path, {}, absent=(404,))
        if found and not found.user.email:
            raise TemporaryFailure(f"GET {path}: user.email: nothing in it")
        return found.user.email if found else None


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


def _window(since: datetime, until: datetime) -> dict[str, object]:
    return {"since": _told(since), "until": _told(until)}


def _told(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --------------------------------------------------------------------------- what PagerDuty answers


class _User(BaseModel):
    id: str
    email: str | None = None


class _Schedule(BaseModel):
    id: str


class _Row(BaseModel):
    """``start`` None: since always; ``end`` None: no end known. Both must be there."""

    user: _User
    schedule: _Schedule | None
    escalation_level: int
    start: AwareDatetime | None
    end: AwareDatetime | None

    def shift(self, schedule: str, email: str) -> Shift:
        return Shift(
            schedule=schedule,
            email=email,
            level=self.escalation_level,
            start=self.start and self.start.astimezone(UTC),
            end=self.end and self.end.astimezone(UTC),
        )


class _Page(BaseModel):
    oncalls: tuple[_Row, ...]
    more: bool
    total: int | None = None


class _OneUser(BaseModel):
    user: _User


class _Users(BaseModel):
    users: tuple[_User, ...]


class _Entry(BaseModel):
    user: _User
    start: AwareDatetime
    end: AwareDatetime | None

    def row(self, schedule: str) -> _Row:
        return _on_call(self.user.id, schedule, self.start, self.end)


class _Entries(BaseModel):
    rendered_schedule_entries: tuple[_Entry, ...]


class _Layered(BaseModel):
    type: Literal["schedule"]
    final_schedule: _Entries


class _Upgraded(BaseModel):
    """A schedule of the newer, shift-based kind, named where those of layers are."""

    type: Literal["schedule_v3"]


class _Rendered(BaseModel):
    schedule: _Layered | _Upgraded = Field(discriminator="type")


class _Member(BaseModel):
    user_id: str | None = None


class _Assignment(BaseModel):
    member: _Member
    start_time: AwareDatetime
    end_time: AwareDatetime | None

    def row(self, schedule: str) -> _Row | None:
        user = self.member.user_id
        return _on_call(user, schedule, self.start_time, self.end_time) if user else None


class _Assignments(BaseModel):
    computed_shift_assignments: tuple[_Assignment, ...]


class _Computed(BaseModel):
    final_schedule: _Assignments


class _ShiftBased(BaseModel):
    schedule: _Computed


Answer = TypeVar("Answer", bound=BaseModel)


def _on_call(user: str, schedule: str, start: datetime, end: datetime | None) -> _Row:
    where = _Schedule(id=schedule)
    return _Row(user=_User(id=user), schedule=where, escalation_level=1, start=start, end=end)
