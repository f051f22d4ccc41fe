"""Connections to one PostgreSQL server: each call ends by its deadline, and one or two are kept open."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.abc import PQGen

from bot.ports.deadline import Deadline
from bot.targets.postgres.troubles import trouble
from bot.upstream import time_left, too_late, within

KEPT = 2
KEPT_SECONDS = 30.0
INTERVAL = 0.05
LONGEST_CONNECT = 30
LONGEST_MS = 3_600_000

LOCAL_COMMIT = sql.SQL("SELECT set_config('synchronous_commit', 'local', true)")

Row = tuple[Any, ...]
T = TypeVar("T")


class Connection(psycopg.Connection[Row]):
    """A connection whose ``deadline`` bounds every wait for the server, even if it has stopped answering."""

    deadline: Deadline
    target: str

    def wait(
        self,
        gen: PQGen[T],
        interval: float = INTERVAL,
        timeout: float | None = None,  # noqa: ARG002 -- not every psycopg has it; the deadline bounds us
    ) -> T:
        return super().wait(self._limit(gen), min(interval, INTERVAL))

    def _limit(self, gen: PQGen[T]) -> Generator[Any, Any, T]:
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and self.deadline.is_over:
                    raise too_late(self.target)
                wanted = gen.send(ready)
        except StopIteration as finished:
            result: T = finished.value
            return result

    def ask(self, *statements: sql.Composable, mark: sql.Composable | None = None) -> list[list[Row]]:
        """Return the rows of each statement. All go out in one message and are one transaction, which the
        server cancels when the deadline has passed. ``mark`` is a comment that pg_stat_activity shows."""
        left = min(math.ceil(time_left(self.deadline, self.target) * 1000), LONGEST_MS)
        bound = (mark or sql.SQL("")) + _timeout(left, of_transaction=True)
        try:
            with self.cursor() as cursor:
                cursor.execute(sql.SQL(";\n").join((bound, *statements)))
                return [
                    cursor.fetchall() if cursor.description else [] for _ in statements if cursor.nextset()
                ]
        except psycopg.Error as error:
            raise trouble(error, self.target) from error

    def change(self, *statements: sql.Composable, mark: sql.Composable | None = None) -> None:
        """Run statements that write. The server does not wait for a standby before it commits: such a wait
        has no time limit, and would happen before the change takes effect."""
        self.ask(LOCAL_COMMIT, *statements, mark=mark)

    def finishes(self, statement: sql.SQL, seconds: float) -> bool:
        """Run a statement that has its own transaction; return whether the server finished it without a
        warning. The server cancels it after ``seconds``."""
        warnings: list[str | None] = []

        def note(diagnostic: psycopg.errors.Diagnostic) -> None:
            if diagnostic.severity_nonlocalized == "WARNING":
                warnings.append(diagnostic.message_primary)

        self.add_notice_handler(note)
        try:
            with self.cursor() as cursor:
                cursor.execute(_timeout(max(math.ceil(seconds * 1000), 1), of_transaction=False))
                cursor.execute(statement)
        except psycopg.errors.QueryCanceled:
            return False
        except psycopg.Error as error:
            raise trouble(error, self.target) from error
        finally:
            self.remove_notice_handler(note)
        return not warnings


class Connections:
    def __init__(self, name: str, url: str) -> None:
        self._name = name
        self._url = url
        self._idle: list[tuple[float, Connection]] = []
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, deadline: Deadline) -> Iterator[Connection]:
        """Lend a connection to one thread; one that broke, or still waits for an answer, is closed
        afterwards."""
        with self._lock:
            since, connection = self._idle.pop() if self._idle else (0.0, None)
        if connection and time.monotonic() - since > KEPT_SECONDS:  # and so are all others, which are older
            connection.close()
            self.close()
            connection = None
        connection = connection or self._open(deadline)
        connection.deadline = deadline
        try:
            yield connection
        finally:
            if connection.info.transaction_status is not psycopg.pq.TransactionStatus.IDLE:
                connection.close()
            else:
                with self._lock:
                    self._idle.append((time.monotonic(), connection))
                    surplus = self._idle[:-KEPT]
                    self._idle = self._idle[-KEPT:]
                for _, old in surplus:
                    old.close()

    def close(self) -> None:
        """Close the connections that are kept; later calls open new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _open(self, deadline: Deadline) -> Connection:
        seconds = min(math.ceil(time_left(deadline, self._name)), LONGEST_CONNECT)

        def connect() -> Connection:
            connection = Connection.connect(
                self._url,
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=seconds,
                application_name="rotakey",
                client_encoding="utf8",
            )
            if deadline.is_over:
                connection.close()
                raise too_late(self._name)
            connection.target = self._name
            return connection

        try:
            return within(deadline, self._name, connect)
        except psycopg.Error as error:  # the error may quote the url, with its password
            raise trouble(error, self._name) from None


def _timeout(milliseconds: int, *, of_transaction: bool) -> sql.Composed:
    statement = sql.SQL("SELECT set_config('statement_timeout', {}, {})")
    return statement.format(str(milliseconds), of_transaction)
