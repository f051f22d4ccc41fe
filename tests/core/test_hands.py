"""When it counts as proven that a person removed access at the target, and when it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.catalog import Entitlement
from bot.core.hands import is_crowd, may_have_ended_itself, missing_after
from bot.core.holds import (
    Absence,
    Hold,
    HoldRecord,
    Missing,
    Phase,
    Position,
    Presence,
    Seen,
    System,
    Witness,
)
from bot.testing.cast import NINE

ROLE = Entitlement(target="orders-db", what=(("role", "orders_rw"),))
HERE, RESTARTED, COPY = (
    System(id="orders", instance="first"),
    System(id="orders", instance="second"),
    System(id="copy"),
)
AT = Position(timeline="1", at=100)
NOTHING = Seen(presence=Presence.NONE, system=HERE, position=AT)
SEEN = HoldRecord(
    hold=Hold(target="orders-db", account="ada", entitlement=ROLE),
    phase=Phase.GIVEN,
    witness=Witness(at=NINE, system=HERE, position=AT),
)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def after_two(
    record: HoldRecord = SEEN, first: Seen = NOTHING, second: Seen = NOTHING, losses: int = 0
) -> Missing:
    found = missing_after(record, first, losses, NINE)
    return missing_after(replace(record, missing=found), second, losses, NINE + seconds(10))


def at(position: Position | None, system: System = HERE) -> Seen:
    return replace(NOTHING, position=position, system=system)


def test_one_look_proves_nothing_and_the_second_must_come_ten_seconds_later() -> None:
    first = missing_after(SEEN, NOTHING, 0, NINE)
    assert first == Missing(since=NINE, system=HERE, position=AT)
    record = replace(SEEN, missing=first)
    assert missing_after(record, NOTHING, 0, NINE + seconds(9.9)).cause is None
    assert missing_after(record, NOTHING, 0, NINE + seconds(10)) == replace(first, cause=Absence.HAND)


def test_a_clock_that_was_set_back_makes_the_second_look_the_first() -> None:
    record = replace(SEEN, missing=missing_after(SEEN, NOTHING, 0, NINE))
    again = missing_after(record, NOTHING, 0, NINE - seconds(3_600))
    assert (again.since, again.cause) == (NINE - seconds(3_600), None)


def test_what_people_were_asked_stays_asked() -> None:
    record = replace(SEEN, missing=Missing(since=NINE, system=HERE, position=AT, asked="A1"))
    assert missing_after(record, NOTHING, 0, NINE + seconds(600)).asked == "A1"


@pytest.mark.parametrize(
    ("first", "second", "cause"),
    [
        (at(AT), at(AT), Absence.HAND),
        (at(Position(timeline="1", at=150)), at(Position(timeline="1", at=200)), Absence.HAND),
        (at(AT, RESTARTED), at(AT, RESTARTED), Absence.HAND),
        (at(AT), at(Position(timeline="2", at=200)), Absence.TARGET),
        (at(AT), at(Position(timeline="1", at=99)), Absence.TARGET),
        (at(Position(timeline="1", at=300)), at(Position(timeline="1", at=200)), Absence.TARGET),
        (at(AT), at(AT, COPY), Absence.TARGET),
        (at(None), at(AT), Absence.UNKNOWN),
        (at(AT), at(None), Absence.UNKNOWN),
    ],
)
def test_the_target_must_only_have_gone_on(first: Seen, second: Seen, cause: Absence) -> None:
    assert after_two(first=first, second=second).cause is cause


@pytest.mark.parametrize(
    "then", [at(Position(timeline="2", at=1)), at(Position(timeline="1", at=9)), at(AT, COPY)]
)
def test_a_target_that_went_back_is_known_at_the_first_look(then: Seen) -> None:
    assert missing_after(SEEN, then, 0, NINE).cause is Absence.TARGET


def test_a_kind_without_positions_goes_by_its_system() -> None:
    record = replace(SEEN, witness=Witness(at=NINE, system=HERE))
    assert after_two(record, at(None), at(None)).cause is Absence.HAND
    assert after_two(record, at(None, COPY), at(None, COPY)).cause is Absence.TARGET


def test_without_a_witness_nobody_can_tell() -> None:
    assert after_two(replace(SEEN, witness=None)).cause is Absence.UNKNOWN


def test_a_ledger_that_may_have_lost_something_proves_nothing_whatever_the_target_did() -> None:
    assert after_two(losses=1).cause is Absence.LEDGER
    first = missing_after(SEEN, at(Position(timeline="2", at=1)), 1, NINE)
    assert first.cause is None, "it is not granted again, because it may have ended"
    assert after_two(replace(SEEN, losses=1), losses=1).cause is Absence.HAND


def test_an_end_that_the_target_keeps_itself_is_no_hand() -> None:
    assert may_have_ended_itself(NINE + seconds(60), NINE)
    assert may_have_ended_itself(NINE - seconds(60), NINE)
    assert not may_have_ended_itself(NINE + seconds(61), NINE)
    assert not may_have_ended_itself(None, NINE)


@pytest.mark.parametrize(
    ("missing", "held", "crowd"),
    [
        (1, 1, False),
        (1, 1_000, False),
        (2, 8, False),
        (2, 7, True),
        (3, 12, False),
        (3, 11, True),
        (4, 1_000, True),
    ],
)
def test_more_than_three_or_more_than_the_share_are_too_many(missing: int, held: int, crowd: bool) -> None:
    assert is_crowd(missing, held, 25) is crowd
