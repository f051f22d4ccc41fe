"""Eve has a stray; Bob and Carol are asked whether to adopt, remove or leave it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.catalog import Entitlement, Lengths, Named, SecurityRules
from bot.core.errors import TemporaryFailure
from bot.core.grants import HoldState, State
from bot.core.holds import Hold, HoldRecord, Presence
from bot.core.reasons import Reason, Why, because
from bot.core.strays import StrayState
from bot.ports.changes import Change, Committed
from bot.ports.documents import Key, Restore, Strays
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
    PROD_DB,
    SCHEMA_MIGRATION,
    SECURITY,
    catalog,
    dba,
)
from bot.testing.slack import dm
from bot.testing.story import Story
from bot.usecases.strays.search import open_strays
from bot.usecases.strays.verdicts import adopt, leave, remove

Refusal = Callable[[Callable[[], object]], Reason]

[ROLE] = PROD_DB.gives
CHANNEL = "#db-access"
LOOK = 10 * MINUTE + 40
HERS = Hold(target="orders-db", account=EMAILS[EVE], entitlement=ROLE)


def asked_about(story: Story, who: str = EVE, entitlement: Entitlement = ROLE) -> str:
    """Return the alert about what this person has."""
    story.target.stray(EMAILS[who], entitlement)
    story.pass_time(LOOK)
    [found] = [each for each in story.messenger.alerts.values() if not each.over]
    return found.id


def shown(story: Story, alert: str) -> tuple[Reason | None, tuple[str, ...], bool]:
    [view] = [each for each in story.messenger.alerts.values() if each.id == alert]
    return view.became, view.verbs, view.over


def state(story: Story) -> StrayState | None:
    found = story.memory.read({Key.of(Strays, "orders-db")}).find(Strays, "orders-db")
    stray = found.found.get(HERS.key) if found else None
    return stray.state if stray else None


# -------------------------------------------------------------------------------------------- remove


def test_security_people_remove_what_they_do_not_approve_and_only_that(
    story: Story, refusal: Refusal
) -> None:
    security = SecurityRules(channel=SECURITY, people=(Named(person=DAN),))
    alone = replace(PROD_DB, approvers=())
    others = replace(SCHEMA_MIGRATION, approvers=())
    story.enact(replace(catalog(alone, others, replace(ORDERS_ON_CALL, approvers=())), security=security))
    alert = asked_about(story)
    for wish in (leave, adopt):
        against = refusal(lambda wish=wish: wish(story.context, person=DAN, alert=alert, op=story.op()))  # type: ignore[misc]
        assert against.why is Why.NOT_AN_APPROVER
    assert refusal(lambda: story.remove(BOB, alert)).why is Why.NOT_AN_APPROVER
    story.directory.away = True
    story.memory.full, story.memory.audit_trouble = True, "its key is a string"
    story.remove(DAN, alert)
    story.run_due("hold")
    assert not story.has(EVE)


def test_bob_removes_it_and_the_alert_says_what_came_of_that(story: Story) -> None:
    alert = asked_about(story)
    story.remove(BOB, alert)
    story.run_due()
    assert not story.has(EVE)
    assert shown(story, alert) == (because(Why.STRAY_TAKING, by_person=BOB), (), False)
    story.pass_time(3)
    became, verbs, over = shown(story, alert)
    gone_at = int(story.now.timestamp())
    assert became == because(Why.STRAY_TAKEN, gone_at=gone_at, by_person=BOB)
    assert (verbs, over, open_strays(story.ledger)) == ((), True, ())
    [entry] = [each for each in story.audit() if each.what == "taking stray"]
    assert (entry.by, entry.facts) == (BOB, {"hold": f"orders_rw on orders-db for {EMAILS[EVE]}"})


def test_what_bob_wants_removed_is_tried_until_it_is_gone(story: Story) -> None:
    alert = asked_about(story)
    story.target.failing["revoke"] = TemporaryFailure("orders-db is down")
    story.remove(BOB, alert)
    story.pass_time(HOUR)
    assert shown(story, alert)[0] == because(Why.STRAY_STUCK, trouble="orders-db is down", by_person=BOB)
    story.target.failing.clear()
    story.pass_time(LOOK)
    became, _, over = shown(story, alert)
    assert became
    assert (became.why, became.facts["by_person"], over) == (Why.STRAY_TAKEN, BOB, True)


@pytest.mark.parametrize("verdict", [adopt, remove])
@pytest.mark.parametrize("given", [False, True])
def test_who_is_approved_while_bob_clicks_keeps_it_by_that(
    story: Story, refusal: Refusal, verdict: Callable[..., None], given: bool
) -> None:
    alert = asked_about(story, ADA)
    commit = story.memory.commit

    def another_is_first(change: Change) -> Committed:
        if any(entry.what in ("taking stray", "stray adopted") for entry in change.audit):
            story.memory.commit = commit  # type: ignore[method-assign]
            story.ask(ADA, length="4h")
            if given:
                story.run_due("hold")
        return commit(change)

    story.memory.commit = another_is_first  # type: ignore[method-assign]
    against = refusal(lambda: verdict(story.context, person=BOB, alert=alert, op=story.op()))
    assert against == because(Why.ALERT_SETTLED)
    story.pass_time(LOOK)
    assert story.has(ADA)
    assert [grant.rule for grant in story.grants_of(ADA)] == ["on_call pagerduty/PDBPRIM level 1, 2"]
    assert shown(story, alert)[0] == because(Why.STRAY_EXPLAINED)


# --------------------------------------------------------------------------------------------- leave


def test_what_is_left_is_not_asked_about_again_until_it_comes_back(story: Story) -> None:
    alert = asked_about(story)
    story.leave(CAROL, alert)
    story.pass_time(5 * HOUR)
    assert shown(story, alert) == (because(Why.STRAY_LEFT, by_person=CAROL), (), True)
    assert (state(story), open_strays(story.ledger)) == (StrayState.LEFT, ())
    assert len(story.messenger.alerts) == 1
    story.target.take_by_hand(EMAILS[EVE], ROLE)
    story.pass_time(LOOK)
    assert asked_about(story) != alert
    assert [entry.by for entry in story.audit() if entry.what == "stray left"] == [CAROL]


# --------------------------------------------------------------------------------------------- adopt


def test_an_adopted_stray_is_a_grant_like_any_other(story: Story) -> None:
    alert = asked_about(story)
    story.adopt(BOB, alert)
    until = story.now + timedelta(hours=4)
    [grant] = story.grants_of(EVE)
    assert (grant.resource, grant.until, grant.rule) == ("prod-db", until, f"adopted by {BOB}")
    story.run_due()
    assert story.grant(grant.id).state is State.ACTIVE
    assert (story.target.count("grant"), story.target.count("revoke")) == (0, 0)
    record = story.record(grant.id)
    assert record
    assert record.baseline is Presence.NONE
    assert shown(story, alert) == (
        because(
            Why.STRAY_ADOPTED,
            by_person=BOB,
            person=EVE,
            resource="prod-db",
            until_at=int(until.timestamp()),
        ),
        (),
        True,
    )
    assert set(story.messenger.cards_of(grant.id)) == {dm(EVE)}
    assert state(story) is None
    happened = story.history(grant.id)
    assert happened == ["approved", "stray adopted", "given", "active"]
    story.pass_time(4 * HOUR)
    assert not story.has(EVE)
    assert story.grant(grant.id).state is State.ENDED


def test_what_was_adopted_can_be_given_back_and_revoked(story: Story) -> None:
    story.adopt(BOB, asked_about(story))
    story.run_due()
    story.revoke(CAROL, EVE, "prod-db")
    story.run_due()
    assert not story.has(EVE)


def test_nothing_more_is_given_than_was_there(story: Story) -> None:
    other = Entitlement(target="orders-db", what=(("role", "orders_ops"),))
    story.enact(replace(catalog(replace(PROD_DB, gives=(ROLE, other)))))
    story.adopt(BOB, asked_about(story))
    story.run_due()
    [grant] = story.grants_of(EVE)
    assert (grant.state, dict(grant.holds)) == (State.ACTIVE, {HERS.key: HoldState.GIVEN})
    assert not story.has(EVE, "orders_ops")


@pytest.mark.parametrize(
    ("lengths", "hours"),
    [(Lengths(default=HOUR, max=2 * HOUR), 2), (Lengths(default=6 * HOUR, max=8 * HOUR, min=6 * HOUR), 6)],
)
def test_it_is_adopted_for_as_long_as_its_resource_allows(lengths: Lengths, hours: int) -> None:
    story = Story(catalog(replace(PROD_DB, lengths=lengths)))
    alert = asked_about(story)
    assert story.messenger.alerts_in(CHANNEL)[0].length == hours * HOUR
    story.adopt(BOB, alert)
    assert story.grants_of(EVE)[0].until == story.now + timedelta(hours=hours)


def test_a_seat_that_is_taken_cannot_be_adopted_a_second_time(story: Story, refusal: Refusal) -> None:
    [migrator] = SCHEMA_MIGRATION.gives
    story.approve(BOB, story.ask(DAN, "schema-migration", "2h", "").standing.grant.id)
    alert = asked_about(story, EVE, migrator)
    assert refusal(lambda: story.adopt(BOB, alert)).why is Why.HELD_BY_OTHER
    story.give_back(DAN)
    story.run_due()
    story.adopt(BOB, alert)
    story.run_due()
    assert story.grants_of(EVE)[0].seated
    assert refusal(lambda: story.ask(DAN, "schema-migration", "1h", "")).why is Why.HELD_BY_OTHER


def test_a_seat_is_taken_while_a_stray_is_still_being_removed(story: Story, refusal: Refusal) -> None:
    [migrator] = SCHEMA_MIGRATION.gives
    alert = asked_about(story, EVE, migrator)
    story.target.failing["revoke"] = TemporaryFailure("orders-db is down")
    story.remove(BOB, alert)
    story.run_due()
    reason = refusal(lambda: story.ask(DAN, "schema-migration", "1h", ""))
    assert (reason.why, set(reason.facts)) == (Why.HELD_BY_OTHER, {"resource"})
    story.target.failing.clear()
    story.pass_time(6 * MINUTE)
    assert story.target.accounts("migrator") == set()
    assert story.ask(DAN, "schema-migration", "1h", "").standing.grant.state is State.ASKED


def test_after_a_restore_adopting_is_how_what_was_forgotten_goes_on(story: Story) -> None:
    restore = Restore(noticed_at=story.now, anchored="9-0", found="5-0")
    story.memory.commit(Change(put={Key.of(Restore): restore}))
    story.adopt(BOB, asked_about(story))
    story.run_due()
    assert story.grants_of(EVE)[0].state is State.ACTIVE
    assert story.has(EVE)


def test_who_may_not_have_it_today_is_not_adopted(story: Story, refusal: Refusal) -> None:
    alert = asked_about(story)
    story.directory.change(EVE, deactivated=True)
    assert refusal(lambda: story.adopt(BOB, alert)).why is Why.PERSON_DEACTIVATED
    assert story.grants_of(EVE) == ()
    story.remove(BOB, alert)
    story.run_due()
    assert not story.has(EVE)


def test_whose_account_is_another_by_now_is_not_adopted(story: Story, refusal: Refusal) -> None:
    alert = asked_about(story)
    people = replace(story.policy.people, accounts={EVE: {"orders-db": "eve_ops"}})
    story.enact(replace(story.policy, people=people))
    assert refusal(lambda: story.adopt(BOB, alert)) == because(Why.NOT_ADOPTABLE)


@pytest.mark.parametrize("changed", [replace(PROD_DB, approvals=2), replace(PROD_DB, approvers=())])
def test_what_one_approver_may_no_longer_give_is_not_adopted(changed: object, refusal: Refusal) -> None:
    story = Story()
    alert = asked_about(story)
    other = replace(PROD_DB, name="other")
    resources = {"prod-db": changed, "other": other}
    story.enact(replace(catalog(), resources=resources))  # type: ignore[arg-type]  # they are resources
    assert refusal(lambda: story.adopt(BOB, alert)) == because(Why.NOT_ADOPTABLE)


# ----------------------------------------------------------------------------------- who may, and when


@pytest.mark.parametrize("verdict", [adopt, remove, leave])
def test_only_approvers_decide(story: Story, refusal: Refusal, verdict: Callable[..., None]) -> None:
    alert = asked_about(story)
    for who in (DAN, ADA, EVE):
        against = refusal(lambda who=who: verdict(story.context, person=who, alert=alert, op=story.op()))  # type: ignore[misc]
        assert against == because(Why.NOT_AN_APPROVER, resource="prod-db")
    assert shown(story, alert)[1] == ("adopt", "remove", "leave")
    assert story.has(EVE)
    assert [entry.by for entry in story.audit() if entry.what == "verdict on a stray refused"] == [
        DAN,
        ADA,
        EVE,
    ]


@pytest.mark.parametrize("verdict", [adopt, leave])
def test_nobody_keeps_their_own(story: Story, refusal: Refusal, verdict: Callable[..., None]) -> None:
    alert = asked_about(story, BOB)
    own = refusal(lambda: verdict(story.context, person=BOB, alert=alert, op=story.op()))
    assert own == because(Why.OWN_ACCESS)
    story.remove(BOB, alert)
    story.run_due()
    assert not story.has(BOB)


def test_who_is_no_approver_any_more_decides_nothing(story: Story, refusal: Refusal) -> None:
    alert = asked_about(story)
    story.directory.members["slack/dba"] = dba(CAROL)
    story.pass_time(6 * MINUTE)
    assert refusal(lambda: story.remove(BOB, alert)).why is Why.NOT_AN_APPROVER
    story.remove(CAROL, alert)


def test_what_no_resource_gives_any_more_the_targets_approvers_decide(story: Story) -> None:
    alert = asked_about(story)
    other = replace(PROD_DB, gives=(Entitlement(target="orders-db", what=(("role", "orders_ops"),)),))
    story.enact(replace(catalog(), resources={"prod-db": other}))
    story.remove(BOB, alert)
    story.run_due()
    assert not story.has(EVE)


@pytest.mark.parametrize("first", [adopt, remove, leave])
@pytest.mark.parametrize("second", [adopt, remove, leave])
def test_the_second_to_decide_is_told_who_was_first(
    story: Story, refusal: Refusal, first: Callable[..., None], second: Callable[..., None]
) -> None:
    alert = asked_about(story)
    first(story.context, person=BOB, alert=alert, op=story.op())
    against = refusal(lambda: second(story.context, person=CAROL, alert=alert, op=story.op()))
    assert against == because(Why.ALERT_SETTLED, by_person=BOB)


@pytest.mark.parametrize("verdict", [adopt, remove, leave])
def test_a_click_delivered_twice_is_one_verdict(story: Story, verdict: Callable[..., None]) -> None:
    alert = asked_about(story)
    for _ in range(2):
        verdict(story.context, person=BOB, alert=alert, op="click-1")
    decided = {"taking stray", "stray left", "stray adopted"}
    assert sum(entry.what in decided for entry in story.audit()) == 1


@pytest.mark.parametrize("verdict", [adopt, remove, leave])
def test_of_what_went_away_meanwhile_nothing_is_decided(
    story: Story, refusal: Refusal, verdict: Callable[..., None]
) -> None:
    alert = asked_about(story)
    story.target.take_by_hand(EMAILS[EVE], ROLE)
    story.pass_time(LOOK)
    for each in (alert, "G0unknown", ""):
        against = refusal(lambda each=each: verdict(story.context, person=BOB, alert=each, op=story.op()))  # type: ignore[misc]
        assert against == because(Why.ALERT_SETTLED)
    assert story.grants_of(EVE) == ()


def test_an_alert_about_too_many_has_nothing_to_decide(story: Story, refusal: Refusal) -> None:
    for number in range(11):
        story.target.stray(f"stray{number}@example.com", ROLE)
    story.pass_time(LOOK)
    [crowd] = [each for each in story.messenger.alerts.values() if each.reason.why is Why.STRAYS_MANY]
    assert crowd.verbs == ()
    assert refusal(lambda: story.remove(BOB, crowd.id)) == because(Why.ALERT_SETTLED)


def test_as_some_are_decided_the_others_are_asked_about(story: Story) -> None:
    for number in range(12):
        story.target.stray(f"stray{number}@example.com", ROLE)
    story.pass_time(LOOK)
    asked = [each.id for each in story.messenger.alerts_in(CHANNEL) if each.verbs]
    assert len(asked) == 10
    for alert in asked:
        story.leave(BOB, alert)
    story.pass_time(LOOK)
    assert len([each for each in story.messenger.alerts_in(CHANNEL) if each.verbs]) == 2


def test_with_the_stray_its_record_goes(story: Story) -> None:
    story.remove(BOB, asked_about(story))
    story.pass_time(LOOK)
    assert story.memory.read({Key.of(HoldRecord, HERS.key)}).find(HoldRecord, HERS.key) is None
