"""Every answer about a hidden resource, to a person who may not request it, is as if it did not exist."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.core.catalog import InGroup, Named, Resource, SecurityRules, Selector
from bot.core.grants import Grant
from bot.core.people import Group
from bot.doubles.slack import Channel, Server, Workspace
from bot.doubles.slack.model import View
from bot.ports.changes import Change
from bot.ports.documents import Key
from bot.slack.incoming import submissions
from bot.slack.incoming.commands import SlackContext
from bot.usecases.requests import look
from bot.usecases.requests.admit import indexes
from tests.slack.conftest import BOT_TOKEN, EVE, GINA
from tests.slack.rig import CATALOG, PROD, Rig, rig
from tests.slack.scenes import ADA, BOB, CAROL, NOW

SECRET = replace(
    PROD,
    name="secret-db",
    title="Secret",
    who_may_ask=(InGroup(group="slack/dba"),),
    approvers=(Named(person=BOB),),
    approve_automatically=(),
    hidden=True,
)
OPEN = replace(SECRET, name="open-db", title="Open", hidden=False)
ALL = "C03ALL"
WITH = {**CATALOG.resources, "open-db": OPEN, "secret-db": SECRET}
WITHOUT = {name: each for name, each in WITH.items() if name != "secret-db"}
TYPED = [
    "request secret-db 1h because orders are stuck",
    "request Secret-DB until end of shift because orders are stuck",
    "secret-db 1h because orders are stuck",
    "request secret-bd 1h because of a slip",
    "request secret 1h because of half a name",
    "request secret-db 900h because it is long",
    "request secret-db 1h",
    "request secret-db",
    "request secret-db 1h because " + "x" * 501,
    "who secret-db",
    "who has secret-db",
    "extend secret-db 1h",
    "extend gsecret1 1h",
    "done secret-db",
    "done gsecret1",
    f"revoke <@{CAROL}> secret-db because of me",
    f"revoke <@{ADA}> secret-db because of me",
    f"revoke <@{GINA}> secret-db",
    "approve gsecret1",
    "approve gsecret1 1h",
    "approve secret-db",
    "deny gsecret1 because no",
    "deny secret-db",
    "list",
    "mine",
    "help",
    "help request",
    "secret-db",
]


@pytest.fixture
def made(workspace: Workspace, server: Server) -> Iterator[Rig]:
    """Let Carol request the secret database; others have learned the request's id."""
    everybody = (ADA, BOB, CAROL, GINA, EVE, workspace.app.user_id)
    workspace.add_channel(Channel(id=ALL, name="all", members=everybody))
    with rig(workspace, server) as made:
        made.puts({Key.of(Group, "slack/security"): Group(name="slack/security", members=(), read_at=NOW)})
        made.context.new_id = lambda: "gsecret1"
        enact(made, WITH)
        made.types(CAROL, "request secret-db 1h because orders are stuck")
        made.context.new_id = lambda: "g" + secrets.token_hex(6)
        assert made.grant().id == "gsecret1"
        yield made


def enact(made: Rig, resources: Mapping[str, Resource], security: tuple[Selector, ...] = ()) -> None:
    rules = SecurityRules(channel="#db-access", people=security)
    made.enacts(replace(CATALOG, version=secrets.token_hex(4), resources=resources, security=rules))


def forget(made: Rig) -> None:
    """Remove the resource and the request."""
    enact(made, WITHOUT)
    grant = made.grant()
    index = {(name, grant.id): False for name in (*indexes(grant), "asked")}
    made.ledger.commit(Change(put={Key.of(Grant, grant.id): None}, index=index))
    assert made.grants() == ()


def answers(made: Rig, who: str) -> dict[str, object]:
    """Return all that this person sees who types every command, fills in the form, and opens the Home tab."""
    found: dict[str, object] = {}
    for text in TYPED:
        made.workspace.memory.modals.clear()
        reply = made.answers(who, text, ALL)
        found[text] = (reply.text, shown(reply.blocks), [shown(each.blocks) for each in opened(made, who)])
    made.workspace.memory.modals.clear()
    made.answers(who, "request", ALL)
    for view in opened(made, who):
        choice = {"value": "secret-db"}
        body = {"user": {"id": who}, "view": {"id": "V1", "hash": "1", "state": _filled(choice)}}
        body |= {"trigger_id": f"T{made.context.new_id()}", "team": {"id": made.workspace.app.team.id}}
        found["form"] = (shown(view.blocks), submissions.submit_request(_desk(made), body))
    home = look.home_view(made.context, who)
    found["home"] = (home, look.offers(made.context, person=who))
    return found


