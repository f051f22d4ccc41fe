"""An account at a target belongs to one person, unless several are meant to share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.catalog import Everyone, Named, SecurityRules
from bot.core.errors import Conflict, TemporaryFailure
from bot.core.grants import State
from bot.core.holds import Hold
from bot.core.people import Person
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change, Committed, Snapshot
from bot.ports.documents import Account, AccountOwner, AccountsNoted, Key
from bot.ports.slack import AlertView, CardView
from bot.slack.views.cards import card
from bot.testing.cast import (
    ADA,
    BOB,
    CAROL,
    DAN,
    EMAILS,
    EVE,
    GROUP,
    HOUR,
    MINUTE,
    NINE,
    ORDERS_SCHEDULE,
    PROD_DB,
    SECURITY,
    catalog,
    dba,
    nobodys,
    shift,
)
from bot.testing.slack import dm
from bot.testing.story import Story
from bot.usecases.access.owing import NOTED, keep_owed
from bot.usecases.schedules.contests import same_person, somebody_else
from bot.usecases.schedules.ownership import claims, owner_key

Refusal = Callable[[Callable[[], object]], Reason]

[ROLE] = PROD_DB.gives
LOOK = 10 * MINUTE + 40
SHARED = "breakglass"


def names_accounts(story: Story, account: str, *people: str, shared: bool = False) -> None:
    """Let the policy name one account at the orders database for these people."""
    accounts = {who: {"orders-db": account} for who in people}
    story.enact(
        replace(
            story.policy,
            people=replace(story.policy.people, accounts=accounts),
            shared_accounts={"orders-db": (account,)} if shared else {},
        )
    )


# ------------------------------------------------------------------------------ a second claimant


OLD = EMAILS[ADA]


def recycled(story: Story) -> None:
    """Let Ada use her account and then get another address; Dan gets her old one."""
    story.ask(ADA)
    story.run_due()
    moves_on(story)


def moves_on(story: Story) -> None:
    story.directory.change(ADA, email="ada.l@example.com")
    story.directory.change(DAN, email=OLD)
    for who in (ADA, DAN):
        story.context.look_up_people(who, again=True)


def taken(resource: str = "prod-db") -> Reason:
    return because(
        Why.ACCOUNT_TAKEN,
        person=DAN,
        owner_person=ADA,
        target="orders-db",
        account=OLD,
        resource=resource,
        since_at=int(NINE.timestamp()),
    )


def question(story: Story, channel: str = SECURITY) -> AlertView:
    [view] = story.messenger.alerts_in(channel)
    return view


def owner(story: Story, account: str = OLD) -> AccountOwner | None:
    name = f"orders-db/{account}"
    return story.memory.read({Key.of(AccountOwner, name)}).find(AccountOwner, name)


def secure(story: Story, *people: str, channel: str | None = SECURITY) -> None:
    """Make these the security people."""
    named = tuple(Named(person=each) for each in people)
    story.enact(replace(story.policy, security=SecurityRules(channel=channel, people=named)))


def same(story: Story, by: str, alert: str) -> None:
    same_person(story.context, person=by, alert=alert, op=story.op())


def other(story: Story, by: str, alert: str) -> None:
    somebody_else(story.context, person=by, alert=alert, op=story.op())


def test_who_first_used_an_account_owns_it(story: Story) -> None:
    story.ask(ADA)
    assert owner(story) == AccountOwner(person=ADA, since=NINE)
    story.pass_time(HOUR)
    story.ask(ADA, "orders-on-call", "1h")
    assert owner(story) == AccountOwner(person=ADA, since=NINE)


def test_dan_has_adas_old_address_and_gets_nothing_by_it(story: Story, refusal: Refusal) -> None:
    recycled(story)
    assert refusal(lambda: story.ask(DAN)) == taken()
    assert story.grants_of(DAN) == ()
    assert refusal(lambda: story.ask(DAN)) == taken()
    story.run_due()
    asked = question(story)
    contested = replace(taken(), why=Why.ACCOUNT_CONTESTED)
    assert (asked.reason, asked.verbs, asked.over) == (contested, ("same_person", "somebody_else"), False)
    assert story.has(ADA), "what is held goes on"


def test_nor_by_an_approval_that_was_requested_before(story: Story, refusal: Refusal) -> None:
    moves_on(story)
    dans = story.ask(DAN).standing.grant.id
    story.memory.commit(Change(put={owner_key("orders-db", OLD): AccountOwner(person=ADA, since=NINE)}))
    assert refusal(lambda: story.approve(BOB, dans)) == taken()
    story.run_due()
    assert question(story).reason.why is Why.ACCOUNT_CONTESTED
    assert not story.live(dans)


def test_nor_by_a_request_that_waited_for_facts(story: Story) -> None:
    story.ask(ADA)
    story.run_due()
    moves_on(story)
    story.memory.commit(Change(put={Key.of(Person, DAN): None}))
    story.directory.away = True
    dans = story.ask(DAN).standing.grant.id
    assert story.grant(dans).undecided
    story.directory.away = False
    story.pass_time(10)
    assert story.grant(dans).ended == taken()
    assert question(story).reason.why is Why.ACCOUNT_CONTESTED


def test_nor_by_a_shift(story: Story) -> None:
    recycled(story)
    story.source.rota["PORDERS"] = (nobodys(replace(shift(DAN, schedule=ORDERS_SCHEDULE), email=OLD)),)
    story.pass_time(2 * MINUTE)
    assert story.shift_grant(DAN) is None
    assert [note.reason for note in story.messenger.notes_in(DAN)] == [taken("orders-on-call")]
    assert question(story).reason.facts["resource"] == "orders-on-call"


def test_of_two_who_claim_an_account_at_one_moment_one_gets_it(story: Story, refusal: Refusal) -> None:
    commit = story.memory.commit

    def another_is_first(change: Change) -> Committed:
        if any(entry.what == "approved" for entry in change.audit):
            story.memory.commit = commit  # type: ignore[method-assign]
            commit(Change(put={owner_key("orders-db", OLD): AccountOwner(person=DAN, since=NINE)}))
        return commit(change)

    story.memory.commit = another_is_first  # type: ignore[method-assign]
    reason = refusal(lambda: story.ask(ADA))
    assert (reason.why, reason.facts["owner_person"]) == (Why.ACCOUNT_TAKEN, DAN)
    assert owner(story) == AccountOwner(person=DAN, since=NINE)


def test_nothing_is_claimed_of_which_it_was_not_read_whose_it_is(story: Story) -> None:
    hold = Hold(target="orders-db", account=OLD, entitlement=ROLE)
    with pytest.raises(Conflict):
        claims(ADA, [hold], story.policy, Snapshot(now=NINE))


def test_a_question_that_nobody_would_have_closed(story: Story, refusal: Refusal) -> None:
    recycled(story)
    refusal(lambda: story.ask(DAN))
    story.run_due()
    names_accounts(story, OLD, DAN)
    story.memory.lose(f"alert:{question(story).id}")
    story.pass_time(16 * MINUTE)
    assert question(story).over


def test_a_line_in_the_policy_decides(story: Story, refusal: Refusal) -> None:
    recycled(story)
    assert refusal(lambda: story.ask(DAN)) == taken()
    story.run_due()
    names_accounts(story, OLD, DAN)
    story.approve(BOB, story.ask(DAN).standing.grant.id)
    found = owner(story)
    assert found is not None
    assert found.person == DAN
    story.pass_time(11 * MINUTE)
    asked = question(story)
    assert (asked.over, asked.verbs) == (True, ())
    assert asked.became == because(Why.ACCOUNT_SETTLED, account=OLD, target="orders-db")
    names_accounts(story, OLD, EVE)
    assert refusal(lambda: story.ask(DAN)) == because(
        Why.ACCOUNT_OF_ANOTHER, person=DAN, owner_person=EVE, target="orders-db", account=OLD
    )


def test_the_accounts_that_an_older_version_gave_out_have_owners(story: Story, refusal: Refusal) -> None:
    """That version only kept which account each person used."""
    names_accounts(story, "dan_ops", DAN)
    story.ask(ADA)
    story.approve(BOB, story.ask(DAN).standing.grant.id)
    story.pass_time(MINUTE)
    older = {f"{EVE}/orders-db": EMAILS[EVE], f"{BOB}/orders-db": OLD}
    story.memory.commit(
        Change(
            put={
                **{owner_key("orders-db", each): None for each in (OLD, "dan_ops")},
                **{Key.of(Account, pin): Account(name=name) for pin, name in older.items()},
                NOTED: None,
            }
        )
    )
    keep_owed(story.context, story.memory)
    story.run_due()
    assert story.memory.read({NOTED}).find(AccountsNoted) == AccountsNoted(at=story.now)
    again = story.memory._due["owed:all"]
    keep_owed(story.context, story.memory)
    assert story.memory._due["owed:all"] == again, "once is enough"
    assert owner(story) == AccountOwner(person=ADA, since=NINE), "she holds it"
    assert owner(story, "dan_ops") == AccountOwner(person=DAN, since=NINE)
    assert owner(story, EMAILS[EVE]) == AccountOwner(person=EVE)
    story.directory.change(EVE, email="eve.l@example.com")
    story.directory.change(CAROL, email=EMAILS[EVE])
    for who in (EVE, CAROL):
        story.context.look_up_people(who, again=True)
    reason = refusal(lambda: story.ask(CAROL))
    assert reason.why is Why.ACCOUNT_TAKEN
    assert "since_at" not in reason.facts


# ------------------------------------------------------------------------------------ the answer


def test_they_are_the_same_person(story: Story, refusal: Refusal) -> None:
    secure(story, EVE)
    adas = story.approve(BOB, story.ask(ADA, "orders-on-call", "1h").standing.grant.id).grant.id
    recycled(story)
    refusal(lambda: story.ask(DAN))
    story.run_due()
    alert = question(story).id
    story.pass_time(MINUTE)
    same(story, EVE, alert)
    assert owner(story) == AccountOwner(person=DAN, since=story.now)
    story.run_due()
    moved = because(
        Why.ACCOUNT_MOVED, by_person=EVE, person=DAN, owner_person=ADA, target="orders-db", account=OLD
    )
    assert (question(story).became, question(story).verbs, question(story).over) == (moved, (), True)
    assert [note.reason for note in story.messenger.notes_in(DAN)] == [moved]
    assert [entry.by for entry in story.audit() if entry.what == "account moved"] == [EVE]
    assert story.ask(DAN).standing.live, "he is on call now, by the address in the roster"
    story.run_due()
    assert story.grants_of(DAN)[0].gives[0].account == OLD
    assert story.grant(adas).state is State.ACTIVE
    assert refusal(lambda: same(story, EVE, alert)) == because(Why.ALERT_SETTLED, by_person=EVE)


def test_they_are_not(story: Story, refusal: Refusal) -> None:
    secure(story, EVE)
    recycled(story)
    refusal(lambda: story.ask(DAN))
    story.run_due()
    other(story, EVE, question(story).id)
    assert owner(story) == AccountOwner(person=ADA, since=NINE, others=(DAN,))
    assert refusal(lambda: story.ask(DAN)) == because(
        Why.ACCOUNT_OF_ANOTHER, person=DAN, owner_person=ADA, target="orders-db", account=OLD
    )
    story.run_due()
    assert question(story).over
    assert question(story).became == because(
        Why.ACCOUNT_KEPT, by_person=EVE, person=DAN, owner_person=ADA, target="orders-db", account=OLD
    )


@pytest.mark.parametrize("answer", [same, other])
def test_neither_of_the_two_answers_nor_anybody_else(
    story: Story, refusal: Refusal, answer: Callable[[Story, str, str], None]
) -> None:
    secure(story, EVE, ADA, DAN)
    recycled(story)
    refusal(lambda: story.ask(DAN))
    story.run_due()
    alert = question(story).id
    for who in (ADA, DAN):
        assert refusal(lambda who=who: answer(story, who, alert)) == because(Why.ACCOUNT_CLAIMED)  # type: ignore[misc]
    assert refusal(lambda: answer(story, BOB, alert)) == because(Why.NOT_FOR_ACCOUNTS)
    story.directory.people["U08DAN"] = replace(
        story.directory.people[DAN], id="U08DAN", email="d@example.com"
    )
    accounts = {each: {"vault": "dan"} for each in (DAN, "U08DAN")}
    story.enact(replace(story.policy, people=replace(story.policy.people, accounts=accounts)))
    secure(story, "U08DAN")
    assert refusal(lambda: answer(story, "U08DAN", alert)) == because(Why.ACCOUNT_CLAIMED)
    story.directory.change(EVE, guest=True)
    secure(story, EVE)
    assert refusal(lambda: answer(story, EVE, alert)).why is Why.PERSON_GUEST
    assert owner(story) == AccountOwner(person=ADA, since=NINE)


def test_without_security_people_an_approver_answers_who_is_neither(story: Story, refusal: Refusal) -> None:
    story.directory.members[GROUP] = dba(BOB, DAN)
    story.pass_time(20 * MINUTE)
    recycled(story)
    refusal(lambda: story.ask(DAN))
    story.run_due()
    alert = question(story).id
    assert refusal(lambda: same(story, DAN, alert)) == because(Why.ACCOUNT_CLAIMED)
    assert refusal(lambda: same(story, EVE, alert)).why is Why.NOT_AN_APPROVER
    same(story, BOB, alert)
    found = owner(story)
    assert found is not None
    assert found.person == DAN


def test_who_was_deactivated_may_have_been_hired_again(story: Story, refusal: Refusal) -> None:
    """Even if they hold nothing, security people are asked, and the account never moves silently."""
    adas = story.ask(ADA).standing.grant.id
    story.run_due()
    story.give_back(ADA, adas)
    story.directory.change(ADA, deactivated=True)
    story.context.look_up_people(ADA, again=True)
    story.directory.change(DAN, email=OLD)
    assert refusal(lambda: story.ask(DAN)) == taken()
    story.run_due()
    assert question(story).reason == replace(taken(), why=Why.ACCOUNT_REHIRED)


@pytest.mark.parametrize(("people", "asked"), [((EVE,), {EVE}), ((), {BOB, CAROL}), ((EVE, DAN), {EVE})])
def test_without_a_channel_those_who_may_answer_are_asked_directly(
    story: Story, refusal: Refusal, people: tuple[str, ...], asked: set[str]
) -> None:
    """Not in the resource's channel, where security people may not be."""
    story.enact(catalog(replace(PROD_DB, channel="#db-access" if people else None)))
    secure(story, *people, channel=None)
    recycled(story)
    refusal(lambda: story.ask(DAN))
    story.run_due()
    assert {channel for channel, _ in story.messenger.alerts} == {dm(each) for each in asked}


