"""The states of a grant: each legal move works, and each illegal one is refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core import grants
from bot.core.catalog import InGroup
from bot.core.errors import Refused
from bot.core.grants import Answer, Cause, Extension, Grant, Ground, HoldState, Origin, State, Vote
from bot.core.holds import Hold, HoldRecord, Presence, backoff
from bot.core.reasons import Why, because
from bot.testing.cast import ADA, BOB, CAROL, HOUR, NINE, PROD_DB

TEN = NINE + timedelta(hours=1)
ONE, TWO = (
    Hold(target=target, account="ada@example.com", entitlement=replace(PROD_DB.gives[0], target=target))
    for target in ("orders-db", "vault")
)
BOTH = (ONE, TWO)
GROUND = Ground(cause=Cause.RULE, since=NINE, until=TEN, rule="in_group slack/dba")
MORE = Extension(id="G1-1", asked_at=NINE, until=TEN + timedelta(hours=1), policy="v1")


def grant(state: State, **changes: object) -> Grant:
    """Return Ada's four hours of prod-db in that state, with two holds once it was approved."""
    asked = Grant(
        id="G1",
        person=ADA,
        resource="prod-db",
        origin=Origin.ASKED,
        state=State.ASKED,
        asked_at=NINE,
        length=4 * HOUR,
        reason="orders are stuck",
        policy="v1",
    )
    pending = {hold.key: HoldState.PENDING for hold in BOTH}
    if state in (State.APPROVED, State.ACTIVE, State.ENDING, State.ENDED):
        asked = replace(asked, approved_at=NINE, until=TEN, gives=BOTH, holds=pending)
    return replace(asked, state=state, **changes)  # type: ignore[arg-type]  # names and types vary by test


