"""Later decisions about the same resource add grounds to the one grant, and its card lists them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.core.catalog import InGroup
from bot.core.grants import Cause, State
from bot.core.shifts import Shift
from bot.slack.views.cards import APPROVER, HOLDER, card
from bot.testing.cast import ADA, BOB, CAROL, DAN, GROUP, HOUR, NINE, ORDERS_ON_CALL, catalog, nobodys, shift
from bot.testing.story import Story

OPS = "orders_ops"


def at(hours: float) -> datetime:
    return NINE + timedelta(hours=hours)


def on(start: float, end: float, who: str = DAN) -> Shift:
    return nobodys(shift(who, start=at(start), end=at(end)))


def dans_by_request(story: Story, length: str = "4h") -> str:
    grant = story.ask(DAN, "orders-on-call", length).standing.grant.id
    story.approve(BOB, grant)
    story.run_due()
    return grant


def test_a_shift_that_begins_while_a_request_lives_adds_a_ground() -> None:
    story = Story(rota={"PORDERS": (on(2, 8),)})
    grant = dans_by_request(story)
    story.pass_time(2 * HOUR)
    assert [each.cause for each in story.grant(grant).stands_on] == [Cause.APPROVAL, Cause.SHIFT]
    assert story.lease(grant) == at(8.25)
    assert story.target.count("grant") == 1
    assert story.shift_grant(DAN) == story.grant(grant)
    story.pass_time(6.25 * HOUR)
    assert not story.has(DAN, OPS)
    assert story.target.count("revoke") == 1


def test_the_card_lists_what_it_stands_on_and_until_when() -> None:
    story = Story(rota={"PORDERS": (on(2, 8),)})
    grant = dans_by_request(story)
    story.pass_time(2 * HOUR)
    (message,) = story.messenger.cards_of(grant, "holder").values()
    for audience in (HOLDER, APPROVER):
        said = str(card(message.view, audience)[1])
        assert f"Approved by <@{BOB}> until" in said
        assert "; on shift until" in said


def test_a_shift_that_is_taken_away_leaves_what_was_approved() -> None:
    story = Story(rota={"PORDERS": (on(1, 8),)})
    grant = dans_by_request(story)
    story.pass_time(HOUR)
    assert story.lease(grant) == at(8.25)
    story.source.rota["PORDERS"] = (on(1, 8, ADA),)
    story.pass_time(120)
    assert story.lease(grant) == at(4)
    assert story.has(DAN, OPS)
    story.pass_time(3 * HOUR)
    assert not story.has(DAN, OPS)


def test_a_request_approved_during_a_shift_adds_a_ground_to_the_shifts_grant() -> None:
    """The request was waiting when the shift began."""
    story = Story(rota={"PORDERS": (on(0.5, 2),)})
    asked = story.ask(DAN, "orders-on-call", "4h").standing.grant.id
    story.pass_time(0.75 * HOUR)
    own = story.shift_grant(DAN)
    assert own is not None
    story.approve(BOB, asked)
    story.run_due()
    assert (story.grant(asked).state, story.grant(asked).kept_by) == (State.ADDED, own.id)
    assert story.lease(own.id) == at(4.75)
    story.pass_time(2 * HOUR)
    assert story.has(DAN, OPS)
    assert story.target.count("grant") == 1
    assert [each.id for each in story.grants_of(DAN)] == [own.id]


def test_done_ends_the_shift_too_and_it_does_not_begin_again() -> None:
    story = Story(rota={"PORDERS": (on(1, 8),)})
    grant = dans_by_request(story)
    story.pass_time(HOUR)
    story.give_back(DAN)
    story.pass_time(2 * HOUR)
    assert story.grant(grant).state is State.ENDED
    assert not story.has(DAN, OPS)


def test_a_shift_gets_a_grant_of_its_own_if_the_resource_gives_something_else_by_then() -> None:
    story = Story(rota={"PORDERS": (on(1, 8),)})
    grant = dans_by_request(story)
    more = replace(ORDERS_ON_CALL.gives[0], what=(("role", "orders_more"),))
    story.enact(catalog(replace(ORDERS_ON_CALL, gives=(more,))))
    story.pass_time(HOUR)
    own = story.shift_grant(DAN)
    assert own is not None
    assert own.id != grant
    assert story.has(DAN, "orders_more")
    assert story.has(DAN, OPS)


def test_who_leaves_the_group_keeps_what_was_approved() -> None:
    by_group = replace(ORDERS_ON_CALL, approve_automatically=(InGroup(group=GROUP),))
    story = Story(catalog(by_group))
    grant = story.ask(CAROL, "orders-on-call", "1h").standing.grant.id
    story.run_due()
    story.enact(catalog(ORDERS_ON_CALL))
    story.extend(CAROL, grant, 3 * HOUR)
    story.run_due()
    extension = story.grant(grant).extension
    assert extension is not None
    story.approve(BOB, extension.id)
    story.run_due()
    story.directory.members[GROUP] = replace(story.directory.members[GROUP], members=(BOB,))
    story.pass_time(600)
    assert [each.cause for each in story.grant(grant).stands_on] == [Cause.APPROVAL]
    assert story.has(CAROL, OPS)
