"""The cost of having a commit on disk, or on a replica, when it returns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from bot.core.holds import HoldRecord
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Due, Entry
from bot.ports.documents import Key
from bot.testing.valkeys import replica_set
from tests.bench.table import Row, quantile

ROUNDS, IN_A_ROW = 20, 50


def durable() -> Iterator[Row]:
    """Measure in turns, so that other work of this machine slows all of them alike."""
    with ExitStack() as stack:
        second = ("--appendfsync", "everysec")
        commits = {
            "appendfsync everysec": stack.enter_context(_committer(*second)),
            "appendfsync always": stack.enter_context(_committer("--appendfsync", "always")),
            "appendfsync everysec, one replica has it": stack.enter_context(_committer(*second, copies=1)),
            "appendfsync always, one replica has it": stack.enter_context(
                _committer("--appendfsync", "always", copies=1)
            ),
        }
        took: dict[str, list[float]] = {name: [] for name in commits}
        for _ in range(ROUNDS):
            for name, commit in commits.items():
                took[name] += [commit() for _ in range(IN_A_ROW)]
    for name, seconds in took.items():
        p50, p99 = statistics.median(seconds) * 1000, quantile(seconds, 0.99) * 1000
        yield Row(f"commit, {name}", "", f"p50 {p50:.2f} ms, p99 {p99:.2f} ms (n={len(seconds)})")


@contextmanager
def _committer(*options: str, copies: int = 0) -> Iterator[Callable[[], float]]:
    with replica_set(copies, *options) as (primary, *_), connect(primary.url) as client:
        ledger, key = RedisLedger(client, copies=copies), Key.of(HoldRecord, "orders-db/1")

        def commit() -> float:
            now = ledger.read({key}).now
            entry = Entry(what="giving", facts={"hold": "orders_rw for ada"})
            change = Change(
                put={key: None}, due=(Due(member="hold:orders-db/1", at=now),), audit=(entry,), copied=True
            )
            begun = time.perf_counter()
            ledger.commit(change)
            return time.perf_counter() - begun

        commit()
        yield commit
