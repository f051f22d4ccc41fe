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

from bot.ports import Deadline
from bot.targets.postgres.troubles import trouble
from bot.upstream import time_left, too_late, within

KEPT = 2
KEPT_SECONDS = 30.0
INTERVAL = 0.05
LONGEST_CONNECT = 30
LONGEST_MS = 3_600_000

Row = tuple[Any, ...]
T = TypeVar("T")


class Connection(psycopg.Connection[Row]):
    """``deadline`` bounds every wait for the server, also where it has stopped answering."""

    deadline: Deadline
    target: str

    def wait(
        self,
        gen: PQGen[T],
        interval: float = INTERVAL,
        timeout: float | None = None,  # noqa: ARG002 -- not every psycopg has it; the deadline bounds us
    ) -> T:
        return super().wait(self._bounded(gen), min(interval, INTERVAL))

    def _bounded(self, gen: PQGen[T]) -> Generator[Any, Any, T]:
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and self.deadline.passed:
                    raise too_late(self.target)
                wanted = gen.send(ready)
        except StopIteration as finished:
            result: T = finished.value
            return result

    def ask(self, *statements: sql.Composable) -> list[list[Row]]:
        """The rows of each statement. All go out in one message and are one transaction, which the server
        gives up by itself when the deadline has passed."""
        left = min(math.ceil(time_left(self.deadline, self.target) * 1000), LONGEST_MS)
        bound = sql.SQL("SELECT set_config('statement_timeout', {}, true)").format(str(left))
        try:
            with self.cursor() as cursor:
                cursor.execute(sql.SQL(";\n").join((bound, *statements)))
                return [_rows(cursor) for _ in statements if cursor.nextset()]
        except psycopg.Error as error:
            raise trouble(error, self.target) from error


class Connections:
    def __init__(self, name: str, url: str) -> None:
        self._name = name
        self._url = url
        self._idle: list[tuple[float, Connection]] = []
        self._lock = threading.Lock()

    @contextmanager
    def borrowed(self, deadline: Deadline) -> Iterator[Connection]:
        """A connection for one thread; one that broke, or still waits for an answer, is closed after it."""
        connection = self._kept() or self._opened(deadline)
        connection.deadline = deadline
        try:
            yield connection
        finally:
            self._put_back(connection)

    def close(self) -> None:
        """Close what is kept; later calls open anew."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _kept(self) -> Connection | None:
        with self._lock:
            since, connection = self._idle.pop() if self._idle else (0.0, None)
        if connection and time.monotonic() - since > KEPT_SECONDS:
            connection.close()
            self.close()
            return None
        return connection

    def _put_back(self, connection: Connection) -> None:
        status = connection.info.transaction_status
        if status is not psycopg.pq.TransactionStatus.IDLE:
            connection.close()
            return
        with self._lock:
            self._idle.append((time.monotonic(), connection))
            surplus = self._idle[:-KEPT]
            self._idle = self._idle[-KEPT:]
        for _, old in surplus:
            old.close()

    def _opened(self, deadline: Deadline) -> Connection:
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
            if deadline.passed:
                connection.close()
                raise too_late(self._name)
            connection.target = self._name
            return connection

        try:
            return within(deadline, self._name, connect)
        except psycopg.Error as error:  # which may quote the url, with its password
            raise trouble(error, self._name) from None


def _rows(cursor: psycopg.Cursor[Row]) -> list[Row]:
    return cursor.fetchall() if cursor.description else []
