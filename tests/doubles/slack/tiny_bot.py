"""A real slack_bolt app with a few listeners, and the workspace that it is tried in."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import flask
import yaml
from slack_bolt import App
from slack_bolt.adapter.flask import SlackRequestHandler
from slack_sdk import WebClient
from werkzeug.serving import make_server

from bot.doubles.slack import Channel, Group, Json, Person, Workspace
from tests.paths import ROOT

BOT_TOKEN = "xoxb-tiny"
SIGNING_SECRET = "tiny-signing-secret"
APP_TOKEN = "xapp-tiny"

MANIFEST: Json = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))

ADA, BOB, CAROL = "U02ADA", "U03BOB", "U04CAROL"
CHANNEL = "C01DB"

APPROVE: Json = {
    "type": "button",
    "action_id": "approve",
    "value": "k3f9",
    "text": {"type": "plain_text", "text": "Approve"},
}
CARD: list[Json] = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "*Ada* asks for prod-db"}},
    {"type": "actions", "block_id": "verdict", "elements": [APPROVE]},
]
FORM: Json = {
    "type": "modal",
    "callback_id": "ask",
    "title": {"type": "plain_text", "text": "Ask for access"},
    "submit": {"type": "plain_text", "text": "Ask"},
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": {"type": "plain_text", "text": "Reason"},
            "element": {"type": "plain_text_input", "action_id": "text"},
        }
    ],
}


def inhabited(manifest: Json = MANIFEST, **more: Any) -> Workspace:
    """Return a workspace with Ada, Bob and Carol; the bot is with Ada and Bob in #db-access."""
    workspace = Workspace(
        manifest,
        bot_token=BOT_TOKEN,
        signing_secret=SIGNING_SECRET,
        app_token=APP_TOKEN,
        **more,
    )
    for user, name in ((ADA, "ada"), (BOB, "bob"), (CAROL, "carol")):
        workspace.add_person(Person(id=user, name=name, email=f"{name}@example.com"))
    members = (ADA, BOB, workspace.app.user_id)
    workspace.add_channel(Channel(id=CHANNEL, name="db-access", members=members))
    workspace.add_group(Group(id="S01DBA", handle="dba", users=(BOB,)))
    return workspace


def with_scopes(*scopes: str) -> Json:
    listed = [*MANIFEST["oauth_config"]["scopes"]["bot"], *scopes]
    return {**MANIFEST, "oauth_config": {"scopes": {"bot": listed}}}


def with_events(*events: str) -> Json:
    settings = {**MANIFEST["settings"], "event_subscriptions": {"bot_events": list(events)}}
    return {**MANIFEST, "settings": settings}


def bolt_app(api_url: str) -> App:
    """Return an app without listeners; each test adds those that it needs."""
    client = WebClient(token=BOT_TOKEN, base_url=api_url)
    return App(client=client, signing_secret=SIGNING_SECRET, process_before_response=True)


@contextmanager
def listening(app: App) -> Iterator[str]:
    """Serve the app's /slack/events over HTTP."""
    handler = SlackRequestHandler(app)
    with served(lambda: handler.handle(flask.request)) as url:
        yield url


@contextmanager
def served(answer: Callable[[], Any]) -> Iterator[str]:
    """Serve a bare bot: one function that answers every request."""
    site = flask.Flask("tiny")
    site.add_url_rule("/slack/events", "events", answer, methods=["POST"])
    server = make_server("127.0.0.1", 0, site, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/slack/events"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
