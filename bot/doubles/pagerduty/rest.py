"""The pager's endpoints: arguments come from Flask's request, answers from memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from flask import request

from bot.doubles.pagerduty import answers
from bot.doubles.pagerduty.answers import Json, Rejected, Row, Told
from bot.doubles.pagerduty.memory import Pager, PagerError
from bot.doubles.pagerduty.rota import ALWAYS, Schedule, Stint

FARTHEST = timedelta(days=90)
"""The limit beyond which PagerDuty shows no on-calls."""
TWO_WEEKS = timedelta(weeks=2)


class Rest:
    """The endpoints, one method each."""

    def __init__(self, pager: Pager) -> None:
        self._pager = pager

    def oncalls(self) -> Json:
        asked, now = _query(), self._pager.clock()
        since, until = answers.moment(asked, "since") or now, answers.moment(asked, "until") or now
        if until < since:
            raise answers.invalid("until cannot be before since")
        rows = sorted(
            self._rows(since, min(until, now + FARTHEST)),
            key=lambda row: (row.start, row.level, row.policy.id),
        )
        if asked.get("earliest") == "true":
            rows = answers.earliest(rows)
        page = answers.page("oncalls", rows, asked)
        told = answers.teller(asked, self._pager.zone)
        full = "users" in request.args.getlist("include[]")
        page["oncalls"] = [
            answers.on_call(row, self._user(row.user, full=full), told) for row in page["oncalls"]
        ]
        return page

    def users(self) -> Json:
        query = _query().get("query", "").casefold()
        found = [
            each for each in self._pager.users.values() if query in f"{each.name} {each.email}".casefold()
        ]
        return answers.page("users", [answers.user_full(each) for each in found], _query())

    def user(self, user: str) -> Json:
        if user not in self._pager.users:
            raise answers.not_found()
        return {"user": answers.user_full(self._pager.users[user])}

    def schedules(self) -> Json:
        query = _query().get("query", "").casefold()
        found = [each for each in self._pager.schedules.values() if query in each.name.casefold()]
        listed = [self._schedule(each) for each in found if not each.shift_based]
        return answers.page("schedules", listed, _query())

    def schedule(self, schedule: str) -> Json:
        found = self._layered_schedule(schedule)
        shown: Json = {**self._schedule(found), "schedule_layers": []}
        for key, name in (("final_schedule", "Final Schedule"), ("overrides_subschedule", "Overrides")):
            shown[key] = {"name": name, "rendered_schedule_entries": []}
        if "since" in _query() or "until" in _query():
            since, until = self._rendering_window()
            shown["final_schedule"] |= self._rendered_schedule(found.final(since, until), since, until)
            over = [each for each in found.overrides if each.overlaps(since, until)]
            shown["overrides_subschedule"] |= self._rendered_schedule(over, since, until)
        return {"schedule": shown}

    def schedule_users(self, schedule: str) -> Json:
        found = self._layered_schedule(schedule)
        since, until = self._rendering_window()
        ids = {each.user for each in found.final(since, until)}
        known = [each for each in self._pager.users.values() if each.id in ids]
        return {"users": [answers.user_full(each) for each in known]}

    def overrides(self, schedule: str) -> Json:
        found = self._layered_schedule(schedule)
        since, until = answers.moment(_query(), "since"), answers.moment(_query(), "until")
        if not since or not until:
            raise answers.invalid("since and until are required")
        over = [each for each in found.overrides if each.overlaps(since, until)]
        return {"overrides": answers.entries(over, self._name, self._teller())}

    def add_overrides(self, schedule: str) -> tuple[list[Json], int]:
        self._layered_schedule(schedule)
        wanted = (request.get_json(silent=True) or {}).get("overrides")
        if not isinstance(wanted, list) or not wanted:
            raise answers.invalid("overrides must be an array")
        return [self._add_override(schedule, each) for each in wanted], 201

    def end_override(self, schedule: str, override: str) -> tuple[str, int]:
        self._layered_schedule(schedule)
        return "", 200 if self._pager.end_override(schedule, override, self._pager.clock()) else 204

    def shift_based(self, schedule: str) -> Json:
        """Answer for schedules of the newer kind; for the others it is a bad request."""
        found = self._pager.schedule(schedule)
        if not found.shift_based:
            raise answers.invalid("Schedule is not a v3 schedule")
        shown: Json = {**answers.schedule_head(found), "type": "schedule_v3"}
        if "final_schedule" in request.args.getlist("include[]"):
            since, until = self._rendering_window()
            stints = self._with_starts(found.final(since, until), since, until)
            shown["final_schedule"] = {
                "type": "final_schedule",
                "rendered_coverage_percentage": answers.coverage(stints, since, until),
                "computed_shift_assignments": answers.assignments(stints, self._teller()),
            }
        return {"schedule": shown}

    def _rows(self, since: datetime, until: datetime) -> list[Row]:
        asked = set(request.args.getlist("schedule_ids[]")) - {"null"}
        if self._pager.faults.strict and not asked <= set(self._pager.schedules):
            raise answers.not_found()
        unseen, levels = self._pager.faults.unseen, self._pager.faults.unseen_levels
        found = [
            row
            for schedule in self._pager.schedules.values()
            if schedule.id not in unseen
            for row in answers.rows_of(schedule, since, until)
            if row.level not in levels
        ]
        found += [answers.row_of_direct(each) for each in self._pager.directs]
        wanted: dict[str, Callable[[Row], str]] = {
            "schedule_ids[]": lambda row: row.schedule.id if row.schedule else "null",
            "user_ids[]": lambda row: row.user,
            "escalation_policy_ids[]": lambda row: row.policy.id,
        }
        for name, of in wanted.items():
            ids = request.args.getlist(name)
            found = [row for row in found if not ids or of(row) in ids]
        return found

    def _rendering_window(self) -> tuple[datetime, datetime]:
        until = answers.moment(_query(), "until")
        since = answers.moment(_query(), "since")
        until = until or (since or self._pager.clock()) + TWO_WEEKS
        since = since or until - TWO_WEEKS
        if until < since:
            raise answers.invalid("until cannot be before since")
        return since, until

    def _layered_schedule(self, schedule: str) -> Schedule:
        found = self._pager.schedule(schedule)
        if found.shift_based:
            raise answers.not_found()
        return found

    def _schedule(self, schedule: Schedule) -> Json:
        ids = dict.fromkeys(user for layer in schedule.layers for user in layer.people)
        people = [answers.user_reference(each, self._name(each)) for each in ids]
        return {**answers.schedule_head(schedule), "users": people}

    def _rendered_schedule(self, stints: list[Stint], since: datetime, until: datetime) -> Json:
        shown = self._with_starts(stints, since, until)
        return {
            "rendered_schedule_entries": answers.entries(shown, self._name, self._teller()),
            "rendered_coverage_percentage": answers.coverage(shown, since, until),
        }

    def _with_starts(self, stints: list[Stint], since: datetime, until: datetime) -> list[Stint]:
        """Clip the stints to the window; with overflow keep them whole, except that an entry must have a
        start."""
        if _query().get("overflow") != "true":
            return answers.clip(stints, since, until)
        return [replace(each, start=since) if each.start == ALWAYS else each for each in stints]

    def _add_override(self, schedule: str, wanted: Json) -> Json:
        try:
            start, end = answers.moment(wanted, "start"), answers.moment(wanted, "end")
            if not start or not end:
                raise answers.invalid("start and end are required")
            made = self._pager.override(schedule, wanted["user"]["id"], start, end)
        except (PagerError, Rejected, KeyError, TypeError) as error:
            return {"status": 400, "errors": [str(error)], "override": wanted}
        stint = next(each for each in self._pager.schedule(schedule).overrides if each.override == made)
        return {"status": 201, "override": answers.entries([stint], self._name, self._teller())[0]}

    def _user(self, user: str, *, full: bool) -> Json:
        known = self._pager.users.get(user)
        if full and known and not self._pager.faults.bare:
            return answers.user_full(known)
        return answers.user_reference(user, self._name(user))

    def _name(self, user: str) -> str:
        known = self._pager.users.get(user)
        return known.name if known else "Deleted User"

    def _teller(self) -> Told:
        return answers.teller(_query(), self._pager.zone)


def _query() -> dict[str, str]:
    return request.args.to_dict()