# ------------------------------------------------------------------------------------- shared logins


@pytest.mark.parametrize("shared", [True, False])
def test_nobody_leaves_a_stray_on_a_login_that_they_share(
    story: Story, refusal: Refusal, shared: bool
) -> None:
    names_accounts(story, SHARED, BOB, DAN, shared=shared)
    story.target.stray(SHARED, ROLE)
    story.pass_time(LOOK)
    [alert] = [each.id for each in story.messenger.alerts.values() if not each.over]
    assert refusal(lambda: story.leave(BOB, alert)) == because(Why.OWN_ACCESS)
    story.leave(CAROL, alert)
    assert [entry.by for entry in story.audit() if entry.what == "stray left"] == [CAROL]


@pytest.mark.parametrize("who", [BOB, DAN])
def test_nobody_leaves_a_stray_on_an_account_that_was_theirs_or_has_their_address(
    story: Story, refusal: Refusal, who: str
) -> None:
    """Bob has used it and has another address now; Dan has Bob's old one."""
    story.directory.members[GROUP] = dba(BOB, CAROL, DAN)
    story.approve(CAROL, story.ask(BOB, length="1h").standing.grant.id)
    story.pass_time(HOUR + 20 * MINUTE)
    story.directory.change(BOB, email="bob.l@example.com")
    story.directory.change(DAN, email=EMAILS[BOB])
    for each in (BOB, DAN):
        story.context.look_up_people(each, again=True)
    story.target.stray(EMAILS[BOB], ROLE)
    story.pass_time(LOOK)
    [alert] = [each.id for each in story.messenger.alerts.values() if not each.over]
    assert refusal(lambda: story.leave(who, alert)) == because(Why.OWN_ACCESS)
    story.leave(CAROL, alert)


