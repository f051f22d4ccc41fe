"""A workspace in a cluster is on one node at a time, and the client follows it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress

import pytest
from redis import Redis
from redis.crc import key_slot
from redis.exceptions import ResponseError

from bot.core.errors import NotCopied, TemporaryFailure
from bot.core.grants import Grant
from bot.ledger.checks import objections, warnings
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Done, Entry
from bot.testing.localhost import HOST
from bot.testing.valkeys import Cluster, Node, alone
from tests.ledger.people import APPROVAL, ask, due, grant_key

MOVING = "the cluster is moving this workspace to another node"


def slot_of(workspace: str) -> int:
    return key_slot(f"rotakey:{{{workspace}}}:".encode())


def owner(several: Cluster, workspace: str) -> Node:
    table = several.nodes[0].ask("CLUSTER", "SLOTS")
    port = next(row[2][1] for row in table if row[0] <= slot_of(workspace) <= row[1])
    return next(node for node in several.nodes if node.port == port)


@pytest.fixture
def client(several: Cluster, workspace: str) -> Iterator[Redis]:
    with connect(several.url, workspace) as client:
        yield client


@pytest.fixture
def here(client: Redis, workspace: str) -> RedisLedger:
    return RedisLedger(client, workspace)


def test_two_workspaces_do_not_see_each_other(several: Cluster, client: Redis, here: RedisLedger) -> None:
    """Not even if one client uses both, and they are on different nodes."""
    others = (uuid.uuid4().hex for _ in range(100))
    apart = next(name for name in others if owner(several, name).port != client.info()["tcp_port"])
    there = RedisLedger(client, apart)
    here.commit(APPROVAL)
    assert there.read([grant_key("g1")], follow=["open"]).documents == {}
    assert there.claim(9, 9, {}).claims == ()
    assert there.condition().owed == 0
    assert [*there.grants("open")] == [*there.holds()] == [*there.entries()] == []
    assert not there.commit(APPROVAL).again
    there.commit(Change(put={grant_key("g1"): None}))
    assert here.read([grant_key("g1")]).find(Grant, "g1") == ask("g1")
    assert len(here.entries()) == len(there.entries()) == 1


def test_it_is_found_by_any_node_that_answers(several: Cluster, workspace: str) -> None:
    for node in several.nodes:
        with connect(f"redis+cluster://{HOST}:1,{HOST}:{node.port}", workspace) as client:
            assert RedisLedger(client, workspace).read().documents == {}


def test_where_no_node_answers_it_is_told(workspace: str) -> None:
    nobody = connect(f"redis+cluster://{HOST}:1,{HOST}:2")
    with nobody, pytest.raises(TemporaryFailure, match="no node knows where the primary is"):
        RedisLedger(nobody, workspace).read()


def test_one_server_is_no_cluster() -> None:
    with alone() as server:
        client = connect(server.url.replace("redis:", "redis+cluster:"))
        with client, pytest.raises(TemporaryFailure, match="cluster support disabled"):
            RedisLedger(client).read()


def test_a_url_for_one_server_is_told_to_be_wrong_for_a_cluster(several: Cluster, workspace: str) -> None:
    for node in several.nodes:
        with connect(node.url) as client:
            said = "Redis runs as a cluster: set REDIS_URL to redis+cluster://host:6379"
            assert warnings(client) == [said]
            if node is not owner(several, workspace):
                with pytest.raises(TemporaryFailure, match=r"set REDIS_URL to redis\+cluster://"):
                    RedisLedger(client, workspace).read()


def test_what_is_checked_is_the_node_that_has_the_workspace(
    several: Cluster, client: Redis, workspace: str
) -> None:
    assert (objections(client), warnings(client)) == ([], [])
    for node in several.nodes:
        node.ask("CONFIG", "SET", "maxmemory", "64mb", "maxmemory-policy", "allkeys-lru")
        found = objections(client)
        node.ask("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction")
        assert bool(found) is (node == owner(several, workspace))


def test_who_waits_is_woken(here: RedisLedger) -> None:
    other = threading.Thread(target=here.commit, args=(Change(due=(due("card:a"),)),))
    until = time.monotonic() + 5
    other.start()
    while not here.claim(1, 9, {}).claims and time.monotonic() < until:
        here.wait(1)
    other.join()
    assert time.monotonic() < until


def test_without_replicas_nothing_counts_as_copied(client: Redis, workspace: str) -> None:
    with pytest.raises(NotCopied, match="0 of 1 Redis replicas"):
        RedisLedger(client, workspace, copies=1).commit(Change(copied=True))


class Move:
    """The move of a workspace's slot to another node, key by key, as when a cluster grows."""

    def __init__(self, several: Cluster, workspace: str) -> None:
        self.several, self.slot = several, str(slot_of(workspace))
        self.here = owner(several, workspace)
        self.there = next(node for node in several.nodes if node is not self.here)

    def begin(self) -> None:
        self.there.ask("CLUSTER", "SETSLOT", self.slot, "IMPORTING", self.here.ask("CLUSTER", "MYID"))
        self.here.ask("CLUSTER", "SETSLOT", self.slot, "MIGRATING", self.there.ask("CLUSTER", "MYID"))

    def carry(self, *parts: str) -> None:
        """Move the keys that have one of these in their names; all keys, if none is given."""
        keys = self.here.ask("CLUSTER", "GETKEYSINSLOT", self.slot, "1000")
        some = [key for key in keys if not parts or any(part in key for part in parts)]
        self.here.ask("MIGRATE", HOST, str(self.there.port), "", "0", "5000", "KEYS", *some)

    def end(self) -> None:
        name = self.there.ask("CLUSTER", "MYID")
        for node in (self.there, self.here, *self.several.nodes):
            node.ask("CLUSTER", "SETSLOT", self.slot, "NODE", name)


