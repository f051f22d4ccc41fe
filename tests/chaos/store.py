"""Redis as the bot has it: two Valkeys behind one address, one of them a copy of the other until they change
places."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError

from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Entry
from bot.sandbox.stack.servers import Valkey
from tests.chaos.relay import Relay

CATCHES_UP_WITHIN = 3.0
POLL = 0.01
PAGE = 1_000


@dataclass(frozen=True, kw_only=True)
class Happened:
    at: float
    entry: Entry


class CopiedValkey(Valkey):
    """One that is copied without delay. It publishes what expires; only a broken design listens."""

    def _command(self) -> list[str]:
        quick = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"]
        return [*super()._command(), *quick, "--notify-keyspace-events", "Ex"]


class Store:
    """``primary`` is the one that the address leads to."""

    def __init__(self, folder: Path) -> None:
        self.primary, self.replica = (CopiedValkey(folder / name) for name in ("valkey-1", "valkey-2"))
        self.relay = Relay(lambda: self.primary.port)

    def open(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(Valkey.start, (self.primary, self.replica)))
        self.follow()
        if not self._wait_for(self._caught_up):
            raise TimeoutError("the copy did not come to be")

    def close(self) -> None:
        self.relay.close()
        self.replica.stop()
        self.primary.stop()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.relay.port}/0"

    def follow(self) -> None:
        """See to it that the replica is one, as a Valkey that was just started is not. It takes no such order
        while it loads its data, and is waited for. Raises RedisError."""
        deadline = time.monotonic() + CATCHES_UP_WITHIN
        while True:
            try:
                _ask(self.replica, "REPLICAOF", "127.0.0.1", str(self.primary.port))
            except BusyLoadingError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL)
            else:
                return

    def change_places(self) -> bool:
        """Let the replica be the primary as soon as it has all that was written, which nothing is added to
        meanwhile; whether it had it in time. Raises RedisError."""
        _ask(self.primary, "CLIENT", "PAUSE", str(int(2 * CATCHES_UP_WITHIN * 1000)), "WRITE")
        try:
            if not self._wait_for(self._caught_up):
                return False
            _ask(self.replica, "REPLICAOF", "NO", "ONE")
            self.primary, self.replica = self.replica, self.primary
            self.relay.lead_to(lambda: self.primary.port)
            self.follow()
        finally:
            for each in (self.primary, self.replica):
                _ask(each, "CLIENT", "UNPAUSE")
        return True

    def die_cut_off(self, cut_off: Callable[[], None]) -> list[Happened] | None:
        """Let the replica be the primary without what is written while it is ``cut_off``, and return the
        entries of the audit among that. The primary is dead then. Return None and do nothing if the replica
        has not caught up. Raises RedisError."""
        if not self._wait_for(self._caught_up):
            return None
        _ask(self.replica, "REPLICAOF", "NO", "ONE")
        cut_off()
        _ask(self.primary, "CLIENT", "PAUSE", str(int(CATCHES_UP_WITHIN * 1000)), "WRITE")
        known = {name for name, _ in _entries_of(self.replica)}
        lost = [each for name, each in _entries_of(self.primary) if name not in known]
        self.primary.kill()
        self.primary, self.replica = self.replica, self.primary
        self.relay.lead_to(lambda: self.primary.port)
        return lost

    def _caught_up(self) -> bool:
        there, here = (_ask(each, "INFO", "replication") for each in (self.primary, self.replica))
        same = here.get("slave_repl_offset") == there["master_repl_offset"]
        return bool(here.get("master_link_status") == "up" and same)

    def _wait_for(self, look: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + CATCHES_UP_WITHIN
        while time.monotonic() < deadline:
            try:
                if look():
                    return True
            except RedisError:
                return False
            time.sleep(POLL)
        return False


def _entries_of(server: Valkey) -> Iterator[tuple[str, Happened]]:
    with connect(server.url) as client:
        yield from entries_of(RedisLedger(client))


def entries_of(ledger: RedisLedger) -> Iterator[tuple[str, Happened]]:
    """All entries of the audit by name, the oldest first."""
    after = ""
    while page := ledger.entries(after, PAGE):
        after = page[-1][0]
        yield from ((name, Happened(at=at.timestamp(), entry=entry)) for name, at, entry in page)


def _ask(server: Valkey, *command: str) -> Any:
    with Redis.from_url(server.url, decode_responses=True, socket_timeout=2, retry=None) as client:
        return client.execute_command(*command)
