"""Somebody removes access at the target, without Rotakey: once that is proven, it stays removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.core.catalog import Catalog, InGroup, Named, Resource, SecurityRules, SourceRules, StrayRules
from bot.core.errors import Refused, TemporaryFailure
from bot.core.grants import HoldState, State
from bot.core.holds import Absence, HoldRecord, Position, System, Witness
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change
from bot.ports.deadline import Deadline
from bot.ports.documents import Alert, Key, Losses
from bot.ports.ledger import CLAIM_SECONDS
from bot.testing.cast import (
    ADA,
    BOB,
    CAROL,
    DAN,
    EMAILS,
    EVE,
    HOUR,
    MINUTE,
    ORDERS_ON_CALL,
    ORDERS_SCHEDULE,
    PROD_DB,
    SECURITY,
    SHIFT_ENDS,
    catalog,
    nobodys,
    shift,
)
from bot.testing.fuse import Died, Fuse
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from bot.usecases.access.hands import note_server
from bot.usecases.job import Job

[ROLE] = PROD_DB.gives
[OPS] = ORDERS_ON_CALL.gives
ACCOUNT = EMAILS[ADA]
GONE = because(Why.HAND_REMOVED, target="orders-db")
NOT_THERE = "not at the target right now"
SAME_ROLE = replace(PROD_DB, name="orders-write", title="The same role by another name")
QUIET = {"pagerduty": SourceRules(every=86_400, stale_after=200_000)}
Refusal = Callable[[Callable[[], object]], Reason]


def adas(story: Story, length: str = "4h") -> str:
    grant = story.ask(ADA, length=length).standing.grant.id
    story.run_due()
    assert story.has(ADA)
    return grant


def many(story: Story, count: int, length: str = "4h") -> list[str]:
    """Let that many people have prod-db, Ada first, and return their grants."""
    others = [story.ask(who, length=length).standing.grant.id for who in (DAN, EVE, CAROL)[: count - 1]]
    for each in others:
        story.approve(BOB, each)
    return [adas(story, length), *others]


def alerts(story: Story) -> list[Alert]:
    """Return the alerts that are not over, each with where it is."""
    names = [each for page in story.memory.documents(Alert) for each in page]
    found = story.memory.read(Key.of(Alert, each) for each in names).all(Alert)
    return [each for each in found if not each.over_at]


def taken(story: Story, *people: str) -> None:
    for who in people:
        story.target.take_by_hand(EMAILS[who], ROLE)


def redis_starts_again(story: Story) -> None:
    """Let another Redis server take over, or restart this one."""
    for server in ("first", "second"):
        note_server(story.ledger, server)


def record_of(story: Story, grant: str) -> HoldRecord:
    found = story.record(grant)
    assert found
    return found


# ------------------------------------------------------------------------------------ the proof


def test_what_a_hand_took_ends_and_is_not_granted_again(story: Story) -> None:
    grant = adas(story)
    taken(story, ADA)
    story.pass_time(11 * MINUTE)
    assert (story.grant(grant).state, story.grant(grant).ended) == (State.ENDED, GONE)
    assert not story.live(grant)
    assert story.record(grant) is None
    story.pass_time(5 * HOUR)
    assert not story.has(ADA)
    assert story.target.count("grant") == 1
    assert "removed by a hand" in story.history(grant)


def test_no_rule_gives_back_what_a_hand_took(story: Story) -> None:
    """Ada is on call."""
    adas(story)
    taken(story, ADA)
    story.pass_time(11 * MINUTE)
    asked = story.ask(ADA).standing.grant
    assert asked.state is State.ASKED
    story.approve(BOB, asked.id)
    story.run_due()
    assert story.has(ADA)


def test_an_approver_who_gives_it_again_ends_the_block(story: Story) -> None:
    adas(story)
    taken(story, ADA)
    story.pass_time(11 * MINUTE)
    story.grant_again(BOB, hand_alert(story).id)
    story.run_due()
    story.give_back(ADA)
    story.run_due()
    assert story.ask(ADA).standing.grant.state is State.APPROVED


def test_nothing_is_said_before_two_looks_ten_seconds_apart(story: Story) -> None:
    grant = adas(story)
    taken(story, ADA)
    story.pass_time(10 * MINUTE)
    missing = record_of(story, grant).missing
    assert missing
    assert (missing.since, missing.cause) == (story.now, None)
    assert missing.system == System(id="orders", instance="first")
    story.pass_time(9)
    assert story.grant(grant).state is State.ACTIVE
    story.pass_time(4)
    assert story.grant(grant).state is State.ENDED


def test_what_is_back_at_the_second_look_was_never_missing(story: Story) -> None:
    grant = adas(story)
    made, story.target.access = dict(story.target.access), {}
    story.pass_time(10 * MINUTE)
    assert record_of(story, grant).missing
    story.target.access = made
    story.pass_time(HOUR)
    assert (story.grant(grant).state, record_of(story, grant).missing) == (State.ACTIVE, None)
    assert alerts(story) == []


def test_an_account_that_was_dropped_and_made_again_does_not_get_it_back(story: Story) -> None:
    """The new account may be somebody else's."""
    grant = adas(story)
    story.target.recreate(ACCOUNT)
    story.pass_time(11 * MINUTE)
    assert (story.grant(grant).ended, story.has(ADA)) == (GONE, False)


