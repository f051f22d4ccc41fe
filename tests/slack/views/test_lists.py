"""Lists and the Home tab show what Ada has, what waits for her, and what she may request."""

from __future__ import annotations

from dataclasses import replace

from bot.core.grants import State
from bot.core.reasons import Why, because
from bot.slack.grammar.verbs import Request
from bot.slack.views import lists
from bot.slack.views.blocks import fit
from bot.slack.views.forms import request_form
from bot.slack.wording import answers as words
from bot.usecases.results import HomeView, Standing
from tests.slack.scenes import (
    ADA,
    AT_SIX,
    AT_TEN,
    BOB,
    EVIL,
    NOW,
    TEN,
    offer,
    pressable,
    slack_takes,
    slack_takes_view,
    standing,
    texts,
)


def held(*grants: Standing, waiting: tuple[Standing, ...] = ()) -> HomeView:
    return HomeView(person=ADA, mine=grants, waiting=waiting, offers=())


def test_what_ada_has() -> None:
    text, blocks = lists.mine(held(standing(), standing(State.ASKED, id="G8")))
    assert text == "What you have"
    assert texts(blocks) == [
        "*What you have*",
        f"*prod-db*, until {AT_TEN}\n> orders are stuck",
        "*prod-db*, waiting for approval, id `G8`, for 4 hours\n> orders are stuck",
    ]
    assert pressable(blocks) == [("extend", "Extend"), ("done", "Done"), ("done", "Withdraw")]
    assert slack_takes(blocks)


def test_ada_has_nothing() -> None:
    text, blocks = lists.mine(held())
    assert text == "You have no access right now, and no open requests."
    assert slack_takes(blocks)


def test_who_has_it() -> None:
    overdue = standing(State.ENDING, person=BOB, overdue_since=NOW, reason="")
    _, blocks = lists.who("prod-db", [standing(), overdue])
    assert texts(blocks) == [
        "Who has *prod-db* or is waiting for it:",
        f"<@U01ADA>: *prod-db*, until {AT_TEN}\n> orders are stuck",
        f"<@U02BOB>: *prod-db*, 🚨 overdue since {AT_SIX}",
    ]
    assert lists.who("prod-db", [])[0] == "Nobody has *prod-db*, and nobody is waiting for it."


def test_what_ada_may_ask_for() -> None:
    _, blocks = lists.offer_list([offer()])
    assert texts(blocks) == [
        "*What you can request*",
        "*prod-db* Orders database: approvers decide, up to 12 hours.",
    ]
    assert (
        lists.offer_list([])[0]
        == "There is nothing that you can request. The people who maintain access.yaml can change that."
    )


def test_sixty_hostile_grants_fit_and_the_rest_is_counted() -> None:
    many = [standing(State.ASKED, id=f"G{n}", reason=EVIL, resource=f"{n}{EVIL}") for n in range(60)]
    for _, blocks in (lists.mine(held(*many)), lists.who(EVIL, many)):
        assert slack_takes(blocks)
        shown = sum(1 for text in texts(blocks) if "waiting for approval" in text)
        assert 0 < shown < 60
        assert texts(blocks)[-1] == f"… and {60 - shown} more."


def test_two_hundred_offers_fit() -> None:
    _, blocks = lists.offer_list([offer(f"r{n}", title=EVIL) for n in range(200)])
    assert slack_takes(blocks)


def test_the_home_tab() -> None:
    shown = lists.home(HomeView(person=ADA, mine=(standing(),), waiting=(waiting(),), offers=(offer(),)))
    assert texts(shown["blocks"]) == [
        "What you have",
        f"*prod-db*, until {AT_TEN}\n> orders are stuck",
        "Waiting for you",
        "<@U02BOB>: *prod-db*, waiting for approval, id `G9`, for 4 hours\n> orders are stuck",
        "What you can request",
        "*prod-db* Orders database: approvers decide, up to 12 hours.",
    ]
    assert [verb for verb, _ in pressable(shown["blocks"])] == ["extend", "done", "approve", "deny"]
    assert slack_takes_view(shown)


def waiting() -> Standing:
    return standing(State.ASKED, id="G9", person=BOB)


def test_a_full_home_tab_fits() -> None:
    mine = tuple(standing(State.ACTIVE, id=f"M{n}", reason=EVIL) for n in range(90))
    others = tuple(
        replace(waiting(), grant=replace(waiting().grant, id=f"W{n}", reason=EVIL)) for n in range(90)
    )
    offers = tuple(offer(f"{n}{EVIL}", title=EVIL) for n in range(90))
    shown = lists.home(HomeView(person=ADA, mine=mine, waiting=others, offers=offers))
    assert slack_takes_view(shown)
    assert len([text for text in texts(shown["blocks"]) if text.startswith("… and ")]) == 3


def test_an_empty_home_tab() -> None:
    shown = lists.home(HomeView(person=ADA, mine=(), waiting=(), offers=()))
    assert slack_takes_view(shown)


def test_groups_are_shown_whole_or_not_at_all() -> None:
    groups = [[{"type": "divider"}] * 2] * 3
    assert fit(groups, most_blocks=5, most_characters=999) == ([{"type": "divider"}] * 4, 1)


TAKEN = because(Why.HELD_BY_OTHER, by_person=BOB, resource="prod-db", until_at=int(TEN.timestamp()))
IS_HELD = replace(offer(), outcome="held", reason=TAKEN)


def test_what_somebody_else_holds() -> None:
    _, blocks = lists.offer_list([IS_HELD])
    assert texts(blocks)[1] == f"*prod-db* Orders database: held by <@U02BOB> until {AT_TEN}."
    unending = because(Why.HELD_BY_OTHER, by_person=BOB, resource="prod-db")
    assert words.offer(replace(IS_HELD, reason=unending)).endswith(": held by <@U02BOB>.")
    unnamed = because(Why.HELD_BY_OTHER, resource="prod-db")
    assert words.offer(replace(IS_HELD, reason=unnamed)).endswith(": held by somebody else.")


def test_on_the_home_tab_nobody_can_ask_for_what_somebody_else_holds() -> None:
    shown = lists.home(HomeView(person=ADA, mine=(), waiting=(), offers=(IS_HELD,)))
    assert pressable(shown["blocks"]) == []
    assert slack_takes_view(shown)


def test_the_form_says_what_somebody_else_holds() -> None:
    many = [replace(IS_HELD, resource=replace(IS_HELD.resource, name=f"r{n}")) for n in range(100)]
    for offers, lines in (([offer()], 0), ([offer("vault"), IS_HELD], 1), (many, 5)):
        form = request_form(offers, Request(resource="vault"))
        held = [each for each in form["blocks"] if each["type"] == "context"]
        assert len(held) == lines
        assert slack_takes_view(form)
    assert held[0]["elements"][0]["text"] == f"*r0* Orders database: held by <@U02BOB> until {AT_TEN}."
