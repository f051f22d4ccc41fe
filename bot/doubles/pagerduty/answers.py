"""The answers of the pager's REST API, in PagerDuty's shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.doubles.pagerduty.rota import ALWAYS, FOREVER, Direct, Policy, Schedule, Stint, User

Json = dict[str, Any]
Told = Callable[[datetime], str | None]

API = "https://api.pagerduty.com"
PAGES = "https://example.pagerduty.com"
LARGEST_PAGE = 100
LAST_ROW = 10_000


class Rejected(Exception):
    """An answer that is an error, in PagerDuty's shape."""

    def __init__(
        self, status: int, message: str, code: int, *errors: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.body: Json = {"error": {"message": message, "code": code}}
        if errors:
            self.body["error"]["errors"] = list(errors)


def invalid(*errors: str) -> Rejected:
    return Rejected(400, "Invalid Input Provided", 2001, *errors)


def not_found() -> Rejected:
    return Rejected(404, "Not Found", 2100)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One on-call row: one person, by one policy, at one level."""

    user: str
    policy: Policy
    level: int
    schedule: Schedule | None
    start: datetime
    end: datetime


def rows_of(schedule: Schedule, since: datetime, until: datetime) -> list[Row]:
    return [
        Row(
            user=stint.user,
            policy=policy,
            level=stint.level + policy.level - 1,
            schedule=schedule,
            start=stint.start,
            end=stint.end,
        )
        for stint in schedule.final(since, until)
        for policy in schedule.policies
        if stint.user
    ]


def row_of_direct(direct: Direct) -> Row:
    return Row(
        user=direct.user,
        policy=direct.policy,
        level=direct.policy.level,
        schedule=None,
        start=ALWAYS,
        end=FOREVER,
    )


def earliest(rows: Iterable[Row]) -> list[Row]:
    """Return the first row of each policy, level and user."""
    found: dict[tuple[str, int, str], Row] = {}
    for row in rows:
        found.setdefault((row.policy.id, row.level, row.user), row)
    return list(found.values())


def on_call(row: Row, user: Json, told: Told) -> Json:
    return {
        "escalation_policy": policy_reference(row.policy),
        "escalation_level": row.level,
        "schedule": schedule_reference(row.schedule) if row.schedule else None,
        "user": user,
        "start": told(row.start),
        "end": told(row.end),
    }


def user_full(user: User) -> Json:
    return {
        **_thing("users", user.id, "user", user.name),
        "name": user.name,
        "email": user.email,
        "time_zone": "Etc/UTC",
        "color": "purple",
        "role": "limited_user",
        "avatar_url": f"{PAGES}/avatars/{user.id}.png",
        "description": None,
        "invitation_sent": False,
        "job_title": "Engineer",
        "teams": [],
        "contact_methods": [],
        "notification_rules": [],
    }


def user_reference(user: str, name: str) -> Json:
    return _thing("users", user, "user_reference", name)


def policy_reference(policy: Policy) -> Json:
    return _thing("escalation_policies", policy.id, "escalation_policy_reference", policy.name)


def schedule_reference(schedule: Schedule) -> Json:
    kind = "schedule_v3_reference" if schedule.shift_based else "schedule_reference"
    return _thing("schedules", schedule.id, kind, schedule.name)


def schedule_head(schedule: Schedule) -> Json:
    return {
        **_thing("schedules", schedule.id, "schedule", schedule.name),
        "name": schedule.name,
        "time_zone": "Etc/UTC",
        "description": "",
        "escalation_policies": [policy_reference(each) for each in schedule.policies],
        "teams": [],
    }


def entries(stints: Iterable[Stint], name: Callable[[str], str], told: Told) -> list[Json]:
    return [
        {
            **({"id": each.override} if each.override else {}),
            "start": told(each.start),
            "end": told(each.end),
            "user": user_reference(each.user, name(each.user)),
        }
        for each in stints
        if each.user
    ]


def assignments(stints: Iterable[Stint], told: Told) -> list[Json]:
    return [
        {
            "type": "computed_shift_assignment",
            "start_time": told(each.start),
            "end_time": told(each.end),
            "member": {"type": "user_member", "user_id": each.user},
            "source": {"type": "schedule_rotation_override" if each.override else "schedule_rotation"},
        }
        for each in stints
    ]


def clip(stints: Iterable[Stint], since: datetime, until: datetime) -> list[Stint]:
    return [replace(each, start=max(each.start, since), end=min(each.end, until)) for each in stints]


def coverage(stints: Iterable[Stint], since: datetime, until: datetime) -> float:
    """Return the percentage of the window in which somebody is on call."""
    covered, reached = timedelta(), since
    for each in sorted(clip(stints, since, until), key=lambda each: each.start):
        covered += max(each.end - max(each.start, reached), timedelta())
        reached = max(reached, each.end)
    return 100.0 * (covered / (until - since)) if until > since else 0.0


def page(name: str, found: Sequence[Any], asked: Json) -> Json:
    """Return a page of classic pagination; no row beyond the 10,000th is served."""
    limit = min(_count(asked, "limit", 25), LARGEST_PAGE)
    offset = _count(asked, "offset", 0)
    if offset + limit > LAST_ROW:
        raise invalid(f"Offset + limit must be at most {LAST_ROW}")
    return {
        name: list(found[offset : offset + limit]),
        "limit": limit,
        "offset": offset,
        "more": offset + limit < len(found),
        "total": len(found) if asked.get("total") == "true" else None,
    }


def moment(asked: Json, name: str) -> datetime | None:
    text = asked.get(name)
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(f"{name} is invalid") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def teller(asked: Json, zone: tzinfo) -> Told:
    """Return a function that writes times in the requested zone, or else the account's; a missing start or
    end is null."""
    name = asked.get("time_zone")
    try:
        zone = ZoneInfo(name) if name else zone
    except (ZoneInfoNotFoundError, ValueError):
        raise invalid("Time zone is invalid") from None

    def as_text(at: datetime) -> str | None:
        if at in {ALWAYS, FOREVER}:
            return None
        return at.astimezone(zone).isoformat(timespec="seconds").replace("+00:00", "Z")

    return as_text


def _thing(where: str, name: str, kind: str, summary: str) -> Json:
    return {
        "id": name,
        "type": kind,
        "summary": summary,
        "self": f"{API}/{where}/{name}",
        "html_url": f"{PAGES}/{where}/{name}",
    }


def _count(asked: Json, name: str, default: int) -> int:
    text = asked.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise invalid(f"{name} must be a number")
    return int(text)
