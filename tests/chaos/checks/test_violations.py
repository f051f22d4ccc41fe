"""What the harness takes for the cause of an end or of an absence, and what it does not."""

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
from tests.chaos.database import ByHand
from tests.chaos.deeds import DONE, Deed
from tests.chaos.observer import Everywhere, Look, Seen, Span
from tests.chaos.promises import came_to_nothing
from tests.chaos.shifts import Stint
from tests.chaos.store import Happened
from tests.chaos.truth import Truth

NIGHT = scenario.BY_NAME["night"].on_shift or ""
CALLED_OFF = Stint(schedule=NIGHT, person="U0017", made=100.0, start=112.0, end=115.0, cut=111.9)


def known(*stints: Stint, **more: Any) -> Truth:
    nothing = cast("Any", None)
    rest: dict[str, Any] = {"books": nothing, "seen": nothing, "left": frozenset(), "deeds": (), "said": {}}
    rest |= {"faults": (), "stints": stints, "homes": {}}
    return Truth(**{**rest, **more})


def test_a_shift_called_off_right_before_it_began_may_not_have_been_heard_of() -> None:
    assert known(CALLED_OFF).called_off("U0013", "night", 112.006, since=110.5)


@pytest.mark.parametrize(
    "stint",
    [
        pytest.param(replace(CALLED_OFF, cut=110.0), id="called off long before"),
        pytest.param(replace(CALLED_OFF, cut=None), id="never called off"),
        pytest.param(replace(CALLED_OFF, made=112.5), id="not known yet"),
        pytest.param(replace(CALLED_OFF, start=113.0), id="not to begin yet"),
        pytest.param(replace(CALLED_OFF, person="U0013"), id="of the same person"),
        pytest.param(replace(CALLED_OFF, schedule="pagerduty/PDAY"), id="of another schedule"),
    ],
)
def test_nothing_else_excuses_it(stint: Stint) -> None:
    assert not known(stint).called_off("U0013", "night", 112.006, since=110.5)


# ------------------------------------------------------------------------------------- absences

PAIR, ELSEWHERE = ("p001@example.com", "table_1"), ("p001@example.com", "asked_twice")
TEN_LOOKS = [Look(at, at + 0.01) for at in range(10)]


def seen(*there: set[int]) -> Seen:
    """Ada's access in these looks, of ten a second apart."""
    spans = []
    for each in there:
        first, last = TEN_LOOKS[min(each)], TEN_LOOKS[max(each)]
        after = TEN_LOOKS[max(each) + 1] if max(each) < 9 else None
        spans.append(Span(before=TEN_LOOKS[min(each) - 1], since=first, seen=last, after=after))
    return Seen(looks=TEN_LOOKS, spans={PAIR: spans})


def looked(*there: set[int], by_hand: float | None = None) -> Truth:
    acts = [ByHand(pair=PAIR, began=by_hand, ended=by_hand + 0.02)] if by_hand else []
    return known(seen=Everywhere({"orders-db": seen(*there), "other-db": Seen()}), by_hand=acts)


def test_what_an_administrator_took_away_may_be_missing_until_it_is_given_again() -> None:
    assert looked({1, 2}, {6, 7, 8}).missing(PAIR, 1.0, 8.5) == TEN_LOOKS[3]
    assert looked({1, 2}, {6, 7, 8}, by_hand=2.5).missing(PAIR, 1.0, 8.5) is None


def test_what_was_given_while_an_administrator_was_about_to_take_it_may_be_missing_too() -> None:
    """The bot's login was dropped from 2.5 to 5.5, with what it had still granted at four."""
    truth = looked({1, 2}, {4}, {7, 8})
    assert truth.missing(PAIR, 1.0, 8.5) == TEN_LOOKS[3]
    slowly = replace(truth, by_hand=[ByHand(pair=PAIR, began=2.5, ended=5.5)])
    assert slowly.missing(PAIR, 1.0, 8.5) is None


def test_what_was_given_again_may_not_be_missing_once_more() -> None:
    assert looked({1, 2}, {6}, {8}, by_hand=2.5).missing(PAIR, 1.0, 8.5) == TEN_LOOKS[7]


