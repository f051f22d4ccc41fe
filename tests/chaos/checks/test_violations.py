"""The causes of ends and absences that the harness accepts, and those that it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.core.catalog import Entitlement
from bot.core.grants import Grant, Origin, State
from bot.core.holds import Hold
from bot.ports.changes import Entry
from bot.slack.wording.reasons import NOT_COPIED
from tests.chaos import scenario
from tests.chaos.actions import DONE, Action
from tests.chaos.database import ManualRevocation
from tests.chaos.observer import AllObservations, Look, Observations, Span
from tests.chaos.promises import unkept_answers
from tests.chaos.shifts import Override
from tests.chaos.store import AuditEntry
from tests.chaos.truth import Truth

NIGHT = scenario.BY_NAME["night"].on_shift or ""
CALLED_OFF = Override(schedule=NIGHT, person="U0017", made=100.0, start=112.0, end=115.0, cut=111.9)


def truth_of(*overrides: Override, **more: Any) -> Truth:
    nothing = cast("Any", None)
    rest: dict[str, Any] = {
        "ledger": nothing,
        "observed": nothing,
        "remaining": frozenset(),
        "actions": (),
        "messages": {},
        "faults": (),
        "overrides": overrides,
        "homes": {},
    }
    return Truth(**{**rest, **more})


def test_the_bot_may_not_know_yet_that_a_shift_was_called_off_right_before_it_began() -> None:
    assert truth_of(CALLED_OFF).was_called_off("U0013", "night", 112.006, since=110.5)


@pytest.mark.parametrize(
    "override",
    [
        pytest.param(replace(CALLED_OFF, cut=110.0), id="called off long before"),
        pytest.param(replace(CALLED_OFF, cut=None), id="never called off"),
        pytest.param(replace(CALLED_OFF, made=112.5), id="not known yet"),
        pytest.param(replace(CALLED_OFF, start=113.0), id="not to begin yet"),
        pytest.param(replace(CALLED_OFF, person="U0013"), id="of the same person"),
        pytest.param(replace(CALLED_OFF, schedule="pagerduty/PDAY"), id="of another schedule"),
    ],
)
def test_nothing_else_excuses_it(override: Override) -> None:
    assert not truth_of(override).was_called_off("U0013", "night", 112.006, since=110.5)


# ------------------------------------------------------------------------------------- absences

PAIR, ELSEWHERE = ("p001@example.com", "table_1"), ("p001@example.com", "asked_twice")
TEN_LOOKS = [Look(at, at + 0.01) for at in range(10)]


def observations(*there: set[int]) -> Observations:
    """Ada's access in these looks, of ten a second apart."""
    spans = []
    for each in there:
        first, last = TEN_LOOKS[min(each)], TEN_LOOKS[max(each)]
        after = TEN_LOOKS[max(each) + 1] if max(each) < 9 else None
        spans.append(Span(before=TEN_LOOKS[min(each) - 1], since=first, seen=last, after=after))
    return Observations(looks=TEN_LOOKS, spans={PAIR: spans})


def truth_with(*there: set[int], revoked_at: float | None = None) -> Truth:
    at = [revoked_at] if revoked_at else []
    return truth_of(
        observed=AllObservations({"orders-db": observations(*there), "other-db": Observations()}),
        manual_revocations=[ManualRevocation(pair=PAIR, began=each, ended=each + 0.02) for each in at],
    )


def test_what_an_administrator_revoked_may_be_missing_until_it_is_granted_again() -> None:
    assert truth_with({1, 2}, {6, 7, 8}).find_gap(PAIR, 1.0, 8.5) == TEN_LOOKS[3]
    assert truth_with({1, 2}, {6, 7, 8}, revoked_at=2.5).find_gap(PAIR, 1.0, 8.5) is None


def test_what_was_granted_while_an_administrator_was_revoking_may_be_missing_too() -> None:
    """The bot's login was dropped from 2.5 to 5.5, with what it had still granted at four."""
    truth = truth_with({1, 2}, {4}, {7, 8})
    assert truth.find_gap(PAIR, 1.0, 8.5) == TEN_LOOKS[3]
    slowly = replace(truth, manual_revocations=[ManualRevocation(pair=PAIR, began=2.5, ended=5.5)])
    assert slowly.find_gap(PAIR, 1.0, 8.5) is None


def test_what_was_granted_again_may_not_be_missing_once_more() -> None:
    assert truth_with({1, 2}, {6}, {8}, revoked_at=2.5).find_gap(PAIR, 1.0, 8.5) == TEN_LOOKS[7]


def test_nor_what_was_missing_before_an_administrator_came() -> None:
    assert truth_with({1}, {6, 7, 8}, revoked_at=3.5).find_gap(PAIR, 1.0, 8.5) == TEN_LOOKS[2]


def test_what_was_granted_again_at_once_was_never_missing() -> None:
    """Otherwise all that is missing later would be excused."""
    assert truth_with({1, 2, 3, 4}, revoked_at=2.5).find_gap(PAIR, 1.0, 8.5) == TEN_LOOKS[5]


