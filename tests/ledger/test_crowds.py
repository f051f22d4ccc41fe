"""Many threads, processes and workers use one ledger at once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from redis import Redis

from bot.core.errors import Conflict
from bot.core.grants import Grant
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Done, Entry
from bot.testing.valkey import Valkey
from tests.ledger.people import APPROVAL, ask, due, grant_key

COUNT = grant_key("counted")


def test_eight_at_once_on_one_document_lose_no_update(client: Redis, workspace: str) -> None:
    def count(_: int) -> None:
        ledger = RedisLedger(client, workspace)
        for _ in range(10):
            while not add_one(ledger):
                pass

    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(count, range(8)))
    counted = RedisLedger(client, workspace).read([COUNT]).find(Grant, "counted")
    assert counted is not None
    assert counted.length == 80


def add_one(ledger: RedisLedger) -> bool:
    seen = ledger.read([COUNT])
    before = seen.find(Grant, "counted") or replace(ask("counted"), length=0)
    after = replace(before, length=(before.length or 0) + 1)
    try:
        ledger.commit(Change(rests_on=(seen,), put={COUNT: after}))
    except Conflict:
        return False
    return True


def test_nothing_is_claimed_by_two(server: Valkey, workspace: str) -> None:
    def clear(_: int) -> list[str]:
        with connect(server.url) as client:
            ledger, mine = RedisLedger(client, workspace), list[str]()
            while claims := ledger.claim(3, 99, {}).claims:
                mine += [each.member for each in claims]
                for claim in claims:
                    ledger.commit(Change(done=Done(claim=claim)))
            return mine

    with connect(server.url) as client:
        RedisLedger(client, workspace).commit(Change(due=tuple(due(f"card:{n}") for n in range(200))))
    with ThreadPoolExecutor(4) as crowd:
        done = [member for each in crowd.map(clear, range(4)) for member in each]
    assert sorted(done) == sorted(f"card:{n}" for n in range(200))


def test_no_arming_is_lost_while_others_close(client: Redis, workspace: str) -> None:
    """One thread arms, two do what is due: a claim after an arming sees what was written with it."""
    ledger, armed, seen = RedisLedger(client, workspace), 300, list[int | None]()
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            for claim in ledger.claim(5, 9, {}).claims:
                now_there = ledger.read([COUNT]).find(Grant, "counted")
                seen.append(now_there.length if now_there else None)
                ledger.commit(Change(done=Done(claim=claim)))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for each in workers:
        each.start()
    for n in range(1, armed + 1):
        ledger.commit(Change(put={COUNT: replace(ask("counted"), length=n)}, due=(due("card:counted"),)))
    until = time.monotonic() + 10
    while armed not in seen and time.monotonic() < until:
        time.sleep(0.005)
    over.set()
    for each in workers:
        each.join()
    assert armed in seen


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_has_connections_of_its_own(server: Valkey, workspace: str) -> None:
    with connect(server.url) as client:
        ledger = RedisLedger(client, workspace)
        ledger.commit(APPROVAL)
        child = _fork(lambda: [ledger.commit(Change(audit=(Entry(what="child"),))) for _ in range(100)])
        mine = [
            ledger.commit(Change(audit=(Entry(what="parent"),), answer=str(n))).answer for n in range(100)
        ]
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert mine == [str(n) for n in range(100)]
        assert len(ledger.entries(count=999)) == 201


def _fork(do: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        try:
            do()
            os._exit(0)
        finally:
            os._exit(1)
    return child
