"""Several real Valkeys for tests: a primary with replicas, sentinels that watch over it, a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as NotThere

from bot.testing.localhost import HOST, free_port
from bot.testing.polling import until
from bot.testing.valkey import Valkey, folder, valkey

SLOTS = 16384
QUICK = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
NAME = "orders"
"""The sentinels' name for the primary."""


@dataclass(frozen=True)
class Node:
    """A server that is also reached over TCP."""

    server: Valkey
    port: int

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    def restart(self) -> None:
        """Kill it and start it again with what it has on disk: as a primary, whatever it was."""
        self.server.kill()
        self.server.start("--bind", HOST, "--port", str(self.port), *QUICK)

    def follow(self, primary: Node) -> None:
        """Become its replica; return when the two are equal."""
        self.ask("REPLICAOF", HOST, str(primary.port))
        until(partial(_is_linked, self))

    def client(self) -> Redis:
        return Redis.from_url(self.server.url, decode_responses=True)

    def ask(self, *command: str) -> Any:
        with self.client() as client:
            return client.execute_command(*command)

    def says(self, part: str, name: str) -> str:
        """Return the value of one line of INFO; empty if the server does not answer."""
        try:
            with self.client() as client:
                return str(client.info(part).get(name))
        except NotThere:
            return ""


@dataclass(frozen=True)
class Cluster:
    nodes: tuple[Node, ...]

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(f'{HOST}:{node.port}' for node in self.nodes)}"


@contextmanager
def alone(*options: str) -> Iterator[Node]:
    port = free_port()
    with valkey("--bind", HOST, "--port", str(port), *options) as server:
        yield Node(server, port)


@contextmanager
def replica_set(replicas: int = 1, *options: str) -> Iterator[tuple[Node, ...]]:
    """Yield a primary, which comes first, and its replicas, all equal by then."""
    with ExitStack() as stack:
        primary, *others = (stack.enter_context(alone(*QUICK, *options)) for _ in range(1 + replicas))
        for each in others:
            each.follow(primary)
        yield (primary, *others)


@contextmanager
def sentinel(port: int) -> Iterator[Node]:
    """Yield a sentinel of the primary at this port, which it replaces within two seconds of its death."""
    ours = free_port()
    with folder() as server:
        server.watch(
            f"bind {HOST}",
            f"port {ours}",
            f"sentinel monitor {NAME} {HOST} {port} 1",
            f"sentinel down-after-milliseconds {NAME} 500",
            f"sentinel failover-timeout {NAME} 2000",
        )
        yield Node(server, ours)


def by_name(*sentinels: Node) -> str:
    return f"redis+sentinel://{','.join(f'{HOST}:{each.port}' for each in sentinels)}/{NAME}"


@contextmanager
def cluster(size: int = 3) -> Iterator[Cluster]:
    """Yield a cluster in which each node has an equal part of the slots; none has a replica."""
    with ExitStack() as stack:
        nodes = tuple(stack.enter_context(_cluster_node()) for _ in range(size))
        _share_out(nodes, nodes)
        yield Cluster(nodes)


@contextmanager
def cluster_with_replica(slot: int) -> Iterator[tuple[Cluster, Node, Node]]:
    """Yield a cluster, the node that has this slot, and a replica of it that takes over when it dies."""
    with ExitStack() as stack:
        *nodes, replica = (stack.enter_context(_cluster_node()) for _ in range(4))
        _share_out(nodes, (*nodes, replica))
        primary = nodes[slot * len(nodes) // SLOTS]
        replica.ask("CLUSTER", "REPLICATE", primary.ask("CLUSTER", "MYID"))
        until(partial(_is_linked, replica))
        yield Cluster(tuple(nodes)), primary, replica


@contextmanager
def _cluster_node() -> Iterator[Node]:
    bus, quick = str(free_port()), ("--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0")
    with alone("--cluster-enabled", "yes", "--cluster-port", bus, *quick) as running:
        yield running


def _share_out(nodes: Sequence[Node], every: Sequence[Node]) -> None:
    """Give all slots to ``nodes``; return when ``every`` node knows all others."""

    def knows_all(node: Node) -> bool:
        found = dict(line.split(":") for line in str(node.ask("CLUSTER", "INFO")).split())
        return found["cluster_state"] == "ok" and found["cluster_known_nodes"] == str(len(every))

    bounds = [SLOTS * n // len(nodes) for n in range(len(nodes) + 1)]
    for n, each in enumerate(nodes):
        each.ask("CLUSTER", "ADDSLOTSRANGE", str(bounds[n]), str(bounds[n + 1] - 1))
    with nodes[0].client() as client:
        bus = client.config_get("cluster-port")["cluster-port"]
    for each in every:
        each.ask("CLUSTER", "MEET", HOST, str(nodes[0].port), str(bus))
    for each in every:
        until(partial(knows_all, each))


def _is_linked(replica: Node) -> bool:
    return replica.says("replication", "master_link_status") == "up"
