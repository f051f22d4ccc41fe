"""A request is refused if nobody could approve it, judged as a click would be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.core.catalog import Everyone, InGroup, Named, OnCall, PeopleRules, Resource
from bot.core.members import Facts
from bot.core.policy import Ask, Outcome, ask_people, decide
from bot.core.reasons import Reason, Why, because
from bot.testing.cast import (
    BOB,
    CAROL,
    DAN,
    EVE,
    GROUP,
    HOUR,
    NINE,
    PROD_DB,
    SCHEDULE,
    catalog,
    dba,
    people,
    person,
    roster,
    shift,
)
from tests.core.known import BAD_PEOPLE, facts

GROUPED = {"resource": "prod-db", "groups": GROUP}
ON_CALL = OnCall(schedule=SCHEDULE, levels=(1,))


def lack(known: Facts, resource: Resource = PROD_DB, who: str = DAN, **policy: Any) -> Reason | None:
    """Return the reason why Dan's request would be refused for lack of approvers."""
    ask = Ask(person=who, resource=resource, length=HOUR, reason="x")
    decision = decide(ask, replace(catalog(), **policy), known)
    return decision.reason if decision.outcome is Outcome.REFUSE else None


def test_somebody_else_in_the_group_is_enough() -> None:
    assert lack(facts()) is None
    assert lack(facts(groups={GROUP: dba(BOB)})) is None
    assert lack(facts(groups={GROUP: dba(DAN, BOB)})) is None


@pytest.mark.parametrize("members", [(), (DAN,)])
def test_an_empty_group_and_only_the_requester(members: tuple[str, ...]) -> None:
    group = replace(dba(), members=members)
    assert lack(facts(groups={GROUP: group})) == because(Why.NO_APPROVER, **GROUPED)


@pytest.mark.parametrize(("bad", "_"), BAD_PEOPLE)
def test_who_could_not_approve_is_not_counted(bad: dict[str, Any], _: Why) -> None:
    bob = replace(person(BOB), **bad)
    assert lack(facts(bob, groups={GROUP: dba(BOB)})) == because(Why.NO_APPROVER, **GROUPED)
    assert lack(facts(bob)) is None


def test_fewer_others_than_approvals() -> None:
    two = replace(PROD_DB, approvals=2)
    assert lack(facts(), two) is None
    assert lack(facts(), two, BOB) == because(Why.TOO_FEW_APPROVERS, needed=2, count=1, **GROUPED)
    assert lack(facts(groups={GROUP: dba(BOB, CAROL, DAN)}), two, BOB) is None


def test_two_slack_users_who_are_one_person_count_once() -> None:
    two = replace(PROD_DB, approvals=2)
    accounts = {who: {"orders-db": "bob"} for who in (BOB, CAROL)}
    rules = PeopleRules(accounts=accounts)
    assert lack(facts(), two, people=rules) == because(Why.TOO_FEW_APPROVERS, needed=2, count=1, **GROUPED)
    assert lack(facts(), PROD_DB, people=rules) is None
    assert lack(facts(), PROD_DB, CAROL, people=rules) == because(Why.NO_APPROVER, **GROUPED)


def test_what_cannot_be_told_waits() -> None:
    """The group was never read or is too old, or a member was never looked up."""
    old = replace(dba(), members=(), read_at=NINE - timedelta(hours=2))
    assert lack(facts(groups={GROUP: old})) is None
    assert lack(facts(groups={})) is None
    assert lack(facts(groups={GROUP: dba("U09NEW")})) is None
    two = replace(PROD_DB, approvals=2)
    assert lack(facts(groups={GROUP: dba("U09NEW")}), two) == because(
        Why.TOO_FEW_APPROVERS, needed=2, count=1, **GROUPED
    )
    known = {**people(), "U09NEW": replace(person("U09NEW"), deactivated=True)}
    assert lack(facts(groups={GROUP: dba("U09NEW")}, people=known)) == because(Why.NO_APPROVER, **GROUPED)


def test_everyone_and_named_people() -> None:
    nobody = {GROUP: replace(dba(), members=())}
    assert lack(facts(groups=nobody), replace(PROD_DB, approvers=(Everyone(),))) is None
    named = replace(PROD_DB, approvers=(Named(person=EVE),))
    assert lack(facts(groups=nobody), named) is None
    assert lack(facts(groups=nobody), named, EVE) == because(Why.NO_APPROVER, resource="prod-db")
    both = replace(PROD_DB, approvers=(Named(person=EVE), InGroup(group=GROUP)))
    assert lack(facts(groups=nobody), both) is None


@pytest.mark.parametrize(
    ("starts", "enough"), [(-1, True), (0.5, True), (0.99, True), (1, False), (5, False)]
)
def test_who_comes_on_call_before_it_lapses_can_approve(starts: float, enough: bool) -> None:
    on_call = replace(PROD_DB, approve_automatically=(), approvers=(ON_CALL,), lapse_after=HOUR)
    start = NINE + timedelta(hours=starts)
    bobs = roster(shift(BOB, start, start + timedelta(hours=8)))
    reason = lack(facts(rosters={SCHEDULE: bobs}), on_call)
    assert reason == (None if enough else because(Why.NO_APPROVER, resource="prod-db", schedules=SCHEDULE))
    assert lack(facts(rosters={SCHEDULE: bobs}), on_call, BOB) is not None


def test_of_who_is_on_call_only_those_count_who_could_approve() -> None:
    on_call = replace(PROD_DB, approve_automatically=(), approvers=(ON_CALL,))
    later = NINE + timedelta(minutes=30)
    soon = shift(BOB, later, NINE + timedelta(hours=9))
    gone = replace(person(BOB), deactivated=True)
    renamed = replace(person(BOB), email="other@example.com")
    for each in (gone, renamed):
        assert lack(facts(each, rosters={SCHEDULE: roster(soon)}), on_call) is not None
    assert lack(facts(rosters={SCHEDULE: roster(replace(soon, level=2))}), on_call) is not None
    assert lack(facts(rosters={SCHEDULE: roster(replace(soon, person=None))}), on_call) is None
    doubted = replace(roster(soon), shifts=(), doubted="empty")
    assert lack(facts(rosters={SCHEDULE: doubted}), on_call) is None


def test_more_time_is_asked_of_the_same_people() -> None:
    ask = Ask(person=DAN, resource=PROD_DB, length=HOUR, reason="", any_reason=True)
    none = facts(groups={GROUP: replace(dba(), members=())})
    assert ask_people(ask, catalog(), none).reason == because(Why.NO_APPROVER, **GROUPED)
