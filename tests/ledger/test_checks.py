"""At start, a process objects to a Redis that cannot be trusted to know who has access."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from bot.core.errors import TemporaryFailure
from bot.ledger.checks import objections, warnings
from bot.ledger.connection import connect
from bot.testing.valkey import valkey
from bot.testing.valkeys import replica_set

EVERY_SECOND = (
    "appendfsync is everysec: a power cut loses the last second or more. Set appendfsync to always; it costs"
    " less than a millisecond a write on a local disk"
)
EVICTS = (
    "maxmemory-policy is volatile-lru: when Redis is full it forgets who has access, and that access is"
    " never revoked. Set maxmemory-policy to noeviction, and keep other programs off this Redis"
)
WOULD_EVICT = (
    "maxmemory-policy is allkeys-lru: as soon as somebody sets maxmemory, Redis will forget who has access."
    " Set maxmemory-policy to noeviction"
)
FORGETS = (
    "Redis keeps nothing on disk: a restart makes it forget who has access, and that access is never"
    " revoked. Set appendonly to yes and appendfsync to always"
)
SNAPSHOTS = (
    "Redis keeps snapshots only (save 3600 1): a crash loses what was written since the last one. Set"
    " appendonly to yes and appendfsync to always"
)
REPLICA = "Redis takes no writes, because its role is slave: set REDIS_URL to the primary"
UNKNOWN = b"-ERR unknown command\r\n"
TOO_OLD = "Redis 6.2.14 is too old: use Redis 7.0 or later, or Valkey"


def test_nothing_is_said_about_a_redis_as_the_readme_wants_it() -> None:
    assert said() == ([], [])


@pytest.mark.parametrize(
    ("options", "objected", "warned"),
    [
        (["--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru"], [EVICTS], []),
        (["--maxmemory", "64mb"], [], []),
        (["--maxmemory-policy", "allkeys-lru"], [], [WOULD_EVICT]),
        (["--appendonly", "no"], [FORGETS], []),
        (["--appendonly", "no", "--save", "3600 1"], [], [SNAPSHOTS]),
        (["--appendfsync", "everysec"], [], [EVERY_SECOND]),
        (["--replicaof", "127.0.0.1", "1"], [REPLICA], []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value[:1] != value[1:] else None,
)
def test_what_is_wrong_is_said_with_what_to_do(
    options: list[str], objected: list[str], warned: list[str]
) -> None:
    assert said(*options) == (objected, warned)


def said(*options: str) -> tuple[list[str], list[str]]:
    with valkey(*options) as server, connect(server.url) as client:
        return objections(client), warnings(client)


def test_where_config_is_forbidden_info_still_tells_most() -> None:
    evicting = valkey("--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru")
    with evicting as server, allowed(server.url, "+info") as client:
        assert objections(client) == [EVICTS]
        assert warnings(client) == [
            "Redis does not report its appendfsync (should be always): check that yourself"
        ]


def test_where_everything_is_forbidden_it_is_said_what_could_not_be_seen() -> None:
    with valkey() as server, allowed(server.url) as client:
        assert objections(client) == []
        assert warnings(client) == [
            "Redis does not report its role, version, maxmemory-policy (must be noeviction), persistence"
            " (appendonly should be yes): check that yourself"
        ]


@contextmanager
def allowed(url: str, *commands: str) -> Iterator[Redis]:
    """Yield a client whose user may run only these commands."""
    with connect(url) as client:
        client.execute_command("ACL", "SETUSER", "ada", "on", ">secret", "~*", "+ping", *commands)
    with connect(f"{url}?username=ada&password=secret") as client:
        yield client


def test_fewer_replicas_than_are_to_have_what_is_given() -> None:
    with replica_set() as (primary, _), connect(primary.url) as client:
        assert warnings(client, copies=1) == []
        assert warnings(client, copies=2) == [
            "REDIS_COPIES is 2, but Redis has 1 replicas: nothing is granted until there are enough"
        ]


def test_keys_that_were_evicted_before_are_not_forgotten() -> None:
    evicting = valkey("--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru")
    with evicting as server, connect(server.url) as client:
        for n in range(200):
            client.set(f"filler:{n}", "x" * 50_000)
        client.config_set("maxmemory-policy", "noeviction")
        (warning,) = warnings(client)
    assert warning.startswith("Redis has evicted ")
    assert warning.endswith("Compare who has access at each target with what Rotakey knows")


def test_an_old_redis_is_refused() -> None:
    with told(
        "redis_version:6.2.14\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n"
    ) as old:
        assert objections(old) == [TOO_OLD]


def test_a_disk_that_fails_and_a_cluster_are_mentioned() -> None:
    facts = {
        "redis_version": "7.0.15",
        "role": "master",
        "maxmemory_policy": "noeviction",
        "aof_enabled": "1",
        "aof_last_write_status": "err",
        "cluster_enabled": "1",
    }
    with told("".join(f"{name}:{value}\r\n" for name, value in facts.items())) as troubled:
        assert objections(troubled) == []
        assert warnings(troubled) == [
            "Redis does not report its appendfsync (should be always): check that yourself",
            "Redis could not write to its disk at the last attempt: check its log and the disk",
            "Redis runs as a cluster: set REDIS_URL to redis+cluster://host:6379",
        ]


def test_a_redis_that_is_still_reading_its_disk_is_waited_for() -> None:
    """While it loads, it claims that it appends nothing."""
    with told("redis_version:8.0.0\r\nrole:master\r\nloading:1\r\naof_enabled:0\r\n") as loading:
        for look in (objections, warnings):
            with pytest.raises(TemporaryFailure, match="still loading its data from disk"):
                look(loading)


@contextmanager
def told(info: str) -> Iterator[Redis]:
    """Yield a client of a server that answers INFO like this, and knows no other command."""

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                words = [(self.rfile.readline(), self.rfile.readline())[1] for _ in range(int(line[1:]))]
                known = words[0].strip() == b"INFO"
                self.wfile.write(f"${len(info)}\r\n{info}\r\n".encode() if known else UNKNOWN)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with connect(f"redis://127.0.0.1:{server.server_address[1]}") as client:
            yield client
        server.shutdown()


def test_a_redis_that_is_not_there_is_a_temporary_failure() -> None:
    with connect("unix:///nowhere/socket") as client:
        with pytest.raises(TemporaryFailure):
            objections(client)
        with pytest.raises(TemporaryFailure):
            warnings(client)
