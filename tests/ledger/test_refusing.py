"""Redis refuses part of a change: nothing is half written, and revoking goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from redis import Redis
from structlog.testing import capture_logs

from bot.core.errors import TemporaryFailure
from bot.core.grants import Grant
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Done, Entry, Lease, LeaseMove
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.polling import until
from bot.testing.valkey import Valkey
from tests.ledger.conftest import AnyLedger
from tests.ledger.keyspace import everything
from tests.ledger.people import ADAS_KEY, APPROVAL, NINE, SOME_DAY, ask, due, grant_key

UNWRITABLE = "the audit cannot be written"
GRANTING = replace(APPROVAL, op="click-2", audit=(Entry(what="approved"), Entry(what="told")))
TAKING = Change(
    leases=(Lease(grant="g1", how=LeaseMove.DROP),),
    due=(due("hold:db/1"),),
    audit=(Entry(what="ending", grant="g1"), Entry(what="taking", grant="g1", facts={"why": "EXPIRED"})),
    frees=True,
)


def happened(ledger: AnyLedger) -> list[str]:
    return [entry.what for _, _, entry in ledger.entries()]


@dataclass(frozen=True)
class Trouble:
    """A ledger, and functions that make its audit unwritable and writable again."""

    ledger: AnyLedger
    begin: Callable[[], object]
    end: Callable[[], object]


@pytest.fixture(params=["memory", "another type", "forbidden"])
def trouble(
    request: pytest.FixtureRequest, server: Valkey, client: Redis, workspace: str
) -> Iterator[Trouble]:
    if request.param == "memory":
        memory = MemoryLedger(NINE)
        yield Trouble(memory, partial(_say, memory, "full"), partial(_say, memory, ""))
    elif request.param == "another type":
        audit = f"rotakey:{{{workspace}}}:audit"
        ours = f"{audit}:ours"

        def begin() -> None:
            client.rename(audit, ours)
            client.set(audit, "not ours")

        yield Trouble(RedisLedger(client, workspace), begin, partial(client.rename, ours, audit))
    else:
        with user(client, server, workspace) as (ada, may):
            yield Trouble(RedisLedger(ada, workspace), partial(may, "-xadd"), partial(may, "+xadd"))


def _say(memory: MemoryLedger, trouble: str) -> None:
    memory.audit_trouble = trouble


@contextmanager
def user(client: Any, server: Valkey, name: str) -> Iterator[tuple[Redis, Callable[..., None]]]:
    """Yield a client of another Redis user, and a function that changes what that user may do."""

    def may(*rules: str) -> None:
        client.execute_command("ACL", "SETUSER", name, *rules)

    may("on", ">secret", "~rotakey:*", "+@all", "-@dangerous", "+info")
    try:
        with connect(f"{server.url}?username={name}&password=secret") as theirs:
            yield theirs, may
    finally:
        client.execute_command("ACL", "DELUSER", name)


def test_where_the_audit_cannot_be_written_nothing_is(trouble: Trouble) -> None:
    ledger = trouble.ledger
    ledger.commit(APPROVAL)
    before = ledger.read([grant_key("g1"), grant_key("g9")], follow=["open"])
    trouble.begin()
    change = replace(GRANTING, put={grant_key("g9"): ask("g9")}, index={("open", "g9"): True})
    with pytest.raises(TemporaryFailure, match=UNWRITABLE):
        ledger.commit(change)
    after = ledger.read([grant_key("g1"), grant_key("g9")], follow=["open"])
    assert (after.documents, after.versions) == (before.documents, before.versions)
    trouble.end()
    assert not ledger.commit(change).again
    assert happened(ledger) == ["approved", "approved", "told"]


def test_where_the_audit_cannot_be_written_access_still_ends(trouble: Trouble) -> None:
    ledger = trouble.ledger
    ledger.commit(APPROVAL)
    trouble.begin()
    ledger.commit(TAKING)
    assert ledger.read([grant_key("g1")]).leases == {}
    assert ledger.condition().unlogged == 2
    trouble.end()
    assert happened(ledger) == ["approved"]
    ledger.commit(Change(audit=(Entry(what="gone"),)))
    assert happened(ledger) == ["approved", "ending", "taking", "gone"]
    late = [entry.facts for _, _, entry in ledger.entries() if "written_late_s" in entry.facts]
    assert late == [{"written_late_s": 0}, {"why": "EXPIRED", "written_late_s": 0}]
    assert ledger.condition().unlogged == 0


def test_what_writes_nothing_into_the_audit_is_not_stopped_by_it(trouble: Trouble) -> None:
    ledger = trouble.ledger
    ledger.commit(APPROVAL)
    trouble.begin()
    (claim, *_) = ledger.claim(1, 1, {}).claims
    ledger.commit(Change(done=Done(claim=claim)))


def test_of_several_commits_at_once_those_that_take_back_are_written(trouble: Trouble) -> None:
    ledger = trouble.ledger
    ledger.commit(APPROVAL)
    trouble.begin()
    with pytest.raises(TemporaryFailure, match=UNWRITABLE):
        ledger.commit_all((GRANTING, TAKING))
    assert ledger.read([grant_key("g1")]).leases == {}


def test_an_audit_that_cannot_be_written_is_told_loudly(
    redis_ledger: RedisLedger, client: Redis, workspace: str
) -> None:
    client.set(f"rotakey:{{{workspace}}}:audit", "not ours")
    with capture_logs() as logs:
        redis_ledger.commit(TAKING)
    assert [(each["log_level"], each["event"]) for each in logs] == [("critical", "audit not written")]


# ------------------------------------------------------------------------------- all or nothing, whatever


EVERYTHING = Change(
    put={grant_key("g1"): ask("g1", reason="again"), ADAS_KEY: None},
    ensure={grant_key("g3"): ask("g3")},
    leases=(
        Lease(grant="g1", how=LeaseMove.MOVE, until=SOME_DAY),
        Lease(grant="g2", how=LeaseMove.DROP),
        Lease(grant="g3", how=LeaseMove.START),
    ),
    index={("open", "g1"): False, ("open", "g3"): True},
    due=(due("hold:db/3"),),
    audit=(Entry(what="approved"),),
)
NEEDED = [
    *("incr", "set", "pexpireat", "persist", "del", "hset", "hdel", "sadd", "srem", "zadd", "zrem"),
    *("zincrby", "rename", "exists", "hexists", "hget", "get", "type", "zrange", "zscore", "time"),
    *("rpush", "ltrim", "pexpiretime", "smembers", "sismember", "scard", "lindex"),
]


@pytest.mark.parametrize("frees", [False, True])
def test_who_may_not_do_a_part_writes_nothing_or_all(
    server: Valkey, client: Redis, workspace: str, frees: bool
) -> None:
    """For each command that Redis may forbid, the change is written completely or not at all."""
    with user(client, server, workspace) as (ada, may):
        ledger = RedisLedger(ada, workspace)
        for command in NEEDED:
            client.delete(*client.scan_iter(match=f"rotakey:{{{workspace}}}:*", count=1000), "none")
            ledger.commit(APPROVAL)
            claim, *_ = ledger.claim(1, 9, {}).claims
            before = everything(client, workspace)
            may(f"-{command}")
            with suppress(TemporaryFailure):
                ledger.commit(replace(EVERYTHING, done=Done(claim=claim, failed=True), frees=frees))
            may(f"+{command}")
            if everything(client, workspace) != before:
                seen = ledger.read([grant_key("g1"), ADAS_KEY, grant_key("g3")], follow=["open"])
                reasons = [each.reason for each in seen.all(Grant)]
                assert (reasons, len(seen.documents)) == (["again", "orders are stuck"], 2), command
                assert set(seen.leases) == {"g1", "g3"}, command
                with pytest.raises(Exception, match="is lost"):
                    ledger.commit(Change(done=Done(claim=claim)))


@pytest.mark.parametrize("name", ["counter", "lanes", "due:card", "generations", "claims", "failures"])
@pytest.mark.parametrize("kind", ["string", "list"])
def test_where_something_else_stands_in_a_place_of_ours_nothing_is_written(
    redis_ledger: RedisLedger, client: Redis, workspace: str, name: str, kind: str
) -> None:
    redis_ledger.commit(APPROVAL)
    (claim,) = redis_ledger.claim(1, 9, {}).claims
    key = f"rotakey:{{{workspace}}}:{name}"
    client.delete(key)
    client.set(key, "not ours") if kind == "string" else client.rpush(key, "not ours")
    before = everything(client, workspace)
    for call in (
        lambda: redis_ledger.commit(replace(TAKING, done=Done(claim=claim))),
        lambda: redis_ledger.claim(1, 9, {}),
    ):
        with pytest.raises(TemporaryFailure, match=f":{name} .*: rename that key"):
            call()
        assert everything(client, workspace) == before
    client.delete(key)
    redis_ledger.commit(TAKING)


def test_the_hints_may_be_anything(redis_ledger: RedisLedger, client: Redis, workspace: str) -> None:
    for name in ("nudge", "beat", "op:click-1"):
        client.hset(f"rotakey:{{{workspace}}}:{name}", "not", "ours")
    redis_ledger.commit(APPROVAL)
    assert len(redis_ledger.claim(9, 9, {}).claims) == 2
    assert redis_ledger.commit(APPROVAL).again
    assert redis_ledger.condition().beat is not None


def test_a_counter_that_was_lost_goes_on_beyond_all_it_has_drawn(
    redis_ledger: RedisLedger, client: Redis, workspace: str
) -> None:
    first = redis_ledger.commit(APPROVAL).version
    client.delete(f"rotakey:{{{workspace}}}:counter")
    until(lambda: client.time()[0] * 1000 + client.time()[1] // 1000 > first)
    assert redis_ledger.commit(Change()).version > first
