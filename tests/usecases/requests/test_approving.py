"""Dan asks, Bob and Carol decide: who may, when, and how today's policy and facts judge it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.core.catalog import Everyone, InGroup, Named, Resource
from bot.core.grants import State
from bot.core.reasons import Reason, Why, because
from bot.testing.cast import ADA, BOB, CAROL, DAN, EVE, GROUP, HOUR, NINE, PROD_DB, catalog, dba
from bot.testing.slack import dm
from bot.testing.story import Story

Refusal = Callable[[Callable[[], object]], Reason]
TWO_OF_THEM = replace(PROD_DB, approvals=2)


def at(hours: float) -> datetime:
    return NINE + timedelta(hours=hours)


def dans_ask(story: Story, resource: str = "prod-db", length: str = "4h") -> str:
    asked = story.ask(DAN, resource, length).standing.grant.id
    story.run_due()
    return asked


def test_bob_approves_and_dan_has_it_for_as_long_as_he_asked(story: Story) -> None:
    grant = dans_ask(story)
    story.pass_time(600)
    approved = story.approve(BOB, grant)
    assert (approved.live, approved.until, approved.grant.state) == (
        True,
        at(4) + timedelta(minutes=10),
        State.APPROVED,
    )
    story.run_due()
    assert story.grant(grant).state is State.ACTIVE
    assert story.has(DAN)
    story.pass_time(4 * HOUR)
    assert not story.has(DAN)
    assert story.history(grant) == ["asked", "approved", "given", "active", "ending", "taken", "ended"]
    assert next(each.by for each in story.audit(grant) if each.what == "approved") == BOB


def test_bob_gives_less_than_was_asked_for(story: Story, refusal: Refusal) -> None:
    grant = dans_ask(story)
    assert refusal(lambda: story.approve(BOB, grant, 5 * HOUR)) == because(Why.SHORTER_ONLY, asked_s=4 * HOUR)
    assert story.approve(BOB, grant, HOUR).until == at(1)
    story.pass_time(HOUR)
    assert not story.has(DAN)


def test_an_approver_cannot_give_less_than_the_least(story: Story, refusal: Refusal) -> None:
    story.enact(catalog(replace(PROD_DB, lengths=replace(PROD_DB.lengths, min=600))))
    grant = dans_ask(story)
    assert refusal(lambda: story.approve(BOB, grant, 60)).why is Why.DURATION_TOO_SHORT


def test_two_of_them_have_to_approve(story: Story, refusal: Refusal) -> None:
    story.enact(catalog(TWO_OF_THEM))
    grant = dans_ask(story)
    first = story.approve(BOB, grant, 2 * HOUR)
    assert (first.live, first.grant.state, len(first.grant.votes)) == (False, State.ASKED, 1)
    story.run_due()
    assert not story.has(DAN)
    assert refusal(lambda: story.approve(BOB, grant)).why is Why.VOTED_ALREADY
    assert story.approve(CAROL, grant).until == at(2)
    story.run_due()
    assert story.has(DAN)
    entries = [each for each in story.audit(grant) if each.what in ("voted", "approved")]
    assert [each.what for each in entries] == ["voted", "approved"]
    assert entries[1].facts["votes"] == [BOB, CAROL]


def test_a_vote_does_not_count_once_its_voter_has_left_the_group(story: Story) -> None:
    story.enact(catalog(TWO_OF_THEM))
    grant = dans_ask(story)
    story.approve(BOB, grant)
    story.directory.members[GROUP] = dba(CAROL, EVE)
    story.pass_time(300)
    assert story.approve(CAROL, grant).grant.state is State.ASKED
    assert [vote.person for vote in story.grant(grant).votes] == [CAROL]
    assert story.approve(EVE, grant).live


def test_a_vote_does_not_count_once_its_voter_is_deactivated(story: Story) -> None:
    story.enact(catalog(TWO_OF_THEM))
    grant = dans_ask(story)
    story.approve(BOB, grant)
    story.directory.change(BOB, deactivated=True)
    story.pass_time(301)
    assert story.approve(CAROL, grant).grant.state is State.ASKED
    assert [vote.person for vote in story.grant(grant).votes] == [CAROL]


def test_bob_votes_while_carols_click_is_looked_at_and_both_votes_count(story: Story) -> None:
    story.enact(catalog(TWO_OF_THEM))
    grant = dans_ask(story)
    read_basis, context = story.context.read_basis, story.context

    def bob_first(wanted: object, follow: object = ()) -> object:
        context.read_basis = read_basis  # type: ignore[method-assign]
        story.approve(BOB, grant)
        return read_basis(wanted, follow)  # type: ignore[arg-type]

    context.read_basis = bob_first  # type: ignore[method-assign,assignment]
    assert story.approve(CAROL, grant).live
    assert [vote.person for vote in story.grant(grant).votes] == [BOB, CAROL]


def test_nobody_approves_their_own_ask_by_any_rule(story: Story, refusal: Refusal) -> None:
    everybody = (Everyone(), InGroup(group=GROUP), Named(person=BOB))
    story.enact(catalog(replace(PROD_DB, approvers=everybody)))
    grant = story.ask(BOB).standing.grant
    assert refusal(lambda: story.approve(BOB, grant.id)).why is Why.OWN_REQUEST
    assert refusal(lambda: story.deny(BOB, grant.id)).why is Why.OWN_REQUEST
    assert BOB not in grant.asked_people
    assert story.approve(DAN, grant.id).live


def test_carol_denies_and_says_why(story: Story) -> None:
    grant = dans_ask(story)
    denied = story.deny(CAROL, grant, "  not tonight ")
    assert (denied.grant.state, denied.live) == (State.DENIED, False)
    story.run_due()
    found = story.grant(grant)
    assert (found.decided_by, found.ended) == (CAROL, because(Why.DENIED, said="not tonight"))
    assert story.grants_of(DAN) == ()
    assert story.history(grant) == ["asked", "denied"]
    assert story.target.calls == []
    assert story.grant(dans_ask(story)).state is State.ASKED


@pytest.mark.parametrize(
    ("decide", "state", "by"),
    [
        (lambda story, grant: story.approve(CAROL, grant), State.APPROVED, CAROL),
        (lambda story, grant: story.deny(CAROL, grant), State.DENIED, CAROL),
        (lambda story, grant: story.give_back(DAN, grant), State.WITHDRAWN, DAN),
        (lambda story, grant: story.pass_time(HOUR), State.LAPSED, None),
    ],
)
@pytest.mark.parametrize("late", [Story.approve, Story.deny])
def test_who_clicks_late_is_told_who_decided(
    story: Story,
    refusal: Refusal,
    decide: Callable[[Story, str], object],
    state: State,
    by: str | None,
    late: Callable[[Story, str, str], object],
) -> None:
    grant = dans_ask(story)
    decide(story, grant)
    reason = refusal(lambda: late(story, BOB, grant))
    assert reason.why is Why.DECIDED_ALREADY
    assert (reason.facts["state"], reason.facts.get("by_person")) == (state.value, by)
    assert story.grant(grant).state is state


def test_an_ask_lapses_after_an_hour_and_both_sides_are_told(story: Story, refusal: Refusal) -> None:
    grant = dans_ask(story)
    story.memory.advance(HOUR)
    assert refusal(lambda: story.approve(BOB, grant)).why is Why.ASK_LAPSED
    story.run_due()
    lapsed = story.grant(grant)
    assert (lapsed.state, lapsed.ended_at, lapsed.ended) == (State.LAPSED, at(1), because(Why.ASK_LAPSED))
    assert set(story.messenger.cards_of(grant)) == {"CDB-ACCESS", dm(DAN)}
    assert story.grants_of(DAN) == ()


def test_dan_withdraws_his_ask(story: Story) -> None:
    grant = dans_ask(story)
    assert story.give_back(DAN, "prod-db").grant.state is State.WITHDRAWN
    story.run_due()
    assert story.history(grant) == ["asked", "withdrawn"]
    assert story.messenger.cards_of(grant)["CDB-ACCESS"].view.grant.state is State.WITHDRAWN


def test_a_double_click_counts_once_and_answers_alike(story: Story) -> None:
    story.enact(catalog(TWO_OF_THEM))
    grant = dans_ask(story)
    first = story.approve(BOB, grant, op="click-1")
    second = story.approve(BOB, grant, op="click-1")
    assert second.grant == first.grant
    story.approve(CAROL, grant, op="click-2")
    story.run_due()
    again = story.approve(CAROL, grant, op="click-2")
    assert again.grant.state is State.ACTIVE
    story.give_back(DAN)
    denied = dans_ask(story, length="1h")
    assert story.deny(BOB, denied, op="click-3").grant == story.deny(BOB, denied, op="click-3").grant
    assert story.history(denied).count("denied") == 1


def test_somebody_who_lost_the_group_is_no_approver_any_more(story: Story, refusal: Refusal) -> None:
    grant = dans_ask(story)
    story.directory.members[GROUP] = dba(CAROL)
    story.pass_time(300)
    assert refusal(lambda: story.approve(BOB, grant)).why is Why.NOT_AN_APPROVER
    assert refusal(lambda: story.deny(BOB, grant)).why is Why.NOT_AN_APPROVER
    assert refusal(lambda: story.approve(ADA, grant)).why is Why.NOT_AN_APPROVER
    assert story.approve(CAROL, grant).live


def test_when_slack_has_not_told_of_a_group_for_an_hour_nobody_can_be_told_to_be_in_it(
    story: Story, refusal: Refusal
) -> None:
    story.deny(BOB, dans_ask(story))
    story.directory.away = True
    story.pass_time(HOUR + 1)
    grant = dans_ask(story)
    assert refusal(lambda: story.approve(BOB, grant)).why is Why.GROUP_STALE


def test_dan_was_deactivated_before_the_click(story: Story, refusal: Refusal) -> None:
    grant = dans_ask(story)
    story.directory.change(DAN, deactivated=True)
    story.pass_time(301)
    assert refusal(lambda: story.approve(BOB, grant)).why is Why.PERSON_DEACTIVATED
    assert not story.has(DAN)


@pytest.mark.parametrize(
    ("today", "why"),
    [
        (replace(PROD_DB, who_may_ask=(InGroup(group=GROUP),)), Why.MAY_NOT_ASK),
        (replace(PROD_DB, lengths=replace(PROD_DB.lengths, max=HOUR)), Why.DURATION_TOO_LONG),
        (replace(PROD_DB, approvers=(Named(person=EVE),)), Why.NOT_AN_APPROVER),
    ],
)
def test_a_policy_that_changed_between_card_and_click_decides(
    story: Story, refusal: Refusal, today: Resource, why: Why
) -> None:
    grant = dans_ask(story)
    story.enact(catalog(today))
    assert refusal(lambda: story.approve(BOB, grant)).why is why
    assert story.grant(grant).state is State.ASKED


def test_a_shorter_length_makes_an_ask_fit_a_stricter_policy(story: Story) -> None:
    grant = dans_ask(story)
    story.enact(catalog(replace(PROD_DB, lengths=replace(PROD_DB.lengths, max=HOUR))))
    assert story.approve(BOB, grant, HOUR).until == at(1)
    assert story.grant(grant).policy == "v2"


def test_a_resource_that_left_the_policy_cannot_be_approved(story: Story, refusal: Refusal) -> None:
    grant = dans_ask(story)
    resources = {name: each for name, each in story.policy.resources.items() if name != "prod-db"}
    story.enact(replace(story.policy, resources=resources))
    assert refusal(lambda: story.approve(BOB, grant)).why is Why.RESOURCE_GONE
    story.pass_time(HOUR)
    assert story.grant(grant).state is State.LAPSED


def test_what_was_given_is_taken_whatever_the_policy_says_by_then(story: Story) -> None:
    grant = dans_ask(story)
    story.approve(BOB, grant)
    story.run_due()
    moved = replace(PROD_DB, gives=(replace(PROD_DB.gives[0], what=(("role", "other"),)),))
    story.enact(catalog(moved))
    story.pass_time(4 * HOUR)
    assert not story.has(DAN)
    assert story.target.accounts("other") == set()


def test_an_unknown_ask_is_said_to_be_unknown(story: Story, refusal: Refusal) -> None:
    assert refusal(lambda: story.approve(BOB, "x" * 1000)) == because(Why.GRANT_UNKNOWN, grant="x" * 40)
    assert refusal(lambda: story.deny(BOB, "nope")).why is Why.GRANT_UNKNOWN


def test_bob_and_carol_click_at_the_same_moment_and_one_is_late(story: Story, refusal: Refusal) -> None:
    """Carol's click is decided between Bob's look and his commit."""
    grant = dans_ask(story)
    commit, ledger = story.ledger.commit, story.memory

    def carols_first(change: object) -> object:
        ledger.commit = commit  # type: ignore[method-assign]
        story.deny(CAROL, grant)
        return commit(change)  # type: ignore[arg-type]

    ledger.commit = carols_first  # type: ignore[method-assign,assignment]
    reason = refusal(lambda: story.approve(BOB, grant))
    assert (reason.why, reason.facts["by_person"]) == (Why.DECIDED_ALREADY, CAROL)
    assert story.grant(grant).state is State.DENIED


@pytest.mark.parametrize("alter_ego", [DAN, BOB])
def test_two_slack_users_with_one_account_are_one_person(
    story: Story, refusal: Refusal, alter_ego: str
) -> None:
    """Carol and the requester, or Carol and Bob, share a login at the target."""
    people = replace(
        story.policy.people,
        accounts={CAROL: {"orders-db": "one"}, alter_ego: {"orders-db": "one"}},
    )
    story.enact(replace(catalog(TWO_OF_THEM), people=people))
    grant = dans_ask(story)
    if alter_ego == BOB:
        story.approve(BOB, grant)
    why = Why.VOTED_ALREADY if alter_ego == BOB else Why.OWN_REQUEST
    assert refusal(lambda: story.approve(CAROL, grant)).why is why
    assert not story.live(grant)
