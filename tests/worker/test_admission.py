"""How threads are assigned: each dependency has its own, and one that hangs gets no more."""

from __future__ import annotations

import pytest

from bot.core.errors import Misconfigured
from bot.testing.cast import catalog
from bot.usecases.enact import standing_duties
from bot.worker.admission import (
    ALARMS,
    REDIS,
    RESERVED,
    SLACK,
    Admission,
    Use,
    World,
    dependency,
    source,
    target,
)

TRUSTED = Use(trusted=True)


def admission(threads: int = 16, targets: int = 3, sources: int = 1, **uses: Use) -> Admission:
    """Return an admission with these uses, by the names of targets, or ``slack``."""
    world = World(
        targets=frozenset(f"t{n}" for n in range(targets)),
        sources=frozenset({"pager"}) if sources else frozenset(),
    )
    named = {name if name in RESERVED else target(name): use for name, use in uses.items()}
    return Admission(threads=threads, share=8, own=world.own, uses=named)


@pytest.mark.parametrize(
    ("member", "waits_for"),
    [
        ("hold:orders-db/1f", target("orders-db")),
        ("sweep:orders-db", target("orders-db")),
        ("roster:pagerduty", source("pagerduty")),
        ("roster:pagerduty/PDBPRIM", source("pagerduty")),
        ("card:G1", SLACK),
        ("note:vanished-1", SLACK),
        ("alert:A/1", SLACK),
        ("home:U02ADA", SLACK),
        ("people:U02ADA", SLACK),
        ("groups:all", SLACK),
        ("workspace:self", SLACK),
        ("alarm:G1", ALARMS),
        ("alarm:all", ALARMS),
        ("seal:audit", REDIS),
        ("owed:all", REDIS),
        ("ask:G1", REDIS),
        ("shift:orders-on-call", REDIS),
        ("novelty:1", REDIS),
    ],
)
def test_what_a_due_thing_waits_for(member: str, waits_for: str) -> None:
    assert dependency(member) == waits_for


def test_each_target_and_source_of_the_policy_has_a_thread_of_its_own() -> None:
    policy = catalog()
    sources = {member.partition("/")[0] for member in policy.schedules()}
    world = World(targets=frozenset(policy.targets()), sources=frozenset(sources))
    own = {dependency(member) for member in standing_duties(policy)} | {ALARMS}
    assert own == world.own.keys()


def test_what_hangs_has_one_thread_and_what_answers_its_share() -> None:
    now = admission(t0=Use(busy=1), t1=TRUSTED)
    assert (now.room(target("t0")), now.room(target("t1")), now.room(target("t2"))) == (0, 8, 1)
    assert admission(t0=Use(busy=3, trusted=True)).room(target("t0")) == 5


def test_whatever_hangs_all_others_have_their_own_thread() -> None:
    """Four of five hang, and all shared threads are in use until that is noticed."""
    now = admission(targets=5, t0=Use(busy=3), t1=Use(busy=3), t2=Use(busy=2), t3=Use(busy=2))
    assert now.spare == 16 - 10 - 1 - sum(RESERVED.values()) - 1
    full = admission(targets=5, t0=Use(busy=4), t1=Use(busy=2), t2=Use(busy=2), t3=Use(busy=2))
    assert full.spare == 0
    for name, own in full.own.items():
        busy = full.uses.get(name, Use()).busy
        assert full.room(name) == (0 if busy else own)


def test_holds_leave_four_threads_to_everything_else() -> None:
    for targets in (1, 3, 8):
        world = World(targets=frozenset(f"t{n}" for n in range(targets)))
        now = Admission(threads=world.threads, share=8, own=world.own)
        most = now.spare + targets
        assert world.threads - most >= 4


def test_a_stuck_call_is_replaced_once() -> None:
    assert admission(t0=Use(busy=1, stuck=1)).room(target("t0")) == 1
    assert admission(t0=Use(busy=2, stuck=1)).room(target("t0")) == 0
    assert admission(t0=Use(busy=2, stuck=2)).room(target("t0")) == 0


def test_in_a_flood_of_ends_the_others_have_their_own_threads_and_no_more() -> None:
    now = admission(slack=Use(busy=1, trusted=True), t0=TRUSTED)
    rooms = {room.kinds: (room.own, room.shared) for room in now.rooms(("hold",), flood=False)}
    assert rooms[("sweep", "hands")] == (3, now.spare)
    slack = next(kinds for kinds in rooms if "card" in kinds)
    assert rooms[slack] == (1, 6)
    flooded = {room.kinds: (room.own, room.shared) for room in now.rooms(("hold",), flood=True)}
    assert flooded == {kinds: (own, 0) for kinds, (own, _) in rooms.items()}


@pytest.mark.parametrize(("targets", "sources", "threads"), [(2, 1, 16), (7, 1, 16), (8, 1, 17), (40, 2, 50)])
def test_threads_by_default(targets: int, sources: int, threads: int) -> None:
    world = World(targets=frozenset(map(str, range(targets))), sources=frozenset(map(str, range(sources))))
    assert world.threads == threads
    assert world.threads >= world.least
    world.demand()


def test_fewer_threads_than_are_needed_are_refused_with_the_least_that_are() -> None:
    world = World(targets=frozenset({"a", "b"}), sources=frozenset({"pager"}), wished=6)
    with pytest.raises(Misconfigured) as refused:
        world.demand()
    assert str(refused.value) == (
        "WORKER_THREADS: 6 is too few; set at least 7: one for each target (2) and on-call source (1), and 4"
        " for everything else. Or leave it unset"
    )
    World(targets=world.targets, sources=world.sources, wished=7).demand()
