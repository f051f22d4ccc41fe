"""Requests that the simulated Slack sends to a bot: payloads, signatures, retries, and missing answers."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs

import flask
import pytest
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier
from slack_sdk.webhook import WebhookClient

from bot.doubles.slack import Channel, ImpossibleError, Json, Person, Workspace, serve
from bot.doubles.slack.delivery import signature
from bot.testing.polling import until
from tests.doubles.slack.tiny_bot import (
    ADA,
    APPROVE,
    BOB,
    BOT_TOKEN,
    CARD,
    CAROL,
    CHANNEL,
    FORM,
    MANIFEST,
    SIGNING_SECRET,
    bolt_app,
    inhabited,
    listening,
    served,
    with_events,
)


class Ear:
    """A bare bot that records what it hears, and answers as told."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answer: Any = ("", 200)

    def __call__(self) -> Any:
        self.heard.append((dict(flask.request.headers), flask.request.get_data()))
        return self.answer

    def fields(self, number: int = -1) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.text(number)).items()}

    def payload(self, number: int = -1) -> Json:
        payload: Json = json.loads(self.fields(number)["payload"])
        return payload

    def text(self, number: int = -1) -> str:
        return self.heard[number][1].decode()


@contextmanager
def heard_by(ear: Ear, workspace: Workspace) -> Iterator[WebClient]:
    server = serve(workspace)
    try:
        with served(ear) as url:
            workspace.connect(url)
            yield WebClient(token=BOT_TOKEN, base_url=server.api_url)
    finally:
        server.close()
        workspace.close()


@pytest.fixture
def workspace() -> Workspace:
    return inhabited(with_events("app_home_opened", "team_join", "user_change"))


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def client(ear: Ear, workspace: Workspace) -> Iterator[WebClient]:
    with heard_by(ear, workspace) as client:
        yield client


def test_signatures_are_slacks() -> None:
    body = b"command=%2Faccess&text=request+prod-db+12h"
    assert signature("s3cr3t", "1700000000", body) == (
        "v0=8d59300475d1d9e9810d9435198d91d40cf18c4726a1da5ca0c9c55b706dec04"
    )


def test_a_command_as_slack_sends_it(client: WebClient, workspace: Workspace, ear: Ear) -> None:
    workspace.type_command(ADA, CHANNEL, "/access", "request prod-db")

    headers, body = ear.heard[0]
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert SignatureVerifier(SIGNING_SECRET).is_valid_request(body, headers)
    fields = ear.fields()
    assert fields.pop("response_url").startswith(workspace.url + "/respond/")
    assert fields.pop("trigger_id").startswith("1337.")
    fields.pop("token")
    assert fields == {
        "team_id": "T0ROTAKEY",
        "team_domain": "example",
        "channel_id": CHANNEL,
        "channel_name": "db-access",
        "user_id": ADA,
        "user_name": "ada",
        "command": "/access",
        "text": "request prod-db",
        "api_app_id": "A0ROTAKEY",
        "is_enterprise_install": "false",
    }


def test_names_and_links_are_escaped_where_the_manifest_says_so(
    client: WebClient, workspace: Workspace, ear: Ear
) -> None:
    typed = "revoke @ada @dba @nobody a@ada #db-access #no <b> & https://example.com/x"
    workspace.type_command(ADA, CHANNEL, "/access", typed)
    assert ear.fields()["text"] == (
        "revoke <@U02ADA|ada> <!subteam^S01DBA|@dba> @nobody a@ada <#C01DB|db-access> #no"
        " &lt;b&gt; &amp; <https://example.com/x>"
    )

    command = {**MANIFEST["features"]["slash_commands"][0], "should_escape": False}
    features = {**MANIFEST["features"], "slash_commands": [command]}
    plain = inhabited({**MANIFEST, "features": features})
    with heard_by(ear, plain):
        plain.type_command(ADA, CHANNEL, "/access", typed)
    assert ear.fields()["text"] == typed


