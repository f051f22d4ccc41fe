"""Two versions of Rotakey share one Redis: the older one leaves records alone that it may not understand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis import Redis

from bot.core.errors import TemporaryFailure
from bot.ledger import scripts
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Lease, LeaseMove
from bot.testing.slack import FakeDirectory
from bot.usecases.context import Context
from bot.web import health
from tests.ledger.keyspace import everything
from tests.ledger.people import APPROVAL, NINE, grant_key

NEWER = (
    "Redis has records of a newer version of Rotakey (shape 2; this one knows 1): this process no longer"
    " reads or writes anything. Stop it, and start the newer version instead"
)
OLDER = (
    "Redis has records of an older version of Rotakey (shape 1; this one writes 2): start a worker of this"
    " version, which upgrades them"
)
GIVE_BACK = Change(leases=(Lease(grant="g1", how=LeaseMove.DROP),), frees=True)


@pytest.fixture
def next_version(client: Redis, workspace: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], RedisLedger]:
    """Return a ledger as the next version would have it."""

    def made() -> RedisLedger:
        monkeypatch.setattr(scripts, "SCHEMA", 2)
        return RedisLedger(client, workspace)

    return made


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(TemporaryFailure) as raised:
        call()
    return str(raised.value)


def test_the_first_commit_writes_the_number(redis_ledger: RedisLedger, client: Redis, workspace: str) -> None:
    redis_ledger.read()
    assert everything(client, workspace) == {}
    redis_ledger.commit(Change())
    assert client.get(f"rotakey:{{{workspace}}}:schema") == "1"


def test_an_older_process_writes_nothing_and_says_so(
    redis_ledger: RedisLedger, client: Redis, workspace: str
) -> None:
    redis_ledger.commit(APPROVAL)
    (claim,) = redis_ledger.claim(1, 9, {}).claims
    client.set(f"rotakey:{{{workspace}}}:schema", "2")
    before = everything(client, workspace)
    calls: list[Callable[[], object]] = [
        redis_ledger.read,
        lambda: redis_ledger.commit(Change()),
        lambda: redis_ledger.commit(GIVE_BACK),
        lambda: redis_ledger.claim(9, 9, {}),
        lambda: redis_ledger.claim_these(["hold:db/1"], 9, 9, {}),
        lambda: redis_ledger.renew([claim]),
        redis_ledger.condition,
        lambda: redis_ledger.not_due(["hold:db/1"]),
        redis_ledger.upgrade,
    ]
    assert [refused(call) for call in calls] == [NEWER] * len(calls)
    assert everything(client, workspace) == before
    context = Context(redis_ledger, FakeDirectory(lambda: NINE), lambda *_: pytest.fail("read"), lambda: "G1")
    assert health.trouble(context) == NEWER, "it is what /readyz answers"


def test_of_a_new_version_a_worker_begins_and_until_then_the_old_one_goes_on(
    redis_ledger: RedisLedger, next_version: Callable[[], RedisLedger]
) -> None:
    redis_ledger.commit(APPROVAL)
    web = next_version()
    assert refused(web.read) == refused(lambda: web.commit(GIVE_BACK)) == OLDER
    assert "g1" in redis_ledger.read([grant_key("g1")]).leases
    worker = next_version()
    worker.upgrade()
    worker.upgrade()
    web.commit(GIVE_BACK)
    assert "g1" not in worker.read([grant_key("g1")]).leases
    assert refused(lambda: redis_ledger.commit(GIVE_BACK)).startswith("Redis has records of a newer version")


def test_what_is_no_number_of_ours_is_in_the_way(
    redis_ledger: RedisLedger, client: Redis, workspace: str
) -> None:
    client.set(f"rotakey:{{{workspace}}}:schema", "seven")
    assert "shape seven" in refused(redis_ledger.read)
    client.delete(f"rotakey:{{{workspace}}}:schema")
    client.rpush(f"rotakey:{{{workspace}}}:schema", "1")
    assert "is a list where a string belongs" in refused(lambda: redis_ledger.commit(Change()))