def test_several_people_use_a_shared_login(story: Story) -> None:
    """Ada is told that her access ended, but not that it is gone: Dan still has it."""
    story.enact(catalog(replace(PROD_DB, approve_automatically=(), approvers=(Everyone(),))))
    names_accounts(story, SHARED, ADA, DAN, EVE, shared=True)
    grants = {}
    for who, resource in ((ADA, "prod-db"), (DAN, "prod-db"), (EVE, "orders-on-call")):
        asked = story.ask(who, resource, "4h" if who == EVE else "1h").standing.grant.id
        grants[who] = story.approve(BOB, asked).grant.id
    story.run_due()
    assert view(story, grants[ADA]).shared_with == ()
    story.give_back(ADA)
    story.run_due()
    shown = view(story, grants[ADA])
    assert shown.grant.state is State.ENDED
    assert shown.shared_with == ((DAN, NINE + timedelta(hours=1)), (EVE, NINE + timedelta(hours=4)))
    told = card(shown, "holder")[1]
    assert f"<@{DAN}> still has this login until" in str(told)
    assert "another grant of" not in str(told)
    story.pass_time(HOUR + MINUTE)
    assert view(story, grants[DAN]).shared_with == ((EVE, NINE + timedelta(hours=4)),)
    story.pass_time(4 * HOUR)
    assert view(story, grants[EVE]).shared_with == ()