def test_where_a_command_was_typed(client: WebClient, workspace: Workspace, ear: Ear) -> None:
    workspace.add_channel(Channel(id="C03SEC", name="secret", members=(ADA,), private=True))
    workspace.type_command(ADA, "D02ADA", "/access")
    workspace.type_command(ADA, "C03SEC", "/access")

    assert [ear.fields(0)["channel_name"], ear.fields(1)["channel_name"]] == [
        "directmessage",
        "privategroup",
    ]


def test_what_slacks_window_does_not_offer(client: WebClient, workspace: Workspace) -> None:
    ts = client.chat_postMessage(channel=CHANNEL, text="Ada asks", blocks=CARD)["ts"]
    psst = client.chat_postEphemeral(channel=CHANNEL, user=ADA, text="x", blocks=CARD)
    workspace.deactivate(BOB)

    with pytest.raises(ImpossibleError, match="/nope is not a valid command"):
        workspace.type_command(ADA, CHANNEL, "/nope")
    with pytest.raises(ImpossibleError, match="does not see"):
        workspace.type_command(CAROL, CHANNEL, "/access")
    with pytest.raises(ImpossibleError, match="not in this workspace"):
        workspace.type_command(BOB, CHANNEL, "/access")
    with pytest.raises(ImpossibleError, match="does not see"):
        workspace.click(CAROL, CHANNEL, ts, "approve")
    with pytest.raises(ImpossibleError, match="there is no 'deny'"):
        workspace.click(ADA, CHANNEL, ts, "deny")
    with pytest.raises(ImpossibleError, match="there is no 'approve'"):
        workspace.click(ADA, CHANNEL, ts, "approve", value="another")
    workspace.invite(CHANNEL, CAROL)
    with pytest.raises(ImpossibleError, match="that message is not there"):
        workspace.click(CAROL, CHANNEL, psst["message_ts"], "approve")
    with pytest.raises(ImpossibleError, match="nothing is open"):
        workspace.submit_view(ADA)
    with pytest.raises(ImpossibleError, match="nothing is open"):
        workspace.click_home(ADA, "approve")
    unscoped = {**MANIFEST, "oauth_config": {"scopes": {"bot": ["chat:write"]}}}
    with pytest.raises(ImpossibleError, match="/access is not a valid command"):
        inhabited(unscoped).type_command(ADA, CHANNEL, "/access")


def test_a_click_as_slack_sends_it(client: WebClient, workspace: Workspace, ear: Ear) -> None:
    ts = client.chat_postMessage(channel=CHANNEL, text="Ada asks", blocks=CARD)["ts"]
    assert workspace.click(BOB, CHANNEL, ts, "approve").ok

    payload = ear.payload()
    (action,) = payload["actions"]
    assert action.pop("action_ts")
    assert action == {**APPROVE, "block_id": "verdict"}
    assert payload["user"] == {
        "id": BOB,
        "username": "bob",
        "name": "bob",
        "team_id": "T0ROTAKEY",
    }
    assert payload["container"] == {
        "type": "message",
        "message_ts": ts,
        "channel_id": CHANNEL,
        "is_ephemeral": False,
    }
    assert payload["channel"] == {"id": CHANNEL, "name": "db-access"}
    assert payload["message"]["blocks"][1]["elements"] == [APPROVE]
    assert payload["response_url"].startswith(workspace.url)
    assert payload["trigger_id"]


def test_a_stranger_clicks_in_a_shared_channel(client: WebClient, workspace: Workspace, ear: Ear) -> None:
    workspace.add_person(Person(id="U09EVE", name="eve", team_id="T09ELSE", is_stranger=True))
    workspace.invite(CHANNEL, "U09EVE")
    ts = client.chat_postMessage(channel=CHANNEL, text="Ada asks", blocks=CARD)["ts"]
    workspace.click("U09EVE", CHANNEL, ts, "approve")

    assert ear.payload()["user"]["team_id"] == "T09ELSE"
    assert ear.payload()["team"]["id"] == "T0ROTAKEY"


def test_of_an_ephemeral_message_only_the_container_is_sent(
    client: WebClient, workspace: Workspace, ear: Ear
) -> None:
    client.chat_postEphemeral(channel=CHANNEL, user=ADA, text="x", blocks=CARD)
    (shown,) = workspace.ephemerals(ADA)
    workspace.click(ADA, CHANNEL, shown.ts, "approve")

    assert ear.payload()["container"]["is_ephemeral"] is True
    assert "message" not in ear.payload()