def test_two_resources_that_gave_the_role_both_end() -> None:
    story = Story(catalog(SAME_ROLE))
    first = adas(story)
    other = story.ask(ADA, "orders-write").standing.grant.id
    story.run_due()
    taken(story, ADA)
    story.pass_time(11 * MINUTE)
    assert [story.grant(each).ended for each in (first, other)] == [GONE, GONE]
    assert not story.has(ADA)


def test_a_shift_whose_access_a_hand_took_does_not_start_again() -> None:
    hers = nobodys(shift(ADA, schedule=ORDERS_SCHEDULE))
    story = Story(rota={"PORDERS": (hers,)})
    story.pass_time(MINUTE)
    grant = story.shift_grant(ADA)
    assert grant
    story.target.take_by_hand(ACCOUNT, OPS)
    story.pass_time(12 * MINUTE)
    assert story.grant(grant.id).ended == GONE
    story.pass_time((SHIFT_ENDS - story.now).total_seconds() - MINUTE)
    assert not story.has(ADA, "orders_ops")
    assert story.shift_grant(ADA) is None


def test_access_of_no_use_is_no_hand(story: Story) -> None:
    grant = adas(story)
    story.target.disable(ACCOUNT, ROLE)
    story.pass_time(11 * MINUTE)
    assert (story.grant(grant).state, story.has(ADA)) == (State.ACTIVE, True)


def test_an_approval_after_the_hand_is_a_new_decision() -> None:
    story = Story(catalog(SAME_ROLE))
    grant = adas(story, "1h")
    taken(story, ADA)
    story.ask(ADA, "orders-write", length="2h")
    story.run_due()
    assert story.has(ADA)
    story.pass_time(30 * MINUTE)
    assert story.grant(grant).state is State.ACTIVE


def test_an_end_that_the_target_keeps_and_reached_too_early_is_no_hand() -> None:
    story = Story()
    story.targets["orders-db"] = story.target = FakeTarget(lambda: story.now, keeps_end=True)
    grant = adas(story, "10m")
    story.memory.advance(10 * MINUTE - 1)
    story.extend(ADA, grant, HOUR)
    story.target.access.clear()
    story.pass_time(MINUTE)
    assert story.has(ADA)


def test_a_later_end_does_not_bring_back_what_a_hand_took() -> None:
    story = Story()
    story.targets["orders-db"] = story.target = FakeTarget(lambda: story.now, keeps_end=True)
    grant = adas(story, "1h")
    taken(story, ADA)
    story.extend(ADA, grant, HOUR)
    story.pass_time(MINUTE)
    assert (story.has(ADA), story.grant(grant).ended) == (False, GONE)


# ------------------------------------------------------------------------------------ without the proof


