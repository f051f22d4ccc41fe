"""Real Valkeys for the whole run: one alone, a cluster, and a replica that was promoted. Each test has a
workspace of its own in them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from redis import Redis

from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.audit import AuditTrail
from bot.ports.ledger import Inspection, Ledger
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.valkey import Valkey, valkey
from bot.testing.valkeys import Cluster, cluster, replica_set

AnyLedger = RedisLedger | MemoryLedger
LEDGERS: tuple[type[Ledger], ...] = (RedisLedger, MemoryLedger)
INSPECTIONS: tuple[type[Inspection], ...] = (RedisLedger, MemoryLedger)
TRAILS: tuple[type[AuditTrail], ...] = (RedisLedger, MemoryLedger)


@pytest.fixture(scope="session")
def server() -> Iterator[Valkey]:
    with valkey() as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Valkey) -> Iterator[Redis]:
    with connect(server.url) as client:
        yield client


@pytest.fixture
def workspace() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def redis_ledger(client: Redis, workspace: str) -> RedisLedger:
    return RedisLedger(client, workspace)


@pytest.fixture(scope="session")
def several() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


@pytest.fixture(scope="session")
def promoted() -> Iterator[Redis]:
    """Yield a client of a former replica, whose primary has died."""
    with replica_set() as (primary, replica):
        primary.server.kill()
        replica.ask("REPLICAOF", "NO", "ONE")
        with connect(replica.url) as client:
            yield client


@pytest.fixture(params=["memory", "alone", "cluster", "promoted"])
def beneath(request: pytest.FixtureRequest, workspace: str) -> Iterator[Redis | None]:
    """Yield a client of the Redis that the ledger is in; None if it is in memory."""
    if request.param == "memory":
        yield None
    elif request.param == "cluster":
        with connect(request.getfixturevalue("several").url, workspace) as client:
            yield client
    else:
        yield request.getfixturevalue("client" if request.param == "alone" else "promoted")


@pytest.fixture
def lasting(beneath: Redis | None, workspace: str) -> Callable[[float], AnyLedger]:
    """Return a function that makes ledgers on the same data, with claims that last that many seconds."""
    if beneath is not None:
        return lambda seconds: RedisLedger(beneath, workspace, claim_seconds=seconds)
    memory = MemoryLedger(datetime(2026, 3, 2, 9, tzinfo=UTC))

    def with_claims_of(seconds: float) -> MemoryLedger:
        memory.claim_seconds = seconds
        return memory

    return with_claims_of


@pytest.fixture
def ledger(lasting: Callable[[float], AnyLedger]) -> AnyLedger:
    return lasting(60)