def test_nor_what_was_missing_before_an_administrator_came() -> None:
    assert looked({1}, {6, 7, 8}, by_hand=3.5).missing(PAIR, 1.0, 8.5) == TEN_LOOKS[2]


def test_what_was_given_again_at_once_was_never_missing() -> None:
    """Else all that is missing later would be excused."""
    assert looked({1, 2, 3, 4}, by_hand=2.5).missing(PAIR, 1.0, 8.5) == TEN_LOOKS[5]


def test_nobody_is_excused_by_what_became_of_another_access() -> None:
    other = replace(looked({1, 2}), by_hand=[ByHand(pair=ELSEWHERE, began=2.5, ended=2.6)])
    assert other.missing(PAIR, 1.0, 8.5) == TEN_LOOKS[3]


# ------------------------------------------------------------------------- what died with a primary

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
DEED = Deed(
    what="ask",
    by=GRANT.person,
    person=GRANT.person,
    resource=GRANT.resource,
    reason="of plan 2",
    sent=2.4,
    answered=2.6,
    outcome=DONE,
    said="You get *table-1*.",
)
GIVES_BACK = replace(DEED, what="done", said="Done: I'm revoking your *table-1* now.")


def with_lost(what: str, at: float, *there: set[int], deeds: tuple[Deed, ...] = ()) -> Truth:
    books = cast("Any", SimpleNamespace(grants={GRANT.id: GRANT}, trail={}, leases={}))
    entry = Entry(what=what, grant=GRANT.id, facts={"person": GRANT.person})
    return replace(looked(*there), books=books, lost=(Happened(at=at, entry=entry),), deeds=deeds)


def test_what_was_taken_for_an_end_that_was_lost_may_be_missing_until_it_is_given_again() -> None:
    assert with_lost("ending", 2.5, {1, 2}, {6, 7, 8}).missing(PAIR, 1.0, 8.5) is None
    assert with_lost("ending", 2.5, {1, 2}, {6}, {8}).missing(PAIR, 1.0, 8.5) == TEN_LOOKS[7]


def test_no_other_loss_excuses_what_is_missing() -> None:
    assert with_lost("given", 2.5, {1, 2}, {6, 7, 8}).missing(PAIR, 1.0, 8.5) == TEN_LOOKS[3]
    assert with_lost("ending", 4.5, {1, 2}, {6, 7, 8}).missing(PAIR, 1.0, 8.5) == TEN_LOOKS[3]


@pytest.mark.parametrize(
    ("deed", "excused"),
    [
        pytest.param(DEED, True, id="an ask that was lost"),
        pytest.param(replace(DEED, sent=3.0, answered=3.2), False, id="an ask after that"),
        pytest.param(replace(DEED, by="U0002", person="U0002"), False, id="an ask of somebody else"),
        pytest.param(replace(GIVES_BACK, said=f"Done. {NOT_COPIED}"), True, id="an end that may be undone"),
        pytest.param(GIVES_BACK, False, id="an end that was told as certain"),
    ],
)
def test_what_people_were_told_may_come_to_nothing_only_if_that_was_lost(deed: Deed, excused: bool) -> None:
    found = list(came_to_nothing(with_lost("ending", 2.5, {1, 2}, deeds=(deed,))))
    assert [each.what for each in found] == ([] if excused else ["came to nothing"])


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
    lost = Happened(at=at, entry=Entry(what="approved", grant="g9", facts=facts))
    books = cast("Any", SimpleNamespace(grants={}, trail={}, leases={}))
    truth = replace(
        looked(), books=books, lost=(lost,), deeds=(replace(DEED, said=said, sent=3.0, answered=3.2),)
    )
    assert [each.what for each in came_to_nothing(truth)] == ([] if excused else ["came to nothing"])


def test_each_access_is_looked_for_at_its_own_target() -> None:
    assert looked({1, 2}).missing(ELSEWHERE, 1.0, 8.5) is None, "nobody looked there"
    assert set(scenario.TARGET_OF.values()) == set(scenario.URLS_OF)