@pytest.mark.parametrize("then", [Position(timeline="2", at=200), Position(timeline="1", at=99)])
def test_after_a_failover_or_restore_of_the_target_it_is_granted_again(then: Position) -> None:
    story = Story()
    story.target.position = Position(timeline="1", at=100)
    grant = adas(story)
    taken(story, ADA)
    story.target.position = then
    story.pass_time(10 * MINUTE)
    assert (story.grant(grant).state, story.has(ADA)) == (State.ACTIVE, True)
    [note] = [each for each in story.messenger.notes_in(SECURITY) if each.reason.why is Why.GIVEN_AGAIN]
    assert note.reason.facts["target"] == "orders-db"
    story.pass_time(HOUR)
    assert alerts(story) == []


def test_a_target_that_went_on_is_no_excuse() -> None:
    story = Story()
    story.target.position = Position(timeline="1", at=100)
    grant = adas(story)
    taken(story, ADA)
    story.target.position = Position(timeline="1", at=900)
    story.pass_time(11 * MINUTE)
    assert story.grant(grant).ended == GONE


def test_after_a_failover_of_redis_it_ends_and_nothing_is_said_of_anybody(story: Story) -> None:
    grant = adas(story)
    taken(story, ADA)
    redis_starts_again(story)
    story.pass_time(11 * MINUTE)
    ended = story.grant(grant)
    assert (ended.state, ended.ended) == (State.ENDED, because(Why.NOT_AFTER_RESTORE, target="orders-db"))
    assert alerts(story) == []


def test_a_shift_that_was_not_there_after_a_restore_of_redis_does_not_start_again() -> None:
    hers = nobodys(shift(ADA, schedule=ORDERS_SCHEDULE))
    story = Story(rota={"PORDERS": (hers,)})
    story.pass_time(MINUTE)
    story.target.take_by_hand(ACCOUNT, OPS)
    redis_starts_again(story)
    story.pass_time(2 * HOUR)
    assert not story.has(ADA, "orders_ops")


def test_a_worker_notes_that_redis_was_restarted(story: Story) -> None:
    for server, count in (("first", 0), ("first", 0), ("second", 1), ("second", 1), ("first", 2)):
        story.memory.server_id = server
        story.guard.look(SECURITY)
        found = story.memory.read({Key.of(Losses)}).find(Losses)
        assert found == Losses(count=count, server=server)


def test_what_was_seen_since_redis_was_restored_is_proven_again(story: Story) -> None:
    grant = adas(story)
    redis_starts_again(story)
    story.pass_time(10 * MINUTE)
    assert story.memory.read({Key.of(Losses)}).find(Losses) == Losses(count=1, server="second")
    assert record_of(story, grant).losses == 1
    taken(story, ADA)
    story.pass_time(11 * MINUTE)
    assert story.grant(grant).ended == GONE


def test_a_claim_that_was_left_open_since_it_was_seen_proves_nothing(story: Story) -> None:
    grant = adas(story)
    taken(story, ADA)
    story.memory.advance(10 * MINUTE)
    assert story.claim("hold")
    story.memory.advance(CLAIM_SECONDS + 0.001)
    story.pass_time(MINUTE)
    assert story.grant(grant).state is State.ACTIVE
    assert not story.has(ADA)
    [alert] = alerts(story)
    access = "orders_rw on orders-db"
    assert alert.reason == because(
        Why.MISSING_ONE, target="orders-db", person=ADA, resource="prod-db", access=access
    )
    assert alert.verbs == ("grant_again", "end_them")
    assert story.grant(grant).trouble == NOT_THERE


def test_a_claim_left_open_and_a_target_that_fails_then_prove_nothing_either(story: Story) -> None:
    grant = adas(story)
    taken(story, ADA)
    story.memory.advance(10 * MINUTE)
    assert story.claim("hold")
    story.target.failing["has"] = TemporaryFailure("no answer")
    story.memory.advance(CLAIM_SECONDS + 0.001)
    story.run_due()
    assert record_of(story, grant).witness is None
    del story.target.failing["has"]
    story.pass_time(2 * MINUTE)
    assert (story.has(ADA), story.grant(grant).trouble) == (False, NOT_THERE)


