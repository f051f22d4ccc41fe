"""Checks whether the Redis can be trusted with what is owed, is quick, and agrees with us on the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from bot.core.errors import TemporaryFailure
from bot.ports.changes import Change
from bot.ports.ledger import Ledger, Server, ServerFacts
from bot.usecases.doctor.findings import Finding, count_of, look_at, ok, wrong

REDIS = "redis"
WRITES = 3
SLOW = 0.1
APART, FAR_APART = 2.0, 60.0
"""Seconds between the clocks above which they are worth a look, and above which that is wrong."""


def look_at_redis(
    server: Server, ledger: Ledger, wall: Callable[[], datetime], copies: int = 0
) -> Iterator[Finding]:
    """Look at Redis, its clock and its pace. ``wall`` is this machine's clock; ``copies`` is the number of
    replicas that a grant has to be on."""
    try:
        facts = server.facts()
    except TemporaryFailure as failure:
        yield wrong(REDIS, str(failure), "start Redis, or correct REDIS_URL")
        return
    yield from (wrong(REDIS, each) for each in facts.objections)
    yield from (look_at(REDIS, each) for each in facts.warnings)
    if facts.replicas is not None and facts.replicas < copies:
        what = (
            f"REDIS_COPIES is {copies}, but Redis has {count_of(facts.replicas, 'replica')}, so nothing is"
            " granted"
        )
        yield wrong(REDIS, what, "start more replicas, or lower REDIS_COPIES")
    before = wall()
    now = ledger.read().now
    apart = (before + (wall() - before) / 2 - now).total_seconds()
    yield from clocks(apart)
    took = []
    try:
        for _ in range(WRITES):
            began = time.monotonic()
            ledger.commit(Change())
            took.append(time.monotonic() - began)
    except TemporaryFailure as failure:
        yield wrong(REDIS, f"it cannot be written to: {failure}", "check its log, its disk and its memory")
        return
    yield from pace(facts, min(took), apart)


def clocks(apart: float) -> Iterator[Finding]:
    """Report a difference between the clocks. ``apart`` is how many seconds this machine is ahead of
    Redis."""
    if abs(apart) <= APART:
        return
    way = "ahead of" if apart > 0 else "behind"
    what = (
        f"this machine's clock is {abs(apart):.0f} s {way} that of Redis, which alone decides when access"
        " ends"
    )
    yield (wrong if abs(apart) > FAR_APART else look_at)(REDIS, what, "synchronize both clocks with NTP")


def pace(facts: ServerFacts, took: float, apart: float) -> Iterator[Finding]:
    if took > SLOW:
        yield look_at(
            REDIS, f"a write takes {took * 1000:.0f} ms", "check its disk, its load and the network"
        )
    replicas = f", {count_of(facts.replicas, 'replica')}" if facts.replicas else ""
    told = f"{facts.name} writes in {took * 1000:.1f} ms, clock {abs(apart):.1f} s from ours{replicas}"
    yield ok(REDIS, told)
