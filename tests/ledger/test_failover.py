"""The primary dies while processes write, and its replica takes over."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from redis.crc import key_slot

from bot.core.errors import NotCopied, TemporaryFailure
from bot.ledger import copies, following
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Due, Entry, Lease, LeaseMove
from bot.testing.localhost import HOST
from bot.testing.polling import until
from bot.testing.valkeys import NAME, Node, by_name, cluster_with_replica, replica_set, sentinel
from tests.ledger.people import APPROVAL, LONG_AGO, grant_key

LONG_ENOUGH = 15.0
Watched = tuple[Node, Node, Node]


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Yield a primary, its replica, and a sentinel that promotes the replica if the primary dies."""
    with replica_set() as (primary, replica), sentinel(primary.port) as watching:
        until(lambda: watching.ask("SENTINEL", "REPLICAS", NAME))
        yield primary, replica, watching


@dataclass
class Writer:
    """A process that commits one change after the other. Unanswered ones are sent again with the same op.
    ``kept`` are the changes that were acknowledged, ``troubles`` the errors."""

    ledger: RedisLedger
    name: str
    gives: bool = True
    kept: list[str] = field(default_factory=list)
    troubles: list[TemporaryFailure] = field(default_factory=list)

    def write(self, over: threading.Event) -> None:
        for n in itertools.count():
            op = f"{self.name}-{n}"
            change = Change(
                audit=(Entry(what=op),),
                due=(Due.card(op, at=LONG_AGO),),
                leases=(Lease(grant=op, how=LeaseMove.START if self.gives else LeaseMove.DROP),),
                op=op,
                copied=self.gives,
                frees=not self.gives,
            )
            while not self._done(change):
                if over.wait(0.01):
                    return
            self.kept.append(op)
            if over.is_set():
                return

    def _done(self, change: Change) -> bool:
        try:
            self.ledger.commit(change)
        except TemporaryFailure as failure:
            self.troubles.append(failure)
            return False
        return True


@contextmanager
def writing(*writers: Writer) -> Iterator[None]:
    over = threading.Event()
    threads = [threading.Thread(target=each.write, args=(over,)) for each in writers]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        over.set()
        for each in threads:
            each.join()


def guard(watching: Node, primary: Node) -> None:
    """Let the sentinel say from now on that it is the primary."""
    watching.ask("SENTINEL", "REMOVE", NAME)
    watching.ask("SENTINEL", "MONITOR", NAME, HOST, str(primary.port), "1")


def test_nothing_that_was_acknowledged_as_copied_is_lost_or_written_twice(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "COPIED_WITHIN", timedelta(milliseconds=50))
    primary, replica, watching = watched
    with connect(by_name(watching)) as client:
        ledger = RedisLedger(client, copies=1)
        givers = [Writer(ledger, name) for name in ("ada", "bob", "carol")]
        taker = Writer(ledger, "dan", gives=False)
        with writing(*givers, taker):
            until(lambda: all(len(each.kept) > 50 for each in givers))
            replica.server.pause()
            taken = len(taker.kept)
            until(lambda: all(each.troubles for each in givers))
            until(lambda: len(taker.kept) > taken + 50)
            primary.server.kill()
            replica.restart()
            guard(watching, replica)
            taken, given = len(taker.kept), [len(each.kept) for each in givers]
            until(lambda: len(taker.kept) > taken + 50)
            until(lambda: all(isinstance(each.troubles[-1], NotCopied) for each in givers))
            assert [len(each.kept) for each in givers] == given
        there = [entry.what for _, _, entry in ledger.entries(count=1_000_000)]
    assert len(there) == len(set(there))
    for each in givers:
        assert set(each.kept) <= set(there)
    assert not set(taker.kept) <= set(there)
    for trouble in (*taker.troubles, *(trouble for each in givers for trouble in each.troubles)):
        assert str(trouble).startswith(("0 of 1 Redis replicas", "the call to Redis failed: "))