def test_a_choice_is_remembered_until_the_button_is_pressed(
    client: WebClient, workspace: Workspace, ear: Ear
) -> None:
    hours = [{"text": {"type": "plain_text", "text": f"{n} hours"}, "value": f"{n}h"} for n in (1, 4)]
    lengths = {"type": "static_select", "action_id": "length", "options": hours}
    blocks = [{"type": "actions", "block_id": "verdict", "elements": [lengths, APPROVE]}]
    ts = client.chat_postMessage(channel=CHANNEL, text="Ada asks", blocks=blocks)["ts"]
    with pytest.raises(ImpossibleError, match="'9h' is not among the options"):
        workspace.click(BOB, CHANNEL, ts, "length", value="9h")
    workspace.click(BOB, CHANNEL, ts, "length", value="4h")
    workspace.click(BOB, CHANNEL, ts, "approve")

    assert ear.payload(0)["actions"][0]["selected_option"] == hours[1]
    chosen = ear.payload(1)["state"]["values"]["verdict"]["length"]
    assert chosen["selected_option"] == hours[1]


def test_of_two_buttons_the_value_says_which(client: WebClient, workspace: Workspace, ear: Ear) -> None:
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": v}, "accessory": {**APPROVE, "value": v}}
        for v in ("first", "second")
    ]
    ts = client.chat_postMessage(channel=CHANNEL, text="two", blocks=blocks)["ts"]
    workspace.click(BOB, CHANNEL, ts, "approve", value="second")

    assert ear.payload()["actions"][0]["value"] == "second"


@pytest.mark.parametrize(
    ("answer", "seen", "where"),
    [
        (("Done.", 200), "Done.", "ephemeral"),
        (({"text": "Done."}, 200), "Done.", "ephemeral"),
        (({"response_type": "in_channel", "text": "Done."}, 200), "Done.", "in_channel"),
        (("", 500), '/access failed with the error "dispatch_failed"', "ephemeral"),
        (("{no json", 200, {"Content-Type": "application/json"}), "{no json", "ephemeral"),
        (('{"text": "no"}', 200, {"Content-Type": "text/plain"}), '{"text": "no"}', "ephemeral"),
        (("no", 404), '/access failed with the error "dispatch_failed"', "ephemeral"),
        (
            ({"text": "x", "blocks": [{"type": "banner"}]}, 200),
            '/access failed with the error "invalid_command_response"',
            "ephemeral",
        ),
    ],
)
def test_what_the_typist_sees(
    client: WebClient, workspace: Workspace, ear: Ear, answer: Any, seen: str, where: str
) -> None:
    ear.answer = answer
    reply = workspace.type_command(ADA, CHANNEL, "/access", "done")

    assert (reply.status, reply.text, reply.response_type) == (answer[1], seen, where)
    in_channel = [each.text for each in workspace.messages(CHANNEL)]
    privately = [each.text for each in workspace.ephemerals(ADA)]
    if where == "in_channel":
        assert (in_channel, privately) == (["/access done", "Done."], [])
    else:
        assert (in_channel, privately) == ([], [seen])


def test_an_empty_answer_says_nothing(client: WebClient, workspace: Workspace) -> None:
    assert workspace.type_command(ADA, CHANNEL, "/access").text == ""
    assert workspace.ephemerals(ADA) == []


def test_a_bot_that_is_too_slow_or_not_there(workspace: Workspace, ear: Ear) -> None:
    ear.answer = None
    workspace.faults.patience = 0.2
    stuck = Event()

    def sleepy() -> Any:
        stuck.wait(10)
        return "too late"

    with served(sleepy) as url:
        workspace.connect(url)
        slow = workspace.type_command(ADA, CHANNEL, "/access")
        stuck.set()
    gone = workspace.type_command(ADA, CHANNEL, "/access")

    assert slow.text == '/access failed with the error "operation_timeout"'
    assert gone.text == '/access failed with the error "dispatch_failed"'
    assert [each.user for each in workspace.ephemerals(ADA)] == ["USLACKBOT", "USLACKBOT"]