def shown(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the blocks without the ids that Slack adds."""
    return [{key: value for key, value in block.items() if key != "block_id"} for block in blocks]


def opened(made: Rig, who: str) -> list[View]:
    return made.workspace.memory.modals.get(who, [])


def _filled(choice: dict[str, str]) -> dict[str, object]:
    reason = {"value": "orders are stuck"}
    return {"values": {"resource": {"resource": choice}, "length": {}, "reason": {"reason": reason}}}


def _desk(made: Rig) -> SlackContext:
    client = WebClient(token=BOT_TOKEN, base_url=made.workspace.app.user_id)
    return SlackContext(context=made.context, client=client, afterwards=made.afterwards)


@pytest.mark.parametrize("who", [ADA, GINA, EVE])
def test_a_hidden_resource_reads_as_if_it_were_not_there(made: Rig, who: str) -> None:
    there = answers(made, who)
    assert "secret" not in str(there["list"]) + str(there["home"]) + str(there["help"])
    forget(made)
    gone = answers(made, who)
    assert {text: there[text] for text in there if there[text] != gone[text]} == {}
    assert list(there) == list(gone)


def test_nothing_near_is_told_of_what_a_person_may_not_request(made: Rig) -> None:
    assert made.types(ADA, "request secret-bd 1h because x").startswith("There is no resource secret-bd. `")
    assert made.types(ADA, "request opendb 1h because x").startswith("There is no resource opendb. `")
    assert "Did you mean `prod-db`?" in made.types(ADA, "request prod-bd 1h because x")
    assert "Did you mean `secret-db`?" in made.types(CAROL, "request secret-bd 1h because x")
    assert "Did you mean `secret-db`?" in made.types(BOB, "request secret-bd 1h because x")


def test_what_is_not_hidden_may_not_be_requested_and_is_there(made: Rig) -> None:
    assert made.types(ADA, "request open-db 1h because x").startswith(
        "The policy doesn't allow this request for *open-db*."
    )
    assert made.types(ADA, "who open-db").startswith("The policy doesn't allow this request for *open-db*.")


def test_those_who_may_request_approve_or_secure_it_see_it(made: Rig) -> None:
    assert made.types(CAROL, "who secret-db").startswith("Who has *secret-db*")
    assert made.types(BOB, "who secret-db").startswith("Who has *secret-db*")
    assert "There is no resource" in made.types(ADA, "who secret-db")
    enact(made, WITH, security=(Named(person=ADA),))
    assert made.types(ADA, "who secret-db").startswith("Who has *secret-db*")
    enact(made, WITH, security=(InGroup(group="slack/security"),))
    assert "There is no resource" in made.types(ADA, "who secret-db")
    made.puts({Key.of(Group, "slack/security"): Group(name="slack/security", members=(ADA,), read_at=NOW)})
    assert made.types(ADA, "who secret-db").startswith("Who has *secret-db*")


def test_who_has_it_knows_of_it_whatever_the_policy_says_by_now(made: Rig) -> None:
    only_bob = replace(SECRET, who_may_ask=(Named(person=BOB),))
    enact(made, {**WITH, "secret-db": only_bob})
    assert made.types(CAROL, "request secret-db 1h because x").startswith(
        "The policy doesn't allow this request for *secret-db*."
    )
    assert made.types(CAROL, "done gsecret1").startswith("Withdrawn")
    assert "There is no resource" in made.types(CAROL, "request secret-db 1h because x")


def test_what_cannot_be_told_is_not_seen(made: Rig) -> None:
    stale = Group(name="slack/dba", members=(BOB, CAROL), read_at=NOW - timedelta(days=9))
    made.puts({Key.of(Group, "slack/dba"): stale})
    made.types(CAROL, "done gsecret1")
    assert "There is no resource" in made.types(CAROL, "request secret-db 1h because x")
