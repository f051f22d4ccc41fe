"""More time: by the same rule on the same lease, by another in a grant of its own, else from approvers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.core.catalog import InGroup, ReasonRule
from bot.core.grants import State
from bot.core.reasons import Reason, Why, because
from bot.testing.slack import dm
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from bot.testing.town import (
    ADA,
    BOB,
    DAN,
    GROUP,
    HOUR,
    NINE,
    ON_SHIFT,
    ORDERS_ON_CALL,
    PROD_DB,
    catalog,
    nobodys,
    shift,
)
from bot.usecases import extend

Refusal = Callable[[Callable[[], object]], Reason]


def at(hours: float) -> datetime:
    return NINE + timedelta(hours=hours)


def adas(story: Story, length: str = "1h") -> str:
    grant = story.ask(ADA, length=length).standing.grant.id
    story.run_due()
    return grant


def test_on_call_the_lease_moves(story: Story) -> None:
    grant = adas(story)
    extended = story.extend(ADA, grant, 2 * HOUR)
    assert (extended.standing.until, extended.standing.live, extended.capped) == (at(3), True, False)
    assert extended.ask is None
    assert extended.standing.grant.id == grant
    assert story.lease(grant) == at(3)
    story.pass_time(2 * HOUR)
    assert story.has(ADA)
    story.pass_time(HOUR)
    assert not story.has(ADA)
    assert "extended" in story.happened(grant)
    assert story.target.count("revoke") == 1


def test_the_default_length_is_added_where_none_is_named(story: Story) -> None:
    assert story.extend(ADA, adas(story)).standing.until == at(5)


def test_an_extension_ends_with_the_shift_at_the_latest(story: Story) -> None:
    grant = adas(story, "4h")
    extended = story.extend(ADA, grant, 12 * HOUR)
    assert (extended.standing.until, extended.capped) == (at(8), True)


def test_beyond_the_shift_approvers_are_asked_and_the_rest_follows(story: Story) -> None:
    grant = adas(story, "until end of shift")
    extended = story.extend(ADA, grant, 2 * HOUR)
    assert extended.ask is not None
    assert (extended.ask.follows, extended.ask.length, extended.standing.until) == (grant, 2 * HOUR, at(8))
    story.run_due()
    assert set(story.messenger.posted(extended.ask.id)) == {"CDB-ACCESS"}
    assert story.approve(BOB, extended.ask.id).until == at(10)
    story.run_due()
    story.pass_time(9 * HOUR)
    assert story.has(ADA)
    assert (story.grant(grant).state, story.grant(grant).kept_by) == (State.ENDED, extended.ask.id)
    story.pass_time(HOUR)
    assert not story.has(ADA)


def test_asking_approvers_twice_for_the_rest_asks_once(story: Story) -> None:
    grant = adas(story, "until end of shift")
    first, second = story.extend(ADA, grant, HOUR).ask, story.extend(ADA, grant, 2 * HOUR).ask
    assert first is not None
    assert second == first


def test_an_extension_click_delivered_twice_extends_once(story: Story) -> None:
    grant = adas(story)
    for _ in range(2):
        extended = extend.extend(story.office, person=ADA, which=grant, length=HOUR, op="click-1")
        assert extended.standing.until == at(2)
    assert story.lease(grant) == at(2)


def test_nothing_is_extended_beyond_the_longest_length_from_now(story: Story, refusal: Refusal) -> None:
    story.enact(catalog(replace(PROD_DB, approve_automatically=(InGroup(group=GROUP),))))
    grant = story.ask(BOB, length="11h").standing.grant.id
    assert story.extend(BOB, grant, 4 * HOUR).standing.until == at(12)
    reason = refusal(lambda: story.extend(BOB, grant, HOUR))
    assert reason == because(Why.CANNOT_EXTEND_FURTHER, max_s=12 * HOUR)
    story.pass_time(HOUR)
    assert story.extend(BOB, grant, 99 * HOUR).standing.until == at(13)


def test_dan_extends_through_approvers_and_until_then_his_end_stands(story: Story) -> None:
    grant = story.ask(DAN, length="1h").standing.grant.id
    story.approve(BOB, grant)
    story.pass_time(HOUR / 2)
    extended = story.extend(DAN, grant, 2 * HOUR)
    assert extended.ask is not None
    assert extended.standing.until == at(1)
    story.pass_time(HOUR / 2)
    assert not story.has(DAN)
    assert story.approve(BOB, extended.ask.id).until == at(3)


def test_by_another_rule_it_is_a_grant_of_its_own_and_each_lives_by_its_own_reason(story: Story) -> None:
    grant = story.ask(DAN, length="1h").standing.grant.id
    story.approve(BOB, grant)
    story.run_due()
    story.source.rota["PDBPRIM"] = (nobodys(shift(DAN)),)
    story.pass_time(60)
    extended = story.extend(DAN, grant, HOUR)
    new = extended.standing.grant
    assert (new.follows, new.until, extended.ask) == (grant, at(2), None)
    story.source.rota["PDBPRIM"] = (nobodys(shift(ADA)),)
    story.pass_time(61)
    assert story.grant(new.id).state is State.ENDED
    assert story.has(DAN)
    story.pass_time(HOUR)
    assert not story.has(DAN)


def test_a_refusal_by_today_s_policy_stops_an_extension(story: Story, refusal: Refusal) -> None:
    grant = adas(story)
    story.enact(catalog(replace(PROD_DB, who_may_ask=())))
    assert refusal(lambda: story.extend(ADA, grant, HOUR)).why is Why.MAY_NOT_ASK
    story.enact(catalog(replace(PROD_DB, lengths=replace(PROD_DB.lengths, min=HOUR))))
    assert refusal(lambda: story.extend(ADA, grant, 60)).why is Why.DURATION_TOO_SHORT
    assert story.lease(grant) == at(1)


def test_without_approvers_nobody_can_be_asked(story: Story, refusal: Refusal) -> None:
    grant = adas(story, "until end of shift")
    story.enact(catalog(replace(PROD_DB, approvers=())))
    assert refusal(lambda: story.extend(ADA, grant, HOUR)).why is Why.CANNOT_EXTEND_FURTHER
    assert story.lease(grant) == at(8)


def test_nothing_to_extend_is_said(story: Story, refusal: Refusal) -> None:
    assert refusal(lambda: story.extend(ADA)) == because(Why.NOTHING_OPEN)
    waiting = story.ask(DAN).standing.grant.id
    assert refusal(lambda: story.extend(DAN, waiting)) == because(Why.NOTHING_OPEN, which=waiting)


def test_of_several_the_one_that_ends_last_is_extended(story: Story) -> None:
    adas(story, "1h")
    longest = adas(story, "3h")
    adas(story, "2h")
    assert story.extend(ADA, "prod-db", HOUR).standing.grant.id == longest


def test_a_shift_s_access_is_extended_by_approvers_without_a_new_reason() -> None:
    story = Story(rota={"PORDERS": (nobodys(shift(ADA)),)})
    own = story.shift_grant(ADA)
    assert own is not None
    extended = story.extend(ADA, "orders-on-call", HOUR)
    assert extended.ask is not None
    story.run_due()
    assert set(story.messenger.posted(extended.ask.id)) == {dm(BOB), "D04CAROL"}
    assert story.approve(BOB, extended.ask.id).until == at(9.25)


def test_a_shift_s_access_extended_by_a_rule_is_not_moved_back_by_the_next_look() -> None:
    by_rule = replace(
        ORDERS_ON_CALL,
        approve_automatically=(replace(ON_SHIFT, grace=2 * HOUR),),
        reason=ReasonRule(required=True),
    )
    story = Story(catalog(by_rule), rota={"PORDERS": (nobodys(shift(ADA)),)})
    extended = story.extend(ADA, "orders-on-call", HOUR)
    assert extended.standing.until == at(9.25)
    story.pass_time(8.5 * HOUR)
    assert story.has(ADA, "orders_ops")
    story.pass_time(0.75 * HOUR)
    assert not story.has(ADA, "orders_ops")


def test_a_target_that_keeps_the_end_is_told_of_each_new_one() -> None:
    story = Story()
    story.targets["orders-db"] = FakeTarget(lambda: story.now, keeps_end=True)
    target = story.targets["orders-db"]
    grant = adas(story)
    story.extend(ADA, grant, 2 * HOUR)
    story.run_due()
    assert [call.until for call in target.calls if call.verb == "grant"] == [at(1), at(3)]
    story.pass_time(2.5 * HOUR)
    assert story.has(ADA)
    story.source.rota["PDBPRIM"] = (nobodys(shift(DAN)),)
    story.pass_time(60)
    assert not story.has(ADA)


def test_a_second_grant_behind_the_same_hold_moves_the_end_at_the_target_too() -> None:
    story = Story()
    target = story.targets["orders-db"] = FakeTarget(lambda: story.now, keeps_end=True)
    first, second = adas(story, "1h"), adas(story, "2h")
    assert [call.until for call in target.calls if call.verb == "grant"] == [at(1), at(2)]
    story.give_back(ADA, second)
    story.run_due()
    assert [call.until for call in target.calls if call.verb == "grant"][-1] == at(1)
    assert story.grant(second).kept_by == first
    story.pass_time(HOUR)
    assert not story.has(ADA)
    assert story.grant(first).state is State.ENDED
