"""A click by the wrong person, in the wrong place or at the wrong time has no effect, and says why."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from bot.core.catalog import Everyone, InGroup, Named
from bot.core.grants import Grant, State
from bot.core.reasons import Why
from bot.doubles.slack import Person, Server, Workspace
from bot.ports.changes import Change, Committed
from bot.ports.documents import Key
from bot.slack.incoming import commands
from bot.slack.wording.answers import COPIED
from bot.testing.story import shown_terms
from tests.fuzz.place import signed
from tests.fuzz.shapes import click as clicked
from tests.fuzz.shapes import command
from tests.slack.conftest import CHANNEL, EVE, GINA
from tests.slack.rig import CATALOG, PROD, Rig, rig
from tests.slack.scenes import ADA, BOB, CAROL, HOUR

ASK = "request prod-db 2h because orders are stuck"


@pytest.fixture
def it(workspace: Workspace, server: Server) -> Iterator[Rig]:
    with rig(workspace, server) as made:
        yield made


@pytest.fixture
def web(it: Rig) -> FlaskClient:
    return it.site.test_client()


@pytest.fixture
def asked(it: Rig) -> Grant:
    """Let Ada ask, post her card in the channel, and return her grant."""
    it.types(ADA, ASK)
    it.posts(it.grant())
    return it.grant()


@pytest.fixture
def held(it: Rig) -> Grant:
    """Let Carol get access, post her card where everybody can click it, and return her grant."""
    it.types(CAROL, "request prod-db 1h because x")
    active = replace(it.grant(), state=State.ACTIVE)
    it.puts({Key.of(Grant, active.id): active})
    it.posts(active, CHANNEL, "holder")
    return active


def press(it: Rig, who: str, verb: str, block: str | None = None) -> None:
    card = it.workspace.messages(CHANNEL)[0]
    assert it.workspace.click(who, CHANNEL, card.ts, verb, block).ok


def told(it: Rig, who: str) -> list[str]:
    """Return the reasons in the private messages that are owed."""
    return [why for _, why, to in it.whispers() if to == who]


# ---------------------------------------------------------------------------------- old buttons


def withdrawn(it: Rig) -> None:
    it.types(ADA, "done")


def denied(it: Rig) -> None:
    it.types(CAROL, "deny " + it.grant().id)


def approved(it: Rig) -> None:
    it.approves(CAROL, "approve " + it.grant().id)


@pytest.mark.parametrize("decided", [withdrawn, denied, approved])
def test_who_approves_what_is_decided(it: Rig, asked: Grant, decided: Callable[[Rig], None]) -> None:
    decided(it)
    before = it.context.grant(asked.id)
    press(it, BOB, "approve", f"decide:{asked.id}")
    assert told(it, BOB) == [Why.DECIDED_ALREADY]
    assert it.context.grant(asked.id) == before


def test_who_withdraws_what_is_denied(it: Rig, asked: Grant) -> None:
    it.posts(asked, CHANNEL, "holder")
    denied(it)
    holders = it.workspace.messages(CHANNEL)[1]
    assert it.workspace.click(ADA, CHANNEL, holders.ts, "done").ok
    assert told(it, ADA) == [Why.DECIDED_ALREADY]
    assert it.context.grant(asked.id).state is State.DENIED


@pytest.mark.parametrize("verb", ["extend", "done"])
def test_who_presses_what_is_over(it: Rig, held: Grant, verb: str) -> None:
    it.types(CAROL, "done prod-db")
    press(it, CAROL, verb)
    assert told(it, CAROL) == [Why.GRANT_OVER]
    assert it.context.grant(held.id).state is State.ENDING


def test_who_approves_under_another_policy(it: Rig, asked: Grant) -> None:
    carols = replace(PROD, approvers=(Named(person=CAROL),))
    it.enacts(replace(CATALOG, version="def", resources={"prod-db": carols}))
    press(it, BOB, "approve", f"decide:{asked.id}")
    assert told(it, BOB) == [Why.NOT_AN_APPROVER]
    press(it, CAROL, "approve", f"decide:{asked.id}")
    assert it.context.grant(asked.id).state is State.APPROVED


def test_who_approves_what_is_no_longer_in_the_policy(it: Rig, asked: Grant) -> None:
    it.enacts(replace(CATALOG, version="def", resources={"vault": CATALOG.resources["vault"]}))
    press(it, BOB, "approve", f"decide:{asked.id}")
    assert told(it, BOB) == [Why.RESOURCE_GONE]
    assert it.context.grant(asked.id).state is State.ASKED


# ------------------------------------------------------------------------------- somebody else's


@pytest.mark.parametrize("verb", ["extend", "done"])
@pytest.mark.parametrize("who", [ADA, BOB])
def test_what_carol_holds_is_hers(it: Rig, held: Grant, verb: str, who: str) -> None:
    press(it, who, verb)
    assert told(it, who) == [Why.NOT_YOURS]
    assert it.context.grant(held.id) == held


def test_what_carol_holds_is_not_given_back_by_its_id(it: Rig, held: Grant) -> None:
    assert it.types(ADA, f"done {held.id}") == "This belongs to somebody else. Only they can do this."
    assert it.types(ADA, f"extend {held.id} 1h") == ("This belongs to somebody else. Only they can do this.")
    assert it.types(ADA, "revoke @carol prod-db") == (
        "Only approvers of *prod-db* can do this. Ask one of them."
    )
    assert it.context.grant(held.id) == held


def test_who_is_no_approver(it: Rig, asked: Grant) -> None:
    it.workspace.add_person(Person(id="U07DAN", name="dan", email="dan@example.com"))
    it.workspace.invite(CHANNEL, "U07DAN")
    press(it, "U07DAN", "approve", f"decide:{asked.id}")
    assert told(it, "U07DAN") == [Why.NOT_AN_APPROVER]
    assert it.types("U07DAN", f"approve {asked.id}").startswith("Only approvers of *prod-db* can do this")
    assert it.types("U07DAN", f"deny {asked.id}").startswith("Only approvers of *prod-db* can do this")
    assert it.context.grant(asked.id) == asked


# -------------------------------------------------------------------------------------- one's own


def everybody_approves(it: Rig) -> None:
    """Make Ada an approver in three ways."""
    every = (Everyone(), InGroup(group="slack/dba"), Named(person=ADA), *PROD.approve_automatically)
    resource = replace(PROD, approve_automatically=(), approvers=every)
    it.enacts(replace(CATALOG, version="all", resources={"prod-db": resource}))


@pytest.mark.parametrize("who", [ADA, BOB, CAROL])
def test_nobody_approves_their_own_by_button_menu_command_or_home_tab(it: Rig, who: str) -> None:
    everybody_approves(it)
    it.types(who, ASK)
    own = it.grant()
    it.posts(own)
    card = it.workspace.messages(CHANNEL)[0]
    terms = shown_terms(it.context, own.id)
    assert it.workspace.click(who, CHANNEL, card.ts, "approve", f"decide:{own.id}").ok
    assert it.workspace.click(
        who, CHANNEL, card.ts, "approve", f"less:{own.id}", f"{own.id} {terms} {HOUR}"
    ).ok
    assert told(it, who) == [Why.OWN_REQUEST] * 2
    assert it.types(who, f"approve {own.id}").startswith("You can't approve or deny your own request.")
    assert it.context.grant(own.id) == own


def test_a_second_account_with_the_same_address_approves_nothing(it: Rig, asked: Grant) -> None:
    it.workspace.add_person(Person(id="U08ADA", name="ada2", email="ADA@example.com"))
    it.workspace.invite(CHANNEL, "U08ADA")
    everybody_approves(it)
    press(it, "U08ADA", "approve", f"decide:{asked.id}")
    assert told(it, "U08ADA") == [Why.EMAIL_SHARED]
    assert it.types(BOB, f"approve {asked.id}").startswith(
        "Somebody else in Slack has the same email address"
    )
    assert it.context.grant(asked.id).state is State.ASKED


def test_a_guest_with_the_same_address_takes_no_vote_and_no_request_away(it: Rig, asked: Grant) -> None:
    for n, (name, address) in enumerate([("ada2", "ADA@example.com"), ("bob2", "bob@example.com")]):
        guest = Person(id=f"U08G{n}", name=name, email=address, is_restricted=True)
        it.workspace.add_person(guest)
        it.workspace.invite(CHANNEL, guest.id)
        press(it, guest.id, "approve", f"decide:{asked.id}")
        assert told(it, guest.id) == [Why.PERSON_GUEST]
    press(it, BOB, "approve", f"decide:{asked.id}")
    assert told(it, BOB) == []
    assert it.context.grant(asked.id).state is State.APPROVED


@pytest.mark.parametrize("late", ["before it is noted", "while it is noted"])
def test_terms_in_an_answer_that_slack_drops_do_not_count_as_shown(
    it: Rig, asked: Grant, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    """Redis hung for some seconds, so Bob saw a failed command, and no terms."""
    monkeypatch.setattr(commands, "SHOWN_WITHIN", -1.0 if late == "before it is noted" else 0.3)
    commit, noted = it.ledger.commit, []

    def slow(change: Change) -> Committed:
        if any(key.kind == "card" for key in change.put):
            noted.append(change)
            time.sleep(0.4)
        return commit(change)

    monkeypatch.setattr(it.ledger, "commit", slow)
    for _ in range(2):
        assert "Here they are" in it.types(BOB, f"approve {asked.id}")
        assert it.context.grant(asked.id).state is State.ASKED
    assert bool(noted) is (late == "while it is noted")
    monkeypatch.undo()
    assert it.approves(BOB, f"approve {asked.id}").startswith("Approved")


def test_terms_in_an_answer_to_an_old_request_do_not_count_as_shown(it: Rig, asked: Grant) -> None:
    """The process was stopped for some seconds before it heard of it, so Slack had given up by then."""
    it.workspace.faults.late_by = 4
    for _ in range(2):
        assert "Here they are" in it.types(BOB, f"approve {asked.id}")
        assert it.context.grant(asked.id).state is State.ASKED
    it.workspace.faults.late_by = 0
    assert it.approves(BOB, f"approve {asked.id}").startswith("Approved")


# ---------------------------------------------------------------------------------- who is not ours


def test_guests_bots_and_strangers_decide_nothing(it: Rig, asked: Grant) -> None:
    everybody_approves(it)
    it.workspace.add_person(Person(id="U09BOT", name="robot", email="robot@example.com", is_bot=True))
    for each in (GINA, "U09BOT"):
        it.workspace.invite(CHANNEL, each)
    for each, why in ((GINA, Why.PERSON_GUEST), ("U09BOT", Why.PERSON_BOT), (EVE, Why.PERSON_EXTERNAL)):
        press(it, each, "approve", f"decide:{asked.id}")
        assert told(it, each) == [why]
    assert it.context.grant(asked.id) == asked


def test_whoever_says_to_be_of_another_team_is_believed(it: Rig, web: FlaskClient, asked: Grant) -> None:
    """Even Bob: who he is in another workspace means nothing here."""
    card = it.workspace.messages(CHANNEL)[0]
    for team in ("T9EVIL", None, ""):
        body = clicked(BOB, "approve", f"{asked.id} {shown_terms(it.context, asked.id)}", (CHANNEL, card.ts))
        body["user"]["team_id"] = team
        body["actions"][0]["action_ts"] = f"1.{team}"
        assert send(web, {"payload": json.dumps(body)}).status_code == 200
        answer = send(
            web, command(f"approve {asked.id}", BOB) | {"team_id": team or "", "trigger_id": f"t{team}"}
        )
        assert "belongs to another workspace" in answer.get_json()["text"]
    assert told(it, BOB) == [Why.PERSON_EXTERNAL] * 3
    assert it.context.grant(asked.id) == asked


# ------------------------------------------------------------------------------------- forged ids


@pytest.mark.parametrize(
    "forged",
    ["", "Gnone", "G1:approve:1", "../grant", "prod-db", "*", "G1 3600", "x" * 2_000, "\u202eG1", "'; --"],
)
def test_an_id_that_is_none_decides_nothing(it: Rig, web: FlaskClient, asked: Grant, forged: str) -> None:
    card = it.workspace.messages(CHANNEL)[0]
    for verb in ("approve", "deny", "extend", "done", "ask_again"):
        body = clicked(BOB, verb, forged, (CHANNEL, card.ts)) | {
            "trigger_id": it.workspace.tokens.trigger(BOB)
        }
        assert send(web, {"payload": json.dumps(body)}).status_code == 200
        shown = it.workspace.view(BOB)
        assert shown is not None
        assert shown.blocks[0]["text"]["text"] == COPIED
    nothing = ("Nothing called", "Nothing is decided yet")
    said = (*nothing, "`/access approve ID` approves", "`/access deny ID", "3600 what?")
    for verb in ("approve", "deny"):
        reply = it.types(BOB, f"{verb} {forged}")
        assert reply.startswith(said)
    assert it.grants() == (asked,)


def test_an_id_of_a_million_letters_comes_no_further_than_the_door(
    it: Rig, web: FlaskClient, asked: Grant
) -> None:
    for size, status in ((2_001, 400), (1_000_000, 413)):
        body = clicked(BOB, "approve", "x" * size, (CHANNEL, "1.1"))
        assert send(web, {"payload": json.dumps(body)}).status_code == status
    assert it.grants() == (asked,)


def test_the_id_of_another_ask_on_a_card_that_is_not_its_own(it: Rig, web: FlaskClient, asked: Grant) -> None:
    it.types(BOB, "request vault 1h because x")
    bobs = next(each for each in it.grants() if each.person == BOB)
    it.posts(bobs)
    first = it.workspace.messages(CHANNEL)[0]
    body = clicked(CAROL, "approve", bobs.id, (CHANNEL, first.ts)) | {
        "trigger_id": it.workspace.tokens.trigger(CAROL)
    }
    assert send(web, {"payload": json.dumps(body)}).status_code == 200
    assert it.context.grant(bobs.id).state is State.ASKED
    assert it.workspace.view(CAROL) is not None


# ---------------------------------------------------------------------------------- sent once more


def test_a_click_that_is_sent_again_within_five_minutes_counts_once(
    it: Rig, web: FlaskClient, asked: Grant
) -> None:
    card = it.workspace.messages(CHANNEL)[0]
    body = {
        "payload": json.dumps(
            clicked(BOB, "approve", f"{asked.id} {shown_terms(it.context, asked.id)}", (CHANNEL, card.ts))
        )
    }
    first = [send(web, body, late=late).status_code for late in (0, 100, 299)]
    assert first == [200] * 3
    assert len(it.context.grant(asked.id).votes) == 1
    assert it.whispers() == []


def test_a_form_that_is_sent_again_asks_once(it: Rig, web: FlaskClient) -> None:
    it.types(ADA, "request")
    fields = {"resource": {"resource": "vault"}, "reason": {"reason": "x"}}
    it.workspace.faults.twice = True
    it.workspace.submit_view(ADA, fields)
    assert [each.resource for each in it.grants()] == ["vault"]


def test_a_command_that_was_recorded_is_nothing_to_whoever_sends_it_later(it: Rig, web: FlaskClient) -> None:
    body = command(ASK)
    assert send(web, body).status_code == 200
    it.types(ADA, "done")
    answer = send(web, body, late=200)
    assert answer.status_code == 200
    assert it.grants() == ()
    assert send(web, body, late=301).status_code == 401
    assert send(web, body, late=-301).status_code == 401


def send(web: FlaskClient, fields: dict[str, Any], late: float = 0) -> Any:
    raw = urlencode(fields).encode()
    return web.post(
        "/slack/events",
        data=raw,
        headers={"Content-Type": "application/x-www-form-urlencoded", **signed(raw, late=late)},
    )
