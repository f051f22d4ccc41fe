"""A damaged record ends access early rather than late, and affects nobody else."""

from __future__ import annotations

import pytest

from bot.core.errors import Refused, TemporaryFailure
from bot.core.grants import Grant, State
from bot.core.holds import HoldRecord, Phase
from bot.core.people import Person
from bot.core.shifts import Roster
from bot.ports.documents import Card, Key, PolicyInForce, PolicyText
from bot.testing.cast import ADA, BOB, CAROL, DAN, HOUR, MINUTE, SCHEDULE
from bot.testing.story import Story
from bot.usecases.enact import enact
from bot.usecases.requests import look


def given(story: Story) -> tuple[str, str]:
    """Give access to Ada by her shift, and to Dan by Bob's approval."""
    adas = story.ask(ADA).standing.grant.id
    dans = story.ask(DAN).standing.grant.id
    story.approve(BOB, dans)
    story.run_due()
    assert story.has(ADA)
    assert story.has(DAN)
    return adas, dans


def test_whose_grant_cannot_be_read_loses_access_and_nobody_else_does(story: Story) -> None:
    adas, dans = given(story)
    story.memory.corrupt(Key.of(Grant, adas))
    assert [each.grant.id for each in look.who(story.context, person=BOB, resource="prod-db")] == [dans]
    story.run_due()
    assert not story.has(ADA)
    assert story.has(DAN)
    assert look.mine(story.context, person=ADA).mine == ()
    assert story.live(adas)
    (kept,) = story.memory.condition().set_aside
    assert (kept.key, kept.text) == (Key.of(Grant, adas), "{")


def test_it_is_found_also_where_nobody_looks(story: Story) -> None:
    adas, _ = given(story)
    story.memory.corrupt(Key.of(Grant, adas))
    story.pass_time(11 * MINUTE)
    assert not story.has(ADA)


def test_who_asks_again_has_it_again(story: Story) -> None:
    adas, _ = given(story)
    story.memory.corrupt(Key.of(Grant, adas))
    story.pass_time(11 * MINUTE)
    again = story.ask(ADA).standing.grant.id
    story.run_due()
    assert story.grant(again).state is State.ACTIVE
    assert story.has(ADA)
    story.pass_time(4 * HOUR)
    assert not story.has(ADA)


def test_a_lost_record_of_a_hold_is_made_anew_from_the_grants(story: Story) -> None:
    adas, dans = given(story)
    for grant in (adas, dans):
        story.memory.corrupt(Key.of(HoldRecord, story.grant(grant).gives[0].key))
    story.pass_time(11 * MINUTE)
    record = story.record(adas)
    assert record is not None
    assert record.phase is Phase.GIVEN
    story.pass_time(4 * HOUR)
    assert not story.has(ADA)
    assert not story.has(DAN)
    assert [story.grant(each).state for each in (adas, dans)] == [State.ENDED, State.ENDED]


def test_a_lost_record_of_a_hold_that_is_being_taken_back_stops_nothing(story: Story) -> None:
    adas, _ = given(story)
    story.target.failing["revoke"] = TemporaryFailure("down")
    story.give_back(ADA, adas)
    story.run_due()
    story.memory.corrupt(Key.of(HoldRecord, story.grant(adas).gives[0].key))
    story.target.failing.clear()
    story.pass_time(6 * MINUTE)
    assert not story.has(ADA)
    assert story.grant(adas).state is State.ENDED


def test_a_lost_card_is_posted_again(story: Story) -> None:
    adas, _ = given(story)
    story.memory.corrupt(Key.of(Card, adas))
    story.give_back(ADA, adas)
    story.run_due()
    assert story.grant(adas).state is State.ENDED
    assert story.memory.read({Key.of(Card, adas)}).find(Card, adas) is not None
    assert story.memory.condition().failing == ()


def test_a_lost_roster_is_read_again_and_nobody_loses_access_meanwhile(story: Story) -> None:
    adas, _ = given(story)
    story.memory.corrupt(Key.of(Roster, SCHEDULE))
    story.pass_time(2 * MINUTE)
    assert story.memory.read({Key.of(Roster, SCHEDULE)}).find(Roster, SCHEDULE) is not None
    assert story.live(adas)
    assert story.has(ADA)


def test_a_lost_person_is_looked_up_again(story: Story) -> None:
    given(story)
    story.memory.corrupt(Key.of(Person, ADA))
    assert story.ask(ADA, "orders-on-call").standing.grant.person == ADA
    assert story.memory.read({Key.of(Person, ADA)}).find(Person, ADA) is not None


@pytest.mark.parametrize("lost", [PolicyInForce, PolicyText])
def test_without_the_policy_nothing_is_given_and_taking_back_goes_on(
    story: Story, lost: type[PolicyInForce] | type[PolicyText]
) -> None:
    adas, _ = given(story)
    story.memory.corrupt(Key.of(lost, story.policy.version if lost is PolicyText else ""))
    story.context = story.another_context()
    with pytest.raises((TemporaryFailure, Refused)):
        story.ask(CAROL)
    story.pass_time(4 * HOUR)
    assert not story.has(ADA)
    assert story.grant(adas).state is State.ENDED


@pytest.mark.parametrize("lost", [PolicyInForce, PolicyText])
def test_once_a_person_applies_the_policy_it_is_in_force_again(
    story: Story, lost: type[PolicyInForce] | type[PolicyText]
) -> None:
    story.memory.corrupt(Key.of(lost, story.policy.version if lost is PolicyText else ""))
    story.context = story.another_context()
    enact(story.ledger, story.policy, story.policy.version)
    assert story.ask(ADA).standing.grant.person == ADA


def test_where_the_audit_cannot_be_written_nothing_is_given_and_taking_back_goes_on(story: Story) -> None:
    adas, dans = given(story)
    story.memory.audit_trouble = "its key is a string"
    with pytest.raises(TemporaryFailure, match="audit cannot be written"):
        story.ask(CAROL)
    story.give_back(ADA, adas)
    story.pass_time(4 * HOUR)
    assert not story.has(ADA)
    assert not story.has(DAN)
    assert "ended" not in story.history(dans)
    story.memory.audit_trouble = ""
    story.pass_time(MINUTE)
    carols = story.ask(CAROL).standing.grant.id
    assert [story.history(each)[-1] for each in (adas, dans, carols)] == ["ended", "ended", "asked"]