def test_a_claim_left_open_before_it_was_seen_again_does_not_matter(story: Story) -> None:
    grant = adas(story)
    story.memory.advance(10 * MINUTE)
    assert story.claim("hold")
    story.memory.advance(CLAIM_SECONDS + 0.001)
    story.pass_time(MINUTE)
    assert record_of(story, grant).witness
    taken(story, ADA)
    story.pass_time(11 * MINUTE)
    assert story.grant(grant).ended == GONE


def test_a_hold_of_an_older_version_that_was_never_seen_by_this_one_is_asked_about(story: Story) -> None:
    grant = adas(story)
    story.memory.commit(
        Change(
            put={
                Key.of(HoldRecord, record_of(story, grant).hold.key): replace(
                    record_of(story, grant), witness=None
                )
            }
        )
    )
    taken(story, ADA)
    story.pass_time(11 * MINUTE)
    assert story.grant(grant).state is State.ACTIVE
    assert len(alerts(story)) == 1


def test_nothing_counts_as_seen_while_a_call_of_ours_has_no_answer(story: Story) -> None:
    grant = story.ask(ADA).standing.grant.id
    witnesses: list[Witness | None] = []
    story.target.before = lambda verb: (
        witnesses.append(record_of(story, grant).witness) if verb == "grant" else None
    )
    story.run_due()
    assert record_of(story, grant).witness
    story.target.disable(ACCOUNT, ROLE)
    story.pass_time(10 * MINUTE)
    assert witnesses == [None, None]


# ------------------------------------------------------------------------------------ several at once


def test_four_at_once_end_nothing_and_one_alert_asks(story: Story) -> None:
    grants = many(story, 4)
    taken(story, ADA, DAN, EVE, CAROL)
    story.pass_time(12 * MINUTE)
    assert {story.grant(each).state for each in grants} == {State.ACTIVE}
    assert {story.grant(each).trouble for each in grants} == {NOT_THERE}
    [alert] = alerts(story)
    assert alert.reason == because(Why.MISSING_MANY, target="orders-db", count=4, held=4)
    assert alert.verbs == ("grant_again", "end_them")
    story.pass_time(HOUR)
    assert len(alerts(story)) == 1
    assert {story.grant(each).state for each in grants} == {State.ACTIVE}


def test_two_of_four_are_more_than_a_quarter(story: Story) -> None:
    grants = many(story, 4)
    taken(story, ADA, DAN)
    story.pass_time(12 * MINUTE)
    assert {story.grant(each).state for each in grants} == {State.ACTIVE}
    assert [story.grant(each).trouble for each in grants] == [NOT_THERE, NOT_THERE, None, None]
    assert len(alerts(story)) == 1


def test_a_single_one_of_four_ends(story: Story) -> None:
    grants = many(story, 4)
    taken(story, DAN)
    story.pass_time(12 * MINUTE)
    assert [story.grant(each).state for each in grants] == [
        State.ACTIVE,
        State.ENDED,
        State.ACTIVE,
        State.ACTIVE,
    ]


def test_all_that_is_held_there_is_looked_at_before_the_first_ends() -> None:
    """Dan's access was seen a moment ago and is not due for ten minutes, and no sweep runs."""
    story = Story(replace(catalog(), strays=StrayRules(every=HOUR)))
    first = adas(story)
    story.pass_time(9 * MINUTE)
    second = story.ask(DAN).standing.grant.id
    story.approve(BOB, second)
    story.run_due()
    taken(story, ADA, DAN)
    story.pass_time(2 * MINUTE)
    assert [story.grant(each).trouble for each in (first, second)] == [NOT_THERE, NOT_THERE]
    [alert] = alerts(story)
    assert alert.reason.facts["count"] == 2


def test_what_is_there_again_by_itself_settles_the_alert(story: Story) -> None:
    grants = many(story, 4)
    made, story.target.access = dict(story.target.access), {}
    story.pass_time(12 * MINUTE)
    assert len(alerts(story)) == 1
    story.target.access = made
    story.pass_time(20 * MINUTE)
    assert alerts(story) == []
    assert {story.grant(each).trouble for each in grants} == {None}