@pytest.mark.parametrize("carried", [(), ("audit", "doc:"), ("counter", "due"), ("claims",)])
def test_while_the_slot_moves_nothing_is_half_done_and_then_all_is_there(
    several: Cluster, client: Redis, here: RedisLedger, workspace: str, carried: tuple[str, ...]
) -> None:
    here.commit(APPROVAL)
    (claim,) = here.claim(1, 9, {}).claims
    before = here.read([grant_key("g1"), grant_key("g2")], follow=["open"])
    move = Move(several, workspace)
    move.begin()
    for part in carried:
        move.carry(part)
    for call in (
        lambda: here.commit(Change(put={grant_key("g1"): ask("g1", reason="late")}, op="late")),
        lambda: here.commit(Change(done=Done(claim=claim), frees=True, op="late")),
        lambda: here.read([grant_key("g1")]),
        lambda: here.claim(1, 9, {}),
    ):
        with pytest.raises(TemporaryFailure, match=MOVING):
            call()
    assert [entry.what for _, _, entry in here.entries()] == ["approved"]
    move.carry()
    move.end()
    after = here.read([grant_key("g1"), grant_key("g2")], follow=["open"])
    assert (after.documents, after.versions) == (before.documents, before.versions)
    assert set(after.leases) == set(before.leases)
    here.commit(Change(done=Done(claim=claim), op="late"))
    assert len(here.claim(9, 9, {}).claims) == 1
    assert client.info()["tcp_port"] == move.there.port


def test_a_slot_that_moves_as_a_whole_is_followed(
    several: Cluster, client: Redis, here: RedisLedger, workspace: str
) -> None:
    move, wrote = Move(several, workspace), 0
    name = move.there.ask("CLUSTER", "MYID")
    try:
        move.here.ask("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", move.slot, move.slot, "NODE", name)
    except ResponseError:
        pytest.skip("this server moves slots key by key only")
    until = time.monotonic() + 10
    while client.info()["tcp_port"] != move.there.port and time.monotonic() < until:
        with suppress(TemporaryFailure):
            here.commit(Change(audit=(Entry(what="given"),)))
            wrote += 1
    assert client.info()["tcp_port"] == move.there.port
    assert wrote <= len(here.entries(count=100_000))
    here.commit(APPROVAL)
