"""Ada is on call and asks, and gets access; Dan is not, and approvers are asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.catalog import InGroup
from bot.core.errors import TemporaryFailure
from bot.core.grants import State
from bot.core.people import Person
from bot.core.reasons import Reason, Why
from bot.ports.documents import Home, Key, PolicyInForce
from bot.testing.cast import ADA, BOB, CAROL, DAN, EVE, GROUP, HOUR, NINE, PROD_DB, TEAM, catalog
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.slack import dm
from bot.testing.story import REASON, Story
from bot.usecases.requests import ask
from bot.usecases.results import Asked

Refusal = Callable[[Callable[[], object]], Reason]


def at(hours: float) -> object:
    return NINE + timedelta(hours=hours)


def test_ada_on_call_gets_it_until_her_lease_ends(story: Story) -> None:
    asked = story.ask(ADA)
    grant = asked.standing.grant
    assert (grant.state, asked.standing.live, asked.standing.until) == (State.APPROVED, True, at(4))
    assert not asked.joined
    story.run_due()
    assert story.grant(grant.id).state is State.ACTIVE
    assert story.has(ADA)
    story.pass_time(4 * HOUR - 1)
    assert story.has(ADA)
    story.pass_time(1)
    assert not story.has(ADA)
    ended = story.grant(grant.id)
    assert (ended.state, ended.ended_at) == (State.ENDED, at(4))
    assert ended.ended is not None
    assert ended.ended.why is Why.EXPIRED
    assert story.history(grant.id) == ["approved", "given", "active", "ending", "taken", "ended"]
    assert [each.id for each in story.grants_of(ADA)] == []


def test_the_audit_says_who_by_which_rule_and_on_which_facts(story: Story) -> None:
    grant = story.ask(ADA).standing.grant
    entry = next(each for each in story.audit(grant.id) if each.what == "approved")
    assert entry.by is None
    assert entry.facts["person"] == ADA
    assert entry.facts["rule"] == "on_call pagerduty/PDBPRIM level 1, 2"
    assert entry.facts["reason"] == REASON
    assert entry.facts["policy"] == "v1"
    assert entry.facts["trace"] == [
        {
            "rule": "on_call pagerduty/PDBPRIM level 1, 2",
            "outcome": "yes",
            "why": "on_call",
            "schedule": "pagerduty/PDBPRIM",
            "age_s": 0,
            "until_at": int((NINE + timedelta(hours=8)).timestamp()),
        }
    ]


def test_dan_waits_for_approvers_and_has_nothing_meanwhile(story: Story) -> None:
    asked = story.ask(DAN)
    story.run_due()
    grant = story.grant(asked.standing.grant.id)
    assert (grant.state, asked.standing.live) == (State.ASKED, False)
    assert (grant.asked_in, grant.asked_people) == ("#db-access", (BOB, CAROL))
    assert not story.has(DAN)
    assert story.target.calls == []


def test_the_default_length_is_taken_where_none_is_named(story: Story) -> None:
    assert story.ask(ADA, length=None).standing.grant.length == 4 * HOUR
    story.give_back(ADA)
    assert story.ask(ADA, length="until end of shift").standing.until == at(8)


def test_spaces_in_a_reason_do_not_matter(story: Story) -> None:
    first = story.ask(ADA, reason="orders   are\n stuck ")
    assert first.standing.grant.reason == "orders are stuck"


@pytest.mark.parametrize("length", ["4h", "until end of shift"])
def test_the_very_same_ask_is_joined(story: Story, length: str) -> None:
    first = story.ask(ADA, length=length)
    story.run_due()
    again = story.ask(ADA, length=length)
    assert again.joined
    assert again.standing.grant.id == first.standing.grant.id
    assert again.standing.live
    assert story.history(first.standing.grant.id).count("approved") == 1


@pytest.mark.parametrize("length", ["4h", "until end of shift"])
def test_an_ask_that_waits_is_joined_for_as_long_as_it_waits(story: Story, length: str) -> None:
    story.source.away = True
    story.pass_time(15 * 60)
    first = story.ask(ADA, length=length)
    assert first.standing.grant.state is State.ASKED
    story.pass_time(50 * 60)
    assert story.ask(ADA, length=length).standing.grant.id == first.standing.grant.id
    story.memory.advance(10 * 60)
    assert not story.ask(ADA, length=length).joined


@pytest.mark.parametrize(("reason", "joined"), [(REASON, False), ("something else", True)])
def test_a_request_delivered_twice_is_answered_as_the_first_time(
    story: Story, reason: str, joined: bool
) -> None:
    """The same request is not answered with "you already have it"; another one is."""

    def asks(why: str, op: str) -> Asked:
        return ask.ask(story.context, person=ADA, resource="prod-db", length=4 * 3_600, reason=why, op=op)

    asks(REASON, "first")
    op = "another" if joined else "first"
    asks(reason, op)
    assert asks(reason, op).joined == joined


def test_who_has_it_already_is_told_so_until_it_is_given_back(story: Story) -> None:
    first = story.ask(ADA).standing.grant.id
    story.run_due()
    story.pass_time(601)
    for length, reason in (("4h", REASON), ("12h", "something else")):
        answer = story.ask(ADA, length=length, reason=reason)
        assert (answer.joined, answer.standing.grant.id, answer.standing.until) == (True, first, at(4))
    story.give_back(ADA, first)
    assert not story.ask(ADA).joined


def test_a_request_on_other_terms_takes_the_place_of_the_one_that_waits(story: Story) -> None:
    first = story.ask(DAN, length="1h").standing.grant.id
    second = story.ask(DAN, length="2h").standing.grant.id
    assert [story.grant(each).state for each in (first, second)] == [State.WITHDRAWN, State.ASKED]
    assert [each.id for each in story.grants_of(DAN)] == [second]


def test_an_ask_that_slack_delivers_twice_is_recorded_once(story: Story) -> None:
    def typed() -> str:
        answer = ask.ask(
            story.context, person=ADA, resource="prod-db", length=HOUR, reason=REASON, op="trigger-1"
        )
        return answer.standing.grant.id

    first = typed()
    story.give_back(ADA, first)
    assert typed() == first
    assert story.history(first).count("approved") == 1
    assert not story.live(first)


def test_a_refusal_that_slack_delivers_twice_stays_a_refusal(story: Story, refusal: Refusal) -> None:
    def typed() -> object:
        return ask.ask(story.context, person=DAN, resource="prod-db", length=13 * HOUR, reason="x", op="t1")

    first = refusal(typed)
    lengths = replace(PROD_DB.lengths, max=24 * HOUR)
    story.enact(catalog(replace(PROD_DB, lengths=lengths)))
    assert refusal(typed) == first
    assert first.why is Why.DURATION_TOO_LONG
    assert [entry.what for entry in story.audit()].count("ask refused") == 1


def test_two_processes_decide_two_asks_for_one_seat_and_one_gets_it(story: Story, refusal: Refusal) -> None:
    first = story.ask(DAN, "schema-migration", "1h").standing.grant.id
    second = story.ask(EVE, "schema-migration", "1h").standing.grant.id
    story.approve(BOB, first)
    assert refusal(lambda: story.approve(BOB, second)).why is Why.HELD_BY_OTHER


def test_the_refusal_is_in_the_audit(story: Story, refusal: Refusal) -> None:
    reason = refusal(lambda: story.ask(ADA, "no-such", "1h"))
    assert reason.why is Why.RESOURCE_UNKNOWN
    assert reason.facts["known"] == "orders-on-call, prod-db, schema-migration"
    entry = story.audit()[-1]
    assert (entry.what, entry.by, entry.facts["why"]) == ("ask refused", ADA, "resource_unknown")


def test_huge_input_is_cut_or_refused(story: Story, refusal: Refusal) -> None:
    assert len(str(refusal(lambda: story.ask(ADA, "x" * 100_000)).facts["name"])) == 80
    assert refusal(lambda: story.ask(ADA, reason="x" * 100_000)).why is Why.REASON_TOO_LONG
    assert refusal(lambda: story.give_back(ADA, "x" * 100_000)).why is Why.NOTHING_OPEN


def test_nobody_has_more_than_twenty_asks_waiting(story: Story, refusal: Refusal) -> None:
    many = [replace(PROD_DB, name=f"db-{number}") for number in range(21)]
    story.enact(catalog(*many))
    for number in range(20):
        story.ask(DAN, f"db-{number}")
    assert refusal(lambda: story.ask(DAN, "db-20")).why is Why.TOO_MANY_ASKS
    assert story.ask(DAN, "db-3").joined
    assert story.ask(EVE).standing.grant.state is State.ASKED


def test_an_account_is_pinned_when_it_is_first_used(story: Story, refusal: Refusal) -> None:
    story.ask(ADA)
    story.run_due()
    story.give_back(ADA, "prod-db")
    story.directory.change(ADA, email="countess@example.com")
    story.pass_time(2 * HOUR)
    story.source.rota["PDBPRIM"] = (replace(story.source.rota["PDBPRIM"][0], email="countess@example.com"),)
    story.pass_time(60)
    reason = refusal(lambda: story.ask(ADA))
    assert reason.why is Why.ACCOUNT_CHANGED
    assert reason.facts["was"] == "ada@example.com"


def test_named_accounts_are_used_instead_of_the_email(story: Story) -> None:
    people = replace(story.policy.people, accounts={ADA: {"orders-db": "ada_l"}})
    story.enact(replace(story.policy, people=people))
    story.ask(ADA)
    story.run_due()
    assert story.target.accounts("orders_rw") == {"ada_l"}


# ----------------------------------------------------------------------------- facts not there yet


def test_a_person_slack_cannot_tell_of_yet_is_decided_about_as_soon_as_it_can(story: Story) -> None:
    story.directory.people["U09FRANK"] = replace(
        story.directory.people[DAN], id="U09FRANK", email="f@example.com"
    )
    story.directory.away = True
    asked = story.ask("U09FRANK")
    assert asked.standing.grant.undecided
    story.pass_time(60)
    assert story.grant(asked.standing.grant.id).undecided
    assert story.messenger.cards == {}
    story.directory.away = False
    story.pass_time(10)
    grant = story.grant(asked.standing.grant.id)
    assert (grant.state, grant.undecided, grant.asked_at) == (State.ASKED, False, NINE)
    assert set(story.messenger.cards_of(grant.id)) == {"CDB-ACCESS"}
    assert story.history(grant.id) == ["asked", "put to approvers"]
    story.approve(BOB, grant.id)
    story.run_due()
    assert story.target.accounts("orders_rw") == {"f@example.com"}


def test_a_guest_who_was_unknown_is_refused_and_told(story: Story) -> None:
    story.directory.people["U09FRANK"] = replace(story.directory.people[DAN], id="U09FRANK", guest=True)
    story.directory.away = True
    grant = story.ask("U09FRANK").standing.grant
    story.directory.away = False
    story.pass_time(10)
    refused = story.grant(grant.id)
    assert refused.state is State.DENIED
    assert refused.ended is not None
    assert refused.ended.why is Why.PERSON_GUEST
    assert set(story.messenger.cards_of(grant.id)) == {dm("U09FRANK")}
    assert story.history(grant.id) == ["asked", "refused"]


def test_an_account_that_changed_meanwhile_is_refused_and_not_tried_for_ever(story: Story) -> None:
    story.enact(catalog(replace(PROD_DB, approve_automatically=(InGroup(group=GROUP),))))
    story.ask(BOB)
    story.run_due()
    story.give_back(BOB)
    story.directory.change(BOB, email="robert@example.com")
    story.pass_time(25 * HOUR)
    story.directory.away = True
    asked = story.ask(BOB)
    assert asked.standing.grant.undecided
    story.directory.away = False
    story.pass_time(60)
    refused = story.grant(asked.standing.grant.id)
    assert refused.state is State.DENIED
    assert refused.ended is not None
    assert refused.ended.why is Why.ACCOUNT_CHANGED


def test_facts_that_never_come_let_the_ask_lapse_and_it_is_told(story: Story) -> None:
    story.directory.away = True
    grant = story.ask("U09FRANK").standing.grant
    story.pass_time(HOUR)
    assert story.grant(grant.id).state is State.LAPSED
    assert set(story.messenger.cards_of(grant.id)) == {dm("U09FRANK")}


def test_at_the_very_start_an_ask_waits_until_the_bot_knows_where_it_is() -> None:
    story = Story(begin=False)
    story.directory.away = True
    grant = story.ask(DAN).standing.grant
    assert grant.undecided
    story.directory.away = False
    story.pass_time(30)
    assert story.grant(grant.id).asked_people == (BOB, CAROL)


def test_with_no_channel_an_ask_waits_until_its_approvers_are_known() -> None:
    story = Story(begin=False)
    story.run_due("workspace")
    grant = story.ask(DAN, "schema-migration", "1h").standing.grant
    assert grant.undecided
    story.run_due()
    story.pass_time(10)
    assert set(story.messenger.cards_of(grant.id)) == {dm(BOB), dm(CAROL)}


def test_nothing_is_recorded_where_the_policy_is_missing() -> None:
    story = Story()
    story.memory = MemoryLedger(NINE)
    story.ledger = story.memory
    context = story.another_context()
    with pytest.raises(TemporaryFailure, match="no policy is in force"):
        ask.ask(context, person=ADA, resource="prod-db", length=HOUR, reason=REASON, op="t")
    assert story.memory.read({Key.of(PolicyInForce), Key.of(Home)}).documents == {}


def test_each_process_follows_a_new_policy_at_once(story: Story, refusal: Refusal) -> None:
    other = story.another_context()
    ask.ask(other, person=ADA, resource="prod-db", length=HOUR, reason=REASON, op="t1")
    story.enact(catalog(replace(PROD_DB, name="prod-db", who_may_ask=())))
    attempt = lambda: ask.ask(  # noqa: E731 -- as short as a story
        other, person=DAN, resource="prod-db", length=2 * HOUR, reason=REASON, op="t2"
    )
    assert refusal(attempt).why is Why.MAY_NOT_ASK


def test_a_deactivated_person_is_refused_within_an_hour(story: Story, refusal: Refusal) -> None:
    story.directory.change(ADA, deactivated=True)
    story.memory.advance(HOUR + 1)
    assert refusal(lambda: story.ask(ADA)).why is Why.PERSON_DEACTIVATED


def test_two_people_with_one_email_are_both_refused(story: Story, refusal: Refusal) -> None:
    story.directory.change(EVE, email="ada@example.com")
    assert refusal(lambda: story.ask(EVE)).why is Why.EMAIL_SHARED
    assert refusal(lambda: story.ask(ADA)).why is Why.EMAIL_SHARED
    story.directory.change(EVE, email="eve@example.com")
    story.memory.advance(HOUR + 1)
    refusal(lambda: story.ask(EVE, length="13h"))
    story.run_due()
    assert story.ask(ADA).standing.live
    known = story.memory.read({Key.of(Person, ADA)}).find(Person, ADA)
    assert known is not None
    assert (known.team, known.shared_email, known.read_at) == (TEAM, False, story.now)


def test_what_the_directory_s_clock_says_does_not_count(story: Story) -> None:
    story.directory.now = lambda: NINE - timedelta(days=365)
    story.memory.advance(2 * HOUR)
    assert not story.ask(DAN).standing.grant.undecided
    story.run_due()
    assert story.approve(BOB, story.grants_of(DAN)[0].id).live
