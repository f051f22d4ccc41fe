"""Ada types and clicks, and Bob approves, through the whole path of a signed Slack request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from bot.core.catalog import Named, ReasonRule, SecurityRules
from bot.core.errors import Refused
from bot.core.grants import Grant, State
from bot.core.reasons import Why, because
from bot.doubles.slack import ImpossibleError, Server, Workspace
from bot.ports.deadline import Deadline
from bot.ports.documents import Home, Key, Note
from bot.slack.api.manifest import manifest
from bot.slack.incoming import commands
from bot.slack.incoming.actor import insider
from bot.slack.incoming.afterwards import MOST
from bot.slack.wording.answers import FOUND_OUT_LATER, NOT_RECORDED, UNCONFIRMED
from bot.slack.wording.reasons import NOT_COPIED, refusal
from bot.testing.story import shown_terms
from bot.usecases.confirm import find_out
from bot.usecases.requests import ask
from bot.usecases.requests.look import home_view
from bot.usecases.schedules import groups
from bot.web import health
from tests.slack.conftest import CHANNEL, EVE, GINA
from tests.slack.rig import CATALOG, Rig, rig
from tests.slack.scenes import ADA, AT_TEN, BOB, CAROL, HOUR, pressable

ASK = "request prod-db 2h because orders are stuck"
PROMISED = f"{UNCONFIRMED} {FOUND_OUT_LATER}"
LAPSES = "<!date^1763708400^{date_short_pretty} at {time}|2025-11-21 07:00 UTC>"


@pytest.fixture
def it(workspace: Workspace, server: Server) -> Iterator[Rig]:
    with rig(workspace, server) as made:
        yield made


@pytest.fixture
def asked(it: Rig) -> Grant:
    """Let Ada ask, post her card in the channel, and return her grant."""
    it.types(ADA, ASK)
    it.posts(it.grant())
    return it.grant()


# ------------------------------------------------------------------------------------------ commands


def test_carol_is_on_call_and_gets_it_at_once(it: Rig) -> None:
    assert it.types(CAROL, "request prod-db 4h because orders are stuck") == (
        f"You get *prod-db* until {AT_TEN} (4 hours): you are on call for pagerduty/PDB until {AT_TEN}. I'm "
        "granting it now and will message you when it works."
    )
    assert it.grant().state is State.APPROVED


def test_carol_is_told_when_her_shift_ends_before_what_she_asked_for(it: Rig) -> None:
    assert it.types(CAROL, "request prod-db 12h because orders are stuck") == (
        f"You get *prod-db* until {AT_TEN}: you are on call for pagerduty/PDB until {AT_TEN}. You requested "
        "12 hours, but this ends with your shift; `/access extend prod-db` requests more. I'm granting it "
        "now and will message you when it works."
    )


def test_ada_asks_and_is_told_whom(it: Rig) -> None:
    assert it.types(ADA, ASK) == (
        f"Requested *prod-db* for 2 hours. I'm asking its approvers in #db-access. Without an answer "
        f"it expires {LAPSES}."
    )
    assert (it.grant().person, it.grant().reason) == (ADA, "orders are stuck")


def test_the_word_payload_in_a_reason(it: Rig) -> None:
    it.types(ADA, "request prod-db 2h because the payload queue is stuck")
    assert it.grant().reason == "the payload queue is stuck"


def test_the_same_ask_twice_is_one(it: Rig) -> None:
    it.types(ADA, ASK)
    assert it.types(ADA, ASK).startswith("You already requested *prod-db*, for 2 hours.")
    assert len(it.grants()) == 1


def test_a_command_delivered_twice_is_one_ask(it: Rig) -> None:
    it.workspace.faults.twice = True
    assert "for 2 hours. I'm asking its approvers in #db-access." in it.types(ADA, ASK)
    assert len(it.grants()) == 1


def test_without_a_length_the_usual_one_is_named_in_the_answer(it: Rig) -> None:
    answer = it.types(ADA, "request prod-db because orders are stuck for 2h")
    assert answer.startswith("Requested *prod-db* for 4 hours.")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (
            "request prod-bd 2h because x",
            "There is no resource prod-bd. Did you mean `prod-db`? "
            "`/access list` shows what you can request.",
        ),
        (
            "request prod-db 2h",
            "A reason is missing. Write it like this: `/access request prod-db 1h because orders are stuck`.",
        ),
        (
            "request prod-db 13h because x",
            "13 hours is too long; the maximum is 12 hours. Choose 12 hours or less.",
        ),
        (
            "request prod-db 1.3333h because x",
            "“1.3333h” is a fraction. Write it in whole units, like `90m` or `1h30m`.",
        ),
        (
            "request prod-db 12 because x",
            "12 what? Write `12m` or `12h`.",
        ),
        (
            "request prod-db 2h soon because x",
            "I don't understand “soon”, so I did nothing. After the resource I understand a length: "
            "`/access request prod-db 2h because …`.",
        ),
        (
            "done prod-db, vault",
            "I don't understand “vault”, so I did nothing. `/access help` shows how each command is written.",
        ),
        (
            "request prod-db vault is down",
            "I can't tell whether “vault” is part of your reason or of what you request, so I did nothing. "
            "Put the reason after `because`, and everything else right after the resource: `/access "
            "request prod-db 2h because …`.",
        ),
        (
            "request prod-db and vault 2h because x",
            "I can't take a request for several resources at once yet, so I did nothing. "
            "Send one command for each: `/access request prod-db …`, then `/access request vault …`.",
        ),
        (
            "request prod-db 2h for @bob because x",
            "I can't take a request for somebody else yet, so I did nothing. "
            "They can send it themselves: `/access request prod-db …`.",
        ),
        (
            "request prod-db at 22:00 for 2h because x",
            "I can't start access at a later time yet (“22:00”), so I did nothing. Send `/access request "
            "prod-db 2h because …` when you need it. If “22:00” is part of your reason, put `because` "
            "before it.",
        ),
        (
            "request prod-db in 2 hours because x",
            "I can't start access at a later time yet (“in 2 hours”), so I did nothing. Send `/access "
            "request prod-db 2h because …` when you need it. If “in 2 hours” is part of your reason, put "
            "`because` before it.",
        ),
        (
            "request prod-db until tomorrow 17:00 because x",
            "I can't take an end time yet (“tomorrow 17:00”), so I did nothing. Write a length, like `2h`, "
            "or `until end of shift`.",
        ),
        (
            "extend prod-db until 17:00",
            "I can't take an end time yet (“17:00”), so I did nothing. Write a length, like `2h`, or "
            "`until end of shift`.",
        ),
        (
            "request prod-db asap 30m because x",
            "Requests can't be marked as urgent yet, so I did nothing. Send `/access request prod-db …` "
            "without “urgent”, and message an approver.",
        ),
        (
            "request at 22:00",
            "I can't start access at a later time yet (“22:00”), so I did nothing. Send `/access request … "
            "2h because …` when you need it. If “22:00” is part of your reason, put `because` before it.",
        ),
        (
            "why prod-db",
            "`/access why` doesn't exist yet, so I did nothing. `/access help` shows what I can do.",
        ),
        (
            "revoke @bob",
            "This person has nothing that you can see. `/access who RESOURCE` shows who has it.",
        ),
        ("done all", "You don't have any access right now. `/access mine` shows what you have."),
        ("done", "You don't have any access right now. `/access mine` shows what you have."),
        ("mine", "You have no access right now, and no open requests."),
        ("who prod-db", "Nobody has *prod-db*, and nobody is waiting for it."),
        ("revok @bob prod-db", "I don't know `revok`. Did you mean `/access revoke`? Nothing changed."),
        (
            "prod-db",
            "To request *prod-db*: `/access request prod-db 2h because …`.",
        ),
        ("lst", "I don't know `lst`. `/access help` shows what I can do."),
        (
            "approve",
            "`/access approve ID` approves the request with the id that `/access who prod-db` shows; "
            "`/access approve ID 1h` approves less time.",
        ),
        (
            "deny Gnone",
            "Nothing called `gnone` is waiting for you. `/access who RESOURCE` shows what is open, with ids.",
        ),
    ],
)
def test_answers_in_full(it: Rig, text: str, answer: str) -> None:
    assert it.types(ADA, text) == answer


def test_help_names_every_command(it: Rig) -> None:
    shown = it.types(ADA, "help")
    for verb in ("request", "list", "mine", "who", "extend", "done", "approve", "deny", "revoke"):
        assert f"`/access {verb}" in shown


def test_lists(it: Rig) -> None:
    it.types(ADA, ASK)
    assert it.types(ADA, "list") == "What you can request"
    assert it.types(BOB, "who prod-db") == "Who has *prod-db* or is waiting for it:"
    mine = it.answers(ADA, "mine")
    assert pressable(mine.blocks) == [("done", "Withdraw")]


def test_bob_approves_and_carol_revokes_by_typing(it: Rig, asked: Grant) -> None:
    assert it.approves(BOB, f"approve {asked.id}").startswith("Approved: <@U01ADA> gets *prod-db* until ")
    assert it.types(CAROL, "revoke @ada prod-db because left") == (
        "I'm revoking *prod-db* from <@U01ADA> now."
    )
    assert it.grant().ended is not None
    assert it.grant().ended.facts == {"by_person": CAROL, "said": "left"}  # type: ignore[union-attr]


def test_bob_approves_for_less_by_typing_in_any_case(it: Rig, asked: Grant) -> None:
    assert it.approves(BOB, f"ok #{asked.id.upper()} for an hour").startswith(
        "Approved: <@U01ADA> gets *prod-db*"
    )
    assert it.grant().length == HOUR


@pytest.mark.parametrize(
    "text", ["approve prod-db", "approve @ada", "approve @ada prod-db", "deny @ada", "no prod-db"]
)
def test_a_name_shows_what_it_could_mean_and_decides_nothing(it: Rig, asked: Grant, text: str) -> None:
    it.types(CAROL, "request vault 1h because x")
    reply = it.answers(BOB, text)
    assert reply.text == "Nothing is decided yet. Press a button, or type `/access approve ID`."
    assert pressable(reply.blocks) == [("approve", "Approve"), ("deny", "Deny")]
    assert it.context.grant(asked.id) == asked
    shown = it.workspace.ephemerals(BOB)[-1]
    assert it.workspace.click(BOB, shown.channel, shown.ts, "approve", f"approver:{asked.id}").ok
    assert it.context.grant(asked.id).state is State.APPROVED


@pytest.mark.parametrize(
    "text", ["approve vault", "approve prod-db", "approve @ada", "approve @bob", "deny nothing"]
)
def test_nothing_is_shown_that_does_not_wait_for_who_types(it: Rig, asked: Grant, text: str) -> None:
    assert it.types(ADA, text).startswith("Nothing ")
    assert it.context.grant(asked.id) == asked


def test_carol_revokes_the_only_thing_that_somebody_has(it: Rig, asked: Grant) -> None:
    assert it.types(CAROL, "revoke @ada because left") == "Denied: <@U01ADA>'s request for *prod-db*."


def test_of_several_things_carol_has_to_name_one(it: Rig, asked: Grant) -> None:
    it.types(ADA, "request vault 1h because x")
    assert it.types(CAROL, "revoke @ada because left") == (
        "<@U01ADA> has or requested several resources: prod-db, vault. I did nothing. Name one: `/access "
        "revoke <@U01ADA> prod-db because …`, or `all`."
    )
    assert len(it.grants()) == 2


def test_ada_gives_back_and_withdraws_everything(it: Rig, asked: Grant) -> None:
    it.approves(BOB, f"approve {asked.id}")
    it.types(ADA, "request vault 1h because x")
    assert it.types(ADA, "done all") == (
        "Done: I'm revoking all the access you had, and your open requests are withdrawn."
    )
    assert [grant.state for grant in it.grants()] == [State.ENDING]


@pytest.fixture
def secured(it: Rig) -> Rig:
    """Make Bob one of the security people."""
    it.enacts(replace(CATALOG, version="two", security=SecurityRules(people=(Named(person=BOB),))))
    return it


@pytest.mark.parametrize("text", ["revoke @ada all because x", "allow @ada", "freeze because x", "unfreeze"])
def test_what_only_security_people_may_type_is_refused_to_others(secured: Rig, text: str) -> None:
    assert secured.types(CAROL, text) == ("Only security people can do this. Ask one of them.")


def test_bob_revokes_everything_and_allows_her_again(secured: Rig) -> None:
    secured.types(CAROL, ASK)
    assert secured.types(BOB, "revoke @carol all because laptop stolen") == (
        "I'm revoking everything from <@U03CAROL>: 1 grant. Until `/access allow <@U03CAROL>`, they get no "
        "access, and their votes don't count."
    )
    assert [grant.state for grant in secured.grants()] == [State.ENDING]
    assert secured.types(CAROL, ASK).startswith(f"<@{BOB}> revoked everything from <@{CAROL}>")
    assert secured.types(BOB, "allow @carol") == (
        f"<@{CAROL}> is allowed again: rules and approvers can give them access."
    )
    assert secured.types(CAROL, ASK).startswith("You get *prod-db*")


def test_bob_freezes_and_unfreezes(secured: Rig) -> None:
    assert secured.types(BOB, "freeze because somebody is in").startswith("Frozen: until `/access unfreeze`")
    assert f"<@{BOB}> froze all automatic access" in secured.types(CAROL, ASK)
    assert secured.types(BOB, "unfreeze").startswith("The freeze is over")


def test_bob_revokes_the_only_thing_she_has_though_he_may_not_request_it(secured: Rig) -> None:
    carols = replace(CATALOG.resources["prod-db"], who_may_ask=(Named(person=CAROL),), approvers=())
    rules = SecurityRules(people=(Named(person=BOB),))
    secured.enacts(replace(CATALOG, version="three", resources={"prod-db": carols}, security=rules))
    secured.types(CAROL, ASK)
    assert secured.types(BOB, "revoke @carol because x") == ("I'm revoking *prod-db* from <@U03CAROL> now.")


def test_a_request_for_oneself_is_like_any_other(it: Rig) -> None:
    assert it.types(ADA, "request prod-db 2h for @ada because x").startswith(
        "Requested *prod-db* for 2 hours."
    )


def test_a_resource_may_be_called_like_another_word_for_a_verb(it: Rig) -> None:
    release = replace(CATALOG.resources["vault"], name="release")
    it.enacts(replace(CATALOG, version="two", resources={"release": release}))
    assert it.types(ADA, "release 2h because x").startswith("Requested *release* for 2 hours.")
    assert it.types(ADA, "release") == "To request *release*: `/access request release 2h because …`."


def test_help_is_there_while_redis_is_down(it: Rig) -> None:
    it.types(ADA, "mine")
    it.ledger.down = True
    assert "`/access request RESOURCE 4h" in it.types(ADA, "help")


def test_help_names_what_the_reader_may_request(it: Rig) -> None:
    secret = replace(CATALOG.resources["prod-db"], who_may_ask=(Named(person=BOB),))
    it.enacts(replace(CATALOG, version="two", resources={**CATALOG.resources, "prod-db": secret}))
    assert "`/access request prod-db 4h" in it.types(BOB, "help")
    assert "`/access request vault 4h" in it.types(ADA, "help")
    assert "prod-db" not in it.types(ADA, "help") + it.types(ADA, "who") + it.types(ADA, "deny")
    it.enacts(replace(CATALOG, version="three", resources={"prod-db": secret}))
    assert "`/access request RESOURCE 4h" in it.types(ADA, "help")
    assert (
        it.types(ADA, "list")
        == "There is nothing that you can request. The people who maintain access.yaml can change that."
    )


def test_bob_denies_by_typing(it: Rig, asked: Grant) -> None:
    assert it.types(BOB, f"deny {asked.id} because no ticket") == (
        "Denied: <@U01ADA>'s request for *prod-db*."
    )
    assert it.context.grant(asked.id).state is State.DENIED


def test_ada_withdraws_by_typing(it: Rig, asked: Grant) -> None:
    assert it.types(ADA, "done") == "Withdrawn: your request for *prod-db*."


def test_carol_extends_and_gives_back_by_typing(it: Rig) -> None:
    it.types(CAROL, "request prod-db 1h because x")
    assert it.types(CAROL, "extend by 1h").startswith("*prod-db* now ends ")
    assert it.types(CAROL, "extend 12h") == (f"*prod-db* now ends {AT_TEN}. It can't end any later.")
    assert it.types(CAROL, "done prod-db") == "Done: I'm revoking your *prod-db* now."


def test_who_is_not_one_of_ours_gets_nothing(it: Rig) -> None:
    assert it.types(EVE, ASK) == (
        "<@U05EVE> belongs to another workspace, and access is only for members of this one. "
        "Ask a member of this workspace."
    )
    it.workspace.invite(CHANNEL, GINA)
    assert it.types(GINA, ASK, CHANNEL) == (
        "<@U04GINA> is a guest, and guests can't request or approve access. "
        "Ask a full member of the workspace."
    )
    assert it.grants() == ()


def test_before_the_workspace_is_known_nobody_gets_anything(it: Rig) -> None:
    it.puts({Key.of(Home): None})
    assert it.types(ADA, ASK) == (
        "I don't know yet which workspace I belong to, because Slack does not answer. Try again in a minute."
    )


def test_people_of_the_same_organisation_are_let_in_to_be_judged(it: Rig) -> None:
    body: dict[str, object] = {"user_id": ADA, "team_id": "T2", "enterprise_id": "E1"}
    body["is_enterprise_install"] = "true"
    home = Home(team="T0ROTAKEY", enterprise="E1", bot_user="U0ROTAKEY")
    it.puts({Key.of(Home): home})
    assert visitor_is_let_in(it, body)
    assert not visitor_is_let_in(it, body | {"enterprise_id": "E9"})
    assert not visitor_is_let_in(it, body | {"is_enterprise_install": "false"})
    it.puts({Key.of(Home): replace(home, enterprise=None)})
    assert not visitor_is_let_in(it, body | {"enterprise_id": None})


def visitor_is_let_in(it: Rig, body: dict[str, object]) -> bool:
    try:
        return insider(it.context, body) == ADA
    except Refused:
        return False


def test_while_redis_is_down_people_are_told_so(it: Rig) -> None:
    it.ledger.down = True
    assert it.types(ADA, ASK) == NOT_RECORDED


def test_what_was_written_and_not_answered_is_not_called_undone_and_found_out_afterwards(it: Rig) -> None:
    it.ledger.lost = "written"
    assert it.types(ADA, ASK) == PROMISED
    assert it.grant().person == ADA, "it was written"
    assert it.heard_afterwards() == [
        "What I couldn't confirm did happen: <@U01ADA>'s *prod-db* is waiting for approval."
    ]


def test_what_never_arrived_is_called_undone_only_once_it_never_can(it: Rig, asked: Grant) -> None:
    it.ledger.lost = "unwritten"
    click = partial(it.workspace.click, BOB, CHANNEL, it.workspace.messages(CHANNEL)[0].ts, "approve")
    assert click(f"decide:{asked.id}").ok
    shown = it.workspace.view(BOB)
    assert shown is not None
    assert shown.blocks[0]["text"]["text"] == PROMISED
    undone = "What I couldn't confirm did not happen: nothing changed. Please try again."
    assert it.heard_afterwards() == [undone]
    assert it.grant().state is State.ASKED


def test_an_op_that_is_called_undone_is_not_done_when_it_is_delivered_again(it: Rig) -> None:
    find_out(it.ledger, "cmd:7", ADA)
    with pytest.raises(Refused) as refused:
        ask.ask(it.context, person=ADA, resource="prod-db", length=HOUR, reason="stuck", op="cmd:7")
    assert refused.value.reason.why is Why.NOT_DONE
    assert it.grants() == ()


def test_what_was_refused_without_an_answer_is_found_out_too(it: Rig) -> None:
    it.ledger.lost = "written"
    assert it.types(ADA, "request prod-db 90h because orders are stuck") == PROMISED
    assert it.heard_afterwards() == [
        "3 days 18 h is too long; the maximum is 12 hours. Choose 12 hours or less."
    ]


def test_while_redis_is_silent_it_is_asked_again_and_only_so_much_is_remembered(it: Rig) -> None:
    it.ledger.down = True
    assert all(it.afterwards.remember(f"cmd:{n}", ADA) for n in range(MOST))
    assert it.afterwards.find_out() == MOST
    it.ledger.down, it.ledger.lost = False, "unwritten"
    assert it.types(ADA, ASK) == UNCONFIRMED, "no promise, for it is not remembered"
    it.ledger.down = False
    assert it.afterwards.find_out() == 0


def test_what_nobody_foresaw_is_words_and_not_a_trace(it: Rig) -> None:
    it.context.new_id = lambda: 1 / 0  # type: ignore[assignment, return-value]
    assert it.types(ADA, ASK) == (
        "Something went wrong; my log says what. `/access mine` shows how things stand now."
    )


# -------------------------------------------------------------------------------------------- clicks


def test_bob_clicks_approve(it: Rig, asked: Grant) -> None:
    card = it.workspace.messages(CHANNEL)[0]
    assert it.workspace.click(BOB, CHANNEL, card.ts, "approve", f"decide:{asked.id}").ok
    assert it.grant().state is State.APPROVED
    assert it.grant().until is not None
    assert it.whispers() == []


def test_bob_approves_for_less(it: Rig, asked: Grant) -> None:
    card = it.workspace.messages(CHANNEL)[0]
    less = f"{asked.id} {shown_terms(it.context, asked.id)} {HOUR}"
    assert it.workspace.click(BOB, CHANNEL, card.ts, "approve", f"less:{asked.id}", less).ok
    assert it.grant().length == HOUR


def test_a_click_delivered_twice_is_one_vote(it: Rig, asked: Grant) -> None:
    it.workspace.faults.twice = True
    card = it.workspace.messages(CHANNEL)[0]
    it.workspace.click(BOB, CHANNEL, card.ts, "approve", f"decide:{asked.id}")
    assert [vote.person for vote in it.grant().votes] == [BOB]
    assert it.whispers() == []


def test_the_second_to_click_is_told_who_was_first(it: Rig, asked: Grant) -> None:
    card = it.workspace.messages(CHANNEL)[0]
    it.types(CAROL, f"deny {asked.id}")
    assert it.workspace.click(BOB, CHANNEL, card.ts, "approve", f"decide:{asked.id}").ok
    assert it.whispers() == [(CHANNEL, Why.DECIDED_ALREADY, BOB)]


def test_ada_cannot_approve_her_own(it: Rig, asked: Grant) -> None:
    card = it.workspace.messages(CHANNEL)[0]
    assert it.workspace.click(ADA, CHANNEL, card.ts, "approve", f"decide:{asked.id}").ok
    assert it.whispers() == [(CHANNEL, Why.OWN_REQUEST, ADA)]
    assert it.grant().state is State.ASKED


def test_eve_from_another_company_cannot_click(it: Rig, asked: Grant) -> None:
    card = it.workspace.messages(CHANNEL)[0]
    for action, block in (("approve", "decide"), ("deny", "decide")):
        assert it.workspace.click(EVE, CHANNEL, card.ts, action, f"{block}:{asked.id}").ok
    assert it.whispers() == [(CHANNEL, Why.PERSON_EXTERNAL, EVE)] * 2
    assert it.grant().state is State.ASKED
    assert it.workspace.view(EVE) is None


def test_a_copied_card_does_nothing(it: Rig, asked: Grant) -> None:
    card = it.workspace.messages(CHANNEL)[0]
    copied = it.messenger._client.chat_postMessage(channel=CHANNEL, text="copy", blocks=card.blocks)
    assert it.workspace.click(BOB, CHANNEL, copied["ts"], "approve", f"decide:{asked.id}").ok
    assert it.grant().state is State.ASKED
    shown = it.workspace.view(BOB)
    assert shown is not None
    assert shown.blocks[0]["text"]["text"] == (
        "This card is a copy or an old one. Please use the one I posted, or `/access mine`."
    )


def test_bob_denies_and_says_why(it: Rig, asked: Grant) -> None:
    card = it.workspace.messages(CHANNEL)[0]
    assert it.workspace.click(BOB, CHANNEL, card.ts, "deny", f"decide:{asked.id}").ok
    assert it.grant().state is State.ASKED
    assert it.workspace.submit_view(BOB, {"reason": {"reason": "no ticket"}}).ok
    assert it.workspace.view(BOB) is None
    denied = it.context.grant(asked.id)
    assert (denied.state, denied.decided_by) == (State.DENIED, BOB)
    assert denied.ended is not None
    assert denied.ended.facts == {"said": "no ticket"}


UNCONFIRMED_FORM = [{"down": True}, {"lost_replies": 1}]
"""Slack opens nothing, or it opens the form and its answer is lost: from here they look alike."""


@pytest.mark.parametrize("fault", UNCONFIRMED_FORM)
def test_if_slack_does_not_confirm_that_the_form_opened_nothing_is_denied(
    it: Rig, asked: Grant, fault: dict[str, Any]
) -> None:
    card = it.workspace.messages(CHANNEL)[0]
    it.types(BOB, "list")
    troubled(it, fault)
    assert it.workspace.click(BOB, CHANNEL, card.ts, "deny", f"decide:{asked.id}").ok
    assert it.context.grant(asked.id).state is State.ASKED
    assert it.whispers() == [(CHANNEL, Why.FORM_UNOPENED, BOB)]
    assert whispered(it) == (
        f"If no form opened, nothing has happened yet. Type `/access deny {asked.id} because …` instead."
    )
    assert (it.workspace.view(BOB) is not None) is ("lost_replies" in fault)


def test_a_form_that_opens_late_can_still_be_sent_in(
    it: Rig, asked: Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "OPEN_WITHIN", 0.05)
    card = it.workspace.messages(CHANNEL)[0]
    it.types(BOB, "list")
    it.workspace.faults.slow = 0.4
    assert it.workspace.click(BOB, CHANNEL, card.ts, "deny", f"decide:{asked.id}").ok
    assert it.context.grant(asked.id).state is State.ASKED
    it.workspace.faults.slow = 0.0
    opens_within(it, BOB, seconds=10)
    assert it.workspace.submit_view(BOB, {"reason": {"reason": "no ticket"}}).ok
    assert it.context.grant(asked.id).ended == because(Why.DENIED, said="no ticket")


def troubled(it: Rig, fault: dict[str, Any]) -> None:
    for name, value in fault.items():
        setattr(it.workspace.faults, name, value)


def whispered(it: Rig) -> str:
    owed = [key for key in it.ledger._documents if key.kind == "note"]
    [note] = (each for each in it.ledger.read(owed).all(Note) if each.whisper_to)
    return refusal(note.reason)


def opens_within(it: Rig, who: str, *, seconds: float) -> None:
    by = time.monotonic() + seconds
    while it.workspace.view(who) is None:
        assert time.monotonic() < by
        time.sleep(0.02)  # Slack itself is late here


def test_a_click_on_deny_that_is_delivered_twice_opens_the_form_and_denies_nothing(
    it: Rig, asked: Grant
) -> None:
    it.workspace.faults.twice = True
    card = it.workspace.messages(CHANNEL)[0]
    it.workspace.click(BOB, CHANNEL, card.ts, "deny", f"decide:{asked.id}")
    assert it.workspace.view(BOB) is not None
    assert it.grant().state is State.ASKED


def test_a_denial_that_came_too_late_says_so_in_the_form(it: Rig, asked: Grant) -> None:
    card = it.workspace.messages(CHANNEL)[0]
    it.workspace.click(BOB, CHANNEL, card.ts, "deny", f"decide:{asked.id}")
    it.approves(CAROL, f"approve {asked.id}")
    it.workspace.submit_view(BOB, {})
    shown = it.workspace.view(BOB)
    assert shown is not None
    assert shown.blocks[0]["text"]["text"] == ("<@U03CAROL> already approved this. Nothing changed.")


def test_carol_extends_and_gives_back_on_her_card(it: Rig) -> None:
    it.types(CAROL, "request prod-db 1h because x")
    active = replace(it.grant(), state=State.ACTIVE)
    it.puts({Key.of(Grant, active.id): active})
    card = it.posts(active, CAROL, "holder")
    assert it.workspace.click(CAROL, card.channel, card.ts, "extend").ok
    later = it.grant().until
    assert later is not None
    assert active.until is not None
    assert later > active.until
    assert it.workspace.click(CAROL, card.channel, card.ts, "done").ok
    assert it.grant().state is State.ENDING


def test_an_extension_that_approvers_decide_is_whispered(it: Rig, asked: Grant) -> None:
    it.approves(BOB, f"approve {asked.id}")
    active = replace(it.grant(), state=State.ACTIVE)
    it.puts({Key.of(Grant, active.id): active})
    card = it.posts(active, ADA, "holder")
    assert it.workspace.click(ADA, card.channel, card.ts, "extend").ok
    assert it.whispers() == [(card.channel, Why.APPROVERS_ASKED, ADA)]
    extension = it.grant().extension
    assert extension is not None
    assert extension.id == f"{active.id}-1"


def test_ada_asks_again(it: Rig, asked: Grant) -> None:
    it.types(BOB, f"deny {asked.id}")
    card = it.posts(asked, ADA, "holder")
    assert it.workspace.click(ADA, card.channel, card.ts, "ask_again").ok
    shown = it.workspace.view(ADA)
    assert shown is not None
    fields = {block["block_id"]: block["element"] for block in shown.blocks}
    assert fields["resource"]["initial_option"]["value"] == "prod-db"
    assert fields["length"]["initial_value"] == "2h"
    assert fields["reason"]["initial_value"] == "orders are stuck"
    it.workspace.submit_view(ADA)
    again = it.workspace.view(ADA)
    assert again is not None
    assert again.blocks[0]["text"]["text"].startswith("Requested *prod-db* for 2 hours.")
    assert it.grant().id != asked.id


def test_a_click_on_ask_again_that_is_delivered_twice_asks_nothing_by_itself(it: Rig, asked: Grant) -> None:
    it.types(BOB, f"deny {asked.id}")
    card = it.posts(asked, ADA, "holder")
    it.workspace.faults.twice = True
    it.workspace.click(ADA, card.channel, card.ts, "ask_again")
    assert it.workspace.view(ADA) is not None
    assert it.grants() == ()


def test_nobody_asks_again_for_somebody_else(it: Rig, asked: Grant) -> None:
    it.types(BOB, f"deny {asked.id}")
    card = it.posts(asked, CHANNEL, "holder")
    assert it.workspace.click(CAROL, CHANNEL, card.ts, "ask_again").ok
    assert it.whispers() == [(CHANNEL, Why.NOT_YOURS, CAROL)]


@pytest.mark.parametrize("fault", UNCONFIRMED_FORM)
def test_if_slack_does_not_confirm_that_the_form_opened_nothing_is_requested_again(
    it: Rig, asked: Grant, fault: dict[str, Any]
) -> None:
    it.types(BOB, f"deny {asked.id}")
    card = it.posts(asked, ADA, "holder")
    troubled(it, fault)
    assert it.workspace.click(ADA, card.channel, card.ts, "ask_again").ok
    assert it.grants() == ()
    assert whispered(it) == (
        "If no form opened, nothing has happened yet. Type `/access request prod-db 2h because …` instead."
    )


@pytest.mark.parametrize("fault", UNCONFIRMED_FORM)
def test_a_button_of_the_home_tab_whose_form_is_not_confirmed_says_what_to_type(
    it: Rig, fault: dict[str, Any]
) -> None:
    it.types(ADA, "list")
    it.messenger.publish(home_view(it.context, ADA), Deadline.after(10))
    troubled(it, fault)
    assert it.workspace.click_home(ADA, "request", "offer:vault").ok
    assert whispered(it) == (
        "If no form opened, nothing has happened yet. Type `/access request vault because …` instead."
    )


def test_a_click_while_redis_is_down_is_told_in_a_window(it: Rig, asked: Grant) -> None:
    card = it.workspace.messages(CHANNEL)[0]
    it.ledger.down = True
    assert it.workspace.click(BOB, CHANNEL, card.ts, "approve", f"decide:{asked.id}").ok
    shown = it.workspace.view(BOB)
    assert shown is not None
    assert shown.blocks[0]["text"]["text"] == NOT_RECORDED


def test_a_click_while_nothing_works_is_shown_as_failed(it: Rig, asked: Grant) -> None:
    card = it.workspace.messages(CHANNEL)[0]
    it.ledger.down = True
    it.workspace.faults.down = True
    reply = it.workspace.click(BOB, CHANNEL, card.ts, "approve", f"decide:{asked.id}")
    assert (reply.status, reply.body) == (503, "")


def test_buttons_of_an_answer_only_ada_sees_work(it: Rig, asked: Grant) -> None:
    it.types(ADA, "mine")
    mine = it.workspace.ephemerals(ADA)[-1]
    assert it.workspace.click(ADA, mine.channel, mine.ts, "done").ok
    assert it.context.grant(asked.id).state is State.WITHDRAWN


def test_a_click_that_ends_access_says_if_a_failover_could_undo_it(it: Rig, asked: Grant) -> None:
    """The card could not say so: the failover would undo that, too."""
    it.types(ADA, "mine")
    mine = it.workspace.ephemerals(ADA)[-1]
    it.ledger.copying = False
    assert it.workspace.click(ADA, mine.channel, mine.ts, "done").ok
    assert it.context.grant(asked.id).state is State.WITHDRAWN
    shown = it.workspace.view(ADA)
    assert shown is not None
    said = shown.blocks[0]["text"]["text"]
    assert said == f"Withdrawn: your request for *prod-db*. {NOT_COPIED}"


def test_a_click_whose_end_is_copied_opens_nothing(it: Rig, asked: Grant) -> None:
    it.types(ADA, "mine")
    mine = it.workspace.ephemerals(ADA)[-1]
    assert it.workspace.click(ADA, mine.channel, mine.ts, "done").ok
    assert it.workspace.view(ADA) is None


def test_a_button_nobody_knows_is_acknowledged(it: Rig) -> None:
    block = {"type": "actions", "elements": [{"type": "button", "action_id": "x", "text": text("X")}]}
    posted = it.messenger._client.chat_postMessage(channel=CHANNEL, text="x", blocks=[block])
    assert it.workspace.click(ADA, CHANNEL, posted["ts"], "x").ok


def text(label: str) -> dict[str, str]:
    return {"type": "plain_text", "text": label}


# --------------------------------------------------------------------------------------------- forms


def test_request_alone_opens_the_form(it: Rig) -> None:
    reply = it.answers(ADA, "request")
    assert reply.text == ""
    it.workspace.submit_view(
        ADA, {"resource": {"resource": "vault"}, "length": {"length": "2h"}, "reason": {"reason": "x"}}
    )
    assert (it.grant().resource, it.grant().length, it.grant().reason) == ("vault", 2 * HOUR, "x")


@pytest.mark.parametrize("fault", UNCONFIRMED_FORM)
def test_it_does_not_say_that_the_form_did_not_open_when_it_may_be_open(
    it: Rig, fault: dict[str, Any]
) -> None:
    it.types(ADA, "list")
    troubled(it, fault)
    assert it.types(ADA, "request") == (
        "If no form opened, you can type it. `/access request prod-db 4h because orders are stuck` "
        "requests access."
    )
    assert (it.workspace.view(ADA) is not None) is ("lost_replies" in fault)


def test_the_form_says_what_it_needs_and_never_to_type_a_command(it: Rig) -> None:
    it.types(ADA, "request prod-db")
    it.types(ADA, "request")
    shown = it.workspace.view(ADA)
    assert shown is not None
    assert {block["block_id"]: block.get("optional", False) for block in shown.blocks} == {
        "resource": False,
        "length": True,
        "reason": False,
    }
    it.workspace.submit_view(ADA, {"resource": {"resource": "vault"}, "reason": {"reason": "\u200e"}})
    assert form_errors(it) == {"reason": "A reason is missing. Say why you need it."}


def test_the_form_says_which_resources_need_a_reason_if_others_need_none(it: Rig) -> None:
    free = replace(CATALOG.resources["vault"], reason=ReasonRule(required=False))
    it.enacts(replace(CATALOG, version="two", resources={**CATALOG.resources, "vault": free}))
    it.types(ADA, "request")
    shown = it.workspace.view(ADA)
    assert shown is not None
    reason = shown.blocks[2]
    assert (reason["optional"], reason["hint"]["text"]) == (True, "Required for prod-db.")
    it.workspace.submit_view(ADA, {"resource": {"resource": "prod-db"}, "reason": {"reason": ""}})
    assert form_errors(it) == {"reason": "A reason is missing. Say why you need it."}


def test_the_form_names_the_lengths_of_the_resource_it_begins_with(it: Rig) -> None:
    it.messenger.publish(home_view(it.context, ADA), Deadline.after(10))
    assert it.workspace.click_home(ADA, "request", "offer:vault").ok
    shown = it.workspace.view(ADA)
    assert shown is not None
    assert shown.blocks[1]["hint"]["text"] == (
        "Empty: 4 hours. At most 12 hours. For example 45m, 4h, 2d or until end of shift."
    )


def test_what_is_wrong_with_a_field_is_said_there(it: Rig) -> None:
    it.types(ADA, "request")
    fields = {"resource": {"resource": "vault"}, "length": {"length": "13h"}, "reason": {"reason": "x"}}
    it.workspace.submit_view(ADA, fields)
    assert form_errors(it) == {
        "length": "13 hours is too long; the maximum is 12 hours. Choose 12 hours or less."
    }
    it.workspace.submit_view(ADA, fields | {"length": {"length": "2h soon"}})
    assert form_errors(it) == {
        "length": "I can't read “2h soon” as a length of time. "
        "Write it like 45m, 12h, 1h30m, 2d or until end of shift."
    }
    it.workspace.submit_view(ADA, fields | {"length": {"length": ""}, "reason": {"reason": " "}})
    assert list(form_errors(it)) == ["reason"]
    it.workspace.submit_view(ADA, fields | {"length": {"length": ""}})
    assert it.grant().length == 4 * HOUR


def form_errors(it: Rig) -> dict[str, str]:
    shown = it.workspace.view(ADA)
    assert shown is not None
    return shown.errors


def test_a_form_sent_in_while_redis_is_down_keeps_what_was_typed(it: Rig) -> None:
    it.types(ADA, "request")
    it.ledger.down = True
    fields = {"resource": {"resource": "vault"}, "reason": {"reason": "x"}}
    it.workspace.submit_view(ADA, fields)
    assert len(it.workspace.memory.modals[ADA]) == 2
    it.ledger.down = False
    it.workspace.close_view(ADA)
    it.workspace.submit_view(ADA, fields)
    assert it.grant().resource == "vault"


# ---------------------------------------------------------------------------------------------- home


def test_who_opens_the_home_tab_is_owed_it(it: Rig) -> None:
    assert it.workspace.open_home(ADA).ok
    assert it.homes_owed() == [ADA]


def test_only_the_home_tab_is_owed(it: Rig) -> None:
    it.workspace.tell({"type": "app_home_opened", "user": ADA, "tab": "messages"})
    assert it.homes_owed() == []


def test_only_the_home_tab_of_our_own_people_is_owed(it: Rig) -> None:
    it.puts({Key.of(Home): Home(team="T9EVIL", enterprise=None, bot_user="U1")})
    it.workspace.open_home(ADA)
    assert it.homes_owed() == []


def test_slack_is_to_send_an_event_again_that_could_not_be_written_down(it: Rig) -> None:
    it.workspace.faults.retry_pauses = ()
    it.ledger.down = True
    assert it.workspace.open_home(ADA).status == 503


def test_home_buttons_work(it: Rig, asked: Grant) -> None:
    it.messenger.publish(home_view(it.context, BOB), Deadline.after(10))
    assert it.workspace.click_home(BOB, "approve", f"approver:{asked.id}").ok
    assert it.grant().state is State.APPROVED
    assert it.workspace.click_home(BOB, "request", "offer:vault").ok
    assert it.workspace.view(BOB) is not None


# --------------------------------------------------------------------------------- who has changed


def test_slack_says_that_carol_is_gone_and_she_is_looked_up(it: Rig) -> None:
    it.types(CAROL, "request prod-db 1h because x")
    it.ledger.advance(1)
    it.workspace.deactivate(CAROL)
    assert it.ledger._due[f"people:{CAROL}"] <= it.ledger._now


@pytest.mark.parametrize("changes", [{"real_name": "Caroline"}, {"title": "on holiday"}])
def test_another_name_or_title_is_nothing_to_us(it: Rig, changes: dict[str, str]) -> None:
    it.types(CAROL, "request prod-db 1h because x")
    before = it.ledger._counter
    it.workspace.alter(CAROL, **changes)
    assert it.ledger._counter == before


def test_somebody_of_whom_we_know_nothing_changes(it: Rig) -> None:
    it.workspace.deactivate(BOB)
    assert f"people:{BOB}" not in it.ledger._due


def test_a_change_that_could_not_be_written_down_is_to_be_sent_again(it: Rig) -> None:
    it.types(CAROL, "request prod-db 1h because x")
    it.workspace.faults.retry_pauses = ()
    it.ledger.down = True
    assert it.workspace.deactivate(CAROL).status == 503


# ------------------------------------------------------------------------------------- the way out


def home_of(it: Rig) -> Home:
    found: Home | None = it.ledger.read({Key.of(Home)}).find(Home)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"type": "app_uninstalled"}, "the app was uninstalled"),
        ({"type": "tokens_revoked", "tokens": {"bot": ["U0BOT"]}}, "the bot's token was revoked"),
    ],
)
def test_slack_shuts_the_bot_out_and_everybody_hears_of_it(
    it: Rig, event: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert health.shut_out(it.context) is None
    assert it.workspace.tell(event).status == 200
    assert (home_of(it).lost, home_of(it).lost_at) == (event["type"], it.ledger.now)
    do = "install the app again, set the new SLACK_BOT_TOKEN, and restart web and workers"
    assert health.shut_out(it.context) == f"Slack says that {said}: {do}"
    shown = capsys.readouterr().out
    assert all(each in shown for each in ("critical", "slack does not let the bot in any more", said, do))
    soon = it.ledger.now + timedelta(seconds=10)
    assert it.ledger._due["workspace:self"] == soon.timestamp() * 1000
    assert [each.what for _, _, each in it.ledger.entries(count=100)] == ["slack lost"]


@pytest.mark.parametrize("tokens", [{"oauth": [ADA]}, {"oauth": [ADA], "bot": []}, None])
def test_the_token_of_a_person_is_nothing_to_us(it: Rig, tokens: dict[str, list[str]] | None) -> None:
    it.workspace.tell({"type": "tokens_revoked", **({"tokens": tokens} if tokens else {})})
    assert home_of(it).lost is None


def test_another_workspace_that_uninstalls_the_app_is_nothing_to_us(it: Rig) -> None:
    elsewhere = Home(team="T9EVIL", enterprise=None, bot_user="U1")
    it.puts({Key.of(Home): elsewhere})
    it.workspace.tell({"type": "app_uninstalled"})
    assert home_of(it) == elsewhere


def test_it_is_written_once_though_slack_says_it_twice(it: Rig) -> None:
    it.workspace.tell({"type": "app_uninstalled"})
    it.ledger.advance(5)
    it.workspace.tell({"type": "tokens_revoked", "tokens": {"bot": ["U0BOT"]}})
    assert home_of(it).lost == "app_uninstalled"
    assert len(list(it.ledger.entries(count=100))) == 1


def test_slack_is_to_say_it_again_if_it_could_not_be_written_down(it: Rig) -> None:
    it.workspace.faults.retry_pauses = ()
    it.ledger.down = True
    assert it.workspace.tell({"type": "app_uninstalled"}).status == 503


def test_what_is_loud_is_subscribed() -> None:
    assert set(groups.LOSSES) < set(manifest()["settings"]["event_subscriptions"]["bot_events"])


# ------------------------------------------------------------------------------------------- the door


def test_a_forged_request_is_turned_away(it: Rig) -> None:
    it.workspace.faults.forged = True
    assert it.workspace.type_command(ADA, CHANNEL, "/access", ASK).status == 401
    assert it.grants() == ()


def test_an_old_request_is_turned_away(it: Rig) -> None:
    it.workspace.faults.late_by = 600
    assert it.workspace.type_command(ADA, CHANNEL, "/access", ASK).status == 401


def test_the_environment_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace, server: Server
) -> None:
    for name in ("CLIENT_ID", "CLIENT_SECRET", "BOT_TOKEN", "SIGNING_SECRET", "VERIFICATION_TOKEN"):
        monkeypatch.setenv(f"SLACK_{name}", "other")
    with rig(workspace, server) as it:
        assert it.types(ADA, ASK).startswith("Requested *prod-db*")


def test_starting_asks_slack_nothing(it: Rig) -> None:
    assert it.workspace.calls == []
    with pytest.raises(ImpossibleError):
        it.workspace.type_command(ADA, CHANNEL, "/other", "")
