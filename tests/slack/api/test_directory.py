"""People as Slack describes them. What it leaves out never counts in their favour."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.people import Group, Person, objection
from bot.doubles.slack import Group as SlackGroup
from bot.doubles.slack import Workspace
from bot.ports.deadline import Deadline
from bot.ports.documents import Home
from bot.slack.api.directory import LONG_AGO, SlackDirectory, person_from
from tests.slack.conftest import EVE, GINA, OLD
from tests.slack.scenes import ADA, BOB, CAROL

HOME = Home(team="T0ROTAKEY", enterprise=None, bot_user="U0ROTAKEY")


@pytest.fixture
def directory(client: WebClient) -> SlackDirectory:
    return SlackDirectory(client)


def soon() -> Deadline:
    return Deadline.after(10)


def test_home_is_asked_for_each_time(directory: SlackDirectory, workspace: Workspace) -> None:
    """An answer from Slack is the proof that it still lets the bot in."""
    assert directory.home(soon()) == HOME
    workspace.faults.down = True
    with pytest.raises(TemporaryFailure):
        directory.home(soon())
    assert [call.method for call in workspace.calls] == ["auth.test"] * 2


def test_ada(directory: SlackDirectory) -> None:
    ada = Person(
        id=ADA, team="T0ROTAKEY", name="ada", email="ada@example.com", email_confirmed=True, read_at=LONG_AGO
    )
    assert directory.person(ADA, soon()) == ada
    assert directory.by_email("ADA@example.com", soon()) == ada


def test_nobody(directory: SlackDirectory) -> None:
    assert directory.person("U0NOBODY", soon()) is None
    assert directory.by_email("nobody@example.com", soon()) is None


@pytest.mark.parametrize(
    ("who", "flag"), [(GINA, "guest"), (EVE, "stranger"), (OLD, "deactivated"), ("U0ROTAKEY", "bot")]
)
def test_those_who_get_nothing(directory: SlackDirectory, who: str, flag: str) -> None:
    found = directory.person(who, soon())
    assert found is not None
    flags = {name for name in ("guest", "stranger", "deactivated", "bot") if getattr(found, name)}
    assert flags == {flag}


def test_groups_by_their_names_in_the_policy(directory: SlackDirectory, workspace: Workspace) -> None:
    workspace.add_group(SlackGroup(id="S02GONE", handle="gone", users=(BOB,), enabled=False))
    found = directory.groups(["slack/dba", "slack/gone", "slack/none", "okta/dba"], soon())
    assert found == {
        "slack/dba": Group(name="slack/dba", members=(BOB, CAROL), read_at=LONG_AGO, id="S01DBA")
    }
    assert directory.groups([], soon()) == {}
    assert [call.method for call in workspace.calls] == ["usergroups.list"]


def test_a_failure_is_told(directory: SlackDirectory, workspace: Workspace) -> None:
    workspace.faults.down = True
    for attempt in (
        lambda: directory.person(ADA, soon()),
        lambda: directory.groups(["slack/dba"], soon()),
        lambda: directory.home(soon()),
    ):
        with pytest.raises(TemporaryFailure):
            attempt()


def test_a_missing_scope_is_told(workspace: Workspace, directory: SlackDirectory) -> None:
    scopes = workspace.app.manifest["oauth_config"]["scopes"]
    workspace.api._app = replace(
        workspace.app,
        manifest={**workspace.app.manifest, "oauth_config": {"scopes": {"bot": scopes["bot"][:1]}}},
    )
    with pytest.raises(PermanentFailure, match="missing_scope: give the app the scope users:read"):
        directory.person(ADA, soon())


# ----------------------------------------------------------------------- what Slack may leave unsaid

PLAIN: dict[str, Any] = {
    "id": ADA,
    "team_id": "T0ROTAKEY",
    "name": "ada",
    "deleted": False,
    "is_bot": False,
    "is_restricted": False,
    "is_ultra_restricted": False,
    "is_email_confirmed": True,
    "profile": {"email": "ada@example.com"},
}


def refused(**changes: Any) -> bool:
    user = {name: value for name, value in (PLAIN | changes).items() if value is not None}
    return objection(person_from(user, None), home="T0ROTAKEY", domains=()) is not None


def test_a_plain_member_is_one() -> None:
    assert not refused()
    assert not refused(is_stranger=False, is_invited_user=False)


@pytest.mark.parametrize("unsaid", sorted(PLAIN.keys() - {"id", "name"}))
def test_what_is_not_said_counts_against(unsaid: str) -> None:
    assert refused(**{unsaid: None})


@pytest.mark.parametrize(
    "said",
    [
        {"deleted": True},
        {"is_bot": True},
        {"is_restricted": True},
        {"is_ultra_restricted": True},
        {"is_invited_user": True},
        {"is_stranger": True},
        {"is_email_confirmed": False},
        {"team_id": "T9EVIL"},
        {"profile": {"email": " "}},
    ],
)
def test_what_is_said_against(said: dict[str, Any]) -> None:
    assert refused(**said)


def test_people_of_an_organisation_are_at_home_where_it_has_them() -> None:
    home = Home(team="T0ROTAKEY", enterprise="E1", bot_user="U0ROTAKEY")

    def team(enterprise: str, *teams: str) -> str:
        belongs = {"enterprise_id": enterprise, "teams": list(teams)}
        return person_from(PLAIN | {"team_id": "T2", "enterprise_user": belongs}, home).team

    assert team("E1", "T2", "T0ROTAKEY") == "T0ROTAKEY"
    assert team("E1", "T2") == "T2"
    assert team("E9", "T2", "T0ROTAKEY") == "T2"


class TerseSlack(SlackDirectory):
    """A Slack that lists groups without all of their members, and other teams' groups too."""

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        super().__init__(WebClient(token="none"))
        self._groups = groups
        self.asked: list[str] = []

    def _ask(self, method: str, arguments: Any, deadline: Deadline) -> dict[str, Any]:
        self.asked.append(method)
        return {"usergroups": self._groups} if method == "usergroups.list" else {"users": [BOB, CAROL]}


def test_members_that_did_not_come_along_are_asked_for() -> None:
    slack = TerseSlack([{"id": "S1", "handle": "DBA", "users": [BOB], "user_count": 2}])
    assert slack.groups(["slack/dba"], soon())["slack/dba"].members == (BOB, CAROL)
    assert slack.asked == ["usergroups.list", "usergroups.users.list"]


def test_nobody_of_another_organisations_group_is_taken_in() -> None:
    external = {"id": "S1", "handle": "dba", "users": [EVE], "user_count": 1, "is_external": True}
    assert TerseSlack([external]).groups(["slack/dba"], soon()) == {}
    ours = external | {"is_external": False, "date_delete": 0}
    assert TerseSlack([ours]).groups(["slack/dba"], soon())["slack/dba"].members == (EVE,)


def test_a_group_that_was_deleted_has_no_members() -> None:
    deleted = {"id": "S1", "handle": "dba", "users": [EVE], "user_count": 1, "date_delete": 1_700_000_000}
    assert TerseSlack([deleted]).groups(["slack/dba"], soon()) == {}
