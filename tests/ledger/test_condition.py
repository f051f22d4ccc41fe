"""Any ledger reports its condition to those who watch over it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bot.ports.changes import Change, Done
from bot.ports.ledger import Owed
from bot.testing.memory_ledger import MemoryLedger
from tests.ledger.conftest import AnyLedger
from tests.ledger.people import LONG_AGO, SOME_DAY, due

Lasting = Callable[[float], AnyLedger]
HOUR = timedelta(hours=1)


def fail(ledger: AnyLedger, *members: str, times: int = 1) -> None:
    """Let each of them fail that often; it is due again at SOME_DAY after the last failure."""
    ledger.commit(Change(due=tuple(due(each) for each in members)))
    for n in range(1, times + 1):
        at = LONG_AGO if n < times else SOME_DAY
        for claim in ledger.claim(len(members), len(members), {}).claims:
            ledger.commit(Change(done=Done(claim=claim, next_at=at, failed=True)))


def test_a_ledger_that_nobody_has_used_has_nothing_to_tell(ledger: AnyLedger) -> None:
    found = ledger.condition()
    assert (found.beat, found.owed, found.oldest, found.failing, found.set_aside) == (None, 0, None, (), ())
    assert found.now <= ledger.read().now


def test_a_worker_that_asks_for_work_is_alive_also_where_there_is_none(ledger: AnyLedger) -> None:
    asked = ledger.claim(1, 1, {}).now
    assert ledger.condition().beat == asked


def test_any_claim_is_a_sign_of_life_of_a_worker_but_a_sweep_is_none(ledger: AnyLedger) -> None:
    ledger.claim_these(["hold:db/1"], 1, 1, {})
    assert ledger.condition().beat is None
    asked = ledger.claim(1, 1, {}, ("hold",)).now
    assert ledger.condition().beat == asked


def test_the_sign_of_life_is_written_once_a_second() -> None:
    ledger = MemoryLedger(SOME_DAY)
    seen = []
    for seconds in (0, 0.999, 0.001, 0.999):
        ledger.advance(seconds)
        ledger.claim(1, 1, {})
        seen.append(ledger.condition().beat)
    second = timedelta(seconds=1)
    assert seen == [SOME_DAY, SOME_DAY, SOME_DAY + second, SOME_DAY + second]


def test_what_is_owed_is_counted_and_the_oldest_that_waits_is_named(ledger: AnyLedger) -> None:
    ledger.commit(
        Change(due=(due("card:b", LONG_AGO + HOUR), due("card:a", LONG_AGO), due("card:c", SOME_DAY)))
    )
    assert (ledger.condition().owed, ledger.condition().oldest) == (3, LONG_AGO)
    first, second = ledger.claim(2, 9, {}).claims
    assert (ledger.condition().owed, ledger.condition().oldest) == (3, None)
    ledger.commit(Change(done=Done(claim=first)))
    ledger.commit(Change(done=Done(claim=second, next_at=LONG_AGO + HOUR)))
    assert (ledger.condition().owed, ledger.condition().oldest) == (2, LONG_AGO + HOUR)


def test_what_a_dead_worker_left_waits_since_its_claim_ran_out(lasting: Lasting) -> None:
    lasting(0).commit(Change(due=(due("card:a"),)))
    claimed_at = lasting(0).claim(1, 1, {}).now
    assert lasting(0).condition().oldest == claimed_at


def test_what_fails_again_and_again_is_told_the_worst_first(ledger: AnyLedger) -> None:
    fail(ledger, "hold:db/1", times=4)
    fail(ledger, "roster:pagerduty", times=3)
    fail(ledger, "card:g1", times=2)
    assert ledger.condition().failing == (
        Owed(member="hold:db/1", at=SOME_DAY, tries=4),
        Owed(member="roster:pagerduty", at=SOME_DAY, tries=3),
    )


def test_what_went_well_at_last_fails_no_more(ledger: AnyLedger) -> None:
    fail(ledger, "hold:db/1", times=3)
    ledger.commit(Change(due=(due("hold:db/1"),)))
    (claim,) = ledger.claim(1, 1, {}).claims
    assert [each.tries for each in ledger.condition().failing] == [3]
    ledger.commit(Change(done=Done(claim=claim, next_at=SOME_DAY)))
    assert ledger.condition().failing == ()


def test_open_grants_and_those_overdue_are_counted(ledger: AnyLedger) -> None:
    there = {("open", "g1"): True, ("open", "g2"): True, ("overdue", "g2"): True}
    ledger.commit(Change(index=there))
    assert (ledger.condition().open, ledger.condition().overdue) == (2, 1)
    ledger.commit(Change(index=dict.fromkeys(there, False)))
    assert (ledger.condition().open, ledger.condition().overdue) == (0, 0)


def test_no_more_than_a_hundred_failing_things_are_told(ledger: AnyLedger) -> None:
    fail(ledger, *(f"hold:db/{n:03}" for n in range(120)), times=3)
    found = ledger.condition()
    assert (len(found.failing), found.owed) == (100, 120)
    assert found.failing[0].member == "hold:db/119"
