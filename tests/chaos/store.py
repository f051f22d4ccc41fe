"""The bot's Redis: two Valkeys behind one address, a primary and its replica, which can change places."""

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
class AuditEntry:
    """An entry of the audit, and when it was written."""

    at: float
    entry: Entry


class CopiedValkey(Valkey):
    """A Valkey that replicates without delay. It publishes what expires; only a broken design listens."""

    def _command(self) -> list[str]:
        quick = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"]
        return [*super()._command(), *quick, "--notify-keyspace-events", "Ex"]


class Store:
    """The two Valkeys. The address leads to the ``primary``."""

    def __init__(self, folder: Path) -> None:
        self.primary, self.replica = (CopiedValkey(folder / name) for name in ("valkey-1", "valkey-2"))
        self.relay = Relay(lambda: self.primary.port)

    def open(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(Valkey.start, (self.primary, self.replica)))
        self.replicate()
        if not self._wait_for(self._is_caught_up):
            raise TimeoutError("the replica did not catch up")

    def close(self) -> None:
        self.relay.close()
        self.replica.stop()
        self.primary.stop()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.relay.port}/0"

    def replicate(self) -> None:
        """Tell the replica to replicate: a Valkey that was just started does not, and refuses the command
        while it loads its data. Raise RedisError if it cannot be told."""
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

    def fail_over(self) -> bool:
        """Pause writes, and make the replica the primary when it has all of them. Return False if it did not
        catch up. Raise RedisError if either does not answer."""
        _ask(self.primary, "CLIENT", "PAUSE", str(int(2 * CATCHES_UP_WITHIN * 1000)), "WRITE")
        try:
            if not self._wait_for(self._is_caught_up):
                return False
            _ask(self.replica, "REPLICAOF", "NO", "ONE")
            self.primary, self.replica = self.replica, self.primary
            self.relay.lead_to(lambda: self.primary.port)
            self.replicate()
        finally:
            for each in (self.primary, self.replica):
                _ask(each, "CLIENT", "UNPAUSE")
        return True

    def fail_over_losing_writes(self, cut_off: Callable[[], None]) -> list[AuditEntry] | None:
        """Kill the primary, and make the replica the primary without what was written during ``cut_off``.
        Return the audit entries that are lost with it. Return None and do nothing if the replica has not
        caught up. Raise RedisError if either does not answer."""
        if not self._wait_for(self._is_caught_up):
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

    def _is_caught_up(self) -> bool:
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


def _entries_of(server: Valkey) -> Iterator[tuple[str, AuditEntry]]:
    with connect(server.url) as client:
        yield from entries_of(RedisLedger(client))


def entries_of(ledger: RedisLedger) -> Iterator[tuple[str, AuditEntry]]:
    """Yield all entries of the audit by name, the oldest first."""
    after = ""
    while page := ledger.entries(after, PAGE):
        after = page[-1][0]
        yield from ((name, AuditEntry(at=at.timestamp(), entry=entry)) for name, at, entry in page)


def _ask(server: Valkey, *command: str) -> Any:
    with Redis.from_url(server.url, decode_responses=True, socket_timeout=2, retry=None) as client:
        return client.execute_command(*command)
