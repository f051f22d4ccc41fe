"""The same bot in Socket Mode, with the stock builtin handler."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from websockets.sync.client import connect

from bot.doubles.slack import Workspace, serve
from bot.testing.polling import until
from tests.doubles.slack.tiny_bot import (
    ADA,
    APP_TOKEN,
    BOB,
    BOT_TOKEN,
    CARD,
    CHANNEL,
    FORM,
    bolt_app,
    inhabited,
)


@pytest.fixture
def workspace() -> Workspace:
    return inhabited()


@pytest.fixture
def app(workspace: Workspace) -> Iterator[App]:
    """Yield a connected app; each test adds its listeners before anybody does anything."""
    server = serve(workspace)
    app = bolt_app(server.api_url)
    handler = SocketModeHandler(app, APP_TOKEN, trace_enabled=False)
    handler.connect()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped
    until(lambda: workspace.sockets.connections == 1)
    yield app
    handler.client.auto_reconnect_enabled = False
    workspace.close()
    until(lambda: not handler.client.is_connected())
    handler.close()  # type: ignore[no-untyped-call]  # slack_bolt leaves it untyped
    server.close()


def test_the_whole_story_over_a_socket(workspace: Workspace, app: App) -> None:
    @app.command("/access")
    def ask(ack: Any, client: Any, command: Any) -> None:
        client.chat_postMessage(channel=CHANNEL, text="Ada asks", blocks=CARD)
        client.views_open(trigger_id=command["trigger_id"], view=FORM)
        ack(f"Asked for {command['text']}")

    @app.action("approve")
    def approve(ack: Any, client: Any, body: Any) -> None:
        at = body["container"]
        client.chat_update(channel=at["channel_id"], ts=at["message_ts"], text="Approved")
        ack()

    @app.view("ask")
    def complain(ack: Any) -> None:
        ack(response_action="errors", errors={"reason": "Say more"})

    @app.event("app_home_opened")
    def opened(event: Any, client: Any) -> None:
        client.views_publish(user_id=event["user"], view={"type": "home", "blocks": CARD})

    assert workspace.type_command(ADA, CHANNEL, "/access", "prod-db").text == "Asked for prod-db"
    (card,) = workspace.messages(CHANNEL)
    assert workspace.click(BOB, CHANNEL, card.ts, "approve").ok
    assert [each.text for each in workspace.messages(CHANNEL)] == ["Approved"]
    workspace.submit_view(ADA, {"reason": {"text": "because"}})
    assert workspace.state(ADA)["view"]["errors"] == {"reason": "Say more"}
    assert workspace.open_home(BOB).ok
    until(lambda: workspace.home(BOB) is not None)


def test_an_error_in_a_listener_is_a_timeout_for_the_typist(workspace: Workspace, app: App) -> None:
    workspace.faults.patience = 0.2

    @app.command("/access")
    def broken(ack: Any) -> None:
        raise RuntimeError("boom")

    failed = workspace.type_command(ADA, CHANNEL, "/access")
    assert failed.text == '/access failed with the error "operation_timeout"'


def test_slack_refreshes_the_connection_and_the_bot_comes_back(workspace: Workspace, app: App) -> None:
    app.command("/access")(lambda ack: ack("still here"))
    workspace.sockets.refresh()
    workspace.faults.patience = 0.5

    until(lambda: workspace.type_command(ADA, CHANNEL, "/access").text == "still here")
    opened = [each for each in workspace.calls if each.method == "apps.connections.open"]
    assert len(opened) > 1


def test_ten_connections_and_no_more(workspace: Workspace) -> None:
    links = [ExitStack() for _ in range(11)]
    greetings = []
    for link in links:
        connection = link.enter_context(connect(workspace.sockets.open()))
        greetings.append(json.loads(connection.recv()))
    counted = [each.get("num_connections") for each in greetings]
    assert counted == [*range(1, 11), None]
    assert greetings[10] == {"type": "disconnect", "reason": "too_many_websockets"}

    with connect(workspace.sockets.open().replace("ticket=", "ticket=x")) as uninvited:
        refusal = json.loads(uninvited.recv())
    assert refusal == {"type": "disconnect", "reason": "link_disabled"}
    for link in links:
        link.close()
    workspace.close()


def test_a_socket_needs_the_apps_own_token(workspace: Workspace) -> None:
    server = serve(workspace)
    client = WebClient(token=BOT_TOKEN, base_url=server.api_url)

    with pytest.raises(SlackApiError, match="not_allowed_token_type"):
        client.apps_connections_open(app_token=BOT_TOKEN)
    assert client.apps_connections_open(app_token=APP_TOKEN)["url"].startswith("ws://127.0.0.1:")
    workspace.close()
    server.close()