def test_what_was_overdue_on_a_shared_login_is_not_said_to_be_gone(story: Story) -> None:
    story.enact(catalog(replace(PROD_DB, approve_automatically=(), approvers=(Everyone(),))))
    names_accounts(story, SHARED, ADA, EVE, shared=True)
    adas = story.approve(BOB, story.ask(ADA, length="1h").standing.grant.id).grant.id
    story.approve(BOB, story.ask(EVE, "orders-on-call", "4h").standing.grant.id)
    story.run_due()
    story.target.failing["revoke"] = TemporaryFailure("down")
    story.pass_time(HOUR + 10 * MINUTE)
    assert story.grant(adas).overdue_since
    story.target.failing.clear()
    story.pass_time(10 * MINUTE)
    [told] = [each for each in story.messenger.alerts_in(SECURITY) if each.over]
    assert told.became
    assert told.became.why is Why.OVERDUE_SHARED
    assert told.became.facts["other_person"] == EVE
    assert told.became.facts["until_at"] == int((NINE + timedelta(hours=4)).timestamp())


def test_the_answer_is_about_the_two_that_were_named(story: Story, refusal: Refusal) -> None:
    """The account has gone to Eve meanwhile, but the message does not show that yet."""
    secure(story, CAROL)
    recycled(story)
    refusal(lambda: story.ask(DAN))
    story.run_due()
    alert = question(story).id
    eves = AccountOwner(person=EVE, since=story.now)
    story.memory.commit(Change(put={owner_key("orders-db", OLD): eves}))
    assert refusal(lambda: same(story, CAROL, alert)) == because(Why.ALERT_SETTLED)
    assert owner(story) == eves
    story.pass_time(11 * MINUTE)
    assert question(story).reason.facts["owner_person"] == EVE
    same(story, CAROL, alert)
    assert owner(story) == AccountOwner(person=DAN, since=story.now)


def test_a_login_that_is_not_shared_tells_nothing_of_others(story: Story) -> None:
    names_accounts(story, SHARED, ADA, DAN)
    adas = story.ask(ADA).standing.grant.id
    story.approve(BOB, story.ask(DAN).standing.grant.id)
    story.run_due()
    story.give_back(ADA)
    story.run_due()
    assert view(story, adas).shared_with == ()


def view(story: Story, grant: str) -> CardView:
    """Return what the card shows its holder now."""
    return story.messenger.cards_of(grant, "holder")[dm(story.grant(grant).person)].view