LIVING = {State.APPROVED: State.APPROVED, State.ACTIVE: State.ACTIVE}
MOVES: dict[str, tuple[Callable[[Grant], Grant], dict[State, State]]] = {
    "approve": (
        lambda g: grants.approve(g, now=NINE, ground=GROUND, gives=BOTH),
        {State.ASKED: State.APPROVED, State.WAITING: State.APPROVED},
    ),
    "agree": (lambda g: grants.agree(g, rule="approvers"), {State.ASKED: State.WAITING}),
    "deny": (
        lambda g: grants.deny(g, person=BOB, now=NINE),
        {State.ASKED: State.DENIED, State.WAITING: State.DENIED},
    ),
    "withdraw": (
        lambda g: grants.withdraw(g, now=NINE),
        {State.ASKED: State.WITHDRAWN, State.WAITING: State.WITHDRAWN},
    ),
    "lapse": (lambda g: grants.lapse(g, now=NINE), {State.ASKED: State.LAPSED, State.WAITING: State.LAPSED}),
    "end": (
        lambda g: grants.end(g, now=NINE, reason=because(Why.GIVEN_BACK), by=ADA),
        {State.APPROVED: State.ENDING, State.ACTIVE: State.ENDING},
    ),
    "add_to": (
        lambda g: grants.add_to(g, grant(State.ACTIVE), now=NINE),
        {State.ASKED: State.ADDED, State.WAITING: State.ADDED},
    ),
    "add_ground": (lambda g: grants.add_ground(g, GROUND), LIVING),
    "move_ground": (lambda g: grants.move_ground(g, GROUND, until=TEN), LIVING),
    "drop_ground": (lambda g: grants.drop_ground(g, GROUND, reason=because(Why.SHIFT_OVER)), LIVING),
    "request_extension": (lambda g: grants.request_extension(g, MORE), LIVING),
    "vote_extension": (lambda g: grants.vote_extension(g, (), approvals=1), LIVING),
    "change_extension": (lambda g: grants.change_extension(g, MORE), LIVING),
    "approve_extension": (lambda g: grants.approve_extension(g, GROUND), LIVING),
    "deny_extension": (lambda g: grants.deny_extension(g, person=BOB, now=NINE), LIVING),
    "hold_given": (
        lambda g: grants.hold_given(g, ONE.key, now=NINE, had_before=False),
        {State.APPROVED: State.APPROVED, State.ACTIVE: State.ACTIVE},
    ),
    "hold_failed": (
        lambda g: grants.hold_failed(g, ONE.key, now=NINE, trouble="no such role"),
        {State.APPROVED: State.ENDING, State.ACTIVE: State.ENDING},
    ),
    "hold_settled": (
        lambda g: grants.hold_settled(g, ONE.key, now=NINE),
        {State.ENDING: State.ENDING},
    ),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("move", MOVES)
def test_each_move_is_made_from_its_own_states_only(move: str, state: State) -> None:
    do, legal = MOVES[move]
    before = grant(state)
    if state in legal:
        assert do(before).state is legal[state]
        return
    with pytest.raises(Refused) as refused:
        do(before)
    assert refused.value.reason == because(Why.DECIDED_ALREADY, state=state.value)


def test_there_is_a_row_for_each_move() -> None:
    own = {
        name
        for name, each in inspect.getmembers(grants, inspect.isfunction)
        if inspect.getmodule(each) is grants
    }
    assert {name for name in own if not name.startswith("_")} - {"decided_by", "one_more"} == set(MOVES)


def test_approval_writes_the_end_the_rule_and_what_is_owed() -> None:
    approved = grants.approve(grant(State.ASKED, undecided=True), now=NINE, gives=iter(BOTH), ground=GROUND)
    assert approved.grounds == (GROUND,)
    assert (approved.approved_at, approved.until, approved.rule) == (NINE, TEN, "in_group slack/dba")
    assert approved.holds == {ONE.key: HoldState.PENDING, TWO.key: HoldState.PENDING}
    assert approved.gives == BOTH
    assert not approved.undecided


def test_the_lease_ends_with_the_last_ground_that_stands() -> None:
    approved = grants.approve(grant(State.ASKED), now=NINE, gives=BOTH, ground=GROUND)
    longer = replace(GROUND, cause=Cause.APPROVAL, until=TEN + timedelta(hours=2))
    both = grants.add_ground(approved, longer)
    assert both.until == longer.until
    fallen = grants.drop_ground(both, longer, reason=because(Why.SHIFT_OVER))
    assert (fallen.until, fallen.stands_on) == (TEN, (GROUND,))
    moved = grants.move_ground(fallen, GROUND, until=NINE + timedelta(minutes=1))
    assert moved.until == NINE + timedelta(minutes=1)


def test_the_same_rule_again_takes_the_place_of_its_ground() -> None:
    approved = grants.approve(grant(State.ASKED), now=NINE, gives=BOTH, ground=GROUND)
    longer = replace(GROUND, until=TEN + timedelta(hours=1))
    assert grants.add_ground(approved, longer).grounds == (longer,)


def test_a_new_extension_replaces_the_one_that_waits_and_its_votes() -> None:
    first = grants.request_extension(grant(State.ACTIVE), MORE)
    voted = grants.vote_extension(first, (Vote(person=BOB, at=NINE),), approvals=2)
    second = grants.request_extension(voted, replace(MORE, id="G1-2"))
    assert [(each.answer, len(each.votes)) for each in second.extensions] == [(Answer.REPLACED, 1), (None, 0)]
    assert second.extension is not None
    assert second.extension.id == "G1-2"
    ended = grants.end(second, reason=because(Why.GIVEN_BACK), now=TEN)
    assert (ended.extension, ended.extensions[-1].answer) == (None, Answer.LAPSED)


def test_a_grant_of_an_older_version_stands_on_one_ground() -> None:
    rule = InGroup(group="slack/dba")
    older = grant(State.ACTIVE, until=TEN, rule="in_group slack/dba", depends_on=rule)
    (ground,) = older.stands_on
    assert (ground.cause, ground.until, ground.lives_by) == (Cause.RULE, TEN, rule)
    more = replace(GROUND, cause=Cause.APPROVAL, until=TEN + timedelta(hours=1))
    assert [each.cause for each in grants.add_ground(older, more).grounds] == [Cause.RULE, Cause.APPROVAL]


def test_a_grant_is_active_only_when_all_of_it_was_seen_given() -> None:
    first = grants.hold_given(grant(State.APPROVED), ONE.key, now=NINE, had_before=False)
    assert first.state is State.APPROVED
    second = grants.hold_given(first, TWO.key, now=TEN, had_before=False)
    assert (second.state, second.active_at, second.had_before) == (State.ACTIVE, TEN, False)
    again = grants.hold_given(second, ONE.key, now=TEN + timedelta(hours=1), had_before=False)
    assert again.active_at == TEN


def test_what_was_there_before_is_remembered() -> None:
    first = grants.hold_given(grant(State.APPROVED), ONE.key, now=NINE, had_before=True)
    second = grants.hold_given(first, TWO.key, now=NINE, had_before=False)
    assert second.had_before


def test_a_grant_is_ended_only_when_all_of_it_was_seen_gone() -> None:
    first = grants.hold_settled(grant(State.ENDING, overdue_since=NINE), ONE.key, now=NINE)
    assert (first.state, first.ended_at, first.overdue_since) == (State.ENDING, None, NINE)
    second = grants.hold_settled(first, TWO.key, now=TEN)
    assert (second.state, second.ended_at, second.overdue_since) == (State.ENDED, TEN, None)


def test_what_another_grant_goes_on_holding_is_kept_by_it() -> None:
    first = grants.hold_settled(grant(State.ENDING), ONE.key, now=NINE, kept_by="G2")
    second = grants.hold_settled(first, TWO.key, now=NINE)
    assert second.holds == {ONE.key: HoldState.KEPT, TWO.key: HoldState.GONE}
    assert (second.state, second.kept_by) == (State.ENDED, "G2")


def test_if_one_hold_cannot_be_given_the_whole_grant_ends_and_says_why() -> None:
    half = grants.hold_given(grant(State.APPROVED), ONE.key, now=NINE, had_before=False)
    failed = grants.hold_failed(half, TWO.key, now=NINE, trouble="no such role")
    assert failed.ended == because(Why.COULD_NOT_GIVE)
    assert failed.holds == {ONE.key: HoldState.GIVEN, TWO.key: HoldState.FAILED}
    gone = grants.hold_settled(grants.hold_settled(failed, ONE.key, now=TEN), TWO.key, now=TEN)
    assert (gone.state, gone.trouble) == (State.ENDED, "no such role")


def test_trouble_on_the_way_is_forgotten_once_it_is_over() -> None:
    troubled = grant(State.ENDING, trouble="timed out", ended=because(Why.EXPIRED))
    gone = grants.hold_settled(grants.hold_settled(troubled, ONE.key, now=TEN), TWO.key, now=TEN)
    assert gone.trouble is None
    given = grants.hold_given(grant(State.APPROVED, trouble="timed out"), ONE.key, now=NINE, had_before=False)
    assert given.trouble is None


def test_nobody_approves_their_own_ask_and_nobody_twice() -> None:
    def voted(votes: tuple[Vote, ...], who: str) -> tuple[Vote, ...]:
        return grants.one_more(votes, ADA, person=who, now=NINE, terms="t")

    with pytest.raises(Refused) as own:
        voted((), ADA)
    assert own.value.reason.why is Why.OWN_REQUEST
    bobs = voted((), BOB)
    with pytest.raises(Refused) as twice:
        voted(bobs, BOB)
    assert twice.value.reason.why is Why.VOTED_ALREADY
    assert [(each.person, each.terms) for each in voted(bobs, CAROL)] == [(BOB, "t"), (CAROL, "t")]


@pytest.mark.parametrize(
    ("decided", "by"),
    [
        (grants.deny(grant(State.ASKED), person=CAROL, now=NINE), {"by_person": CAROL}),
        (grants.withdraw(grant(State.ASKED), now=NINE), {"by_person": ADA}),
        (grants.lapse(grant(State.ASKED), now=NINE), {}),
        (
            grant(State.ACTIVE, votes=(Vote(person=BOB, at=NINE), Vote(person=CAROL, at=TEN))),
            {"by_person": CAROL},
        ),
    ],
)
def test_a_late_clicker_is_told_who_decided(decided: Grant, by: dict[str, str | int]) -> None:
    with pytest.raises(Refused) as refused:
        grants.deny(decided, person=BOB, now=TEN)
    assert refused.value.reason == because(Why.DECIDED_ALREADY, state=decided.state.value, **by)


def test_an_ask_that_lapsed_and_one_that_was_denied_say_so() -> None:
    lapsed = grants.lapse(grant(State.ASKED), now=TEN)
    assert (lapsed.ended, lapsed.ended_at) == (because(Why.ASK_LAPSED), TEN)
    denied = grants.deny(
        grant(State.ASKED), person=BOB, now=TEN, because_of=because(Why.DENIED, said="not tonight")
    )
    assert (denied.decided_by, denied.ended) == (BOB, because(Why.DENIED, said="not tonight"))


@pytest.mark.parametrize("state", State)
def test_a_grant_is_open_until_nothing_is_owed_for_it(state: State) -> None:
    finished = state in (State.ENDED, State.DENIED, State.WITHDRAWN, State.LAPSED, State.ADDED)
    assert grant(state).open is not finished


def test_failures_are_waited_out_ever_longer_but_never_beyond_five_minutes() -> None:
    seconds = [backoff(failures).total_seconds() for failures in (0, 1, 2, 3, 8, 9, 10, 10_000)]
    assert seconds == [1, 1, 2, 4, 128, 256, 300, 300]


@pytest.mark.parametrize(
    ("baseline", "untouchable"),
    [
        (None, False),
        (Presence.NONE, False),
        (Presence.OURS, False),
        (Presence.THEIRS, True),
        (Presence.UNKNOWN, True),
    ],
)
def test_what_was_there_before_us_is_not_ours_to_take(baseline: Presence | None, untouchable: bool) -> None:
    assert HoldRecord(hold=ONE, baseline=baseline).untouchable is untouchable


def test_a_hold_is_named_by_its_target_account_and_entitlement() -> None:
    assert ONE.key.startswith("orders-db/")
    names = {
        ONE.key,
        TWO.key,
        replace(ONE, account="dan@example.com").key,
        replace(ONE, entitlement=replace(ONE.entitlement, what=(("role", "orders_ro"),))).key,
    }
    assert len(names) == 4
    assert replace(ONE).key == ONE.key
