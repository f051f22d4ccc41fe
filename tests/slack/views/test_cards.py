"""A grant's card in each state, as Bob who approves and Ada who holds it see it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.core.grants import Answer, Cause, Ground, HoldState, Origin, State, Vote
from bot.core.reasons import Why, because
from bot.slack.views.cards import card
from tests.slack.scenes import (
    ADA,
    AT_SIX,
    AT_TEN,
    BOB,
    CAROL,
    EVIL,
    HOUR,
    NOW,
    ON_CALL,
    STALE,
    TEN,
    more,
    pressable,
    slack_takes,
    texts,
    view,
)

TITLE = (
    "Orders database, read and write. Gives orders_rw on orders-db. Open sessions are closed when it ends."
)


def test_what_stops_several_rules_is_said_once() -> None:
    _, blocks = card(view(trace=(STALE, STALE)), "approver")
    [why] = [text for text in texts(blocks) if text.startswith("Why this needs approval")]
    assert why.count("The roster of pagerduty/PDB") == 1


def test_bob_is_asked() -> None:
    text, blocks = card(view(trace=(STALE,), lapses_at=TEN), "approver")
    assert text == "<@U01ADA> requests *prod-db* for 4 hours."
    assert texts(blocks) == [
        text,
        "> orders are stuck",
        TITLE,
        "Why this needs approval: The roster of pagerduty/PDB was 20 minutes old, which is too old to rely "
        "on.",
        f"Expires {AT_TEN} if nobody decides.",
    ]
    assert pressable(blocks) == [("approve", "Approve"), ("deny", "Deny"), ("approve", "Approve for less")]
    assert slack_takes(blocks)


def test_buttons_carry_the_id_and_the_terms_and_only_shorter_lengths_are_offered() -> None:
    _, blocks = card(view(terms="d1ge5t"), "approver")
    first, less = (block["elements"] for block in blocks if block["type"] == "actions")
    assert [each["value"] for each in first] == ["G7QX d1ge5t", "G7QX d1ge5t"]
    assert [(each["text"]["text"], each["value"]) for each in less[0]["options"]] == [
        ("for 1 hour", "G7QX d1ge5t 3600")
    ]


def test_two_approvals_are_needed_and_one_is_there() -> None:
    voted = view(needed=1, approvals=2, votes=(Vote(person=BOB, at=NOW),))
    _, blocks = card(voted, "approver")
    assert "Approved by <@U02BOB>. 1 more approval needed." in texts(blocks)


@pytest.mark.parametrize(
    ("shown", "to_bob", "to_ada"),
    [
        (
            view(),
            "<@U01ADA> requests *prod-db* for 4 hours.",
            "You requested *prod-db* for 4 hours. I'm asking <@U02BOB> and <@U03CAROL>.",
        ),
        (
            view(asked_in="#db-access", needed=2),
            "<@U01ADA> requests *prod-db* for 4 hours.",
            "You requested *prod-db* for 4 hours. I'm asking its approvers in #db-access.",
        ),
        (
            view(length=None),
            "<@U01ADA> requests *prod-db* until the end of the shift.",
            "You requested *prod-db* until the end of the shift. I'm asking <@U02BOB> and <@U03CAROL>.",
        ),
        (
            view(follows="G1"),
            "<@U01ADA> requests *prod-db* for 4 hours more.",
            "You requested *prod-db* for 4 hours more. I'm asking <@U02BOB> and <@U03CAROL>.",
        ),
        (
            view(State.APPROVED),
            f"<@U01ADA> gets *prod-db* until {AT_TEN}. I'm granting it now.",
            f"You get *prod-db* until {AT_TEN}. I'm granting it now.",
        ),
        (
            view(State.ACTIVE),
            f"<@U01ADA> has *prod-db* until {AT_TEN}.",
            f"You have *prod-db* until {AT_TEN}.",
        ),
        (
            view(State.ACTIVE, until=None),
            "<@U01ADA> has *prod-db* with no end.",
            "You have *prod-db* with no end.",
        ),
        (
            view(State.ACTIVE, origin=Origin.SHIFT, reason=""),
            f"<@U01ADA> has *prod-db* until {AT_TEN}.",
            f"You're on call. You have *prod-db* until {AT_TEN}.",
        ),
        (
            view(State.ENDING, ended=because(Why.GIVEN_BACK)),
            "<@U01ADA> gave *prod-db* back; it is being revoked.",
            "You gave *prod-db* back; it is being revoked.",
        ),
        (
            view(State.ENDING, ended=because(Why.EXPIRED), overdue_since=NOW, trouble="orders-db is down"),
            f"🚨 *Overdue since {AT_SIX}:* I couldn't revoke <@U01ADA>'s *prod-db*. I keep trying; if you "
            "can, please do it by hand.",
            f"🚨 *Overdue since {AT_SIX}:* your *prod-db* is over, but I couldn't revoke it. I keep trying; "
            "please don't use it.",
        ),
        (
            view(State.ENDED),
            f"<@U01ADA>'s *prod-db* ended {AT_SIX}: time is up.",
            f"Your *prod-db* ended {AT_SIX}: time is up.",
        ),
        (
            view(State.ENDED, ended=because(Why.REVOKED, by_person=CAROL, said="left")),
            f"<@U03CAROL> revoked <@U01ADA>'s *prod-db* (“left”); it ended {AT_SIX}.",
            f"<@U03CAROL> revoked your *prod-db* (“left”); it ended {AT_SIX}.",
        ),
        (
            view(State.DENIED, decided_by=BOB, ended=because(Why.DENIED, said="no ticket")),
            "<@U02BOB> denied <@U01ADA>'s request for *prod-db*: no ticket",
            "<@U02BOB> denied your request for *prod-db*: no ticket",
        ),
        (
            view(State.DENIED, decided_by=BOB),
            "<@U02BOB> denied <@U01ADA>'s request for *prod-db*.",
            "<@U02BOB> denied your request for *prod-db*.",
        ),
        (
            view(State.DENIED, ended=because(Why.PERSON_GUEST, person=ADA)),
            "<@U01ADA>'s request for *prod-db* was refused. <@U01ADA> is a guest, and guests can't request "
            "or approve access. Ask a full member of the workspace.",
            "Your request for *prod-db* was refused. <@U01ADA> is a guest, and guests can't request or "
            "approve access. Ask a full member of the workspace.",
        ),
        (
            view(State.DENIED),
            "<@U01ADA>'s request for *prod-db* was refused. The policy does not allow it.",
            "Your request for *prod-db* was refused. The policy does not allow it.",
        ),
        (
            view(State.ENDED, ended=because(Why.COULD_NOT_GIVE)),
            f"I couldn't grant <@U01ADA>'s *prod-db*, so it ended {AT_SIX}.",
            f"I couldn't grant your *prod-db*, so it ended {AT_SIX}.",
        ),
        (
            view(State.ENDED, ended=because(Why.RULE_GONE, resource="prod-db")),
            f"<@U01ADA>'s *prod-db* ended {AT_SIX}. The rule that gave *prod-db* is no longer in the policy.",
            f"Your *prod-db* ended {AT_SIX}. The rule that gave *prod-db* is no longer in the policy.",
        ),
        (
            view(State.LAPSED, ended=because(Why.BEGAN_TOO_LATE)),
            "<@U01ADA>'s request for *prod-db* was approved, but the access did not start. "
            "The approved time was over before it could start. Request it again.",
            "Your request for *prod-db* was approved, but the access did not start. "
            "The approved time was over before it could start. Request it again.",
        ),
        (
            view(State.WITHDRAWN),
            "<@U01ADA> withdrew the request for *prod-db*.",
            "You withdrew your request for *prod-db*.",
        ),
        (
            view(State.LAPSED),
            "Nobody decided on <@U01ADA>'s request for *prod-db* in time, so it expired.",
            "Nobody decided on your request for *prod-db* in time, so it expired.",
        ),
    ],
)
def test_headlines_in_full(shown: object, to_bob: str, to_ada: str) -> None:
    assert [card(shown, who)[0] for who in ("approver", "holder")] == [to_bob, to_ada]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        (State.ASKED, [("done", "Withdraw")]),
        (State.APPROVED, [("done", "Done")]),
        (State.ACTIVE, [("extend", "Extend"), ("done", "Done")]),
        (State.ENDING, []),
        (State.ENDED, [("ask_again", "Request again")]),
        (State.DENIED, [("ask_again", "Request again")]),
        (State.WITHDRAWN, [("ask_again", "Request again")]),
        (State.LAPSED, [("ask_again", "Request again")]),
    ],
)
def test_what_ada_can_do(state: State, buttons: list[tuple[str, str]]) -> None:
    assert pressable(card(view(state), "holder")[1]) == buttons


@pytest.mark.parametrize("state", [state for state in State if state is not State.ASKED])
def test_once_it_is_decided_bob_has_nothing_to_press(state: State) -> None:
    assert pressable(card(view(state), "approver")[1]) == []


def test_an_undecided_ask_cannot_be_approved_yet() -> None:
    text, _ = card(view(undecided=True), "holder")
    assert text.endswith("I'm still waiting for some information and will message you.")
    assert pressable(card(view(undecided=True), "approver")[1]) == []


def test_the_trace_tells_why_it_was_given() -> None:
    shown = view(State.ACTIVE, rule="on_call pagerduty/PDB level 1", trace=(ON_CALL,), votes=())
    said = f"on call for pagerduty/PDB (level 1) until {AT_TEN}."
    assert f"Why this was approved: You are {said}" in texts(card(shown, "holder")[1])
    assert f"Why this was approved: <@U01ADA> is {said}" in texts(card(shown, "approver")[1])


def test_the_age_of_a_roster_is_shown_once_it_is_not_fresh() -> None:
    old = replace(ON_CALL, reason=because(Why.NOT_ON_CALL, schedule="pagerduty/PDB", age_s=1_200))
    _, blocks = card(view(trace=(old,)), "approver")
    assert (
        "Why this needs approval: <@U01ADA> is not on call for pagerduty/PDB (level 1); the roster was "
        "20 minutes old."
    ) in texts(blocks)


def test_once_it_is_decided_the_reasons_for_approval_are_in_the_past() -> None:
    off = replace(ON_CALL, outcome="no", reason=because(Why.NOT_ON_CALL, schedule="pagerduty/PDB", age_s=12))
    _, blocks = card(view(State.ACTIVE, trace=(off, STALE)), "holder")
    assert (
        "Why this needed approval:\n· You were not on call for pagerduty/PDB (level 1).\n"
        "· The roster of pagerduty/PDB was 20 minutes old, which is too old to rely on."
    ) in texts(blocks)


def test_several_levels_are_told_as_words() -> None:
    either = replace(ON_CALL, rule="on_call pagerduty/PDB level 1, 2, 3")
    shown = view(State.ACTIVE, rule=either.rule, trace=(either,), votes=())
    assert "on call for pagerduty/PDB (level 1, 2 or 3) until" in str(card(shown, "holder")[1])


def ground(cause: Cause, **about: Any) -> Ground:
    return Ground(cause=cause, since=NOW, until=TEN, **about)


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (
            view(State.APPROVED, trouble="orders-db did not answer"),
            "⚠️ orders-db did not answer. I keep trying.",
        ),
        (
            view(State.ENDED, ended=because(Why.COULD_NOT_GIVE), trouble="no role orders_rw."),
            "⚠️ no role orders_rw.",
        ),
        (
            view(State.ENDED, holds={"h": HoldState.KEPT}, kept_by="G8", kept_until=TEN),
            f"The access itself stays until {AT_TEN}: another of <@U01ADA>'s grants needs it.",
        ),
        (
            view(State.ENDED, had_before=True),
            "The account had this access before, from elsewhere; I leave that as it was.",
        ),
        (
            view(State.ENDED, left_by="postgres"),
            "The access itself stays: postgres granted it in the meantime.",
        ),
        (
            view(State.ENDED, sessions_kept=("hook", "vault")),
            "Open sessions may go on: hook and vault left them open.",
        ),
        (
            view(State.ACTIVE, grounds=(ground(Cause.APPROVAL, approved_by=(BOB,)), ground(Cause.INCIDENT))),
            f"Approved by <@U02BOB> until {AT_TEN}; for the incident until {AT_TEN}.",
        ),
        (
            view(State.ACTIVE, extensions=(more(answer=Answer.DENIED),)),
            f"More time (until {AT_TEN}) was denied.",
        ),
    ],
)
def test_what_is_not_as_it_should_be(shown: object, line: str) -> None:
    assert line in texts(card(shown, "holder")[1])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sessions", "line"),
    [
        ("ended", "Open sessions are closed when it ends."),
        ("ended_on_primary", "Open sessions are closed when it ends, except any on replicas."),
        ("kept", "Open sessions stay open when it ends."),
        ("endpoint", "Whether open sessions are closed when it ends depends on your endpoint."),
        ("program", "Whether open sessions are closed when it ends depends on your program."),
        ("unknown", "Whether open sessions are closed when it ends depends on the target."),
    ],
)
def test_what_becomes_of_open_sessions(sessions: str, line: str) -> None:
    assert any(each.endswith(line) for each in texts(card(view(sessions=sessions), "approver")[1]))


@pytest.mark.parametrize("audience", ["approver", "holder"])
@pytest.mark.parametrize("state", State)
def test_hostile_words_fit_and_mean_nothing(state: State, audience: str) -> None:
    said = because(Why.REVOKED, by_person=EVIL, said=EVIL)
    hostile = view(state, reason=EVIL, resource=EVIL, trouble=EVIL, ended=said, asked_in=EVIL)
    hostile = replace(hostile, grant=replace(hostile.grant, trace=(STALE,) * 40, asked_people=(BOB,) * 60))
    hostile = replace(hostile, title=EVIL, gives=(EVIL,) * 60, sessions=EVIL, offer=tuple(range(1, 200)))
    text, blocks = card(hostile, audience)
    assert slack_takes(blocks)
    assert "<!channel>" not in text + "".join(texts(blocks))
    assert len(text) < 3_000


def test_nothing_a_person_typed_is_turned_into_a_link() -> None:
    _, blocks = card(view(reason="see https://evil.example #general"), "approver")
    assert [each["text"]["verbatim"] for each in blocks if each["type"] == "section"] == [True, True]


def test_a_card_of_an_offer_without_shorter_lengths_has_no_select() -> None:
    assert pressable(card(view(offer=(4 * HOUR,)), "approver")[1]) == [
        ("approve", "Approve"),
        ("deny", "Deny"),
    ]


def test_an_extension_is_asked_for_in_a_message_of_its_own_with_a_mention() -> None:
    asked = view(State.ACTIVE, extension=more(), terms="d1ge5t")
    headline, blocks = card(asked, "approver")
    assert headline == (
        f"<@U02BOB>: <@U01ADA> requests more time for *prod-db*: until {AT_TEN} (now until {AT_TEN})."
    )
    (buttons,) = (block["elements"] for block in blocks if block["type"] == "actions")
    assert [each["value"] for each in buttons] == ["G7QX-1 d1ge5t", "G7QX-1 d1ge5t"]
    assert slack_takes(blocks)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"answer": Answer.APPROVED}, f"Approved: more time for <@U01ADA>'s *prod-db* (until {AT_TEN})."),
        (
            {"answer": Answer.DENIED, "decided_by": BOB, "why": because(Why.DENIED, said="not tonight")},
            f"<@U02BOB> denied more time for <@U01ADA>'s *prod-db* (until {AT_TEN}): not tonight",
        ),
        (
            {"answer": Answer.REPLACED},
            f"<@U01ADA> requested more time for *prod-db* (until {AT_TEN}), and then another end instead.",
        ),
        (
            {"answer": Answer.LAPSED},
            f"<@U01ADA> requested more time for *prod-db* (until {AT_TEN}). Nobody decided before it ended.",
        ),
    ],
)
def test_what_became_of_an_extension(answer: dict[str, Any], text: str) -> None:
    headline, blocks = card(view(State.ACTIVE, extension=more(**answer)), "approver")
    assert headline == text
    assert pressable(blocks) == []


def test_the_card_of_the_grant_shows_what_became_of_an_extension() -> None:
    _, waiting = card(view(State.ACTIVE, extensions=(more(),)), "holder")
    assert f"More time is requested: until {AT_TEN}." in texts(waiting)
    denied = more(answer=Answer.DENIED, decided_by=BOB)
    _, refused = card(view(State.ACTIVE, extensions=(denied,)), "holder")
    assert f"<@U02BOB> denied more time (until {AT_TEN})." in texts(refused)


@pytest.mark.parametrize("audience", ["approver", "holder"])
def test_less_than_was_asked_for_is_said_to_both(audience: str) -> None:
    _, blocks = card(view(State.ACTIVE, length=HOUR, wished=4 * HOUR), audience)
    assert "Approved by <@U02BOB> for 1 hour of the 4 hours requested." in texts(blocks)


def test_buttons_that_cannot_work_are_not_there() -> None:
    _, active = card(view(State.ACTIVE, extendable=False), "holder")
    assert pressable(active) == [("done", "Done")]
    _, ended = card(view(State.ENDED, again=False), "holder")
    assert pressable(ended) == []


def test_what_is_agreed_for_later_and_what_was_added() -> None:
    agreed = view(State.WAITING, starts_at=TEN)
    assert card(agreed, "holder")[0] == f"Approved: you get *prod-db* from {AT_TEN} for 4 hours."
    assert pressable(card(agreed, "holder")[1]) == [("done", "Withdraw")]
    assert pressable(card(agreed, "approver")[1]) == []
    added = view(State.ADDED)
    assert card(added, "holder")[0] == (
        f"Approved: you already had *prod-db*, which then lasted until {AT_TEN}."
    )
    assert pressable(card(added, "holder")[1]) == []
