"""The sessions of an account, found and ended, including those that are still starting.

A session takes the role it was started with (``options=-c role=orders_rw``) before it is listed under its
account, and can be made to stay like that for half an hour (``post_auth_delay``). Its lock on the database,
which it releases only when it is listed, gives it away; therefore locks are read first.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from bot.core.errors import TemporaryFailure
from bot.ports.deadline import Deadline
from bot.targets.postgres import statements
from bot.targets.postgres.connections import Connection
from bot.targets.postgres.troubles import NotAllowed
from bot.upstream import too_late

START_SECONDS = 0.5
"""Starting takes a few milliseconds. A session that takes longer than this is ended and counted, no matter
whose it is."""
POLL = 0.02
TO_SAY_SO = 0.1
"""Seconds to stop before the deadline, so that the error can say what was waited for."""


def end_all(
    connection: Connection, account: int, *, allowed: bool, only: Collection[int] | None = None
) -> None:
    """Return when every session that existed or was starting is gone, or belongs to somebody else. Sessions
    that begin later are left alone, and if ``only`` is given, so are all but these pids. Raise NotAllowed if
    there are some and we are not ``allowed`` to end them, and TemporaryFailure at the connection's
    deadline."""
    patience = Deadline.after(START_SECONDS)
    hers, starting = (_among(pids, only) for pids in _first_look(connection, account))
    while hers or starting:
        if not allowed:
            raise NotAllowed(f"{connection.target}: the bot may not end sessions")
        try:
            hers, starting = _end_some(connection, account, hers, starting, patience)
        except TemporaryFailure as failure:
            if connection.deadline.seconds_left() > TO_SAY_SO:
                raise
            left = len(hers) + len(starting)
            raise TemporaryFailure(f"{connection.target}: {left} sessions have not ended yet") from failure


def open_sessions(connection: Connection, account: int, only: Collection[int] | None = None) -> set[int]:
    """Return the pids of the account's sessions, and of sessions of any account that have been starting for
    long. If ``only`` is given, return none but these."""
    patience = Deadline.after(START_SECONDS).sooner(connection.deadline)
    hers, starting = (_among(pids, only) for pids in _first_look(connection, account))
    while starting and not patience.is_over:
        time.sleep(POLL)
        still = _starting(connection)
        more, known = _list_sessions(connection, account, starting)
        hers |= more & starting
        starting = (starting & still) - known
    return _among(hers, only) | starting


def _end_some(
    connection: Connection, account: int, hers: set[int], starting: set[int], patience: Deadline
) -> tuple[set[int], set[int]]:
    """End these sessions, and those that have been starting for long; return what is left of both."""
    connection.ask(statements.end_sessions(account, hers))
    if patience.is_over:
        superusers = set()
        for pid in starting:
            try:
                connection.ask(statements.end_starting(pid))
            except NotAllowed:  # a superuser's cannot be ended, but cannot be the account's either
                superusers.add(pid)
        starting = starting - superusers
    if connection.deadline.seconds_left() < TO_SAY_SO:
        raise too_late(connection.target)
    time.sleep(POLL)
    still = starting & _starting(connection)
    now_hers, known = _list_sessions(connection, account, hers | starting)
    return now_hers & (hers | starting), still - known


def _first_look(connection: Connection, account: int) -> tuple[set[int], set[int]]:
    """Return the account's sessions, and those of any account that are starting, in one round trip."""
    starting, rows = connection.ask(statements.STARTING, statements.sessions(account, []))
    pids = {pid for (pid,) in starting}
    if not pids:
        return {pid for pid, _ in rows}, pids
    hers, known = _list_sessions(connection, account, pids)
    return hers, pids - known


def _among(pids: set[int], only: Collection[int] | None) -> set[int]:
    return pids if only is None else pids & set(only)


def _starting(connection: Connection) -> set[int]:
    [rows] = connection.ask(statements.STARTING)
    return {pid for (pid,) in rows}


def _list_sessions(connection: Connection, account: int, pids: Collection[int]) -> tuple[set[int], set[int]]:
    """Return all of the account's sessions; and those of ``pids`` that are known to belong to somebody."""
    [rows] = connection.ask(statements.sessions(account, pids))
    return {pid for pid, hers in rows if hers}, {pid for pid, _ in rows}
