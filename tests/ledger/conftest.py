"""A real Valkey for the whole run; each test has a workspace of its own in it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from redis import Redis

from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports import AuditTrail, Inspection, Ledger
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.valkey import Valkey, valkey

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


@pytest.fixture(params=["memory", "redis"])
def lasting(request: pytest.FixtureRequest, client: Redis, workspace: str) -> Callable[[float], AnyLedger]:
    """Makes ledgers that share what they hold, with claims that last so many seconds."""
    if request.param == "redis":
        return lambda seconds: RedisLedger(client, workspace, claim_seconds=seconds)
    memory = MemoryLedger(datetime(2026, 3, 2, 9, tzinfo=UTC))

    def with_claims_of(seconds: float) -> MemoryLedger:
        memory.claim_seconds = seconds
        return memory

    return with_claims_of


@pytest.fixture
def ledger(lasting: Callable[[float], AnyLedger]) -> AnyLedger:
    return lasting(60)