def test_everything_arrives_twice_when_asked_to(client: WebClient, workspace: Workspace, ear: Ear) -> None:
    workspace.faults.twice = True
    workspace.type_command(ADA, CHANNEL, "/access", "request prod-db")

    assert len(ear.heard) == 2
    assert ear.heard[0][1] == ear.heard[1][1]


def test_bolt_turns_away_what_is_forged_or_stale(workspace: Workspace) -> None:
    server = serve(workspace)
    app = bolt_app(server.api_url)
    app.command("/access")(lambda ack: ack("welcome"))
    with listening(app) as url:
        workspace.connect(url)
        welcome = workspace.type_command(ADA, CHANNEL, "/access")
        workspace.faults.forged = True
        forged = workspace.type_command(ADA, CHANNEL, "/access")
        workspace.faults.forged = False
        workspace.faults.late_by = 301
        stale = workspace.type_command(ADA, CHANNEL, "/access")
    server.close()

    assert [welcome.status, forged.status, stale.status] == [200, 401, 401]


def test_events_are_sent_again_until_heard(client: WebClient, workspace: Workspace, ear: Ear) -> None:
    workspace.faults.retry_pauses = (0.0, 0.0, 0.0)
    ear.answer = ("", 500)
    assert not workspace.open_home(ADA).ok

    until(lambda: len(ear.heard) == 4)
    numbers = [headers.get("X-Slack-Retry-Num") for headers, _ in ear.heard]
    assert numbers == [None, "1", "2", "3"]
    assert ear.heard[3][0]["X-Slack-Retry-Reason"] == "http_error"
    assert len({json.loads(body)["event_id"] for _, body in ear.heard}) == 1


def test_an_event_as_slack_sends_it(client: WebClient, workspace: Workspace, ear: Ear) -> None:
    assert workspace.deactivate(BOB).ok

    sent = json.loads(ear.text())
    assert (sent["type"], sent["team_id"]) == ("event_callback", "T0ROTAKEY")
    assert sent["event_id"].startswith("Ev")
    assert sent["event"]["type"] == "user_change"
    assert sent["event"]["user"]["deleted"] is True
    assert ear.heard[0][0]["Content-Type"] == "application/json"

    assert workspace.tell({"type": "team_join", "user": {"id": CAROL}}).status == 200
    assert json.loads(ear.text())["event"]["user"] == {"id": CAROL}
    workspace.tell({"type": "channel_rename"})
    assert len(ear.heard) == 2


def test_the_home_event_carries_the_home(client: WebClient, workspace: Workspace, ear: Ear) -> None:
    workspace.open_home(ADA)
    assert "view" not in json.loads(ear.text())["event"]
    client.views_publish(user_id=ADA, view={"type": "home", "blocks": CARD})
    workspace.open_home(ADA)
    event = json.loads(ear.text())["event"]
    assert (event["channel"], event["tab"], event["view"]["type"]) == ("D02ADA", "home", "home")


def test_a_response_url_works_five_times(client: WebClient, workspace: Workspace, ear: Ear) -> None:
    workspace.type_command(CAROL, "D04CAROL", "/access", "request prod-db")
    url = WebhookClient(ear.fields()["response_url"])

    answers = [url.send(text=f"step {number}") for number in range(1, 7)]

    assert [each.status_code for each in answers] == [200] * 5 + [404]
    assert json.loads(answers[5].body) == {"ok": False, "error": "used_url"}
    assert [each.text for each in workspace.ephemerals(CAROL)] == [f"step {number}" for number in range(1, 6)]


def test_a_response_url_works_for_half_an_hour(ear: Ear) -> None:
    now = [1_763_719_200.0]
    workspace = inhabited(clock=lambda: now[0])
    with heard_by(ear, workspace):
        workspace.type_command(ADA, CHANNEL, "/access")
        url = WebhookClient(ear.fields()["response_url"])
        assert url.send(text="in time").status_code == 200
        now[0] += 30 * 60
        assert json.loads(url.send(text="late").body)["error"] == "expired_url"


