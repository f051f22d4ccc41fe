"""When facts change, access may shrink, and only a shift's own access may grow."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.core.catalog import InGroup, OnCall
from bot.core.grants import Grant, Origin, State
from bot.core.members import Facts
from bot.core.reasons import Reason, Why, because
from bot.core.rightful import extended_end, rightful
from bot.core.shifts import Shift
from bot.testing.cast import (
    ADA,
    DAN,
    FIRST_LINE,
    GROUP,
    HOUR,
    NINE,
    ORDERS_ON_CALL,
    ORDERS_SCHEDULE,
    PROD_DB,
    SCHEDULE,
    SHIFT_ENDS,
    catalog,
    dba,
    person,
    roster,
    shift,
)
from tests.core.known import BAD_PEOPLE, facts

ON_SHIFT = ORDERS_ON_CALL.on_shift
GRACE = timedelta(minutes=15)


def at(hours: float) -> datetime:
    return NINE + timedelta(hours=hours)


def held(**changes: Any) -> Grant:
    grant = Grant(
        id="G1",
        person=ADA,
        resource="prod-db",
        origin=Origin.ASKED,
        state=State.ACTIVE,
        asked_at=NINE,
        length=4 * HOUR,
        reason="orders are stuck",
        policy="v1",
        until=at(4),
        depends_on=FIRST_LINE,
    )
    return replace(grant, **changes)


def by_shift(**changes: Any) -> Grant:
    own = {
        "resource": "orders-on-call",
        "origin": Origin.SHIFT,
        "length": None,
        "until": SHIFT_ENDS + GRACE,
        "depends_on": ON_SHIFT,
    }
    return held(**{**own, **changes})


def end(grant: Grant, *shifts: Shift, now: datetime = NINE, **changes: Any) -> tuple[datetime, Reason] | None:
    rosters = dict.fromkeys((SCHEDULE, ORDERS_SCHEDULE), roster(*shifts, read_at=now))
    known = {"rosters": rosters if shifts else {}, "now": now, **changes}
    return ended(grant, facts(**known))


def ended(grant: Grant, known: Facts) -> tuple[datetime, Reason] | None:
    found = rightful(grant, catalog(), known)
    if isinstance(found, Reason):
        return known.now, found
    assert found.until
    return None if found == grant else (found.until, OVER)


OVER = because(Why.SHIFT_OVER)


def test_while_the_shift_lasts_nothing_changes() -> None:
    assert end(held(), shift()) is None
    assert end(by_shift(), shift()) is None


def test_an_override_that_takes_the_shift_away_ends_both() -> None:
    override = (shift(end=at(0)), shift(DAN, start=at(0)))
    assert end(held(), *override, now=at(0)) == (at(0), OVER)
    assert end(by_shift(), *override, now=at(0)) == (at(0) + GRACE, OVER)
    assert end(by_shift(), shift(DAN), now=at(1)) == (at(1), OVER)


def test_a_shift_cut_short_is_followed_by_both() -> None:
    assert end(held(), shift(end=at(2))) == (at(2), OVER)
    assert end(by_shift(), shift(end=at(2))) == (at(2) + GRACE, OVER)


def test_a_longer_shift_prolongs_only_the_shift_s_own_access() -> None:
    assert end(held(), shift(end=at(20))) is None
    assert end(by_shift(), shift(end=at(20))) == (at(20) + GRACE, OVER)


def test_the_shift_s_own_access_follows_the_policy_of_today() -> None:
    grant = by_shift(depends_on=OnCall(schedule=SCHEDULE, levels=(2,), grace=0))
    assert end(grant, shift(end=at(20))) == (at(20) + GRACE, OVER)
    assert end(grant, shift(level=2)) == (NINE, OVER)


@pytest.mark.parametrize("resource", ["no-more", "prod-db"])
def test_the_shift_s_own_access_does_not_grow_once_the_policy_gives_none_by_shift(resource: str) -> None:
    grant = by_shift(resource=resource)
    assert end(grant, shift(end=at(20))) is None
    assert end(grant, shift(end=at(2))) == (at(2) + GRACE, OVER)


def test_within_its_grace_the_access_stays() -> None:
    assert end(by_shift(), shift(), now=SHIFT_ENDS + GRACE - timedelta(seconds=1)) is None
    ended = end(by_shift(), shift(), now=SHIFT_ENDS + GRACE + timedelta(seconds=1))
    assert ended == (SHIFT_ENDS + GRACE + timedelta(seconds=1), OVER)


def test_a_shift_that_was_removed_altogether_ends_now() -> None:
    assert end(held(), shift(DAN)) == (NINE, OVER)
    assert end(held(), shift(level=3)) == (NINE, OVER)


@pytest.mark.parametrize("grant", [held(), by_shift()])
def test_a_roster_that_is_missing_changes_nothing(grant: Grant) -> None:
    assert end(grant) is None


@pytest.mark.parametrize("grant", [held(), by_shift()])
def test_a_stale_or_doubted_roster_still_ends_it_at_the_last_known_end(grant: Grant) -> None:
    old = replace(roster(read_at=NINE - timedelta(days=1)), doubted="it is empty")
    assert end(grant, rosters={SCHEDULE: old, ORDERS_SCHEDULE: old}) is None
    gone = replace(roster(shift(end=at(1)), read_at=NINE - timedelta(days=1)), doubted="it is empty")
    found = end(grant, rosters={SCHEDULE: gone, ORDERS_SCHEDULE: gone})
    assert found is not None
    assert found[0] <= at(1) + GRACE


def test_a_shift_without_an_end_is_followed_by_the_longest_length_and_moved_on_at_half() -> None:
    unending = shift(end=None)
    assert end(by_shift(until=at(12)), unending) is None
    assert end(by_shift(until=at(12)), unending, now=at(5.9)) is None
    assert end(by_shift(until=at(12)), unending, now=at(6)) == (at(18), OVER)
    assert end(by_shift(until=at(99)), unending) == (at(12), OVER)
    assert end(held(), unending) is None


@pytest.mark.parametrize(("changes", "why"), BAD_PEOPLE)
@pytest.mark.parametrize("rule", [None, FIRST_LINE])
def test_who_may_have_nothing_any_more_loses_it_now(changes: dict[str, Any], why: Why, rule: Any) -> None:
    known = facts(replace(person(ADA), **changes))
    found = ended(held(depends_on=rule), known)
    assert found is not None
    assert (found[0], found[1].why) == (NINE, why)


@pytest.mark.parametrize("changes", [{"people": {}}, {"home": None}])
def test_a_person_who_cannot_be_looked_up_keeps_it(changes: dict[str, Any]) -> None:
    assert ended(held(), facts(**changes)) is None


def test_access_by_a_group_ends_with_the_membership() -> None:
    grant = held(depends_on=InGroup(group=GROUP))
    assert end(grant, groups={GROUP: dba(ADA)}) is None
    assert end(grant, groups={GROUP: dba(DAN)}) == (NINE, because(Why.NOT_IN_GROUP, group=GROUP))
    assert end(grant, groups={}) is None
    assert end(grant, groups={GROUP: dba(DAN, read_at=at(-2))}) is None


def test_an_extension_is_counted_from_the_end_and_capped_from_now() -> None:
    lengths = PROD_DB.lengths
    assert extended_end(at(4), 2 * HOUR, lengths, NINE) == at(6)
    assert extended_end(at(11), 4 * HOUR, lengths, NINE) == at(12)
    assert extended_end(at(11), 4 * HOUR, lengths, at(10)) == at(15)