def test_a_revocation_of_one_role_does_not_excuse_another() -> None:
    other = replace(
        truth_with({1, 2}), manual_revocations=[ManualRevocation(pair=ELSEWHERE, began=2.5, ended=2.6)]
    )
    assert other.find_gap(PAIR, 1.0, 8.5) == TEN_LOOKS[3]


# ------------------------------------------------------------------------- lost with a primary

GRANT = Grant(
    id="g1",
    person="U0001",
    resource="table-1",
    origin=Origin.ASKED,
    state=State.ENDED,
    asked_at=datetime.fromtimestamp(1, UTC),
    approved_at=datetime.fromtimestamp(1, UTC),
    until=datetime.fromtimestamp(60, UTC),
    length=59,
    reason="of plan 1",
    policy="p1",
    gives=(
        Hold(
            target="orders-db",
            account=PAIR[0],
            entitlement=Entitlement(target="orders-db", what=(("role", PAIR[1]),)),
        ),
    ),
)
ACTION = Action(
    what="ask",
    by=GRANT.person,
    person=GRANT.person,
    resource=GRANT.resource,
    reason="of plan 2",
    sent=2.4,
    answered=2.6,
    outcome=DONE,
    answer="You get *table-1*.",
)
GIVES_BACK = replace(ACTION, what="done", answer="Done: I'm revoking your *table-1* now.")


def truth_that_lost(what: str, at: float, *there: set[int], actions: tuple[Action, ...] = ()) -> Truth:
    ledger = cast("Any", SimpleNamespace(grants={GRANT.id: GRANT}, trail={}, leases={}))
    entry = Entry(what=what, grant=GRANT.id, facts={"person": GRANT.person})
    return replace(truth_with(*there), ledger=ledger, lost=(AuditEntry(at=at, entry=entry),), actions=actions)


def test_what_was_revoked_for_an_end_that_was_lost_may_be_missing_until_it_is_granted_again() -> None:
    assert truth_that_lost("ending", 2.5, {1, 2}, {6, 7, 8}).find_gap(PAIR, 1.0, 8.5) is None
    assert truth_that_lost("ending", 2.5, {1, 2}, {6}, {8}).find_gap(PAIR, 1.0, 8.5) == TEN_LOOKS[7]


def test_no_other_loss_excuses_what_is_missing() -> None:
    assert truth_that_lost("given", 2.5, {1, 2}, {6, 7, 8}).find_gap(PAIR, 1.0, 8.5) == TEN_LOOKS[3]
    assert truth_that_lost("ending", 4.5, {1, 2}, {6, 7, 8}).find_gap(PAIR, 1.0, 8.5) == TEN_LOOKS[3]


@pytest.mark.parametrize(
    ("action", "excused"),
    [
        pytest.param(ACTION, True, id="a request that was lost"),
        pytest.param(replace(ACTION, sent=3.0, answered=3.2), False, id="a request after that"),
        pytest.param(replace(ACTION, by="U0002", person="U0002"), False, id="somebody else's request"),
        pytest.param(replace(GIVES_BACK, answer=f"Done. {NOT_COPIED}"), True, id="an end that may be undone"),
        pytest.param(GIVES_BACK, False, id="an end that was reported as certain"),
    ],
)
def test_what_people_were_told_may_come_to_nothing_only_if_that_was_lost(
    action: Action, excused: bool
) -> None:
    found = list(unkept_answers(truth_that_lost("ending", 2.5, {1, 2}, actions=(action,))))
    assert [each.what for each in found] == ([] if excused else ["answered as done, but not done"])


HAS = "You already have *{}*, until <!date^{}^{{time}}|01:00 UTC>."


@pytest.mark.parametrize(
    ("said", "at", "excused"),
    [
        pytest.param(HAS.format("table-1", 60), 2.0, True, id="it was there then"),
        pytest.param(HAS.format("table-1", 61), 2.0, False, id="until another end"),
        pytest.param(HAS.format("table-1", 60), 3.5, False, id="it came later"),
    ],
)
def test_who_has_it_by_a_grant_that_is_lost_afterwards_was_told_the_truth(
    said: str, at: float, excused: bool
) -> None:
    facts = {
        "person": GRANT.person,
        "resource": GRANT.resource,
        "until": datetime.fromtimestamp(60, UTC).isoformat(),
    }
    lost = AuditEntry(at=at, entry=Entry(what="approved", grant="g9", facts=facts))
    ledger = cast("Any", SimpleNamespace(grants={}, trail={}, leases={}))
    truth = replace(
        truth_with(),
        ledger=ledger,
        lost=(lost,),
        actions=(replace(ACTION, answer=said, sent=3.0, answered=3.2),),
    )
    assert [each.what for each in unkept_answers(truth)] == (
        [] if excused else ["answered as done, but not done"]
    )


def test_each_access_is_looked_for_at_its_own_target() -> None:
    assert truth_with({1, 2}).find_gap(ELSEWHERE, 1.0, 8.5) is None, "nobody looked there"
    assert set(scenario.TARGET_OF.values()) == set(scenario.URLS_OF)
