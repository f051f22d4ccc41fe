"""Everything that Slack sends to the bot, valid, about the cards of the place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.doubles.slack.delivery import Kind
from tests.slack.conftest import CHANNEL, EVE, GINA
from tests.slack.scenes import ADA, BOB, CAROL

Json = dict[str, Any]
TEAM = "T0ROTAKEY"
PEOPLE = (ADA, BOB, CAROL, EVE, GINA, "U0ROTAKEY", "USLACKBOT", "U0NOBODY")


@dataclass(frozen=True, kw_only=True)
class Cards:
    """The ids of grants, and where the card of each is."""

    asked: str
    active: str
    ended: str
    places: dict[str, tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Sent:
    kind: Kind
    body: Json


def everything(cards: Cards) -> list[Sent]:
    return [*commands(cards), *clicks(cards), *forms(cards), *events(), *others()]


def commands(cards: Cards) -> list[Sent]:
    lines = (
        "",
        "request",
        "request prod-db 2h because orders are stuck",
        "request vault until end of shift because x",
        *("mine", "list", "help", "who prod-db", "done prod-db", "extend prod-db 1h"),
        f"approve {cards.asked}",
        f"deny {cards.asked} because no",
        f"revoke <@{CAROL}|carol> prod-db because left",
        "prod-db",
    )
    return [Sent(kind="slash_commands", body=command(text)) for text in lines]


def command(text: str, who: str = ADA) -> Json:
    return {
        "token": "t",
        "team_id": TEAM,
        "team_domain": "example",
        "channel_id": CHANNEL,
        "channel_name": "db-access",
        "user_id": who,
        "user_name": "ada",
        "command": "/access",
        "text": text,
        "api_app_id": "A0ROTAKEY",
        "is_enterprise_install": "false",
        "response_url": "https://hooks.slack.example/commands/1",
        "trigger_id": "1.2.abc",
    }


def clicks(cards: Cards) -> list[Sent]:
    pressed = [
        (BOB, "approve", cards.asked),
        (BOB, "deny", cards.asked),
        (CAROL, "extend", cards.active),
        (CAROL, "done", cards.active),
        (ADA, "done", cards.asked),
        (ADA, "ask_again", cards.ended),
        (ADA, "request", "prod-db"),
        (ADA, "nothing_we_know", "x"),
    ]
    made = [click(who, verb, value, cards.places.get(value)) for who, verb, value in pressed]
    less = click(BOB, "approve", cards.asked, cards.places[cards.asked])
    option = {"text": {"type": "plain_text", "text": "1 hour"}, "value": f"{cards.asked} 3600"}
    less["actions"] = [{"type": "static_select", "selected_option": option, **_named("approve")}]
    at_home = click(BOB, "approve", cards.asked, None) | {"container": {"type": "view", "view_id": "V1"}}
    return [Sent(kind="interactive", body=body) for body in (*made, less, at_home)]


def click(who: str, verb: str, value: str, place: tuple[str, str] | None) -> Json:
    channel, ts = place or (CHANNEL, "1700000000.000100")
    return {
        **_interaction("block_actions", who),
        "container": {"type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": False},
        "channel": {"id": channel, "name": "db-access"},
        "message": {"type": "message", "ts": ts, "text": "x", "user": "U0ROTAKEY", "blocks": []},
        "state": {"values": {}},
        "response_url": "https://hooks.slack.example/actions/1",
        "actions": [{"type": "button", "value": value, **_named(verb)}],
    }


def _named(verb: str) -> Json:
    return {"action_id": verb, "block_id": "b", "action_ts": "1700000000.000200"}


def _interaction(kind: str, who: str) -> Json:
    return {
        "type": kind,
        "user": {"id": who, "username": "x", "name": "x", "team_id": TEAM},
        "api_app_id": "A0ROTAKEY",
        "token": "t",
        "team": {"id": TEAM, "domain": "example"},
        "enterprise": None,
        "is_enterprise_install": False,
        "trigger_id": "1.2.abc",
    }


def forms(cards: Cards) -> list[Sent]:
    values = {
        "resource": {"resource": {"type": "static_select", "selected_option": {"value": "prod-db"}}},
        "length": {"length": {"type": "plain_text_input", "value": "2h"}},
        "reason": {"reason": {"type": "plain_text_input", "value": "orders are stuck"}},
    }
    denied = {"reason": {"reason": {"type": "plain_text_input", "value": None}}}
    bodies = (
        _interaction("view_submission", ADA) | {"view": _view("request", values), "response_urls": []},
        _interaction("view_submission", BOB)
        | {"view": _view("deny", denied) | {"private_metadata": cards.asked}, "response_urls": []},
        _interaction("view_closed", ADA) | {"view": _view("request", values), "is_cleared": False},
    )
    return [Sent(kind="interactive", body=body) for body in bodies]


def _view(callback: str, values: Json) -> Json:
    return {
        "id": "V0FORM",
        "team_id": TEAM,
        "type": "modal",
        "callback_id": callback,
        "private_metadata": "",
        "hash": "1700000000.abc",
        "state": {"values": values},
        "blocks": [],
        "root_view_id": "V0FORM",
        "app_installed_team_id": TEAM,
    }


def events() -> list[Sent]:
    happened: tuple[Json, ...] = (
        {"type": "app_home_opened", "user": ADA, "channel": "D1", "tab": "home"},
        {"type": "app_home_opened", "user": EVE, "channel": "D1", "tab": "messages"},
        {
            "type": "user_change",
            "user": {"id": ADA, "team_id": TEAM, "deleted": True, "profile": {"email": "a@b.c"}},
        },
        {"type": "message", "user": ADA, "channel": CHANNEL, "text": "hello", "bot_id": "B1"},
        {"type": "subteam_members_changed", "subteam_id": "S01DBA"},
    )
    return [Sent(kind="events_api", body=_event(each)) for each in happened]


def _event(event: Json) -> Json:
    authorization = {"enterprise_id": None, "team_id": TEAM, "user_id": "U0ROTAKEY", "is_bot": True}
    return {
        "token": "t",
        "team_id": TEAM,
        "api_app_id": "A0ROTAKEY",
        "event": {"event_ts": "1700000000.000300", **event},
        "type": "event_callback",
        "event_id": "Ev1",
        "event_time": 1_700_000_000,
        "authorizations": [authorization],
        "is_ext_shared_channel": False,
    }


def others() -> list[Sent]:
    asked: Json = {"action_id": "x", "block_id": "b", "value": "pro", "container": {"type": "view"}}
    interactive: tuple[Json, ...] = (
        _interaction("block_suggestion", ADA) | asked,
        _interaction("shortcut", ADA) | {"callback_id": "ask", "action_ts": "1.2"},
        _interaction("message_action", ADA)
        | {"callback_id": "ask", "action_ts": "1.2", "channel": {"id": CHANNEL}, "message": {"ts": "1.2"}},
        _interaction("interactive_message", ADA)
        | {"callback_id": "x", "actions": [{"name": "x", "value": "y"}]},
        _interaction("dialog_submission", ADA) | {"callback_id": "x", "submission": {}},
        _interaction("workflow_step_edit", ADA) | {"callback_id": "x"},
        _interaction("something_new", ADA),
    )
    plain: tuple[Json, ...] = (
        {"type": "url_verification", "challenge": "c", "token": "t"},
        {"type": "app_rate_limited", "team_id": TEAM, "minute_rate_limited": 1},
    )
    return [
        *(Sent(kind="interactive", body=body) for body in interactive),
        *(Sent(kind="events_api", body=body) for body in plain),
        Sent(kind="slash_commands", body={"ssl_check": "1", "token": "t"}),
        Sent(kind="slash_commands", body=command("x") | {"command": "/other"}),
    ]
