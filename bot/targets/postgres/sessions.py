"""Finding and ending the sessions of an account, including those that are only just starting.

A session takes the role it was started with (``options=-c role=orders_rw``) before it is listed under its
account, and may be told to stay like that for half an hour (``post_auth_delay``). What gives it away is
its lock on the database, which it releases only when it is listed; therefore locks are read first.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from bot.core.errors import TemporaryFailure
from bot.ports import Deadline
from bot.targets.postgres import statements
from bot.targets.postgres.connections import Connection
from bot.targets.postgres.troubles import NotAllowed

START_SECONDS = 0.5
"""A start takes a few milliseconds. One that takes longer than this is ended, and counted, whosever it is."""
POLL = 0.02
TO_SAY_SO = 0.1
"""Seconds before the deadline, so that the error says what was waited for."""


def end_all(
    connection: Connection, account: int, *, allowed: bool, only: Collection[int] | None = None
) -> None:
    """Return when every session that was there, or starting, is gone, or is somebody else's. Those that
    begin later are left alone; so are all but ``only`` these pids. Raises NotAllowed if there are some and
    we are not ``allowed`` to end them, and TemporaryFailure at the connection's deadline."""
    patience = Deadline.after(START_SECONDS)
    starting = _among(_starting(connection), only)
    hers, known = _listed(connection, account, starting)
    hers = _among(hers, only)
    starting -= known
    while hers or starting:
        if not allowed:
            raise NotAllowed(f"{connection.target}: sessions cannot be ended")
        connection.ask(statements.end_sessions(account, hers))
        if patience.passed:
            starting = {pid for pid in starting if _end_starting(connection, pid)}
        if connection.deadline.left() < TO_SAY_SO:
            left = len(hers) + len(starting)
            raise TemporaryFailure(f"{connection.target}: {left} sessions have not ended yet")
        time.sleep(POLL)
        still = starting & _starting(connection)
        now_hers, known = _listed(connection, account, hers | starting)
        hers, starting = now_hers & (hers | starting), still - known


def open_sessions(connection: Connection, account: int, only: Collection[int] | None = None) -> set[int]:
    """Return the pids of the account's sessions, and of those that have been starting for long, whosever
    they are; of ``only`` these, if given."""
    patience = Deadline.after(START_SECONDS).sooner(connection.deadline)
    starting = _among(_starting(connection), only)
    hers, known = _listed(connection, account, starting)
    starting -= known
    while starting and not patience.passed:
        time.sleep(POLL)
        still = _starting(connection)
        more, known = _listed(connection, account, starting)
        hers |= more & starting
        starting = (starting & still) - known
    return _among(hers, only) | starting


def _among(pids: set[int], only: Collection[int] | None) -> set[int]:
    return pids if only is None else pids & set(only)


def _starting(connection: Connection) -> set[int]:
    [rows] = connection.ask(statements.STARTING)
    return {pid for (pid,) in rows}


def _listed(connection: Connection, account: int, pids: Collection[int]) -> tuple[set[int], set[int]]:
    """Return all of the account's sessions; and those of ``pids`` that are known to be somebody's."""
    [rows] = connection.ask(statements.sessions(account, pids))
    return {pid for pid, hers in rows if hers}, {pid for pid, _ in rows}


def _end_starting(connection: Connection, pid: int) -> bool:
    """Return False for a superuser's, which cannot be ended, nor be the account's."""
    try:
        connection.ask(statements.end_starting(pid))
    except NotAllowed:
        return False
    return True
