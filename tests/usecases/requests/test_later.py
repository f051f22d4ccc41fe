"""A request approved for a later start waits, is judged again at its start, and only begins then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from bot.core.catalog import InGroup
from bot.core.durations import UNTIL_SHIFT_ENDS
from bot.core.grants import GIVE_WITHIN, Cause, State
from bot.core.reasons import Reason, Why
from bot.testing.cast import ADA, BOB, CAROL, DAN, EVE, GROUP, HOUR, NINE, PROD_DB, catalog, dba
from bot.testing.story import REASON, Story
from bot.usecases.requests import ask

Refusal = Callable[[Callable[[], object]], Reason]
START = NINE + timedelta(hours=3)


def later(story: Story, who: str = DAN, hours: int = 2) -> str:
    wish = ask.Wish(person=who, resource="prod-db", length=hours * HOUR, reason=REASON, starts_at=START)
    grant = ask.request(story.context, wish, story.op()).standing.grant.id
    story.run_due()
    return grant


def agreed(story: Story) -> str:
    grant = later(story)
    story.approve(BOB, grant)
    story.run_due()
    assert story.grant(grant).state is State.WAITING
    return grant


def test_what_is_agreed_begins_at_its_start_and_lasts_as_long_as_agreed(story: Story) -> None:
    grant = agreed(story)
    assert not story.live(grant)
    story.pass_time(3 * HOUR - 1)
    assert not story.has(DAN)
    story.pass_time(1)
    assert story.has(DAN)
    assert (story.grant(grant).state, story.lease(grant)) == (State.ACTIVE, START + timedelta(hours=2))
    story.pass_time(2 * HOUR)
    assert not story.has(DAN)


def test_a_rule_agrees_too(story: Story) -> None:
    story.enact(catalog(replace(PROD_DB, approve_automatically=(InGroup(group=GROUP),))))
    grant = later(story, BOB)
    assert story.grant(grant).state is State.WAITING
    story.pass_time(3 * HOUR)
    assert story.has(BOB)


def test_what_is_agreed_can_be_withdrawn(story: Story) -> None:
    grant = agreed(story)
    assert story.give_back(DAN).grant.state is State.WITHDRAWN
    story.pass_time(4 * HOUR)
    assert not story.has(DAN)
    assert story.grants_of(DAN) == ()
    assert story.grant(grant).state is State.WITHDRAWN


def test_what_is_agreed_can_be_revoked(story: Story) -> None:
    grant = agreed(story)
    story.revoke(CAROL, DAN, "prod-db", "not today")
    story.pass_time(4 * HOUR)
    assert story.grant(grant).state is State.DENIED
    assert not story.has(DAN)


def test_the_requester_is_judged_again_at_the_start(story: Story) -> None:
    grant = agreed(story)
    story.directory.change(DAN, deactivated=True)
    story.pass_time(4 * HOUR)
    ended = story.grant(grant)
    assert (ended.state, ended.ended and ended.ended.why) == (State.LAPSED, Why.PERSON_DEACTIVATED)


def test_the_voters_are_judged_again_at_the_start(story: Story) -> None:
    grant = agreed(story)
    story.directory.members[GROUP] = dba(CAROL, EVE)
    story.pass_time(4 * HOUR)
    ended = story.grant(grant)
    assert (ended.state, ended.ended and ended.ended.why) == (State.LAPSED, Why.AGREEMENT_FELL)


def test_the_terms_are_judged_again_at_the_start(story: Story) -> None:
    grant = agreed(story)
    other = replace(PROD_DB.gives[0], what=(("role", "superuser"),))
    story.enact(catalog(replace(PROD_DB, gives=(other,))))
    story.pass_time(4 * HOUR)
    ended = story.grant(grant)
    assert (ended.state, ended.ended and ended.ended.why) == (State.LAPSED, Why.AGREEMENT_FELL)
    assert not story.has(DAN, "superuser")


def test_a_rule_that_no_longer_says_yes_at_the_start_begins_nothing(story: Story) -> None:
    story.enact(catalog(replace(PROD_DB, approve_automatically=(InGroup(group=GROUP),))))
    grant = later(story, BOB)
    story.directory.members[GROUP] = dba(CAROL)
    story.pass_time(4 * HOUR)
    ended = story.grant(grant)
    assert (ended.state, ended.ended and ended.ended.why) == (State.LAPSED, Why.NOT_IN_GROUP)


def test_facts_that_are_missing_at_the_start_are_waited_for(story: Story) -> None:
    grant = agreed(story)
    story.directory.away = True
    story.pass_time(3 * HOUR)
    assert story.grant(grant).state is State.WAITING
    story.directory.away = False
    story.pass_time(GIVE_WITHIN.total_seconds() / 2)
    assert story.lease(grant) == START + timedelta(hours=2)


def test_what_begins_while_the_person_has_it_adds_a_ground(story: Story) -> None:
    grant = agreed(story)
    story.pass_time(2.5 * HOUR)
    held = story.ask(DAN, length="1h").standing.grant.id
    story.approve(BOB, held)
    story.pass_time(HOUR / 2)
    assert (story.grant(grant).state, story.grant(grant).kept_by) == (State.ADDED, held)
    assert story.lease(held) == START + timedelta(hours=2)
    assert [each.cause for each in story.grant(held).stands_on] == [Cause.APPROVAL, Cause.APPROVAL]
    assert story.target.count("grant") == 1


def test_until_the_end_of_the_shift_may_not_be_said_of_a_later_shift(story: Story) -> None:
    wish = ask.Wish(person=ADA, resource="prod-db", length=UNTIL_SHIFT_ENDS, reason=REASON, starts_at=START)
    grant = ask.request(story.context, wish, story.op()).standing.grant
    assert grant.state is State.WAITING
    story.pass_time(3 * HOUR)
    assert [each.cause for each in story.grant(grant.id).stands_on] == [Cause.RULE]
    assert story.lease(grant.id) == NINE + timedelta(hours=8)
