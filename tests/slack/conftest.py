"""A small Slack workspace on localhost with Ada, Bob and Carol in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml
from slack_sdk import WebClient

from bot.doubles.slack import Channel, Group, Person, Server, Workspace, serve
from tests.paths import ROOT
from tests.slack.scenes import ADA, BOB, CAROL

BOT_TOKEN, SIGNING_SECRET, APP_TOKEN = "xoxb-rotakey", "rotakey-signing-secret", "xapp-rotakey"
MANIFEST = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
CHANNEL, QUIET = "C01DB", "C02QUIET"
GINA, EVE, OLD = "U04GINA", "U05EVE", "U06OLD"


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    made = peopled()
    yield made
    made.close()


def peopled() -> Workspace:
    made = Workspace(MANIFEST, bot_token=BOT_TOKEN, signing_secret=SIGNING_SECRET, app_token=APP_TOKEN)
    for user, name in ((ADA, "ada"), (BOB, "bob"), (CAROL, "carol")):
        made.add_person(Person(id=user, name=name, email=f"{name.title()}@Example.com"))
    made.add_person(Person(id=GINA, name="gina", email="gina@example.com", is_restricted=True))
    made.add_person(Person(id=EVE, name="eve", email="eve@evil.example", team_id="T9EVIL", is_stranger=True))
    made.add_person(Person(id=OLD, name="old", email="old@example.com", deleted=True))
    members = (ADA, BOB, CAROL, EVE, made.app.user_id)
    made.add_channel(Channel(id=CHANNEL, name="db-access", members=members))
    made.add_channel(Channel(id=QUIET, name="quiet", members=(ADA, BOB)))
    made.add_group(Group(id="S01DBA", handle="dba", users=(BOB, CAROL)))
    return made


@pytest.fixture
def server(workspace: Workspace) -> Iterator[Server]:
    started = serve(workspace)
    yield started
    started.close()


@pytest.fixture
def client(server: Server) -> WebClient:
    return WebClient(token=BOT_TOKEN, base_url=server.api_url)
