"""More time is one more ground of the same grant: by today's policy at once, otherwise by approvers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.core.catalog import InGroup, ReasonRule
from bot.core.durations import UNTIL_SHIFT_ENDS
from bot.core.grants import Answer, Cause, State
from bot.core.reasons import Reason, Why, because
from bot.testing.cast import (
    ADA,
    BOB,
    CAROL,
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
from bot.testing.slack import dm
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from bot.usecases.requests import extend

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
    assert extended.asked is None
    assert extended.standing.grant.id == grant
    assert story.lease(grant) == at(3)
    story.pass_time(2 * HOUR)
    assert story.has(ADA)
    story.pass_time(HOUR)
    assert not story.has(ADA)
    assert "ground added" in story.history(grant)
    assert story.target.count("revoke") == 1


def test_the_default_length_is_added_where_none_is_named(story: Story) -> None:
    assert story.extend(ADA, adas(story)).standing.until == at(5)


def test_an_extension_ends_with_the_shift_at_the_latest(story: Story) -> None:
    grant = adas(story, "4h")
    extended = story.extend(ADA, grant, 12 * HOUR)
    assert (extended.standing.until, extended.capped) == (at(8), True)


def waiting(story: Story, grant: str) -> str:
    """Return the id of the extension that waits."""
    extension = story.grant(grant).extension
    assert extension is not None
    return extension.id


def test_beyond_the_shift_approvers_are_asked_on_the_same_grant(story: Story) -> None:
    grant = adas(story, "until end of shift")
    extended = story.extend(ADA, grant, 2 * HOUR)
    assert extended.asked is not None
    assert (extended.asked.id, extended.asked.until) == (f"{grant}-1", at(10))
    assert extended.standing.until == at(8)
    story.run_due()
    assert set(story.messenger.cards_of(extended.asked.id)) == {"CDB-ACCESS"}
    assert story.approve(BOB, extended.asked.id).until == at(10)
    story.run_due()
    assert [each.cause for each in story.grant(grant).stands_on] == [Cause.RULE, Cause.APPROVAL]
    assert [note.reason.why for note in story.messenger.notes_in(ADA)] == [Why.EXTENDED]
    story.pass_time(9 * HOUR)
    assert story.has(ADA)
    assert story.grant(grant).state is State.ACTIVE
    story.pass_time(HOUR)
    assert not story.has(ADA)
    assert story.target.count("grant") == story.target.count("revoke") == 1


def test_the_same_extension_twice_asks_once_and_another_one_replaces_it(story: Story) -> None:
    grant = adas(story, "until end of shift")
    first, second = story.extend(ADA, grant, HOUR).asked, story.extend(ADA, grant, HOUR).asked
    assert first == second
    assert first is not None
    story.run_due()
    other = story.extend(ADA, grant, 2 * HOUR).asked
    assert other is not None
    assert other.id == f"{grant}-2"
    story.run_due()
    replaced = story.messenger.cards_of(first.id)["CDB-ACCESS"].view
    assert replaced.extension is not None
    assert replaced.extension.answer is Answer.REPLACED
    assert not replaced.waits


def test_votes_fall_with_the_extension_that_is_replaced(story: Story, refusal: Refusal) -> None:
    story.enact(catalog(replace(PROD_DB, approvals=2)))
    grant = adas(story, "until end of shift")
    story.extend(ADA, grant, HOUR)
    first = waiting(story, grant)
    story.approve(BOB, first)
    story.extend(ADA, grant, 2 * HOUR)
    assert story.approve(CAROL, waiting(story, grant)).until == at(8)
    assert refusal(lambda: story.approve(BOB, first)).why is Why.DECIDED_ALREADY
    assert story.approve(BOB, waiting(story, grant)).until == at(10)


def test_an_extension_that_is_denied_changes_nothing_and_its_holder_hears(story: Story) -> None:
    grant = adas(story, "until end of shift")
    story.extend(ADA, grant, HOUR)
    story.deny(BOB, waiting(story, grant), "not tonight")
    story.run_due()
    assert story.lease(grant) == at(8)
    assert story.grant(grant).extension is None
    (note,) = story.messenger.notes_in(ADA)
    assert (note.reason.why, note.reason.facts["said"]) == (Why.EXTENSION_DENIED, "not tonight")


def test_an_extension_lapses_with_the_lease(story: Story, refusal: Refusal) -> None:
    grant = story.ask(DAN, length="1h").standing.grant.id
    story.approve(BOB, grant)
    story.run_due()
    story.extend(DAN, grant, HOUR)
    extension = waiting(story, grant)
    story.run_due()
    story.pass_time(HOUR)
    assert story.grant(grant).extensions[-1].answer is Answer.LAPSED
    shown = story.messenger.cards_of(extension)["CDB-ACCESS"].view
    assert not shown.waits
    assert refusal(lambda: story.approve(BOB, extension)).why is Why.DECIDED_ALREADY
    assert not story.has(DAN)


def test_its_message_shows_the_end_as_it_is_while_it_waits(story: Story) -> None:
    grant = adas(story, "until end of shift")
    story.extend(ADA, grant, HOUR)
    story.run_due()
    story.source.rota["PDBPRIM"] = (nobodys(shift(end=at(6))),)
    story.pass_time(120)
    assert story.lease(grant) == at(6)
    shown = story.messenger.cards_of(waiting(story, grant))["CDB-ACCESS"].view
    assert shown.grant.until == at(6)


def test_an_approval_of_more_time_that_came_too_late_gives_nothing(story: Story, refusal: Refusal) -> None:
    """The lease has run out, and no worker has noticed yet."""
    grant = story.ask(DAN, length="1h").standing.grant.id
    story.approve(BOB, grant)
    story.run_due()
    story.extend(DAN, grant, HOUR)
    story.memory.now = at(1)
    assert refusal(lambda: story.approve(BOB, f"{grant}-1")).why is Why.GRANT_OVER


def test_approvers_may_give_less_of_an_extension(story: Story, refusal: Refusal) -> None:
    grant = adas(story, "until end of shift")
    story.extend(ADA, grant, 2 * HOUR)
    reason = refusal(lambda: story.approve(BOB, waiting(story, grant), 3 * HOUR))
    assert reason == because(Why.SHORTER_ONLY, asked_s=2 * HOUR)
    assert story.approve(BOB, waiting(story, grant), HOUR).until == at(9)


def test_what_the_policy_took_out_is_not_extended(story: Story, refusal: Refusal) -> None:
    grant = adas(story)
    other = replace(PROD_DB.gives[0], what=(("role", "orders_ro"),))
    story.enact(catalog(replace(PROD_DB, gives=(other,))))
    assert refusal(lambda: story.extend(ADA, grant, HOUR)) == because(Why.GIVES_OTHER, resource="prod-db")


def test_what_the_policy_took_out_is_not_extended_by_a_late_approval(story: Story, refusal: Refusal) -> None:
    grant = adas(story, "until end of shift")
    story.extend(ADA, grant, HOUR)
    other = replace(PROD_DB.gives[0], what=(("role", "orders_ro"),))
    story.enact(catalog(replace(PROD_DB, gives=(other,))))
    reason = refusal(lambda: story.approve(BOB, waiting(story, grant)))
    assert reason == because(Why.GIVES_OTHER, resource="prod-db")
    assert story.lease(grant) == at(8)


def test_done_ends_all_grounds(story: Story) -> None:
    grant = adas(story, "until end of shift")
    story.extend(ADA, grant, HOUR)
    story.approve(BOB, waiting(story, grant))
    story.give_back(ADA)
    story.run_due()
    assert not story.has(ADA)
    assert story.grants_of(ADA) == ()


def test_until_the_end_of_the_shift_is_an_extension_too(story: Story) -> None:
    grant = adas(story, "1h")
    assert story.extend(ADA, grant, UNTIL_SHIFT_ENDS).standing.until == at(8)
    story.source.rota["PDBPRIM"] = (nobodys(shift(end=at(9))),)
    story.pass_time(60)
    assert story.lease(grant) == at(9)


def test_an_extension_click_delivered_twice_extends_once(story: Story) -> None:
    grant = adas(story)
    for _ in range(2):
        extended = extend.extend(story.context, person=ADA, which=grant, length=HOUR, op="click-1")
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
    assert extended.asked is not None
    assert extended.standing.until == at(1)
    assert story.approve(BOB, extended.asked.id).until == at(3)
    story.pass_time(HOUR)
    assert story.has(DAN)


def test_by_another_rule_it_is_one_more_ground_and_each_lives_by_its_own_reason(story: Story) -> None:
    grant = story.ask(DAN, length="1h").standing.grant.id
    story.approve(BOB, grant)
    story.run_due()
    story.source.rota["PDBPRIM"] = (nobodys(shift(DAN)),)
    story.pass_time(60)
    extended = story.extend(DAN, grant, HOUR)
    assert (extended.standing.grant.id, extended.standing.until, extended.asked) == (grant, at(2), None)
    story.source.rota["PDBPRIM"] = (nobodys(shift(ADA)),)
    story.pass_time(61)
    assert story.lease(grant) == at(1)
    assert [(each.cause, each.fell is None) for each in story.grant(grant).grounds] == [
        (Cause.APPROVAL, True),
        (Cause.RULE, False),
    ]
    assert story.has(DAN)
    story.pass_time(HOUR)
    assert not story.has(DAN)


def test_a_refusal_by_today_s_policy_stops_an_extension(story: Story, refusal: Refusal) -> None:
    grant = adas(story)
    story.enact(catalog(replace(PROD_DB, who_may_ask=())))
    assert refusal(lambda: story.extend(ADA, grant, HOUR)).why is Why.MAY_NOT_ASK
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


def test_a_shift_s_access_is_extended_by_approvers_without_a_new_reason() -> None:
    story = Story(rota={"PORDERS": (nobodys(shift(ADA)),)})
    own = story.shift_grant(ADA)
    assert own is not None
    extended = story.extend(ADA, "orders-on-call", HOUR)
    assert extended.asked is not None
    story.run_due()
    assert set(story.messenger.cards_of(extended.asked.id)) == {dm(BOB), "D04CAROL"}
    assert story.approve(BOB, extended.asked.id).until == at(9.25)


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