def test_a_response_url_replaces_and_deletes_the_message_it_came_from(
    client: WebClient, workspace: Workspace, ear: Ear
) -> None:
    client.chat_postEphemeral(channel=CHANNEL, user=ADA, text="x", blocks=CARD)
    (shown,) = workspace.ephemerals(ADA)
    workspace.click(ADA, CHANNEL, shown.ts, "approve")
    url = WebhookClient(ear.payload()["response_url"])

    assert url.send(text="aside").status_code == 200
    assert url.send(text="Approved", replace_original=True).status_code == 200
    first, second = workspace.ephemerals(ADA)
    assert (first.ts, first.text, first.blocks, second.text) == (shown.ts, "Approved", [], "aside")

    assert url.send(text="for all", response_type="in_channel").status_code == 200
    assert [each.text for each in workspace.messages(CHANNEL)] == ["for all"]
    assert url.send(delete_original=True).status_code == 200
    assert [each.text for each in workspace.ephemerals(ADA)] == ["aside"]
    again = url.send(text="too late", replace_original=True)
    assert (again.status_code, json.loads(again.body)["error"]) == (400, "message_not_found")


def test_a_response_url_refuses_blocks_that_are_wrong(
    client: WebClient, workspace: Workspace, ear: Ear
) -> None:
    workspace.type_command(ADA, CHANNEL, "/access")
    url = WebhookClient(ear.fields()["response_url"])
    wrong = url.send(blocks=[{"type": "banner"}])
    assert (wrong.status_code, json.loads(wrong.body)["error"]) == (400, "invalid_blocks")


def test_a_response_url_takes_objects_only(client: WebClient, workspace: Workspace, ear: Ear) -> None:
    workspace.type_command(ADA, CHANNEL, "/access")
    for body in (b"no json", b"[1]"):
        with pytest.raises(HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(ear.fields()["response_url"], body))
        assert caught.value.code == 400
        caught.value.close()


@pytest.fixture
def form(client: WebClient, workspace: Workspace) -> str:
    view = client.views_open(trigger_id=workspace.tokens.trigger(ADA), view=FORM)["view"]
    return str(view["id"])


def test_a_submission_as_slack_sends_it(workspace: Workspace, ear: Ear, client: WebClient, form: str) -> None:
    workspace.submit_view(ADA, {"reason": {"text": "orders are stuck"}})

    payload = ear.payload()
    assert (payload["type"], payload["user"]["id"]) == ("view_submission", ADA)
    assert (payload["view"]["id"], payload["view"]["callback_id"]) == (form, "ask")
    assert payload["view"]["state"]["values"] == {
        "reason": {"text": {"type": "plain_text_input", "value": "orders are stuck"}}
    }
    assert "response_url" not in payload
    assert workspace.view(ADA) is None


TITLED = {**FORM, "title": {"type": "plain_text", "text": "Another"}}


@pytest.mark.parametrize(
    ("answer", "titles", "errors"),
    [
        ({"response_action": "clear"}, [], None),
        ({"response_action": "update", "view": TITLED}, ["Another"], {}),
        ({"response_action": "push", "view": TITLED}, ["Ask for access", "Another"], {}),
        ({"response_action": "errors", "errors": {"reason": "More"}}, None, {"reason": "More"}),
        ({"response_action": "errors", "errors": {"typo": "More"}}, None, "trouble"),
        ({"response_action": "errors", "errors": {}}, None, "trouble"),
        ({"response_action": "update", "view": {"type": "modal"}}, None, "trouble"),
        ({"response_action": "dance"}, None, "trouble"),
        (("", 500), None, "trouble"),
    ],
)
def test_what_a_submission_leads_to(
    workspace: Workspace, ear: Ear, form: str, answer: Any, titles: Any, errors: Any
) -> None:
    ear.answer = answer
    workspace.submit_view(ADA, {"reason": {"text": "orders are stuck"}})

    stack = workspace.memory.modals[ADA]
    shown = [view.given["title"]["text"] for view in stack]
    assert shown == (["Ask for access"] if titles is None else titles)
    trouble = {"": "We had some trouble connecting. Try again?"}
    assert (stack[-1].errors if stack else None) == (trouble if errors == "trouble" else errors)


