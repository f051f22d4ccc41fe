"""The clock of Redis is set back: facts have no known age, and what would be due far too late is due now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.ages import AHEAD_AT_MOST
from bot.core.catalog import InGroup
from bot.core.errors import TemporaryFailure
from bot.core.grants import State
from bot.core.people import Person
from bot.core.reasons import Reason, Why, because
from bot.core.shifts import Roster
from bot.ports.changes import Change
from bot.ports.documents import EmailOwner, Key
from bot.ports.ledger import CLAIM_SECONDS
from bot.slack.wording.reasons import say
from bot.testing.cast import (
    ADA,
    BOB,
    CAROL,
    DAN,
    EMAILS,
    GROUP,
    HOUR,
    MINUTE,
    ORDERS_SCHEDULE,
    PROD_DB,
    SCHEDULE,
    SECURITY,
    catalog,
    nobodys,
    shift,
)
from bot.testing.story import Story
from bot.usecases.access.owing import keep_owed
from bot.usecases.enact import standing_duties

Refusal = Callable[[Callable[[], object]], Reason]
TICK = timedelta(milliseconds=1)


def back(story: Story, seconds: float = HOUR) -> None:
    story.memory.advance(-seconds)


def on_orders(story: Story, *shifts: tuple[str, float, float]) -> None:
    story.source.rota["PORDERS"] = tuple(
        nobodys(shift(who, story.now + timedelta(hours=start), story.now + timedelta(hours=end)))
        for who, start, end in shifts
    )


# --------------------------------------------------------------------------------------------- facts


def test_a_roster_from_the_future_says_yes_to_nobody(story: Story) -> None:
    back(story)
    asked = story.ask(ADA).standing.grant
    assert asked.state is State.ASKED
    assert asked.trace[0].reason == because(Why.ROSTER_STALE, schedule=SCHEDULE)
    assert say(asked.trace[0].reason) == (
        f"The roster of {SCHEDULE} was read before the clock of Redis was set back, so its age is unknown."
    )


def test_two_clocks_may_be_five_seconds_apart(story: Story) -> None:
    back(story, AHEAD_AT_MOST.total_seconds())
    assert story.ask(ADA).standing.live
    story.give_back(ADA)
    story.memory.now -= TICK
    assert story.ask(ADA, length="2h").standing.grant.state is State.ASKED


def test_a_group_from_the_future_lets_nobody_in(story: Story) -> None:
    by_group = replace(PROD_DB, approve_automatically=(InGroup(group=GROUP),))
    story.enact(catalog(by_group))
    story.run_due()
    back(story)
    asked = story.ask(CAROL).standing.grant
    assert asked.state is State.ASKED
    assert asked.trace[0].reason == because(Why.GROUP_STALE, group=GROUP)
    assert say(asked.trace[0].reason) == (
        f"The members of {GROUP} were read before the clock of Redis was set back, so their age is unknown."
    )


def test_a_person_from_the_future_is_looked_up_before_a_decision(story: Story, refusal: Refusal) -> None:
    story.context.look_up_people(BOB, DAN)
    back(story)
    story.directory.change(DAN, deactivated=True)
    assert refusal(lambda: story.ask(DAN)).why is Why.PERSON_DEACTIVATED


def test_a_person_from_the_future_counts_as_unknown_while_slack_is_away(
    story: Story, refusal: Refusal
) -> None:
    story.context.look_up_people(BOB)
    grant = story.ask(DAN).standing.grant.id
    back(story)
    story.directory.away = True
    assert refusal(lambda: story.approve(BOB, grant)).why is Why.PERSON_UNKNOWN
    assert not story.live(grant)


def test_an_address_from_the_future_is_looked_up_again(story: Story) -> None:
    on_orders(story, (ADA, -1, 8))
    key = Key.of(EmailOwner, EMAILS[ADA])
    story.memory.commit(Change(put={key: EmailOwner(people=(DAN,), read_at=story.now)}))
    back(story)
    story.pass_time(0)
    keep_owed(story.context, story.memory)
    story.run_due()
    owner = story.memory.read({key}).find(EmailOwner, EMAILS[ADA])
    assert owner == EmailOwner(people=(ADA,), read_at=story.now)


def test_a_shift_does_not_start_by_a_roster_from_the_future_but_as_soon_as_it_is_read(story: Story) -> None:
    on_orders(story, (ADA, -1, 8))
    story.source.away = True
    back(story)
    keep_owed(story.context, story.memory)
    story.pass_time(MINUTE)
    assert not story.has(ADA, "orders_ops")
    story.source.away = False
    story.pass_time(MINUTE + 1)
    assert story.has(ADA, "orders_ops")


# -------------------------------------------------------------------------------------------- duties


def read_at(story: Story) -> object:
    roster = story.memory.read({Key.of(Roster, ORDERS_SCHEDULE)}).find(Roster, ORDERS_SCHEDULE)
    assert roster is not None
    return roster.read_at


def test_what_is_read_again_and_again_is_read_now(story: Story) -> None:
    story.run_due()
    back(story)
    story.run_due()
    assert read_at(story) == story.now + timedelta(seconds=HOUR)
    keep_owed(story.context, story.memory)
    story.run_due()
    assert read_at(story) == story.now
    assert story.ask(ADA).standing.live


@pytest.mark.parametrize("duty", standing_duties(catalog()))
def test_whatever_a_policy_always_needs_is_done_within_the_hour(duty: str) -> None:
    story = Story(sealed=True)
    story.run_due()
    back(story, 24 * HOUR)
    keep_owed(story.context, story.memory)
    assert story.memory._due[duty] <= story.memory._now + 1_000 * (HOUR + AHEAD_AT_MOST.total_seconds())


def test_who_left_while_the_clock_was_back_loses_access_as_ever(story: Story) -> None:
    grant = story.ask(DAN).standing.grant.id
    story.approve(BOB, grant)
    story.run_due()
    back(story, 24 * HOUR)
    keep_owed(story.context, story.memory)
    story.directory.change(DAN, deactivated=True)
    story.run_due()
    assert not story.has(DAN)
    known = story.memory.read({Key.of(Person, DAN)}).find(Person, DAN)
    assert known is not None
    assert known.read_at == story.now


def test_a_revocation_that_failed_is_tried_again_as_soon_as_ever(story: Story) -> None:
    grant = story.ask(ADA).standing.grant.id
    story.run_due()
    story.target.failing["revoke"] = TemporaryFailure("down")
    story.give_back(ADA, grant)
    story.run_due()
    story.target.failing.clear()
    back(story)
    keep_owed(story.context, story.memory)
    story.run_due()
    assert not story.has(ADA)


def test_what_a_dead_worker_claimed_is_taken_over_as_soon_as_ever(story: Story) -> None:
    grant = story.ask(ADA).standing.grant.id
    story.run_due()
    story.give_back(ADA, grant)
    assert story.claim("hold")
    back(story)
    keep_owed(story.context, story.memory)
    story.pass_time(CLAIM_SECONDS - 0.001)
    assert story.has(ADA)
    story.pass_time(0.001)
    assert not story.has(ADA)


def test_an_alarm_is_repeated_within_the_hour() -> None:
    story = Story(sealed=True)
    grant = story.ask(ADA).standing.grant.id
    story.run_due()
    story.target.failing["revoke"] = TemporaryFailure("down")
    story.give_back(ADA, grant)
    story.pass_time(10 * MINUTE)
    assert story.grant(grant).overdue_since
    said = len(story.messenger.notes_in(SECURITY))
    back(story, 24 * HOUR)
    for _ in range(60):
        keep_owed(story.context, story.memory)
        story.pass_time(MINUTE)
    assert len(story.messenger.notes_in(SECURITY)) in (said + 1, said + 2)
    assert [entry.what for entry in story.audit()].count("owed again") == 1


def test_nothing_is_hurried_again_and_again_until_the_clock_catches_up() -> None:
    story = Story(sealed=True)
    grant = story.ask(DAN).standing.grant.id
    story.approve(BOB, grant)
    story.ask(ADA)
    story.run_due()
    back(story)
    for _ in range(6 * 60):
        keep_owed(story.context, story.memory)
        story.pass_time(10)
    assert [entry.what for entry in story.audit()].count("owed again") == 1
    assert story.has(ADA)
    assert story.has(DAN)
