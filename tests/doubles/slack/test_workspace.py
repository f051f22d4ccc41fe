"""A stock slack_bolt app works in the simulated workspace as it would in Slack, over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest
from slack_bolt import App
from slack_sdk.errors import SlackApiError

from bot.doubles.slack import ImpossibleError, Server, Workspace, serve
from tests.doubles.slack.tiny_bot import ADA, BOB, CARD, CAROL, CHANNEL, FORM, bolt_app, inhabited, listening


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    workspace = inhabited()
    yield workspace
    workspace.close()


@pytest.fixture
def server(workspace: Workspace) -> Iterator[Server]:
    server = serve(workspace)
    yield server
    server.close()


@pytest.fixture
def app(workspace: Workspace, server: Server) -> Iterator[App]:
    app = bolt_app(server.api_url)
    with listening(app) as url:
        workspace.connect(url)
        yield app


def test_ada_asks_bob_approves_and_the_card_says_so(workspace: Workspace, app: App) -> None:
    @app.command("/access")
    def ask(ack: Any, client: Any, command: Any) -> None:
        posted = client.chat_postMessage(channel="#db-access", text="Ada asks", blocks=CARD)
        ack(f"Asked for {command['text']} in <#{posted['channel']}>")

    @app.action("approve")
    def approve(ack: Any, client: Any, body: Any) -> None:
        where = body["container"]
        client.chat_update(
            channel=where["channel_id"],
            ts=where["message_ts"],
            text=f"Approved by {body['user']['id']}: {body['actions'][0]['value']}",
            blocks=[],
        )
        ack()

    asked = workspace.type_command(ADA, CHANNEL, "/access", "request prod-db")
    assert (asked.status, asked.text) == (200, f"Asked for request prod-db in <#{CHANNEL}>")

    (card,) = workspace.messages(CHANNEL)
    assert card.text == "Ada asks"
    clicked = workspace.click(BOB, CHANNEL, card.ts, "approve")

    assert clicked.ok
    (card,) = workspace.messages(CHANNEL)
    assert card.text == f"Approved by {BOB}: k3f9"
    with pytest.raises(ImpossibleError):
        workspace.click(BOB, CHANNEL, card.ts, "approve")


def test_the_answer_to_a_command_is_seen_by_its_typist_only(workspace: Workspace, app: App) -> None:
    @app.command("/access")
    def help_out(ack: Any) -> None:
        ack("Try /access request prod-db")

    workspace.type_command(ADA, CHANNEL, "/access", "help")

    assert workspace.messages(CHANNEL) == []
    assert [each.text for each in workspace.ephemerals(ADA)] == ["Try /access request prod-db"]
    assert workspace.ephemerals(BOB) == []
    (channel, _) = workspace.state(ADA)["channels"]
    assert [(m["text"], m["command"], m["ephemeral"]) for m in channel["messages"]] == [
        ("/access help", True, True),
        ("Try /access request prod-db", False, True),
    ]
    assert workspace.state(BOB)["channels"][0]["messages"] == []


def test_a_form_opens_complains_and_closes(workspace: Workspace, app: App) -> None:
    @app.command("/access")
    def form(ack: Any, client: Any, command: Any) -> None:
        client.views_open(trigger_id=command["trigger_id"], view=FORM)
        ack()

    @app.view("ask")
    def submitted(ack: Any, view: Any) -> None:
        reason = view["state"]["values"]["reason"]["text"]["value"]
        if len(reason) < 5:
            ack(response_action="errors", errors={"reason": "Say a little more"})
        else:
            ack()

    workspace.type_command(ADA, CHANNEL, "/access", "request")
    shown = workspace.view(ADA)
    assert shown is not None
    assert shown.given["title"]["text"] == "Ask for access"

    workspace.submit_view(ADA, {"reason": {"text": ""}})
    assert workspace.state(ADA)["view"]["errors"] == {"reason": "Please complete this required field."}
    workspace.submit_view(ADA, {"reason": {"text": "hm"}})
    assert workspace.state(ADA)["view"]["errors"] == {"reason": "Say a little more"}

    workspace.submit_view(ADA, {"reason": {"text": "orders are stuck"}})
    assert workspace.view(ADA) is None


def test_the_home_tab_is_published_when_looked_at_and_its_buttons_work(
    workspace: Workspace, app: App
) -> None:
    heard = []

    @app.event("app_home_opened")
    def opened(event: Any, client: Any) -> None:
        client.views_publish(user_id=event["user"], view={"type": "home", "blocks": CARD})

    @app.action("approve")
    def approve(ack: Any, body: Any) -> None:
        heard.append((body["user"]["id"], body["view"]["type"], body["actions"][0]["value"]))
        ack()

    assert workspace.open_home(CAROL).ok
    home = workspace.home(CAROL)
    assert home is not None
    assert home.blocks[1]["elements"][0]["action_id"] == "approve"

    workspace.click_home(CAROL, "approve")
    assert heard == [(CAROL, "home", "k3f9")]


def test_a_dm_is_opened_by_writing_to_a_person(workspace: Workspace, app: App) -> None:
    posted = app.client.chat_postMessage(channel=ADA, text="Your shift began")

    assert posted["channel"] == "D02ADA"
    app.client.chat_update(channel=posted["channel"], ts=posted["ts"], text="Your shift ended")
    assert [each.text for each in workspace.dm(ADA)] == ["Your shift ended"]
    with pytest.raises(SlackApiError, match="channel_not_found"):
        app.client.chat_update(channel=ADA, ts=posted["ts"], text="by person, not by channel")
