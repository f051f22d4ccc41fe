"""The rules for who may approve, and whether the requester may still have it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.core.catalog import Catalog, Everyone, InGroup, Named, OnCall, ReasonRule, Resource, Selector
from bot.core.grants import Grant, Origin, State
from bot.core.members import Facts, SeatHolder
from bot.core.policy import approver_objection, question_of, requester_objection, vote_objection
from bot.core.reasons import Reason, Why
from bot.testing.cast import (
    ADA,
    BOB,
    CAROL,
    DAN,
    GROUP,
    HOUR,
    NINE,
    PROD_DB,
    SCHEDULE,
    SCHEMA_MIGRATION,
    catalog,
    dba,
    person,
    roster,
)
from tests.core.known import BAD_PEOPLE, facts

DBA = InGroup(group=GROUP)


def ask(who: str = DAN, **changes: Any) -> Grant:
    asked = Grant(
        id="G1",
        person=who,
        resource="prod-db",
        origin=Origin.ASKED,
        state=State.ASKED,
        asked_at=NINE,
        length=HOUR,
        reason="orders are stuck",
        policy="v1",
    )
    return replace(asked, **changes)


def why(found: Reason | None) -> Why | None:
    return found.why if found else None


@pytest.mark.parametrize("approver", [DBA, Named(person=ADA), OnCall(schedule=SCHEDULE), Everyone()])
def test_nobody_approves_their_own_ask_by_any_rule(approver: Selector) -> None:
    resource = replace(PROD_DB, approvers=(approver, DBA, Everyone()))
    known = facts(groups={GROUP: dba(ADA, BOB)})
    found = vote_objection(ADA, ask(ADA), resource, catalog(resource), known)
    assert why(found) is Why.OWN_REQUEST
    assert vote_objection(BOB, ask(ADA), resource, catalog(resource), known) is None


@pytest.mark.parametrize(
    ("voter", "objected"),
    [(BOB, None), (CAROL, None), (ADA, Why.NOT_AN_APPROVER), (DAN, Why.NOT_AN_APPROVER)],
)
def test_approvers_are_who_the_policy_says_today(voter: str, objected: Why | None) -> None:
    assert why(approver_objection(voter, PROD_DB, catalog(), facts())) is objected


@pytest.mark.parametrize(("changes", "objected"), BAD_PEOPLE)
def test_who_may_have_nothing_may_approve_nothing(changes: dict[str, Any], objected: Why) -> None:
    known = facts(replace(person(BOB), **changes))
    assert why(approver_objection(BOB, PROD_DB, catalog(), known)) is objected


@pytest.mark.parametrize(
    ("changes", "objected"),
    [
        ({"groups": {}}, Why.GROUP_MISSING),
        ({"groups": {GROUP: dba(read_at=NINE - timedelta(hours=2))}}, Why.GROUP_STALE),
        ({"groups": {GROUP: dba(CAROL)}}, Why.NOT_AN_APPROVER),
        ({"people": {}}, Why.PERSON_UNKNOWN),
        ({"home": None}, Why.WORKSPACE_UNKNOWN),
    ],
)
def test_an_approver_who_cannot_be_told_to_be_one_is_none(changes: dict[str, Any], objected: Why) -> None:
    assert why(approver_objection(BOB, PROD_DB, catalog(), facts(**changes))) is objected


def test_approvers_on_call_count_only_by_a_fresh_roster() -> None:
    resource = replace(PROD_DB, approvers=(OnCall(schedule=SCHEDULE),))
    assert approver_objection(ADA, resource, catalog(resource), facts()) is None
    old = facts(rosters={SCHEDULE: roster(read_at=NINE - timedelta(hours=1))})
    assert why(approver_objection(ADA, resource, catalog(resource), old)) is Why.ROSTER_STALE


@pytest.mark.parametrize(("changes", "objected"), BAD_PEOPLE)
def test_who_asked_is_judged_again_when_it_is_approved(changes: dict[str, Any], objected: Why) -> None:
    known = facts(replace(person(DAN), **changes))
    assert why(against(ask(), PROD_DB, catalog(), known)) is objected


def test_today_s_policy_decides_about_yesterday_s_ask() -> None:
    def today(fits: bool | None = None, **changes: Any) -> Why | None:
        resource = replace(PROD_DB, **changes)
        return why(against(ask(), resource, catalog(resource), facts(), reason_fits=fits))

    assert today() is None
    assert today(who_may_ask=(DBA,)) is Why.MAY_NOT_ASK
    assert today(lengths=replace(PROD_DB.lengths, max=HOUR - 1)) is Why.DURATION_TOO_LONG
    assert today(lengths=replace(PROD_DB.lengths, min=HOUR + 1)) is Why.DURATION_TOO_SHORT
    assert today(False, reason=ReasonRule(pattern=r"INC-\d+")) is Why.REASON_PATTERN
    assert today(None, reason=ReasonRule(pattern=r"INC-\d+")) is Why.REASON_UNCHECKED
    assert today(True, reason=ReasonRule(pattern=r"INC-\d+")) is None


def against(
    grant: Grant, resource: Resource, policy: Catalog, known: Facts, *, reason_fits: bool | None = True
) -> Reason | None:
    return requester_objection(question_of(grant, resource, reason_fits=reason_fits), policy, known)


def test_a_seat_taken_meanwhile_stops_the_approval() -> None:
    asked = ask(resource="schema-migration")
    held = facts(holders=(SeatHolder(person=BOB),))
    assert why(against(asked, SCHEMA_MIGRATION, catalog(), held)) is Why.HELD_BY_OTHER
    own = facts(holders=(SeatHolder(person=DAN, users=frozenset({DAN})),))
    assert against(asked, SCHEMA_MIGRATION, catalog(), own) is None


def test_what_prolongs_a_shift_needs_no_reason_of_its_own() -> None:
    assert why(against(ask(reason=""), PROD_DB, catalog(), facts())) is Why.REASON_MISSING
    assert against(ask(reason="", follows="G0"), PROD_DB, catalog(), facts()) is None