def test_closing_is_told_to_who_wants_to_know(client: WebClient, workspace: Workspace, ear: Ear) -> None:
    tokens = workspace.tokens
    client.views_open(trigger_id=tokens.trigger(ADA), view=FORM)
    workspace.close_view(ADA)
    assert ear.heard == []

    watched = {**FORM, "notify_on_close": True, "clear_on_close": True}
    client.views_open(trigger_id=tokens.trigger(ADA), view=FORM)
    client.views_push(trigger_id=tokens.trigger(ADA), view=watched)
    workspace.close_view(ADA)
    assert (ear.payload()["type"], ear.payload()["is_cleared"]) == ("view_closed", True)
    assert workspace.view(ADA) is None


def test_every_kind_of_input_has_its_state(client: WebClient, workspace: Workspace, ear: Ear) -> None:
    choices = [{"text": {"type": "plain_text", "text": v}, "value": v} for v in ("a", "b")]
    kinds: dict[str, tuple[Json, Any, Any]] = {
        "static_select": ({"options": choices, "initial_option": choices[0]}, None, choices[0]),
        "radio_buttons": ({"options": choices}, "b", choices[1]),
        "checkboxes": ({"options": choices}, ["a", "b"], choices),
        "multi_static_select": ({"options": choices}, [], []),
        "users_select": ({}, BOB, BOB),
        "multi_users_select": ({}, [ADA, BOB], [ADA, BOB]),
        "channels_select": ({"initial_channel": CHANNEL}, None, CHANNEL),
        "datepicker": ({}, {"selected_date": "2026-11-21"}, "2026-11-21"),
        "datetimepicker": ({}, 1763719200, 1763719200),
        "number_input": ({"is_decimal_allowed": False}, "12", "12"),
    }
    blocks = [
        {
            "type": "input",
            "block_id": kind,
            "optional": True,
            "label": {"type": "plain_text", "text": kind},
            "element": {"type": kind, "action_id": "it", **more},
        }
        for kind, (more, _, _) in kinds.items()
    ]
    client.views_open(trigger_id=workspace.tokens.trigger(ADA), view={**FORM, "blocks": blocks})
    given = {kind: {"it": chosen} for kind, (_, chosen, _) in kinds.items() if chosen is not None}
    workspace.submit_view(ADA, given)

    values = ear.payload()["view"]["state"]["values"]
    seen = {kind: next(v for k, v in values[kind]["it"].items() if k != "type") for kind in kinds}
    assert seen == {kind: expected for kind, (_, _, expected) in kinds.items()}


def test_an_app_without_interactivity_hears_no_clicks(ear: Ear) -> None:
    settings = {**MANIFEST["settings"], "interactivity": {"is_enabled": False}}
    workspace = inhabited({**MANIFEST, "settings": settings})
    with heard_by(ear, workspace) as client:
        ts = client.chat_postMessage(channel=CHANNEL, text="x", blocks=CARD)["ts"]
        assert not workspace.click(ADA, CHANNEL, ts, "approve").ok
    assert ear.heard == []


def test_an_input_in_a_view_tells_the_bot_when_it_asked_for_that(
    client: WebClient, workspace: Workspace, ear: Ear
) -> None:
    choices = [{"text": {"type": "plain_text", "text": v}, "value": v} for v in ("a", "b")]
    select = {"type": "static_select", "action_id": "pick", "options": choices}
    label = {"type": "plain_text", "text": "Resource"}
    quiet = {"type": "input", "block_id": "r", "label": label, "element": select}
    told = {**FORM, "blocks": [{**quiet, "dispatch_action": True}]}

    client.views_open(trigger_id=workspace.tokens.trigger(ADA), view={**FORM, "blocks": [quiet]})
    with pytest.raises(ImpossibleError, match="tells the bot on submission"):
        workspace.click_view(ADA, "pick", value="b")
    client.views_open(trigger_id=workspace.tokens.trigger(ADA), view=told)
    workspace.click_view(ADA, "pick", value="b")

    payload = ear.payload()
    assert payload["container"] == {"type": "view", "view_id": payload["view"]["id"]}
    chosen = payload["view"]["state"]["values"]["r"]["pick"]["selected_option"]
    assert chosen["value"] == "b"
    assert "channel" not in payload
