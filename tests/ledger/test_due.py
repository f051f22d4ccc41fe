"""Any ledger arms, claims, closes and takes over what is due."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import cast

import pytest
from redis import Redis

from bot.core.errors import Conflict
from bot.ports.changes import Change, Claim, Done, Order, Room
from bot.testing.memory_ledger import MemoryLedger
from tests.ledger.conftest import AnyLedger
from tests.ledger.people import ADA, ADAS_KEY, LONG_AGO, SOME_DAY, due

Lasting = Callable[[float], AnyLedger]
HOUR = timedelta(hours=1)


def arm(ledger: AnyLedger, *members: str) -> None:
    ledger.commit(Change(due=tuple(due(each) for each in members)))


def members(claims: Iterable[Claim]) -> list[str]:
    return [each.member for each in claims]


def claim_one(ledger: AnyLedger) -> Claim:
    (claim,) = ledger.claim(1, 9, {}).claims
    return claim


def close(ledger: AnyLedger, claim: Claim) -> None:
    ledger.commit(Change(done=Done(claim=claim)))


def test_what_is_due_is_claimed_in_the_order_it_was_owed(ledger: AnyLedger) -> None:
    ledger.commit(
        Change(due=(due("card:b", LONG_AGO + HOUR), due("card:a", LONG_AGO), due("card:c", SOME_DAY)))
    )
    found = ledger.claim(9, 9, {})
    assert members(found.claims) == ["card:a", "card:b"]
    assert [each.owed_at for each in found.claims] == [LONG_AGO, LONG_AGO + HOUR]
    assert not any(each.taken_over or each.tries for each in found.claims)


def test_nothing_is_due_before_its_time(ledger: AnyLedger) -> None:
    ledger.commit(Change(due=(due("card:a", SOME_DAY + timedelta(microseconds=1)),)))
    found = ledger.claim(9, 9, {})
    assert found.claims == ()
    assert found.next_at == SOME_DAY + timedelta(milliseconds=1)


def test_where_nothing_is_owed_there_is_nothing_to_wait_for(ledger: AnyLedger) -> None:
    assert ledger.claim(9, 9, {}).next_at is None


def test_what_is_claimed_is_nobody_elses_while_the_claim_lasts(ledger: AnyLedger) -> None:
    arm(ledger, "card:a")
    claim_one(ledger)
    later = ledger.claim(9, 9, {})
    assert later.claims == ()
    assert later.next_at is not None
    assert timedelta(seconds=50) < later.next_at - later.now <= timedelta(seconds=60)


def test_done_removes_it(ledger: AnyLedger) -> None:
    arm(ledger, "card:a")
    close(ledger, claim_one(ledger))
    assert ledger.claim(9, 9, {}).next_at is None


def test_done_for_now_comes_back_when_it_said(ledger: AnyLedger) -> None:
    arm(ledger, "card:a")
    ledger.commit(Change(done=Done(claim=claim_one(ledger), next_at=LONG_AGO + HOUR)))
    back = claim_one(ledger)
    assert back.owed_at == LONG_AGO + HOUR
    assert not back.taken_over
    ledger.commit(Change(done=Done(claim=back, next_at=SOME_DAY)))
    assert ledger.claim(9, 9, {}).next_at == SOME_DAY


def test_what_changes_while_it_is_being_done_is_due_again_at_once(ledger: AnyLedger) -> None:
    arm(ledger, "hold:orders-db/1")
    claim = claim_one(ledger)
    ledger.commit(Change(due=(due("hold:orders-db/1", SOME_DAY),)))
    assert ledger.claim(9, 9, {}).claims == ()
    close(ledger, claim)
    again = claim_one(ledger)
    assert abs(again.owed_at - ledger.read().now) < timedelta(minutes=1)
    assert again.generation > claim.generation


def test_a_later_look_that_was_planned_does_not_hide_what_changed_meanwhile(ledger: AnyLedger) -> None:
    arm(ledger, "hold:orders-db/1")
    claim = claim_one(ledger)
    arm(ledger, "hold:orders-db/1")
    ledger.commit(Change(done=Done(claim=claim, next_at=SOME_DAY)))
    assert members(ledger.claim(9, 9, {}).claims) == ["hold:orders-db/1"]


def test_closing_and_arming_in_one_commit_leaves_it_armed_at_the_earlier_time(ledger: AnyLedger) -> None:
    arm(ledger, "card:a", "card:b")
    first, second = ledger.claim(2, 9, {}).claims
    ledger.commit(Change(done=Done(claim=first), due=(due("card:a", SOME_DAY + HOUR),)))
    close(ledger, second)
    assert ledger.claim(9, 9, {}).next_at == SOME_DAY + HOUR
    arm(ledger, "card:a")
    claim = claim_one(ledger)
    ledger.commit(Change(done=Done(claim=claim, next_at=SOME_DAY + HOUR), due=(due("card:a", SOME_DAY),)))
    assert ledger.claim(9, 9, {}).next_at == SOME_DAY


def test_closing_and_arming_later_does_not_hide_what_changed_meanwhile(ledger: AnyLedger) -> None:
    arm(ledger, "card:a")
    claim = claim_one(ledger)
    arm(ledger, "card:a")
    ledger.commit(Change(done=Done(claim=claim), due=(due("card:a", SOME_DAY),)))
    assert members(ledger.claim(9, 9, {}).claims) == ["card:a"]


def test_arming_later_than_it_is_owed_changes_nothing_but_arming_earlier_does(ledger: AnyLedger) -> None:
    ledger.commit(Change(due=(due("card:a", SOME_DAY),)))
    ledger.commit(Change(due=(due("card:a", SOME_DAY + HOUR),)))
    assert ledger.claim(9, 9, {}).next_at == SOME_DAY
    ledger.commit(Change(due=(due("card:a", SOME_DAY - HOUR),)))
    assert ledger.claim(9, 9, {}).next_at == SOME_DAY - HOUR


def test_a_removed_member_that_comes_back_is_not_taken_for_the_old_one(lasting: Lasting) -> None:
    arm(lasting(0), "card:a")
    stale = claim_one(lasting(0))
    close(lasting(0), claim_one(lasting(60)))
    arm(lasting(60), "card:a")
    fresh = claim_one(lasting(60))
    assert fresh.generation > stale.generation
    with pytest.raises(Conflict):
        close(lasting(60), stale)
    close(lasting(60), fresh)
    assert lasting(60).claim(9, 9, {}).next_at is None


# ------------------------------------------------------------------------------------------ failures


def test_failures_in_a_row_are_counted_until_one_try_goes_well(ledger: AnyLedger) -> None:
    arm(ledger, "hold:orders-db/1")
    counted = []
    for failed in (True, True, False, True):
        claim = claim_one(ledger)
        counted.append(claim.tries)
        ledger.commit(Change(done=Done(claim=claim, next_at=LONG_AGO, failed=failed)))
    assert [*counted, claim_one(ledger).tries] == [0, 1, 2, 0, 1]


def test_a_member_that_was_removed_starts_without_failures(ledger: AnyLedger) -> None:
    arm(ledger, "card:a")
    ledger.commit(Change(done=Done(claim=claim_one(ledger), failed=True)))
    arm(ledger, "card:a")
    assert claim_one(ledger).tries == 0


def test_a_failure_counts_also_where_the_commit_itself_arms_the_member(ledger: AnyLedger) -> None:
    arm(ledger, "card:a")
    ledger.commit(Change(done=Done(claim=claim_one(ledger), failed=True), due=(due("card:a"),)))
    assert claim_one(ledger).tries == 1


# ------------------------------------------------------------------------------------------ takeover


def test_what_a_dead_worker_left_is_taken_over(lasting: Lasting) -> None:
    arm(lasting(0), "card:a")
    dead = claim_one(lasting(0))
    living = claim_one(lasting(60))
    assert (dead.taken_over, living.taken_over) == (False, True)
    assert living.fence > dead.fence


def test_the_worker_that_was_thought_dead_writes_nothing(lasting: Lasting) -> None:
    arm(lasting(0), "card:a")
    dead, living = claim_one(lasting(0)), claim_one(lasting(60))
    ledger = lasting(60)
    with pytest.raises(Conflict, match="claim on card:a is lost"):
        ledger.commit(Change(put={ADAS_KEY: ADA}, done=Done(claim=dead)))
    assert ledger.read([ADAS_KEY]).documents == {}
    close(ledger, living)
    with pytest.raises(Conflict):
        close(ledger, living)


def test_a_lapsed_claim_that_nobody_took_over_is_still_ours(lasting: Lasting) -> None:
    arm(lasting(0), "card:a")
    close(lasting(0), claim_one(lasting(0)))
    assert lasting(60).claim(9, 9, {}).next_at is None


def test_what_lapsed_and_is_armed_is_due(lasting: Lasting) -> None:
    arm(lasting(0), "card:a")
    claim_one(lasting(0))
    arm(lasting(0), "card:a")
    assert claim_one(lasting(60)).taken_over


def test_a_renewed_claim_lasts_and_only_ours_is_renewed(lasting: Lasting) -> None:
    arm(lasting(0), "card:a", "card:b")
    lost, ours = lasting(0).claim(2, 9, {}).claims
    theirs = claim_one(lasting(0))
    assert theirs.member == lost.member
    assert lasting(60).renew([lost, ours]) == {ours.member}
    assert members(lasting(60).claim(9, 9, {}).claims) == [lost.member]
    close(lasting(60), ours)
    assert lasting(60).renew([ours]) == lasting(60).renew([]) == frozenset()


# ---------------------------------------------------------------------------------------------- lost


@pytest.fixture
def lose(beneath: Redis | None, lasting: Lasting, workspace: str) -> Callable[[str], object]:
    """Drop one member of the lane of cards from the due set, and nothing else."""
    if beneath is not None:
        return partial(beneath.zrem, f"rotakey:{{{workspace}}}:due:card")
    return lambda member: cast("MemoryLedger", lasting(60)).lose(member)


@pytest.fixture
def lose_lane(beneath: Redis | None, lasting: Lasting, workspace: str) -> Callable[[], object]:
    if beneath is not None:
        return partial(beneath.srem, f"rotakey:{{{workspace}}}:lanes", "card")
    return lambda: cast("MemoryLedger", lasting(60)).lose_lanes("card")


def test_a_dead_workers_claim_does_not_hide_that_the_member_was_lost(
    lasting: Lasting, lose: Callable[[str], object]
) -> None:
    arm(lasting(0), "card:a")
    dead = claim_one(lasting(0))
    lose("card:a")
    assert lasting(60).claim(9, 9, {}).next_at is None
    arm(lasting(0), "card:a")
    again = claim_one(lasting(60))
    assert (again.member, again.taken_over) == ("card:a", True)
    with pytest.raises(Conflict):
        close(lasting(60), dead)


def test_what_was_lost_while_it_is_claimed_is_nobody_elses_before_the_claim_lapses(
    ledger: AnyLedger, lose: Callable[[str], object]
) -> None:
    arm(ledger, "card:a")
    claim = claim_one(ledger)
    lose("card:a")
    arm(ledger, "card:a")
    later = ledger.claim(9, 9, {})
    assert later.claims == ()
    assert later.next_at is not None
    assert timedelta(seconds=50) < later.next_at - later.now <= timedelta(seconds=60)
    close(ledger, claim)
    assert members(ledger.claim(9, 9, {}).claims) == ["card:a"]


def test_a_claim_that_is_renewed_brings_back_what_was_lost(
    ledger: AnyLedger, lose: Callable[[str], object]
) -> None:
    arm(ledger, "card:a")
    claim = claim_one(ledger)
    lose("card:a")
    assert ledger.not_due({"card:a"}) == {"card:a"}
    ledger.renew([claim])
    assert ledger.not_due({"card:a"}) == frozenset()
    assert ledger.claim(9, 9, {}).claims == ()


def test_a_lane_that_was_lost_is_found_again_by_whatever_is_armed_in_it(
    lasting: Lasting, lose_lane: Callable[[], object]
) -> None:
    arm(lasting(0), "card:a", "card:b")
    lasting(0).claim(1, 9, {})
    lose_lane()
    assert lasting(60).not_due({"card:a", "card:b"}) == {"card:a", "card:b"}
    arm(lasting(0), "card:a")
    assert sorted(members(lasting(60).claim(9, 9, {}).claims)) == ["card:a", "card:b"]


# -------------------------------------------------------------------------------- the clock was set back


def test_what_is_owed_later_than_its_kind_ever_is(ledger: AnyLedger) -> None:
    now = ledger.read().now
    late, soon = now + HOUR, now + timedelta(minutes=10)
    ledger.commit(
        Change(due=(due("card:a", late), due("card:b", soon), due("hold:x/1", late), due("ask:c", late)))
    )
    half = timedelta(minutes=30)
    assert ledger.owed_too_late({"card": half, "hold": half}) == {"card:a", "hold:x/1"}
    assert ledger.owed_too_late({"card": 2 * HOUR}) == frozenset()


def test_a_claim_that_lasts_longer_than_any_claim_is_cut_by_whatever_arms_it(lasting: Lasting) -> None:
    """A claim looks like that after the clock was set back, and its worker may be dead."""
    arm(lasting(3600), "card:a")
    claim = claim_one(lasting(3600))
    assert lasting(60).owed_too_late({}) == {"card:a"}
    arm(lasting(60), "card:a")
    assert lasting(60).owed_too_late({}) == frozenset()
    next_at = lasting(60).claim(9, 9, {}).next_at
    assert next_at is not None
    assert next_at - lasting(60).read().now <= timedelta(seconds=60)
    close(lasting(60), claim)


def test_what_is_claimed_and_was_lost_would_never_be_due(
    ledger: AnyLedger, lose: Callable[[str], object]
) -> None:
    arm(ledger, "card:a", "card:b")
    ledger.claim(2, 9, {})
    lose("card:a")
    assert ledger.owed_too_late({}) == {"card:a"}


# -------------------------------------------------------------------------------------------- lanes


def test_no_lane_has_more_than_its_share_counting_what_is_busy_already(ledger: AnyLedger) -> None:
    arm(ledger, *(f"hold:{target}/{n}" for target in ("a", "b") for n in range(4)), "card:1", "card:2")
    found = ledger.claim(99, 2, {"hold:a": 1, "card": 2})
    assert members(found.claims) == ["hold:a/0", "hold:b/0", "hold:b/1"]


def test_a_full_lane_with_hundreds_of_due_members_starves_nobody(ledger: AnyLedger) -> None:
    arm(ledger, *(f"hold:slow/{n:04}" for n in range(900)))
    ledger.commit(Change(due=(due("hold:quick/1", LONG_AGO + HOUR),)))
    found = ledger.claim(8, 3, {})
    assert members(found.claims) == ["hold:slow/0000", "hold:slow/0001", "hold:slow/0002", "hold:quick/1"]
    assert members(ledger.claim(8, 3, {"hold:slow": 3}).claims) == []


def test_a_lane_is_what_stands_before_the_slash_or_else_the_kind(ledger: AnyLedger) -> None:
    odd = ["card:a:b", "card:c", "hold:db:x/1", "hold:db:x/2/3", "lonely", "shift:a b/c"]
    arm(ledger, *odd)
    found = ledger.claim(99, 1, {}).claims
    assert members(found) == ["card:a:b", "hold:db:x/1", "lonely", "shift:a b/c"]
    assert [each.lane for each in found] == ["card", "hold:db:x", "lonely", "shift:a b"]
    full = {each.lane: 1 for each in found}
    assert ledger.claim(99, 1, full).claims == ()


def test_what_has_room_of_its_own_is_claimed_whatever_else_is_due(ledger: AnyLedger) -> None:
    arm(ledger, *(f"card:{n}" for n in range(5)), "note:1", "ask:1", "ask:2")
    rooms = (Room(kinds=("card", "note"), own=2, shared=1), Room(kinds=(), own=1, shared=0))
    found = ledger.claim(9, 9, {}, order=Order(rooms=rooms))
    assert members(found.claims) == ["ask:1", "card:0", "card:1", "card:2"]
    assert members(ledger.claim(0, 9, {}, order=Order(rooms=rooms)).claims) == ["ask:2", "card:3", "card:4"]


def test_a_kind_that_has_no_room_for_now_is_told_of_only_where_all_are_short_of_it(ledger: AnyLedger) -> None:
    arm(ledger, "card:1", "ask:1")
    rooms = (Room(kinds=("card",), own=0, shared=1), Room(kinds=(), own=1, shared=1))
    found = ledger.claim(0, 9, {}, order=Order(rooms=rooms))
    assert (members(found.claims), found.next_at) == (["ask:1"], LONG_AGO)
    full = (Room(kinds=("card",), own=0, shared=0),)
    found = ledger.claim(1, 9, {}, order=Order(rooms=full))
    assert members(found.claims) == []
    assert found.next_at is not None
    assert found.next_at > found.now


def test_lanes_that_were_served_come_after_all_others(ledger: AnyLedger) -> None:
    arm(ledger, "card:1", "card:2", "home:1", "note:1")
    order = Order(served=("home", "card"))
    assert members(ledger.claim(1, 9, {}, order=order).claims) == ["note:1"]
    assert members(ledger.claim(2, 9, {}, order=order).claims) == ["home:1", "card:1"]


def test_who_claims_less_than_is_due_is_told_that_there_is_more_now(ledger: AnyLedger) -> None:
    ledger.commit(Change(due=(due("card:a"), due("card:b", LONG_AGO + HOUR), due("ask:c", SOME_DAY))))
    assert ledger.claim(0, 9, {}).next_at == LONG_AGO
    assert ledger.claim(1, 9, {}).next_at == LONG_AGO + HOUR
    last = ledger.claim(1, 9, {})
    assert last.next_at is not None
    assert last.next_at > last.now


def test_what_is_due_in_a_full_lane_is_nothing_to_wake_up_for(ledger: AnyLedger) -> None:
    arm(ledger, "hold:slow/1", "hold:slow/2")
    assert ledger.claim(9, 1, {"hold:slow": 1}).next_at is None
    ledger.commit(Change(due=(due("hold:slow/3", SOME_DAY),)))
    assert ledger.claim(9, 1, {"hold:slow": 1}).next_at == SOME_DAY
    assert ledger.claim(1, 9, {}).next_at == LONG_AGO


def test_a_claim_says_what_kind_of_thing_is_owed_and_which(ledger: AnyLedger) -> None:
    arm(ledger, "roster:pagerduty/P1")
    claim = claim_one(ledger)
    assert (claim.kind, claim.id) == ("roster", "pagerduty/P1")


def test_only_the_kinds_that_are_wanted_are_claimed(ledger: AnyLedger) -> None:
    arm(ledger, "card:g1", "hold:db/1", "hold:aws/1", "roster:pagerduty")
    found = ledger.claim(10, 10, {}, ("hold", "card"))
    assert sorted(members(found.claims)) == ["card:g1", "hold:aws/1", "hold:db/1"]
    assert members(ledger.claim(10, 10, {}).claims) == ["roster:pagerduty"]
