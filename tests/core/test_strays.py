"""When access counts as a stray, and how many strays may be revoked at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.catalog import Entitlement
from bot.core.holds import Hold
from bot.core.strays import Sight, Stray, StrayState, may_be_taken, strays_after
from bot.testing.cast import NINE

TEN_SECONDS = timedelta(seconds=10)
ORDERS = Entitlement(target="orders-db", what=(("role", "orders_rw"),))
OTHERS = Entitlement(target="orders-db", what=(("role", "orders_ro"),))
ADAS = Hold(target="orders-db", account="ada", entitlement=ORDERS)
FIRST = {ADAS.key: Stray(hold=ADAS, since=NINE)}


def sight(*unexplained: Hold, after: float = 0, owed: tuple[Hold, ...] = ()) -> Sight:
    return Sight(
        now=NINE + timedelta(seconds=after),
        read={ORDERS},
        unexplained={hold.key: hold for hold in unexplained},
        owed={hold.key for hold in owed},
    )


def test_what_is_seen_once_does_not_count_yet() -> None:
    assert strays_after({}, sight(ADAS), TEN_SECONDS) == FIRST
    assert strays_after(FIRST, sight(ADAS, after=10), TEN_SECONDS) == FIRST


def test_what_was_seen_before_the_clock_was_set_back_is_seen_for_the_first_time() -> None:
    known = strays_after(FIRST, sight(ADAS, after=-3_600), TEN_SECONDS)
    assert known == {ADAS.key: Stray(hold=ADAS, since=NINE - timedelta(hours=1))}
    [stray] = strays_after(known, sight(ADAS, after=-3_589), TEN_SECONDS).values()
    assert stray.state is StrayState.OPEN


def test_what_is_seen_again_later_counts() -> None:
    [stray] = strays_after(FIRST, sight(ADAS, after=10.001), TEN_SECONDS).values()
    assert (stray.state, stray.since) == (StrayState.OPEN, NINE)


def test_what_is_not_there_any_more_or_explained_is_forgotten() -> None:
    assert strays_after(FIRST, sight(after=11), TEN_SECONDS) == {}
    assert strays_after(FIRST, sight(after=11, owed=(ADAS,)), TEN_SECONDS) == {}


def test_what_could_not_be_looked_at_stays_as_it_was() -> None:
    unread = replace(sight(after=11), read={OTHERS})
    assert strays_after(FIRST, unread, TEN_SECONDS) == FIRST


@pytest.mark.parametrize("state", [StrayState.OPEN, StrayState.LEFT])
def test_what_was_decided_stays_decided_while_it_is_there(state: StrayState) -> None:
    known = {ADAS.key: replace(FIRST[ADAS.key], state=state, alert="A1")}
    assert strays_after(known, sight(ADAS, after=1_000), TEN_SECONDS) == known
    assert strays_after(known, sight(after=1_000), TEN_SECONDS) == {}


def test_what_was_taken_and_is_there_all_the_same_has_to_be_seen_again() -> None:
    known = {ADAS.key: replace(FIRST[ADAS.key], state=StrayState.TAKING, alert="A1")}
    assert strays_after(known, sight(after=20, owed=(ADAS,)), TEN_SECONDS) == known
    [stray] = strays_after(known, sight(ADAS, after=20), TEN_SECONDS).values()
    assert (stray.state, stray.since, stray.alert) == (StrayState.SEEN, NINE + timedelta(seconds=20), "A1")


@pytest.mark.parametrize(
    ("count", "held", "share", "may"),
    [
        (1, 1, 25, True),
        (2, 7, 25, False),
        (2, 8, 25, True),
        (3, 8, 25, False),
        (250, 1_000, 25, True),
        (251, 1_000, 25, False),
        (3, 3, 100, True),
        (1, 100, 1, True),
        (2, 199, 1, False),
    ],
)
def test_a_share_may_be_taken_and_always_a_single_one(count: int, held: int, share: int, may: bool) -> None:
    assert may_be_taken(count, held, share) is may