def test_a_look_that_is_lost_from_the_due_set_is_owed_again(story: Story) -> None:
    many(story, 4)
    made, story.target.access = dict(story.target.access), {}
    story.pass_time(12 * MINUTE)
    story.memory.lose("hands:orders-db")
    story.target.access = made
    story.pass_time(40 * MINUTE)
    assert alerts(story) == []


def test_a_lease_that_ends_while_people_are_asked_ends_on_time(story: Story) -> None:
    grants = many(story, 4)
    taken(story, ADA, DAN, EVE, CAROL)
    story.pass_time(4 * HOUR)
    assert {story.grant(each).state for each in grants} == {State.ENDED}
    story.pass_time(6 * MINUTE)
    assert alerts(story) == []


# ------------------------------------------------------------------------------------ people decide


def hand_alert(story: Story) -> Alert:
    [alert] = [each for each in alerts(story) if each.grant]
    return alert


def test_an_approver_grants_it_again_for_the_time_that_was_left(story: Story) -> None:
    first = adas(story)
    end = story.grant(first).until
    taken(story, ADA)
    story.pass_time(30 * MINUTE)
    alert = hand_alert(story)
    assert alert.reason == because(Why.HAND_FOUND, person=ADA, resource="prod-db", target="orders-db")
    story.grant_again(BOB, alert.id)
    story.run_due()
    [grant] = story.grants_of(ADA)
    assert (grant.state, grant.until, [vote.person for vote in grant.votes]) == (State.ACTIVE, end, [BOB])
    assert story.has(ADA)
    assert alerts(story) == []
    story.pass_time(4 * HOUR)
    assert not story.has(ADA)


def test_nobody_grants_their_own_again_and_strangers_do_not_either(story: Story, refusal: Refusal) -> None:
    grant = story.ask(BOB).standing.grant.id
    story.approve(CAROL, grant)
    story.run_due()
    taken(story, BOB)
    story.pass_time(12 * MINUTE)
    alert = hand_alert(story).id
    assert refusal(lambda: story.grant_again(BOB, alert)).why is Why.OWN_AGAIN
    assert refusal(lambda: story.grant_again(DAN, alert)).why is Why.NOT_AN_APPROVER
    assert refusal(lambda: story.end_them(CAROL, alert)).why is Why.ALERT_SETTLED
    story.grant_again(CAROL, alert)
    story.run_due()
    assert story.has(BOB)
    assert refusal(lambda: story.grant_again(CAROL, alert)).why is Why.ALERT_SETTLED


def secured(*resources: Resource) -> Catalog:
    rules = SecurityRules(channel=SECURITY, people=(Named(person=EVE),))
    return replace(catalog(*resources), security=rules)


def test_security_people_grant_it_again_too() -> None:
    story = Story(secured())
    adas(story)
    taken(story, ADA)
    story.pass_time(12 * MINUTE)
    story.grant_again(EVE, hand_alert(story).id)
    story.run_due()
    assert story.has(ADA)


def test_two_approvals_are_two_people() -> None:
    story = Story(secured(replace(PROD_DB, approvals=2)))
    adas(story)
    taken(story, ADA)
    story.pass_time(12 * MINUTE)
    alert = hand_alert(story).id
    story.grant_again(BOB, alert)
    story.run_due()
    assert not story.has(ADA)
    with pytest.raises(Refused) as refused:
        story.grant_again(BOB, alert)
    assert refused.value.reason.why is Why.VOTED_ALREADY
    story.grant_again(CAROL, alert)
    story.run_due()
    assert story.has(ADA)


def test_when_its_time_is_over_it_has_to_be_requested(story: Story, refusal: Refusal) -> None:
    adas(story, "1h")
    taken(story, ADA)
    story.pass_time(2 * HOUR)
    assert refusal(lambda: story.grant_again(BOB, hand_alert(story).id)).why is Why.NO_TIME_LEFT


def test_today_s_policy_decides(story: Story, refusal: Refusal) -> None:
    adas(story)
    taken(story, ADA)
    story.pass_time(12 * MINUTE)
    alert = hand_alert(story).id
    story.enact(
        replace(catalog(), resources={"prod-db": replace(PROD_DB, who_may_ask=(InGroup(group="slack/dba"),))})
    )
    assert refusal(lambda: story.grant_again(BOB, alert)).why is Why.MAY_NOT_ASK


