"""Alerts about access that is missing at its target: what they say, and what their buttons do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.core.reasons import Reason, Why, because
from bot.doubles.slack import Server, Workspace
from bot.ports.deadline import Deadline
from bot.ports.documents import Alert, Key, Place
from bot.ports.slack import AlertView
from bot.slack.views.alerts import alert
from bot.slack.wording.reasons import say
from bot.usecases.notifications.alerts import alert_view
from tests.slack.conftest import CHANNEL
from tests.slack.rig import Rig, rig
from tests.slack.scenes import ADA, BOB, pressable, texts
from tests.slack.scenes import slack_takes as takes

ONE = because(
    Why.MISSING_ONE, target="orders-db", person=ADA, resource="prod-db", access="orders_rw on orders-db"
)
MANY = because(Why.MISSING_MANY, target="orders-db", count=4, held=9)
FOUND = because(Why.HAND_FOUND, person=ADA, resource="prod-db", target="orders-db")
BOTH = ("grant_again", "end_them")


def view(reason: Reason, *verbs: str) -> AlertView:
    return AlertView(id="A7QX", reason=reason, became=None, verbs=verbs, length=None, over=False)


@pytest.mark.parametrize(
    ("reason", "verbs", "text", "labels"),
    [
        (
            FOUND,
            BOTH[:1],
            "⚠️ <@U01ADA>'s *prod-db* is no longer at orders-db, and Rotakey did not remove it. I ended "
            "the grant. An approver can grant it again for the time that was left.",
            [("grant_again", "Grant again")],
        ),
        (
            ONE,
            BOTH,
            "⚠️ <@U01ADA>'s *prod-db*: orders_rw on orders-db is missing right now, and I can't tell why. "
            "I have neither ended the grant nor granted it again. An approver has to choose: grant it "
            "again for the time that is left, or end it.",
            [("grant_again", "Grant again"), ("end_them", "End it")],
        ),
        (
            MANY,
            BOTH,
            "⚠️ 4 of 9 entitlements that I granted at orders-db are missing there right now. I have "
            "neither ended their grants nor granted them again. An approver has to choose: grant them "
            "again for the time that is left, or end them.",
            [("grant_again", "Grant all again"), ("end_them", "End them")],
        ),
    ],
)
def test_what_people_are_asked(
    reason: Reason, verbs: tuple[str, ...], text: str, labels: list[tuple[str, str]]
) -> None:
    said, blocks = alert(view(reason, *verbs))
    assert said == text
    assert texts(blocks) == [text]
    assert pressable(blocks) == labels
    assert takes(blocks)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (
            because(Why.HAND_REMOVED, target="orders-db"),
            "It is no longer at orders-db, and Rotakey did not remove it.",
        ),
        (
            because(Why.NOT_AFTER_RESTORE, target="orders-db"),
            "It was not at orders-db after Redis was restored or restarted.",
        ),
        (
            because(Why.GIVEN_AGAIN, target="orders-db", person=ADA, resource="prod-db", access="orders_rw"),
            "⚠️ orders-db was restored or failed over, and <@U01ADA>'s orders_rw was missing there. I "
            "granted it again, because *prod-db* is live.",
        ),
        (
            because(Why.MISSING_LEFT, by_person=BOB, count=2),
            "<@U02BOB> couldn't decide on all of it: 2 are left for other approvers.",
        ),
        (because(Why.GIVEN_ANEW, by_person=BOB), "<@U02BOB> approved it again, as a new grant."),
    ],
)
def test_what_came_of_it(reason: Reason, text: str) -> None:
    assert say(reason) == text


@pytest.fixture
def it(workspace: Workspace, server: Server) -> Iterator[Rig]:
    with rig(workspace, server) as made:
        yield made


@pytest.mark.parametrize("verb", BOTH)
def test_a_click_is_a_wish_that_a_worker_carries_out(it: Rig, verb: str) -> None:
    made = Alert(id="A7QX", reason=MANY, asks=True, verbs=BOTH, target="orders-db")
    there = Place(channel=CHANNEL, audience="approver")
    place = it.messenger.show_alert(alert_view(made), there, Deadline.after(10))
    it.puts({Key.of(Alert, made.id): replace(made, places=(place,))})
    assert it.workspace.click(ADA, CHANNEL, str(place.ts), verb).ok
    assert it.whispers() == [(CHANNEL, Why.NOT_AN_APPROVER, ADA)]
    assert it.workspace.click(BOB, CHANNEL, str(place.ts), verb).ok
    found = it.context.alert("A7QX")
    assert found
    assert (found.wish, found.verbs) == (verb, ())
    assert found.became
    assert found.became.facts == {"by_person": BOB}
