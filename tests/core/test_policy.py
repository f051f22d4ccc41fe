"""The policy's decisions: who gets what, by which rule and until when, and the reason if not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.catalog import Everyone, InGroup, Named, OnCall, ReasonRule, Resource, SourceRules
from bot.core.durations import ABSURD
from bot.core.members import CANNOT_TELL, NO, YES, Facts, SeatHolder, names_of
from bot.core.policy import Ask, Decision, Outcome, approval_ground, decide, may_not_ask
from bot.core.reasons import Why, because
from bot.testing.cast import (
    ADA,
    BOB,
    CAROL,
    DAN,
    EVE,
    FIRST_LINE,
    GROUP,
    HOUR,
    MINUTE,
    NINE,
    PROD_DB,
    SCHEDULE,
    SCHEMA_MIGRATION,
    SHIFT_ENDS,
    catalog,
    dba,
    person,
    roster,
    shift,
)
from tests.core.known import BAD_PEOPLE, facts

REASON = "orders are stuck"
DBA = InGroup(group=GROUP)


def asked(
    who: str = ADA,
    resource: Resource = PROD_DB,
    length: int | None = 4 * HOUR,
    *,
    reason: str = REASON,
    known: Facts | None = None,
    fits: bool | None = None,
) -> Decision:
    ask = Ask(person=who, resource=resource, length=length, reason=reason, reason_fits=fits)
    return decide(ask, catalog(resource), known or facts())


def ends(hours: float) -> datetime:
    return NINE + timedelta(hours=hours)


def until_of(decision: Decision) -> datetime:
    assert decision.ground is not None
    return decision.ground.until


def test_ada_is_on_call_and_gets_what_she_asks_for() -> None:
    decision = asked()
    assert decision.outcome is Outcome.APPROVE
    assert decision.ground is not None
    assert decision.ground.until == ends(4)
    assert decision.rule == f"on_call {SCHEDULE} level 1, 2"
    assert decision.ground.lives_by == FIRST_LINE
    assert decision.reason == because(
        Why.ON_CALL, schedule=SCHEDULE, age_s=0, until_at=int(SHIFT_ENDS.timestamp())
    )
    assert [line.outcome for line in decision.trace] == [YES]


def test_dan_is_not_so_approvers_are_asked_and_the_trace_says_why() -> None:
    decision = asked(DAN)
    assert decision.outcome is Outcome.ASK
    assert (decision.rule, decision.ground) == ("approvers", None)
    assert decision.reason == because(Why.APPROVERS_ASKED)
    assert [(line.outcome, line.reason.why) for line in decision.trace] == [(NO, Why.NOT_ON_CALL)]


# ---------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(("changes", "why"), BAD_PEOPLE)
def test_deny_wins_over_being_on_call(changes: dict[str, Any], why: Why) -> None:
    decision = asked(known=facts(replace(person(ADA), **changes)))
    assert (decision.outcome, decision.reason.why) == (Outcome.REFUSE, why)


@pytest.mark.parametrize(
    ("known", "why"),
    [(facts(people={}), Why.PERSON_UNKNOWN), (facts(home=None), Why.WORKSPACE_UNKNOWN)],
)
def test_who_is_not_known_yet_is_decided_about_later(known: Facts, why: Why) -> None:
    decision = asked(known=known)
    assert (decision.outcome, decision.reason.why) == (Outcome.NEED_FACTS, why)


@pytest.mark.parametrize(
    ("resource", "known", "why"),
    [
        (replace(PROD_DB, who_may_ask=(DBA,)), facts(), Why.MAY_NOT_ASK),
        (replace(PROD_DB, who_may_ask=(Named(person=BOB),)), facts(), Why.MAY_NOT_ASK),
        (replace(PROD_DB, who_may_ask=()), facts(), Why.MAY_NOT_ASK),
        (replace(PROD_DB, who_may_ask=(DBA,)), facts(groups={}), Why.GROUP_MISSING),
        (
            replace(PROD_DB, who_may_ask=(DBA, Named(person=BOB))),
            facts(groups={GROUP: dba(ADA, read_at=NINE - timedelta(hours=2))}),
            Why.GROUP_STALE,
        ),
    ],
)
def test_who_may_not_ask_is_refused_though_on_call(resource: Resource, known: Facts, why: Why) -> None:
    decision = asked(resource=resource, known=known)
    assert (decision.outcome, decision.reason.why) == (Outcome.REFUSE, why)


@pytest.mark.parametrize("who", [Everyone(), Named(person=ADA), InGroup(group="slack/oncall"), FIRST_LINE])
def test_one_selector_that_means_the_person_is_enough_to_ask(who: Any) -> None:
    resource = replace(PROD_DB, who_may_ask=(DBA, who))
    known = facts(groups={GROUP: dba(), "slack/oncall": replace(dba(ADA), name="slack/oncall")})
    assert may_not_ask(ADA, resource, catalog(resource), known) is None


@pytest.mark.parametrize(
    ("length", "why"),
    [
        (12 * HOUR + 1, Why.DURATION_TOO_LONG),
        (ABSURD, Why.DURATION_TOO_LONG),
        (10 * MINUTE - 1, Why.DURATION_TOO_SHORT),
    ],
)
def test_lengths_have_bounds(length: int, why: Why) -> None:
    resource = replace(PROD_DB, lengths=replace(PROD_DB.lengths, min=10 * MINUTE))
    decision = asked(resource=resource, length=length)
    assert decision.outcome is Outcome.REFUSE
    assert decision.reason == because(why, asked_s=length, min_s=10 * MINUTE, max_s=12 * HOUR)


def test_there_is_no_least_length_unless_the_resource_sets_one() -> None:
    assert until_of(asked(length=1)) == NINE + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("rule", "reason", "why"),
    [
        (ReasonRule(), "", Why.REASON_MISSING),
        (ReasonRule(), "  \n ", Why.REASON_MISSING),
        (ReasonRule(), "\u200b \u2060\ufeff", Why.REASON_MISSING),
        (ReasonRule(), "x" * 501, Why.REASON_TOO_LONG),
        (ReasonRule(pattern=r"INC-\d+", say="an incident number"), "stuck", Why.REASON_PATTERN),
        (ReasonRule(required=False, pattern=r"INC-\d+"), "stuck", Why.REASON_PATTERN),
    ],
)
def test_a_reason_is_judged(rule: ReasonRule, reason: str, why: Why) -> None:
    decision = asked(resource=replace(PROD_DB, reason=rule), reason=reason, fits=False)
    assert (decision.outcome, decision.reason.why) == (Outcome.REFUSE, why)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (ReasonRule(), "x" * 500),
        (ReasonRule(required=False), ""),
        (ReasonRule(pattern=r"INC-\d+"), "for INC-42, stuck"),
        (ReasonRule(required=False, pattern=r"INC-\d+"), ""),
    ],
)
def test_a_good_reason_passes(rule: ReasonRule, reason: str) -> None:
    fits = True if reason else None
    assert asked(resource=replace(PROD_DB, reason=rule), reason=reason, fits=fits).outcome is Outcome.APPROVE


def test_a_reason_that_was_not_matched_says_neither_yes_nor_no() -> None:
    wanted = replace(PROD_DB, reason=ReasonRule(pattern=r"INC-\d+"))
    decision = asked(resource=wanted, reason="for INC-42, stuck")
    assert (decision.outcome, decision.reason.why) == (Outcome.NEED_FACTS, Why.REASON_UNCHECKED)
    assert decision.ground is None
    too_long = asked(resource=wanted, reason="for INC-42, stuck", length=13 * HOUR)
    assert too_long.outcome is Outcome.REFUSE


def test_what_only_one_may_hold_is_refused_to_a_second() -> None:
    held = facts(holders=(SeatHolder(person=BOB, until=ends(1), users=frozenset({BOB})),))
    decision = asked(DAN, SCHEMA_MIGRATION, HOUR, known=held)
    assert decision.reason == because(
        Why.HELD_BY_OTHER, by_person=BOB, resource="schema-migration", until_at=int(ends(1).timestamp())
    )
    assert asked(BOB, SCHEMA_MIGRATION, HOUR, known=held).outcome is Outcome.ASK
    assert asked(DAN, SCHEMA_MIGRATION, HOUR).outcome is Outcome.ASK
    unending = asked(DAN, SCHEMA_MIGRATION, HOUR, known=facts(holders=(SeatHolder(person=BOB),)))
    assert "until_at" not in unending.reason.facts


def test_the_first_refusal_is_told() -> None:
    guest = facts(replace(person(ADA), guest=True))
    assert asked(length=99 * HOUR, reason="", known=guest).reason.why is Why.PERSON_GUEST
    assert asked(length=99 * HOUR, reason="").reason.why is Why.DURATION_TOO_LONG


# --------------------------------------------------------------------------------- automatic rules


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (facts(rosters={}), Why.ROSTER_MISSING),
        (facts(rosters={SCHEDULE: roster(read_at=NINE - timedelta(seconds=601))}), Why.ROSTER_STALE),
        (facts(rosters={SCHEDULE: replace(roster(), doubted="it is empty")}), Why.ROSTER_DOUBTED),
    ],
)
def test_a_roster_that_cannot_be_relied_on_cannot_say_yes(known: Facts, why: Why) -> None:
    decision = asked(known=known)
    assert decision.outcome is Outcome.ASK
    assert decision.reason.why is why
    assert [(line.outcome, line.reason.why) for line in decision.trace] == [(CANNOT_TELL, why)]


def test_a_roster_counts_until_it_is_stale_and_its_age_is_told() -> None:
    old = roster(read_at=NINE - timedelta(seconds=600))
    assert asked(known=facts(rosters={SCHEDULE: old})).reason.facts["age_s"] == 600
    patient = replace(catalog(), sources={"pagerduty": SourceRules(stale_after=3_600)})
    older = facts(rosters={SCHEDULE: roster(read_at=NINE - timedelta(minutes=50))})
    ask = Ask(person=ADA, resource=PROD_DB, length=HOUR, reason=REASON)
    assert decide(ask, patient, older).outcome is Outcome.APPROVE


def test_without_approvers_what_cannot_be_told_is_refused_with_why() -> None:
    alone = replace(PROD_DB, approvers=())
    assert asked(resource=alone, known=facts(rosters={})).reason.why is Why.ROSTER_MISSING
    assert asked(DAN, alone).reason.why is Why.NOT_ON_CALL
    nothing = replace(alone, approve_automatically=())
    assert asked(resource=nothing).reason == because(Why.MAY_NOT_ASK, resource="prod-db")
    assert asked(resource=nothing).outcome is Outcome.REFUSE


def test_rules_are_tried_in_their_order_and_an_unsure_one_does_not_stop_the_next() -> None:
    both = replace(PROD_DB, approve_automatically=(FIRST_LINE, DBA))
    decision = asked(BOB, both, known=facts(rosters={}))
    assert (decision.outcome, decision.rule) == (Outcome.APPROVE, f"in_group {GROUP}")
    assert [line.outcome for line in decision.trace] == [CANNOT_TELL, YES]
    assert decision.ground is not None
    assert decision.ground.lives_by == DBA


@pytest.mark.parametrize("levels", [(1,), (2,), (), (1, 2), (2, 3), (3,)])
def test_levels_decide_which_shifts_count(levels: tuple[int, ...]) -> None:
    rule = OnCall(schedule=SCHEDULE, levels=levels)
    known = facts(rosters={SCHEDULE: roster(shift(level=2))})
    wanted = Outcome.APPROVE if not levels or 2 in levels else Outcome.ASK
    assert asked(resource=replace(PROD_DB, approve_automatically=(rule,)), known=known).outcome is wanted


def test_a_shift_of_an_email_that_is_no_longer_the_persons_does_not_count() -> None:
    renamed = facts(replace(person(ADA), email="countess@example.com"))
    decision = asked(known=renamed)
    assert (decision.outcome, decision.trace[0].reason.why) == (Outcome.ASK, Why.NOT_ON_CALL)


def test_a_shift_of_nobody_in_slack_counts_for_nobody() -> None:
    known = facts(rosters={SCHEDULE: roster(replace(shift(), person=None))})
    assert asked(known=known).outcome is Outcome.ASK


@pytest.mark.parametrize(
    ("length", "grace", "shift_ends", "until"),
    [
        (4 * HOUR, 0, ends(8), ends(4)),
        (12 * HOUR, 0, ends(8), ends(8)),
        (12 * HOUR, 15 * MINUTE, ends(8), ends(8.25)),
        (12 * HOUR, 15 * MINUTE, ends(20), ends(12)),
        (12 * HOUR, 0, None, ends(12)),
        (None, 0, ends(8), ends(8)),
        (None, 15 * MINUTE, ends(8), ends(8.25)),
        (None, 0, ends(20), ends(12)),
        (None, 0, None, ends(12)),
    ],
)
def test_access_by_on_call_ends_with_the_shift_and_its_grace(
    length: int | None, grace: int, shift_ends: datetime | None, until: datetime
) -> None:
    rule = OnCall(schedule=SCHEDULE, levels=(1,), grace=grace)
    known = facts(rosters={SCHEDULE: roster(shift(end=shift_ends))})
    decision = asked(resource=replace(PROD_DB, approve_automatically=(rule,)), length=length, known=known)
    assert until_of(decision) == until


@pytest.mark.parametrize(
    ("shift_ends", "until"), [(ends(8), ends(8)), (ends(20), ends(12)), (None, ends(12))]
)
def test_until_the_end_of_the_shift_means_that_by_any_rule(
    shift_ends: datetime | None, until: datetime
) -> None:
    by_group = replace(PROD_DB, approve_automatically=(InGroup(group="slack/sre"), FIRST_LINE))
    known = facts(
        groups={"slack/sre": replace(dba(ADA), name="slack/sre")},
        rosters={SCHEDULE: roster(shift(end=shift_ends))},
    )
    decision = asked(resource=by_group, length=None, known=known)
    assert (decision.rule, until_of(decision)) == ("in_group slack/sre", until)


def test_until_the_end_of_the_shift_needs_a_shift() -> None:
    assert asked(DAN, length=None).reason.why is Why.NO_SHIFT_TO_END
    assert asked(length=None, known=facts(rosters={})).reason.why is Why.NO_SHIFT_TO_END


@pytest.mark.parametrize(
    ("shift_ends", "until"), [(ends(8), ends(8)), (ends(20), ends(12)), (None, ends(12))]
)
def test_an_approval_until_the_end_of_the_shift_ends_with_it(
    shift_ends: datetime | None, until: datetime
) -> None:
    stale = facts(rosters={SCHEDULE: roster(shift(end=shift_ends), read_at=NINE - timedelta(hours=1))})
    assert asked(length=None, known=stale).outcome is Outcome.ASK
    ask = Ask(person=ADA, resource=PROD_DB, length=None, reason=REASON)
    ground = approval_ground(ask, (BOB,), stale)
    assert (ground.until, ground.ends_with, ground.cap) == (until, FIRST_LINE, ends(12))
    assert ground.wanted == (shift_ends if shift_ends and shift_ends > until else None)


@pytest.mark.parametrize(("age", "outcome"), [(60, Outcome.APPROVE), (61, Outcome.ASK)])
def test_a_group_read_too_long_ago_cannot_say_yes(age: int, outcome: Outcome) -> None:
    by_group = replace(PROD_DB, approve_automatically=(DBA,))
    old = facts(groups={GROUP: dba(read_at=NINE - timedelta(minutes=age))})
    assert asked(BOB, by_group, known=old).outcome is outcome
    assert asked(BOB, by_group, known=facts(groups={})).outcome is Outcome.ASK


@given(
    st.sampled_from([ADA, DAN, BOB]),
    st.integers(1, 13 * HOUR) | st.none(),
    st.integers(0, 7_200),
    st.booleans(),
    st.sampled_from(["", REASON]),
    st.integers(-3, 30),
)
def test_nothing_is_given_beyond_the_longest_length_nor_beyond_the_shift(
    who: str, length: int | None, age: int, doubted: bool, reason: str, shift_hours: int
) -> None:
    roster_now = roster(shift(end=ends(shift_hours)), read_at=NINE - timedelta(seconds=age))
    known = facts(rosters={SCHEDULE: replace(roster_now, doubted="yes" if doubted else None)})
    decision = asked(who, length=length, reason=reason, known=known)
    if decision.outcome is Outcome.APPROVE:
        assert who == ADA
        assert age <= 600
        assert not doubted
        assert reason
        until = until_of(decision)
        assert NINE < until <= min(ends(12), ends(shift_hours))
        assert length is None or until <= NINE + timedelta(seconds=length)


# ------------------------------------------------------------------------------------- who is meant


def test_those_meant_are_named_once_each() -> None:
    security = OnCall(schedule="pagerduty/PSEC")
    rosters = {"pagerduty/PSEC": roster(shift(EVE), shift(BOB), schedule="pagerduty/PSEC")}
    who = (DBA, security, Named(person=DAN), Everyone(), InGroup(group="slack/unknown"))
    assert set(names_of(who, facts(rosters=rosters))) == {BOB, CAROL, EVE, DAN}
    assert names_of(who, facts(rosters=rosters))[:2] == (BOB, CAROL)