def test_when_the_primary_dies_the_one_that_the_sentinel_chose_is_found(watched: Watched) -> None:
    primary, replica, watching = watched
    with connect(by_name(watching)) as client:
        ledger = RedisLedger(client, copies=1)
        ledger.commit(replace(APPROVAL, copied=True))
        primary.server.kill()
        until(lambda: committed(ledger))
        assert client.info()["tcp_port"] == replica.port
        assert ledger.read([grant_key("g1")]).documents


def test_a_primary_that_came_back_as_a_replica_is_left(watched: Watched) -> None:
    primary, replica, watching = watched
    with connect(by_name(watching)) as client:
        ledger = RedisLedger(client)
        ledger.commit(APPROVAL)
        replica.ask("REPLICAOF", "NO", "ONE")
        guard(watching, replica)
        primary.ask("REPLICAOF", HOST, str(replica.port))
        ledger.commit(Change())
        assert client.info()["tcp_port"] == replica.port
        assert ledger.read([grant_key("g1")]).documents


def test_a_primary_that_was_replaced_is_left_though_it_still_answers(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client asks again every few seconds which server is the primary."""
    monkeypatch.setattr(following, "ASKED_AGAIN_AFTER", 0.05)
    primary, replica, watching = watched
    with connect(by_name(watching)) as client:
        ledger = RedisLedger(client)
        ledger.commit(APPROVAL)
        replica.ask("REPLICAOF", "NO", "ONE")
        guard(watching, replica)
        until(lambda: client.info()["tcp_port"] == replica.port)
        ledger.commit(Change())
        assert primary.says("replication", "role") == "master"


def test_while_the_sentinels_are_away_the_primary_is_where_it_was(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "ASKED_AGAIN_AFTER", 0)
    with connect(by_name(watched[2])) as client:
        ledger = RedisLedger(client)
        ledger.commit(APPROVAL)
        watched[2].server.kill()
        ledger.commit(Change())


def test_a_sentinel_that_names_a_replica_is_not_believed(watched: Watched) -> None:
    _, replica, watching = watched
    guard(watching, replica)
    with connect(by_name(watching)) as client, pytest.raises(TemporaryFailure, match="it is not a primary"):
        RedisLedger(client).read()


def committed(ledger: RedisLedger) -> bool:
    try:
        ledger.commit(Change())
    except TemporaryFailure:
        return False
    return True


def test_what_the_sentinels_do_not_know_is_told(watched: Watched) -> None:
    url = by_name(watched[2]).replace(f"/{NAME}", "/payments")
    with (
        connect(url) as client,
        pytest.raises(TemporaryFailure, match="does not know a primary named payments"),
    ):
        RedisLedger(client).read()


def test_a_replica_says_that_it_takes_no_writes(watched: Watched) -> None:
    with connect(watched[1].url) as client:
        ledger = RedisLedger(client)
        assert ledger.read().documents == {}
        for change in (APPROVAL, Change(frees=True)):
            with pytest.raises(TemporaryFailure) as raised:
                ledger.commit(change)
            assert str(raised.value) == (
                "Redis takes no writes, because it is a replica: nothing is granted or revoked until it is"
                " the primary, or REDIS_URL names the primary"
            )


def test_a_node_of_a_cluster_dies_and_its_replica_is_found() -> None:
    slot = key_slot(b"rotakey:{main}:")
    with cluster_with_replica(slot) as (several, primary, replica), connect(several.url) as client:
        ledger = RedisLedger(client, copies=1)
        ledger.commit(replace(APPROVAL, copied=True))
        assert client.info()["tcp_port"] == primary.port
        primary.server.kill()
        until(lambda: committed(ledger))
        assert client.info()["tcp_port"] == replica.port
        assert ledger.read([grant_key("g1")]).documents
        assert len(ledger.entries()) == 1
