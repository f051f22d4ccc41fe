"""Standby servers, where sessions end with the access too: a session there also outlives a REVOKE."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bot.core.errors import TemporaryFailure
from bot.ports.deadline import Deadline
from bot.targets.postgres import statements
from bot.targets.postgres.connections import Connection, Connections
from bot.targets.postgres.look import Membership, Server
from bot.targets.postgres.sessions import POLL, end_all, open_sessions

LONGEST_REPLAY = 1.0
"""Seconds to wait until a standby shows what was just revoked at the primary."""


class Replica:
    """A standby server. ``where`` is its address, by which receipts name it. Every method raises
    TemporaryFailure or PermanentFailure by the deadline, even if the server there does not belong to the same
    system."""

    def __init__(self, name: str, url: str) -> None:
        self.where = _host_and_port(url)
        self._connections = Connections(f"{name} at {self.where}", url)

    def close(self) -> None:
        self._connections.close()

    def ready(self, system: str, deadline: Deadline) -> None:
        with self._borrow(system, deadline):
            pass

    def end_sessions(
        self, system: str, pair: tuple[int, int], only: Collection[int] | None, deadline: Deadline
    ) -> None:
        """End the sessions of the account of ``pair``, role and account by oid; see ``end_all``."""
        with self._borrow(system, deadline) as (connection, server):
            self._wait_for_replay(connection, pair)
            end_all(connection, pair[1], allowed=server.may_end_sessions, only=only)

    def open_sessions(
        self, system: str, pair: tuple[int, int], only: Collection[int] | None, deadline: Deadline
    ) -> set[int]:
        """Return the pids of those sessions. Raise TemporaryFailure while the standby still shows the
        membership."""
        with self._borrow(system, deadline) as (connection, _):
            if not self._wait_for_replay(connection, pair):
                raise TemporaryFailure("it has not replayed the revocation yet")
            return open_sessions(connection, pair[1], only)

    @contextmanager
    def _borrow(self, system: str, deadline: Deadline) -> Iterator[tuple[Connection, Server]]:
        with self._connections.borrow(deadline) as connection:
            [[row]] = connection.ask(statements.server())
            server = Server(*row)
            if server.identifier != system:
                raise TemporaryFailure("it is not a standby of this target: its system identifier differs")
            yield connection, server

    def _wait_for_replay(self, connection: Connection, pair: tuple[int, int]) -> bool:
        patience = Deadline.after(min(connection.deadline.seconds_left() / 2, LONGEST_REPLAY))
        role, member = pair
        look = statements.memberships("", "", [role], [member], connection.info.server_version)
        while True:
            [rows] = connection.ask(look)
            if not any(Membership(*row).usable for row in rows):
                return True
            if patience.is_over:
                return False
            time.sleep(POLL)


def share(deadline: Deadline, among: Sequence[object]) -> Deadline:
    """Return the deadline for one of these that leaves time for the others and for the primary."""
    return Deadline.after(deadline.seconds_left() / (len(among) + 1))


def _host_and_port(url: str) -> str:
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # the error may quote the url, with its password
        return "a replica whose url PostgreSQL cannot parse"
    if service := parts.get("service"):
        return f"service {service}"
    return f"{parts.get('hostaddr') or parts.get('host') or 'localhost'}:{parts.get('port') or 5432}"
