"""People, from Slack. What Slack does not say about somebody never counts in their favour."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from slack_sdk import WebClient

from bot.core.errors import PermanentFailure
from bot.core.people import Group, Person
from bot.ports.deadline import Deadline
from bot.ports.documents import Home
from bot.slack.api.web_api import Answer, Declined, call

PREFIX = "slack/"
"""The prefix of groups in access.yaml, ``slack/<handle>``."""

LONG_AGO = datetime.min.replace(tzinfo=UTC)
"""The ``read_at`` of everything read here: the caller sets it by the one clock, and until then it is too old
to count."""

_NOBODY = frozenset({"user_not_found", "user_not_visible", "users_not_found"})
_SLACKBOT = "USLACKBOT"


class SlackDirectory:
    """The people of the workspace. Implements Directory."""

    def __init__(self, client: WebClient) -> None:
        self._client = client
        self._home: Home | None = None
        self._asking = threading.Lock()

    def home(self, deadline: Deadline) -> Home:
        """Ask Slack each time, because an answer proves that it still lets the bot in."""
        home = self._read_home(deadline)
        with self._asking:
            self._home = home
        return home

    def person(self, person: str, deadline: Deadline) -> Person | None:
        return self._look_up("users.info", {"user": person}, deadline)

    def by_email(self, email: str, deadline: Deadline) -> Person | None:
        return self._look_up("users.lookupByEmail", {"email": email}, deadline)

    def groups(self, names: Collection[str], deadline: Deadline) -> Mapping[str, Group]:
        """Read all of them in one call, with one more for each group whose members were not included."""
        if not names:
            return {}
        listed = self._ask("usergroups.list", {"include_users": "true"}, deadline).get("usergroups", [])
        # one that another organisation shares with us has members who are not ours
        ours = [each for each in listed if not each.get("is_external") and not each.get("date_delete")]
        by_handle = {str(each.get("handle", "")).casefold(): each for each in ours}
        found: dict[str, Group] = {}
        for name in names:
            known = by_handle.get(name.removeprefix(PREFIX).casefold()) if name.startswith(PREFIX) else None
            if not known:
                continue
            users, count = known.get("users"), known.get("user_count")
            if not isinstance(users, list) or str(count) != str(len(users)):
                try:
                    answer = self._ask("usergroups.users.list", {"usergroup": known["id"]}, deadline)
                except Declined as declined:
                    if declined.error == "no_such_subteam":
                        continue
                    raise
                users = answer.get("users", [])
            members, pinned = tuple(map(str, users)), str(known.get("id") or "")
            found[name] = Group(name=name, members=members, read_at=LONG_AGO, id=pinned)
        return found

    def _read_home(self, deadline: Deadline) -> Home:
        answer = self._ask("auth.test", {}, deadline)
        if not answer.get("team_id") or not answer.get("user_id"):
            raise PermanentFailure("SLACK_BOT_TOKEN belongs to no workspace: use a bot token (xoxb-)")
        return Home(
            team=str(answer["team_id"]),
            enterprise=answer.get("enterprise_id") or None,
            bot_user=str(answer["user_id"]),
        )

    def _look_up(self, method: str, arguments: Mapping[str, str], deadline: Deadline) -> Person | None:
        try:
            user = self._ask(method, arguments, deadline).get("user")
        except Declined as declined:
            if declined.error in _NOBODY:
                return None
            raise
        if not isinstance(user, dict) or not user.get("id"):
            return None
        if not user.get("enterprise_user"):
            return person_from(user, None)
        with self._asking:  # only once, because the workspace of a token does not change
            if self._home is None:
                self._home = self._read_home(deadline)
            return person_from(user, self._home)

    def _ask(self, method: str, arguments: Mapping[str, Any], deadline: Deadline) -> Answer:
        return call(self._client, deadline, method, arguments)


def person_from(user: Mapping[str, Any], home: Home | None) -> Person:
    """Make a person from Slack's user object. ``home`` is needed only for people of an organisation."""
    profile = user.get("profile") or {}
    limits = [user.get("is_restricted"), user.get("is_ultra_restricted")]
    deleted = user.get("deleted", True) is not False
    unsaid = None in limits and not deleted

    # An organisation has a person in several workspaces; the bot's own counts if it is one of them.
    enterprise, team = user.get("enterprise_user") or {}, str(user.get("team_id") or "")
    same = home and home.enterprise and enterprise.get("enterprise_id") == home.enterprise
    if home and same and home.team in (enterprise.get("teams") or ()):
        team = home.team

    return Person(
        id=str(user["id"]),
        team=team,
        name=str(profile.get("display_name") or profile.get("real_name") or user.get("name") or user["id"]),
        email=str(profile.get("email") or "").strip().casefold() or None,
        email_confirmed=user.get("is_email_confirmed") is True,
        deactivated=deleted,
        bot=user.get("is_bot", True) is not False or user["id"] == _SLACKBOT,
        guest=any(each is True for each in (*limits, user.get("is_invited_user"))),
        stranger=user.get("is_stranger") is True or unsaid,
        read_at=LONG_AGO,
    )
