"""Slack's facts about the app that our tokens belong to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.doubles.slack import Channel, Server, Workspace, serve
from bot.ports.deadline import Deadline
from bot.ports.slack import AppFacts
from bot.slack.api.app import SlackApp
from bot.slack.api.manifest import scopes
from tests.slack.conftest import APP_TOKEN, BOT_TOKEN, MANIFEST, SIGNING_SECRET


def soon() -> Deadline:
    return Deadline.after(10)


def app(server: Server, bot_token: str = BOT_TOKEN, app_token: str = APP_TOKEN) -> SlackApp:
    return SlackApp(WebClient(token=bot_token, base_url=server.api_url), app_token)


@contextmanager
def installed_with(*names: str) -> Iterator[SlackApp]:
    """Install the app with other scopes than the manifest asks for."""
    manifest: dict[str, Any] = {**MANIFEST, "oauth_config": {"scopes": {"bot": [*names]}}}
    made = Workspace(manifest, bot_token=BOT_TOKEN, signing_secret=SIGNING_SECRET, app_token=APP_TOKEN)
    us = made.app.user_id
    made.add_channel(Channel(id="C01DB", name="db-access", members=(us,)))
    made.add_channel(Channel(id="C02OPS", name="ops", members=(us,), private=True))
    made.add_channel(Channel(id="C03OLD", name="old", members=(us,), archived=True))
    made.add_channel(Channel(id="C04ELSE", name="elsewhere", members=()))
    for n in range(250):
        made.add_channel(Channel(id=f"C1{n:03}", name=f"team-{n}", members=(us,)))
    with closing(made), closing(serve(made)) as server:
        yield app(server)


def test_who_it_is_and_what_it_may(workspace: Workspace, server: Server) -> None:
    team = workspace.app.team
    assert app(server).facts(soon()) == AppFacts(
        team=team.id, workspace=team.name, name="rotakey", scopes=frozenset(scopes())
    )


def test_a_token_that_is_none(server: Server) -> None:
    with pytest.raises(PermanentFailure, match="invalid_auth: check SLACK_BOT_TOKEN"):
        app(server, bot_token="xoxb-wrong").facts(soon())


def test_slack_is_away(workspace: Workspace, server: Server) -> None:
    workspace.faults.down = True
    for asked in (app(server).facts, app(server).channels, app(server).socket):
        with pytest.raises(TemporaryFailure):
            asked(soon())


def test_scopes_that_were_taken_away_are_seen() -> None:
    with installed_with("commands", "chat:write") as it:
        assert it.facts(soon()).scopes == frozenset({"commands", "chat:write"})


def test_where_it_may_not_know_it_says_so() -> None:
    for names in (scopes(), (*scopes(), "channels:read")):
        with installed_with(*names) as it:
            assert it.channels(soon()) is None


def test_all_channels_it_is_in_by_id_and_by_name() -> None:
    with installed_with("channels:read", "groups:read") as it:
        found = it.channels(soon())
    assert found is not None
    assert {"C01DB", "#db-access", "C02OPS", "#ops", "C1249", "#team-249"} <= found
    assert not {"#old", "#elsewhere"} & found


def test_a_socket_would_be_opened_to_the_right_token_only(server: Server) -> None:
    app(server).socket(soon())
    with pytest.raises(PermanentFailure, match="invalid_auth"):
        app(server, app_token="xapp-wrong").socket(soon())
