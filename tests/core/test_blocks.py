"""No rule gives back what people took away, or what is frozen; and who decides instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.blocks import Ban, Block, Freeze
from bot.core.catalog import Catalog, Named, SecurityRules
from bot.core.grants import Origin, State
from bot.core.members import NO, Facts, for_revoking
from bot.core.policy import (
    Ask,
    Decision,
    Outcome,
    approver_objection,
    approvers_of,
    automatic_objection,
    decide,
    question_of,
    requester_objection,
    security_objection,
    vote_objection,
)
from bot.core.reasons import Reason, Why, because
from bot.core.rightful import rightful
from bot.testing.cast import (
    ADA,
    BOB,
    CAROL,
    DAN,
    EVE,
    GROUP,
    HOUR,
    NINE,
    ORDERS_ON_CALL,
    PROD_DB,
    SCHEDULE,
    catalog,
    dba,
    roster,
)
from tests.core.known import facts
from tests.slack.scenes import grant

UNTIL = NINE + timedelta(hours=24)
BLOCK = Block(reason=because(Why.REVOKED, by_person=BOB), by=BOB, since=NINE, until=UNTIL)
LATELY = because(
    Why.REVOKED_LATELY, person=ADA, resource="prod-db", by_person=BOB, until_at=int(UNTIL.timestamp())
)
BAN = Ban(by=EVE, reason="her laptop was stolen", at=NINE)
BANNED = because(Why.BANNED, person=ADA, by_person=EVE)
FREEZE = Freeze(by=EVE, reason="", at=NINE)
FROZEN = because(Why.FROZEN, by_person=EVE, resource="prod-db")
ALONE = replace(ORDERS_ON_CALL, approvers=())


def secured(*people: str) -> Catalog:
    return replace(
        catalog(ALONE), security=SecurityRules(people=tuple(Named(person=each) for each in people))
    )


def asked(known: Facts, name: str = "prod-db", who: str = ADA, policy: Catalog | None = None) -> Decision:
    policy = policy or secured(EVE)
    resource = policy.resources[name]
    return decide(Ask(person=who, resource=resource, length=HOUR, reason="why"), policy, known)


def blocked(name: str = "prod-db", block: Block = BLOCK, **changes: object) -> Facts:
    return facts(blocks={f"{name}/{ADA}": block}, **changes)


def test_while_blocked_no_rule_says_yes_and_the_approvers_see_why() -> None:
    decision = asked(blocked())
    assert (decision.outcome, decision.ground) == (Outcome.ASK, None)
    assert [(line.rule, line.outcome, line.reason) for line in decision.trace] == [
        ("on_call pagerduty/PDBPRIM level 1, 2", NO, LATELY)
    ]


def test_a_block_is_one_person_s_and_one_resource_s_and_ends() -> None:
    other = facts(blocks={f"prod-db/{DAN}": BLOCK, f"orders-on-call/{ADA}": BLOCK})
    assert asked(other).outcome is Outcome.APPROVE
    assert asked(blocked(now=UNTIL - timedelta(seconds=1), rosters={})).trace[0].reason == LATELY
    assert automatic_objection(ADA, PROD_DB, blocked(now=UNTIL)) is None


def test_a_hand_at_the_target_blocks_and_nobody_is_named() -> None:
    hand = replace(BLOCK, by=None)
    assert asked(blocked(block=hand)).trace[0].reason.facts == {
        "person": ADA,
        "resource": "prod-db",
        "until_at": int(UNTIL.timestamp()),
    }


def test_without_rules_the_approvers_see_the_block_too() -> None:
    known = blocked("schema-migration")
    decision = asked(known, "schema-migration")
    assert decision.outcome is Outcome.ASK
    assert [line.rule for line in decision.trace] == ["block"]


def test_what_has_no_approvers_security_people_decide_for_who_is_blocked() -> None:
    policy, known = secured(EVE, ADA), blocked("orders-on-call")
    assert asked(known, "orders-on-call", policy=policy).outcome is Outcome.ASK
    assert asked(known, "orders-on-call", DAN, policy).outcome is Outcome.REFUSE
    wanted = grant(State.ASKED, person=ADA, resource="orders-on-call")
    assert vote_objection(EVE, wanted, ALONE, policy, known) is None
    assert vote_objection(BOB, wanted, ALONE, policy, known) == because(
        Why.NOT_AN_APPROVER, resource="orders-on-call"
    )
    assert vote_objection(ADA, wanted, ALONE, policy, known) == because(Why.OWN_REQUEST)
    over = replace(known, blocks={})
    assert vote_objection(EVE, wanted, ALONE, policy, over) is not None
    assert approvers_of(PROD_DB, policy, blocked(), ADA) == PROD_DB.approvers


def test_without_security_people_it_waits_for_the_block_to_end() -> None:
    decision = asked(blocked("orders-on-call"), "orders-on-call", policy=secured())
    assert (decision.outcome, decision.reason.why) == (Outcome.REFUSE, Why.REVOKED_TILL_THEN)


def test_while_frozen_no_rule_says_yes_to_anybody() -> None:
    decision = asked(facts(frozen=FREEZE))
    assert (decision.outcome, decision.trace[0].reason) == (Outcome.ASK, FROZEN)
    alone = replace(PROD_DB, approvers=())
    policy = replace(secured(EVE), resources={"prod-db": alone})
    refused = asked(facts(frozen=FREEZE), policy=policy)
    assert (refused.outcome, refused.reason) == (Outcome.REFUSE, FROZEN)
    asked_anyway = asked(facts(frozen=FREEZE), "schema-migration")
    assert (asked_anyway.outcome, asked_anyway.trace) == (Outcome.ASK, ())


def test_nobody_gives_a_banned_person_anything() -> None:
    known = facts(bans={ADA: BAN})
    assert asked(known).reason == BANNED
    assert asked(known, who=DAN).outcome is Outcome.ASK
    wanted = grant(State.ASKED, person=ADA)
    assert requester_objection(question_of(wanted, PROD_DB), catalog(), known) == BANNED
    assert automatic_objection(ADA, PROD_DB, known) == BANNED


def test_what_a_banned_person_holds_ends() -> None:
    held = grant(State.ACTIVE, person=ADA, origin=Origin.SHIFT)
    assert rightful(held, catalog(), facts(bans={ADA: BAN})) == BANNED
    assert rightful(held, catalog(), facts(bans={DAN: BAN})) != BANNED


def test_the_votes_of_a_banned_person_do_not_count() -> None:
    known = facts(bans={BOB: BAN})
    wanted = grant(State.ASKED, person=DAN)
    assert vote_objection(BOB, wanted, PROD_DB, catalog(), known) == because(
        Why.BANNED, person=BOB, by_person=EVE
    )
    assert vote_objection(CAROL, wanted, PROD_DB, catalog(), known) is None
    assert security_objection(EVE, secured(EVE), facts(bans={EVE: BAN})) is not None


def test_security_people_are_those_that_the_policy_names() -> None:
    assert security_objection(EVE, secured(EVE), facts()) is None
    assert security_objection(BOB, secured(EVE), facts()) == because(Why.NOT_SECURITY)
    assert security_objection(BOB, secured(), facts()) == because(Why.NO_SECURITY_PEOPLE)


@pytest.mark.parametrize(
    ("hours", "granting", "revoking"),
    [
        (1, None, None),
        (1.1, Why.GROUP_STALE, None),
        (24, Why.GROUP_STALE, None),
        (24.1, *[Why.GROUP_STALE] * 2),
    ],
)
def test_members_of_a_group_may_revoke_for_a_day_and_approve_for_an_hour(
    hours: float, granting: Why | None, revoking: Why | None
) -> None:
    known = facts(groups={GROUP: dba(read_at=NINE - timedelta(hours=hours))})
    assert why(approver_objection(BOB, PROD_DB, catalog(), known)) is granting
    assert why(approver_objection(BOB, PROD_DB, catalog(), for_revoking(known))) is revoking


def test_who_was_on_call_within_a_day_may_revoke() -> None:
    resource = replace(PROD_DB, approvers=PROD_DB.approve_automatically)
    old = facts(rosters={SCHEDULE: roster(read_at=NINE - timedelta(hours=7))})
    doubted = facts(rosters={SCHEDULE: replace(roster(), doubted="it looks wrong")})
    assert why(approver_objection(ADA, resource, catalog(), old)) is Why.ROSTER_STALE
    assert why(approver_objection(ADA, resource, catalog(), doubted)) is Why.ROSTER_DOUBTED
    for each in (old, doubted):
        assert approver_objection(ADA, resource, catalog(), for_revoking(each)) is None


def why(reason: Reason | None) -> Why | None:
    return reason.why if reason else None