def test_all_are_granted_again_by_a_click(story: Story) -> None:
    grants = many(story, 4)
    ends = {story.grant(each).person: story.grant(each).until for each in grants}
    taken(story, ADA, DAN, EVE, CAROL)
    story.pass_time(30 * MINUTE)
    [alert] = alerts(story)
    story.grant_again(BOB, alert.id)
    story.run_due()
    for who in (ADA, DAN, EVE, CAROL):
        [grant] = story.grants_of(who)
        assert (grant.state, grant.until, story.has(who)) == (State.ACTIVE, ends[who], True)
    assert {story.grant(each).state for each in grants} == {State.ENDED}
    assert {story.grant(each).holds.popitem()[1] for each in grants} == {HoldState.KEPT}  # type: ignore[attr-defined]
    assert alerts(story) == []


def test_a_grant_of_two_roles_is_granted_again_once() -> None:
    both = replace(PROD_DB, gives=(ROLE, OPS))
    story = Story(catalog(both))
    many(story, 3)
    story.target.access.clear()
    story.pass_time(30 * MINUTE)
    [alert] = alerts(story)
    assert alert.reason.facts["count"] == 6
    story.grant_again(BOB, alert.id)
    story.run_due()
    for who in (ADA, DAN, EVE):
        assert (len(story.grants_of(who)), story.has(who), story.has(who, "orders_ops")) == (1, True, True)
    assert alerts(story) == []


def test_a_holder_who_approves_grants_the_others_only(story: Story) -> None:
    many(story, 4)
    taken(story, ADA, DAN, EVE, CAROL)
    story.pass_time(30 * MINUTE)
    [alert] = alerts(story)
    story.grant_again(CAROL, alert.id)
    story.run_due()
    assert [story.has(who) for who in (ADA, DAN, EVE, CAROL)] == [True, True, True, False]
    [alert] = alerts(story)
    assert alert.became == because(Why.MISSING_LEFT, by_person=CAROL, count=1)
    story.grant_again(BOB, alert.id)
    story.run_due()
    assert story.has(CAROL)
    assert alerts(story) == []


def test_all_are_ended_by_a_click(story: Story) -> None:
    grants = many(story, 4)
    taken(story, ADA, DAN, EVE, CAROL)
    story.pass_time(30 * MINUTE)
    [alert] = alerts(story)
    story.end_them(BOB, alert.id)
    story.run_due()
    assert [story.grant(each).ended for each in grants] == [because(Why.REVOKED, by_person=BOB)] * 4
    assert {story.grant(each).state for each in grants} == {State.ENDED}
    assert alerts(story) == []
    assert story.ask(ADA).standing.grant.state is State.ASKED, "as after any revocation"


def test_a_click_on_many_counts_only_for_approvers(story: Story, refusal: Refusal) -> None:
    many(story, 4)
    taken(story, ADA, DAN, EVE, CAROL)
    story.pass_time(30 * MINUTE)
    [alert] = alerts(story)
    for press in (story.grant_again, story.end_them):
        assert refusal(lambda press=press: press(DAN, alert.id)).why is Why.NOT_AN_APPROVER  # type: ignore[misc]


# ------------------------------------------------------------------------------------ in pieces


