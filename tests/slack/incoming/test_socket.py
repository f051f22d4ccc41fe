"""In Socket Mode, the bot connects, and connects again when the connection is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bot.doubles.slack import Server, Workspace
from bot.slack.incoming.listeners import SlackSettings, build
from bot.slack.incoming.socket import SocketConnection
from bot.testing.polling import until
from tests.slack.conftest import APP_TOKEN, BOT_TOKEN
from tests.slack.rig import Rig, rig
from tests.slack.scenes import ADA


@pytest.fixture
def it(workspace: Workspace, server: Server) -> Iterator[Rig]:
    with rig(workspace, server) as made:
        workspace.connect(None)
        yield made


@pytest.fixture
def connect(it: Rig, server: Server) -> Iterator[Callable[[str], SocketConnection]]:
    made: list[SocketConnection] = []

    def connected(app_token: str = APP_TOKEN) -> SocketConnection:
        app = build(it.context, SlackSettings(token=BOT_TOKEN, api_url=server.api_url))
        made.append(SocketConnection(app, app_token))
        return made[0]

    yield connected
    for each in made:
        each.close()


def test_ada_is_answered_over_the_socket(it: Rig, connect: Callable[[], SocketConnection]) -> None:
    connection = connect()
    until(lambda: connection.trouble is None and it.workspace.sockets.connections > 0)
    assert it.types(ADA, "mine") == "You have no access right now, and no open requests."


def test_slack_is_down_at_the_start_and_comes_back(it: Rig, connect: Callable[[], SocketConnection]) -> None:
    it.workspace.faults.down = True
    connection = connect()
    until(lambda: "Slack answers 503" in (connection.trouble or ""))
    it.workspace.faults.down = False
    until(lambda: connection.trouble is None and it.workspace.sockets.connections > 0)
    assert it.types(ADA, "mine") == "You have no access right now, and no open requests."


def test_a_lost_connection_is_made_again(it: Rig, connect: Callable[[], SocketConnection]) -> None:
    connection = connect()
    until(lambda: connection.trouble is None and it.workspace.sockets.connections > 0)
    it.workspace.sockets.close()
    until(lambda: connection.trouble is not None)
    until(lambda: connection.trouble is None)


def test_a_wrong_token_is_named(it: Rig, connect: Callable[[str], SocketConnection]) -> None:
    connection = connect("xapp-wrong")
    expected = "Socket Mode: Slack answers invalid_auth; check SLACK_APP_TOKEN"
    until(lambda: connection.trouble == expected)
