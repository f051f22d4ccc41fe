"""Access at a target is made equal to what is live, whatever the target does."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.core.catalog import Entitlement, InGroup, SecurityRules
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.grants import HoldState, State
from bot.core.holds import HoldRecord, Phase, Position, Presence
from bot.core.reasons import Why, because
from bot.ports.changes import Change
from bot.ports.documents import Key
from bot.testing.cast import ADA, BOB, DAN, EMAILS, HOUR, NINE, PROD_DB, SECURITY, catalog, nobodys, shift
from bot.testing.slack import dm
from bot.testing.story import Story
from bot.testing.target import FakeTarget

DOWN = TemporaryFailure("the database does not answer")
NO_ROLE = PermanentFailure("there is no role orders_rw")
ROLE = PROD_DB.gives[0]
SECRET = Entitlement(target="vault", what=(("group", "orders"),))
TWIN = replace(PROD_DB, name="prod-db-too")
"""Another resource that gives the same role."""
BOTH = replace(PROD_DB, gives=(ROLE, SECRET))


def at(hours: float) -> datetime:
    return NINE + timedelta(hours=hours)


def adas(story: Story, length: str = "4h", resource: str = "prod-db") -> str:
    grant = story.ask(ADA, resource, length).standing.grant.id
    story.run_due()
    return grant


@pytest.fixture
def both() -> Story:
    """Return a catalog where prod-db gives a role in the database and a group in the vault."""
    story = Story(catalog(BOTH))
    story.targets["vault"] = FakeTarget(lambda: story.now)
    return story


# ------------------------------------------------------------------------------------ the baseline


def test_what_was_there_before_is_not_given_again_and_never_taken(story: Story) -> None:
    story.target.give_by_hand(EMAILS[ADA], ROLE)
    grant = adas(story)
    assert (story.grant(grant).state, story.grant(grant).had_before) == (State.ACTIVE, True)
    story.pass_time(4 * HOUR)
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, True)
    assert (story.target.count("grant"), story.target.count("revoke")) == (0, 0)
    assert story.record(grant) is None


def test_what_cannot_be_told_to_be_ours_is_not_taken() -> None:
    story = Story()
    story.targets["orders-db"] = FakeTarget(lambda: story.now, marks=False)
    story.targets["orders-db"].give_by_hand(EMAILS[ADA], ROLE)
    grant = adas(story)
    story.give_back(ADA)
    story.run_due()
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, True)


def test_a_target_that_cannot_mark_still_loses_what_we_gave() -> None:
    story = Story()
    story.targets["orders-db"] = FakeTarget(lambda: story.now, marks=False)
    grant = adas(story)
    assert story.has(ADA)
    story.give_back(ADA)
    story.run_due()
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, False)


def test_what_others_had_given_and_take_away_meanwhile_is_given_by_us_then(story: Story) -> None:
    story.target.give_by_hand(EMAILS[ADA], ROLE)
    grant = adas(story)
    story.target.take_by_hand(EMAILS[ADA], ROLE)
    story.pass_time(600)
    assert story.has(ADA)
    assert story.target.count("grant") == 1
    story.pass_time(4 * HOUR)
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, False)


def test_what_vanished_with_a_failover_of_the_target_is_given_again_and_the_security_channel_hears_of_it_once(
    story: Story,
) -> None:
    story.target.position = Position(timeline="1", at=100)
    adas(story)
    story.target.take_by_hand(EMAILS[ADA], ROLE)
    story.target.position = Position(timeline="2", at=100)
    story.pass_time(600)
    assert story.has(ADA)
    assert story.audit()[-1].what == "given again"
    story.pass_time(1_200)
    (note,) = story.messenger.notes_in(SECURITY)
    access = "orders_rw on orders-db"
    assert note.reason == because(
        Why.GIVEN_AGAIN, person=ADA, resource="prod-db", access=access, target="orders-db"
    )


def test_what_vanished_with_a_failover_is_given_again_without_a_security_channel_too() -> None:
    story = Story(replace(catalog(), security=SecurityRules(channel=None)))
    story.target.position = Position(timeline="1", at=100)
    adas(story)
    story.target.take_by_hand(EMAILS[ADA], ROLE)
    story.target.position = Position(timeline="1", at=99)
    story.pass_time(600)
    assert story.has(ADA)
    assert story.audit()[-1].what == "given again"


def test_what_was_there_before_is_judged_anew_each_time(story: Story) -> None:
    story.give_back(ADA, adas(story))
    story.run_due()
    story.target.give_by_hand(EMAILS[ADA], ROLE)
    second = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    story.give_back(ADA, second)
    story.run_due()
    assert story.has(ADA)


# -------------------------------------------------------------------------- two grants, one hold


def test_two_grants_behind_one_hold_never_cut_each_other(story: Story) -> None:
    story.enact(catalog(TWIN))
    first, second = adas(story, "1h"), adas(story, "2h", TWIN.name)
    assert story.target.count("grant") == 1
    story.pass_time(HOUR)
    assert story.has(ADA)
    ended = story.grant(first)
    assert (ended.state, ended.kept_by, set(ended.holds.values())) == (State.ENDED, second, {HoldState.KEPT})
    assert story.messenger.cards_of(first)[dm(ADA)].view.kept_until == at(2)
    story.pass_time(HOUR)
    assert (story.grant(second).state, story.has(ADA)) == (State.ENDED, False)
    assert story.target.count("revoke") == 1


def test_a_new_grant_while_the_old_one_is_being_taken_is_given(story: Story) -> None:
    first = adas(story, "1h")
    again: list[str] = []

    def asks_again(verb: str) -> None:
        if verb == "revoke" and not again:
            again.append(story.ask(ADA, length="2h").standing.grant.id)

    story.target.after = asks_again
    story.give_back(ADA, first)
    story.run_due()
    assert story.has(ADA)
    assert (story.grant(first).state, story.grant(again[0]).state) == (State.ENDED, State.ACTIVE)
    story.pass_time(2 * HOUR)
    assert not story.has(ADA)


def test_what_is_kept_ends_although_the_target_is_down(story: Story) -> None:
    story.enact(catalog(TWIN))
    first, second = adas(story, "1h"), adas(story, "2h", TWIN.name)
    story.target.failing = {"has": DOWN, "grant": DOWN, "revoke": DOWN}
    story.pass_time(HOUR)
    assert (story.grant(first).state, story.grant(second).state) == (State.ENDED, State.ACTIVE)


def test_two_people_with_one_account_share_a_hold() -> None:
    story = Story()
    people = replace(story.policy.people, accounts={who: {"orders-db": "ops"} for who in (ADA, DAN)})
    story.enact(replace(story.policy, people=people))
    adas(story)
    dans = story.ask(DAN).standing.grant.id
    story.approve(BOB, dans)
    story.run_due()
    story.give_back(ADA)
    story.run_due()
    assert story.target.accounts("orders_rw") == {"ops"}
    story.give_back(DAN)
    story.run_due()
    assert story.target.accounts("orders_rw") == set()


# ------------------------------------------------------------------------------- all or nothing


def test_a_grant_with_two_holds_is_active_with_both_and_ended_without_both(both: Story) -> None:
    both.targets["vault"].failing["grant"] = DOWN
    grant = adas(both)
    assert both.grant(grant).state is State.APPROVED
    del both.targets["vault"].failing["grant"]
    both.pass_time(10)
    assert both.grant(grant).state is State.ACTIVE
    both.targets["vault"].failing["revoke"] = DOWN
    both.give_back(ADA)
    both.run_due()
    assert (both.grant(grant).state, both.has(ADA)) == (State.ENDING, False)
    del both.targets["vault"].failing["revoke"]
    both.pass_time(10)
    assert both.grant(grant).state is State.ENDED


@pytest.mark.parametrize("verb", ["has", "grant"])
def test_if_one_cannot_be_given_at_all_nothing_is(both: Story, verb: str) -> None:
    both.targets["vault"].failing[verb] = PermanentFailure("there is no group orders")
    grant = adas(both)
    both.targets["vault"].failing.clear()
    both.pass_time(10)
    ended = both.grant(grant)
    assert (ended.state, ended.ended, ended.trouble) == (
        State.ENDED,
        because(Why.COULD_NOT_GIVE),
        "there is no group orders",
    )
    assert not both.live(grant)
    assert not both.has(ADA)
    assert both.messenger.cards_of(grant)[dm(ADA)].view.grant.state is State.ENDED
    assert "could not be given" in both.history(grant)


def test_a_grant_that_was_active_is_not_ended_by_a_target_that_refuses_later(story: Story) -> None:
    grant = adas(story)
    story.target.failing = {"has": NO_ROLE}
    story.pass_time(700)
    assert (story.grant(grant).state, story.grant(grant).trouble) == (State.ACTIVE, str(NO_ROLE))
    story.target.failing = {}
    story.pass_time(600)
    assert story.grant(grant).trouble is None


# --------------------------------------------------------------------------------- slow and never


def test_what_cannot_be_given_within_a_quarter_of_an_hour_is_taken_back_and_told(story: Story) -> None:
    story.target.failing["grant"] = DOWN
    grant = adas(story)
    story.pass_time(15 * 60)
    assert story.grant(grant).state is State.APPROVED
    assert story.messenger.cards_of(grant)[dm(ADA)].view.grant.trouble == str(DOWN)
    story.pass_time(1)
    ended = story.grant(grant)
    assert (ended.state, ended.ended, ended.trouble) == (State.ENDED, because(Why.COULD_NOT_GIVE), str(DOWN))
    assert story.target.count("revoke") == 1
    assert not story.live(grant)


def test_giving_that_was_slow_moves_the_end_by_as_much(story: Story) -> None:
    grant = story.ask(DAN, length="1h").standing.grant.id
    story.target.failing["grant"] = DOWN
    story.approve(BOB, grant)
    story.pass_time(120)
    story.target.failing.clear()
    story.pass_time(300)
    active = story.grant(grant)
    assert active.active_at is not None
    waited = active.active_at - NINE
    assert waited > timedelta(seconds=120)
    assert active.until
    assert active.until == story.lease(grant) == at(1) + waited
    [said] = [entry.facts for entry in story.audit(grant) if entry.what == "active"]
    assert said == {"person": DAN, "until": active.until.isoformat()}
    story.pass_time(HOUR + waited.total_seconds())
    assert not story.has(DAN)


def test_giving_within_half_a_minute_moves_nothing(story: Story) -> None:
    grant = story.ask(DAN, length="1h").standing.grant.id
    story.target.failing["grant"] = DOWN
    story.approve(BOB, grant)
    story.pass_time(10)
    story.target.failing.clear()
    story.pass_time(20)
    assert story.grant(grant).state is State.ACTIVE
    assert story.lease(grant) == at(1)


def test_slow_giving_never_moves_access_beyond_the_shift(story: Story) -> None:
    story.target.failing["grant"] = DOWN
    grant = story.ask(ADA, length="until end of shift").standing.grant.id
    story.pass_time(120)
    story.target.failing.clear()
    story.pass_time(300)
    assert story.grant(grant).state is State.ACTIVE
    assert story.lease(grant) == at(8)


def test_a_lease_that_ends_while_the_target_is_down_ends_on_time(story: Story) -> None:
    story.target.failing["grant"] = DOWN
    grant = adas(story, "5m")
    story.pass_time(300)
    assert story.grant(grant).state in (State.ENDING, State.ENDED)
    assert story.grant(grant).ended == because(Why.EXPIRED)


def test_a_wait_that_the_target_asks_for_is_kept_but_not_beyond_the_end(story: Story) -> None:
    story.target.failing["grant"] = TemporaryFailure("slow down", retry_after=10_000)
    adas(story, "4m")
    story.pass_time(239)
    assert story.target.count("grant") == 1
    story.pass_time(1)
    assert story.target.count("revoke") == 1


# ------------------------------------------------------------------------------------- overdue


def test_after_the_third_failed_take_it_is_overdue_and_tried_for_ever(story: Story) -> None:
    grant = adas(story, "1h")
    story.target.failing["revoke"] = DOWN
    story.pass_time(HOUR)
    assert story.grant(grant).overdue_since is None
    story.pass_time(3)
    overdue = story.grant(grant)
    assert (overdue.state, overdue.overdue_since) == (State.ENDING, at(1))
    assert story.messenger.cards_of(grant)[dm(ADA)].view.grant.overdue_since == overdue.overdue_since
    story.pass_time(5 * HOUR)
    assert story.target.count("revoke") > 60
    assert story.history(grant).count("overdue") == 1
    condition = story.memory.condition()
    assert (condition.open, condition.overdue) == (1, 1)
    assert condition.failing[0].member == f"hold:{overdue.gives[0].key}"
    del story.target.failing["revoke"]
    story.pass_time(300)
    ended = story.grant(grant)
    assert (ended.state, ended.overdue_since, ended.trouble) == (State.ENDED, None, None)
    assert not story.has(ADA)
    condition = story.memory.condition()
    assert (condition.open, condition.overdue, condition.failing) == (0, 0, ())


@pytest.mark.parametrize("presence", [Presence.OURS, Presence.UNKNOWN])
def test_what_is_still_shown_after_taking_counts_as_not_taken(story: Story, presence: Presence) -> None:
    grant = adas(story, "1h")
    story.target.stuck = presence
    story.pass_time(HOUR + 60)
    assert (story.grant(grant).state, story.grant(grant).overdue_since is None) == (State.ENDING, False)
    story.target.stuck = None
    story.pass_time(300)
    assert story.grant(grant).state is State.ENDED


def test_a_target_that_left_the_policy_is_overdue_until_it_is_back(story: Story) -> None:
    grant = adas(story, "1h")
    target = story.targets.pop("orders-db")
    story.pass_time(HOUR + 60)
    assert story.grant(grant).overdue_since is not None
    assert story.grant(grant).trouble == "there is no target orders-db"
    story.targets["orders-db"] = target
    story.pass_time(300)
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, False)


def test_a_target_that_is_not_there_at_all_gives_nothing_and_says_so(story: Story) -> None:
    story.targets.clear()
    grant = adas(story)
    story.pass_time(1)
    ended = story.grant(grant)
    assert (ended.state, ended.ended) == (State.ENDED, because(Why.COULD_NOT_GIVE))
    assert ended.overdue_since is None


# ------------------------------------------------------------------------------- lost and foreign


@pytest.mark.parametrize("by_hand", [False, True])
def test_what_was_given_is_taken_although_its_record_is_lost(story: Story, by_hand: bool) -> None:
    if by_hand:
        story.target.give_by_hand(EMAILS[ADA], ROLE)
    grant = adas(story, "1h")
    key = Key.of(HoldRecord, story.grant(grant).gives[0].key)
    story.memory.commit(Change(put={key: None}))
    story.pass_time(HOUR)
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, by_hand)


def test_a_record_that_was_lost_is_made_again(story: Story) -> None:
    grant = adas(story)
    key = Key.of(HoldRecord, story.grant(grant).gives[0].key)
    story.memory.commit(Change(put={key: None}))
    story.pass_time(600)
    record = story.record(grant)
    assert record is not None
    assert (record.phase, record.untouchable) == (Phase.GIVEN, False)


def test_trouble_with_redis_is_not_told_as_trouble_with_the_target(story: Story) -> None:
    grant = story.ask(ADA).standing.grant.id
    commit = story.memory.commit
    away = iter([True] * 3)

    def refuses(change: Change) -> object:
        if next(away, False):
            raise TemporaryFailure("the call to Redis failed")
        return commit(change)

    story.memory.commit = refuses  # type: ignore[method-assign,assignment]
    story.pass_time(30)
    assert story.grant(grant).state is State.ACTIVE
    assert story.audit(grant)[-1].what == "active"
    assert all(message.view.grant.trouble is None for message in story.messenger.cards.values())
    assert story.target.count("grant") == 1


def test_after_the_end_nothing_is_left_in_the_books(story: Story) -> None:
    grant = adas(story, "1h")
    story.pass_time(2 * HOUR)
    assert story.record(grant) is None
    key = story.grant(grant).gives[0].key
    snap = story.memory.read((), (f"hold:{key}", f"person:{ADA}", "resource:prod-db", "open"))
    assert snap.all(type(story.grant(grant))) == ()
    story.pass_time(24 * HOUR)
    assert story.target.count("has") <= 12


def test_access_by_a_group_ends_when_the_person_leaves_it() -> None:
    story = Story(catalog(replace(PROD_DB, approve_automatically=(InGroup(group="slack/dba"),))))
    grant = story.ask(BOB).standing.grant.id
    story.run_due()
    assert story.has(BOB)
    group = story.directory.members["slack/dba"]
    del story.directory.members["slack/dba"]
    story.pass_time(300)
    assert story.has(BOB)
    story.directory.members["slack/dba"] = group
    story.pass_time(300)
    story.directory.members["slack/dba"] = replace(group, members=("U04CAROL",))
    story.pass_time(300)
    assert not story.has(BOB)
    assert story.grant(grant).ended == because(Why.NOT_IN_GROUP, group="slack/dba")


@pytest.mark.parametrize("gone", [True, False])
def test_who_is_deactivated_loses_it_within_a_quarter_of_an_hour(story: Story, gone: bool) -> None:
    grant = adas(story)
    if gone:
        del story.directory.people[ADA]
    else:
        story.directory.change(ADA, deactivated=True)
    story.pass_time(15 * 60)
    assert not story.has(ADA)
    ended = story.grant(grant)
    assert (ended.state, ended.ended) == (State.ENDED, because(Why.PERSON_DEACTIVATED, person=ADA))


def test_while_slack_is_away_nobody_loses_anything(story: Story) -> None:
    grant = adas(story, "12h")
    story.directory.away = True
    story.source.rota["PDBPRIM"] = (nobodys(shift(ADA, end=at(30))),)
    story.pass_time(3 * HOUR)
    assert story.live(grant)
    assert story.has(ADA)
