"""A worker that waits for work is woken when there is some, and only then."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Done
from bot.testing.valkey import Valkey
from tests.ledger.people import ADA, ADAS_KEY, SOME_DAY, due


def test_who_waits_is_woken_when_something_is_owed_now(redis_ledger: RedisLedger) -> None:
    started = threading.Event()

    def owe() -> None:
        started.wait()
        redis_ledger.commit(Change(due=(due("card:a"),)))

    other = threading.Thread(target=owe)
    other.start()
    started.set()
    until = time.monotonic() + 5
    while not redis_ledger.claim(1, 9, {}).claims and time.monotonic() < until:
        redis_ledger.wait(1)
    other.join()
    assert time.monotonic() < until


def nudges(client: Redis, workspace: str) -> int:
    found: Any = client.llen(f"rotakey:{{{workspace}}}:nudge")
    return int(found)


def test_only_what_is_owed_before_anybody_looks_by_themselves_is_worth_a_nudge(
    redis_ledger: RedisLedger, client: Redis, workspace: str
) -> None:
    counted = []
    soon = redis_ledger.read().now + timedelta(seconds=1)
    for what in (due("card:a", SOME_DAY), due("card:b", soon), due("card:c")):
        redis_ledger.commit(Change(due=(what,)))
        counted.append(nudges(client, workspace))
    redis_ledger.commit(Change(put={ADAS_KEY: ADA}))
    assert [*counted, nudges(client, workspace)] == [0, 1, 2, 2]


def test_what_is_due_again_when_its_claim_is_closed_is_worth_a_nudge(
    redis_ledger: RedisLedger, client: Redis, workspace: str
) -> None:
    redis_ledger.commit(Change(due=(due("card:a"),)))
    (claim,) = redis_ledger.claim(1, 9, {}).claims
    redis_ledger.commit(Change(due=(due("card:a"),)))
    before = nudges(client, workspace)
    redis_ledger.commit(Change(done=Done(claim=claim)))
    assert (before, nudges(client, workspace)) == (1, 2)


def test_nudges_do_not_pile_up(redis_ledger: RedisLedger, client: Redis, workspace: str) -> None:
    for n in range(40):
        redis_ledger.commit(Change(due=(due(f"card:{n}"),)))
    assert nudges(client, workspace) == 16


@pytest.mark.parametrize("seconds", [0, -1, 0.00001, 0.02])
def test_waiting_for_nothing_ends(redis_ledger: RedisLedger, seconds: float) -> None:
    redis_ledger.wait(seconds)


def test_one_may_wait_longer_than_redis_may_take_to_answer(server: Valkey, workspace: str) -> None:
    with connect(f"{server.url}?socket_timeout=0.05") as client:
        RedisLedger(client, workspace).wait(0.2)


def test_waiting_does_not_hold_up_anybody_else(redis_ledger: RedisLedger) -> None:
    waiting = [threading.Thread(target=redis_ledger.wait, args=(0.3,)) for _ in range(3)]
    for each in waiting:
        each.start()
    assert redis_ledger.read().documents == {}
    assert any(each.is_alive() for each in waiting)
    for each in waiting:
        each.join()


def test_an_audit_entry_is_asked_for_by_its_name(redis_ledger: RedisLedger) -> None:
    with pytest.raises(ValueError, match="not the name of an audit entry"):
        redis_ledger.entries(after="yesterday")
