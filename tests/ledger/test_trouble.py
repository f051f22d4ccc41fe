"""The ledger during crashes, with a full memory, and after lost scripts and replies."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from bot.core.errors import TemporaryFailure, Unconfirmed
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Done, Entry, Lease, LeaseMove
from bot.testing.valkey import Valkey, valkey
from tests.ledger.people import ADA, ADAS_KEY, APPROVAL, LONG_AGO, ask, due, grant_key


def test_after_a_kill_everything_that_was_answered_is_there() -> None:
    with valkey() as server, connect(server.url) as client:
        ledger = RedisLedger(client)
        ledger.commit(APPROVAL)
        (claim,) = ledger.claim(1, 9, {}).claims
        before = known(ledger)
        server.kill()
        with pytest.raises(TemporaryFailure, match="the call to Redis failed"):
            ledger.commit(Change(put={ADAS_KEY: None}))
        with pytest.raises(TemporaryFailure):
            ledger.wait(0.1)
        server.start()
        assert known(ledger) == before
        assert ledger.commit(APPROVAL).again
        ledger.commit(Change(done=Done(claim=claim)))


def known(ledger: RedisLedger) -> tuple[object, ...]:
    seen = ledger.read([ADAS_KEY, grant_key("g1"), grant_key("g2")], follow=["open"])
    next_at = ledger.claim(0, 9, {}).next_at
    return seen.documents, seen.versions, seen.leases, ledger.entries(), next_at


def test_a_full_redis_stops_granting_and_never_taking_back() -> None:
    with valkey("--maxmemory", "8mb") as server, connect(server.url) as client:
        ledger = RedisLedger(client)
        ledger.commit(APPROVAL)
        fill(client)
        with pytest.raises(TemporaryFailure, match="Redis is full"):
            ledger.commit(Change(put={grant_key("g3"): ask("g3")}))
        seen = ledger.read([grant_key("g1"), grant_key("g3")])
        assert seen.versions[grant_key("g3")] == 0
        (claim, _) = ledger.claim(9, 9, {}).claims
        ledger.renew([claim])
        end = Change(
            rests_on=(seen,),
            put={grant_key("g1"): replace(ask("g1"), ended_at=seen.now)},
            leases=(Lease(grant="g1", how=LeaseMove.DROP),),
            due=(due("hold:db/1"), due("hold:db/2")),
            audit=(Entry(what="revoked", grant="g1"),),
            done=Done(claim=claim, next_at=LONG_AGO),
            op="click-9",
            frees=True,
        )
        ledger.commit(end)
        assert ledger.commit(end).again
        assert ledger.read([grant_key("g1")]).leases == {}
        assert [entry.what for _, _, entry in ledger.entries()] == ["approved", "revoked"]


def fill(client: Redis) -> None:
    size = 1 << 16
    while size:
        try:
            client.rpush("ballast", "x" * size)
        except RedisError:
            size >>= 1


def test_scripts_that_redis_forgot_are_sent_again(redis_ledger: RedisLedger, client: Redis) -> None:
    redis_ledger.commit(APPROVAL)
    client.script_flush()
    assert redis_ledger.read([ADAS_KEY]).documents == {ADAS_KEY: ADA}
    client.script_flush()
    (claim,) = redis_ledger.claim(1, 9, {}).claims
    client.script_flush()
    redis_ledger.renew([claim])
    client.script_flush()
    redis_ledger.commit(Change(done=Done(claim=claim)))
    client.script_flush()
    redis_ledger.commit(Change(frees=True))


@pytest.mark.parametrize("op", [None, "click-1"])
def test_a_change_whose_reply_was_lost_is_written_once(
    server: Valkey, workspace: str, op: str | None
) -> None:
    with losing_replies(server) as (url, lose), connect(url) as client:
        ledger = RedisLedger(client, workspace)
        ledger.commit(Change())
        lose.set()
        receipt = ledger.commit(replace(APPROVAL, op=op))
        assert not receipt.again
        assert receipt.answer == "g1"
        assert not lose.is_set()
        assert len(ledger.entries()) == 1


def test_a_change_that_was_sent_and_not_answered_is_unconfirmed_and_its_op_tells_later(
    server: Valkey, workspace: str
) -> None:
    once = Retry(NoBackoff(), retries=0)
    with (
        losing_replies(server) as (url, lose),
        Redis.from_url(url, decode_responses=True, retry=once) as client,
    ):
        ledger = RedisLedger(client, workspace)
        ledger.commit(Change())
        lose.set()
        with pytest.raises(Unconfirmed):
            ledger.commit(APPROVAL)
        again = ledger.commit(replace(APPROVAL, answer="not done"))
        assert (again.again, again.answer) == (True, "g1")


@contextmanager
def losing_replies(server: Valkey) -> Iterator[tuple[str, threading.Event]]:
    """Yield a way to the server, and an event: once it is set, a script is forwarded, and its reply is
    lost."""
    lose, path = threading.Event(), server.url.removeprefix("unix://")

    def carry(near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(path)
            while asked := near.recv(1 << 16):
                far.sendall(asked)
                answered = far.recv(1 << 16)
                if b"EVALSHA" in asked and lose.is_set():
                    lose.clear()
                    return
                near.sendall(answered)

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            while True:
                try:
                    near, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=carry, args=(near,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}", lose
        listening.shutdown(socket.SHUT_RDWR)


def test_a_redis_that_is_silent_is_given_up_on() -> None:
    with valkey() as server, connect(f"{server.url}?socket_timeout=0.2") as client:
        ledger = RedisLedger(client)
        ledger.commit(Change())
        server.pause()
        with pytest.raises(TemporaryFailure):
            ledger.read()
        server.go_on()
        assert ledger.read().documents == {}


def test_where_nobody_listens_every_call_is_a_temporary_failure(tmp_path: Path) -> None:
    ledger = RedisLedger(connect(f"unix://{tmp_path}/nobody"))
    calls: list[Callable[[], object]] = [
        ledger.read,
        lambda: ledger.commit(Change()),
        lambda: ledger.claim(1, 1, {}),
        lambda: ledger.wait(1),
        ledger.entries,
    ]
    for call in calls:
        with pytest.raises(TemporaryFailure):
            call()


def test_a_redis_that_takes_no_writes_is_a_temporary_failure(server: Valkey) -> None:
    with valkey("--replicaof", "127.0.0.1", "1") as replica, connect(replica.url) as client:
        ledger = RedisLedger(client)
        with pytest.raises(TemporaryFailure):
            ledger.commit(APPROVAL)