def test_very_much_is_looked_at_in_pieces(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.usecases.access.survey.AT_A_TIME", 0.0)
    story.memory.page = 1
    grants = many(story, 4)
    taken(story, ADA, DAN, EVE, CAROL)
    story.pass_time(13 * MINUTE)
    assert {story.grant(each).trouble for each in grants} == {NOT_THERE}
    [alert] = alerts(story)
    assert alert.reason.facts["count"] == 4


def test_a_target_that_does_not_answer_ends_nothing(story: Story) -> None:
    grants = many(story, 3)
    taken(story, DAN)
    story.pass_time(10 * MINUTE + 5)
    story.target.failing["has"] = TemporaryFailure("no answer")
    story.pass_time(20 * MINUTE)
    assert {story.grant(each).state for each in grants} == {State.ACTIVE}
    del story.target.failing["has"]
    story.pass_time(10 * MINUTE)
    assert [story.grant(each).state for each in grants] == [State.ACTIVE, State.ENDED, State.ACTIVE]


# ------------------------------------------------------------------------------------ crashes


def wherever_it_dies(tell: Callable[[Story, Fuse, int], None]) -> None:
    """Run the story with a death at each place in turn, until there is no such place any more."""
    deaths = 0
    while True:
        story = Story(replace(catalog(), sources=QUIET))
        fuse = Fuse(story)
        tell(story, fuse, deaths)
        if not fuse.burnt:
            break
        deaths += 1
    assert deaths > 10


def waits(story: Story, seconds: float) -> None:
    end = story.now.timestamp() + seconds
    while (left := end - story.now.timestamp()) > 0:
        try:
            story.pass_time(left)
        except Died:
            story.context = story.another_context()
            story.memory.advance(CLAIM_SECONDS + 0.001)


def test_a_hand_is_told_from_ourselves_wherever_the_process_dies() -> None:
    """The grant ends, or people are asked; it is never granted again, and there is one alert."""

    def tell(story: Story, fuse: Fuse, deaths: int) -> None:
        grant = adas(story, "14m")
        story.memory.advance(9 * MINUTE)
        taken(story, ADA)
        fuse.left = deaths
        waits(story, 3 * MINUTE)
        with fuse.off():
            assert not story.has(ADA), deaths
            assert story.target.count("grant") == 1, deaths
            [alert] = alerts(story)
            ended = story.grant(grant).state is State.ENDED
            assert story.grant(grant).ended == (GONE if ended else None), deaths
            assert alert.reason.why is (Why.HAND_FOUND if ended else Why.MISSING_ONE), deaths
            assert story.grant(grant).trouble == (None if ended else NOT_THERE), deaths
            story.pass_time(4 * MINUTE)
            assert story.grant(grant).state is State.ENDED, deaths
            assert story.history(grant).count("ended") == 1, deaths

    wherever_it_dies(tell)


def test_a_decision_about_many_is_carried_out_wherever_the_process_dies() -> None:
    def tell(story: Story, fuse: Fuse, deaths: int) -> None:
        people = (ADA, DAN)
        many(story, 2, "20m")
        taken(story, *people)
        story.pass_time(11 * MINUTE)
        [alert] = alerts(story)
        fuse.left = deaths
        for _ in range(2):
            try:
                story.grant_again(BOB, alert.id, op="click-1")
            except Died:
                story.context = story.another_context()
            except Refused:
                break
        waits(story, MINUTE)
        with fuse.off():
            assert [story.has(who) for who in people] == [True, True], deaths
            assert all(len(story.grants_of(who)) == 1 for who in people), deaths
            story.pass_time(6 * MINUTE)
            assert alerts(story) == [], deaths
            story.pass_time(2 * MINUTE)
            assert [story.has(who) for who in people] == [False, False], deaths

    wherever_it_dies(tell)


def test_a_worker_that_looked_before_it_was_granted_anew_ends_nothing() -> None:
    """The worker sleeps after the look that showed nothing."""
    story = Story(catalog(SAME_ROLE))
    adas(story)
    taken(story, ADA)
    story.memory.advance(10 * MINUTE)
    claim = story.claim("hold")
    assert claim

    def sleeps(verb: str) -> None:
        story.target.after = lambda _: None
        story.memory.advance(CLAIM_SECONDS + 0.001)
        asked = story.ask(ADA, "orders-write", length="6h").standing.grant
        if asked.state is State.ASKED:
            story.approve(BOB, asked.id)
        story.run_due()

    story.target.after = sleeps
    story.reconciliation(Job(claim, Deadline.after(0))).run()
    story.pass_time(5 * MINUTE)
    assert story.has(ADA)
    assert {grant.state for grant in story.grants_of(ADA)} == {State.ACTIVE}
    assert Absence.HAND not in {
        m.cause for g in story.grants_of(ADA) if (m := record_of(story, g.id).missing)
    }
