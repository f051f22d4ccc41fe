"""Ending the sessions of an account, those that are only just starting among them.

A session takes the role it was started with (``options=-c role=orders_rw``) before it is listed under its
account, and may be told to stay like that for half an hour (``post_auth_delay``). What gives it away is
its lock on the database, which it lets go only when it is listed; therefore locks are read first.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from bot.core.errors import TemporaryFailure
from bot.ports import Deadline
from bot.targets.postgres import statements
from bot.targets.postgres.connections import Connection
from bot.targets.postgres.look import Look
from bot.targets.postgres.troubles import NotAllowed

START_SECONDS = 0.5
"""A start takes a few milliseconds. What takes longer than this is ended, whosever it is."""
POLL = 0.02
TO_SAY_SO = 0.1
"""Seconds before the deadline, so that it is told what was waited for."""


def end_all(connection: Connection, account: int, look: Look) -> None:
    """Return when every session that was there, or starting, is gone, or is somebody else's. Those that
    begin later are left alone. Raises TemporaryFailure at the connection's deadline."""
    patience = Deadline.after(START_SECONDS)
    starting = _starting(connection)
    hers, known = _listed(connection, account, starting)
    starting -= known
    while hers or starting:
        if not look.may_end_sessions:
            raise NotAllowed(f"{connection.target}: sessions cannot be ended")
        connection.ask(statements.end_sessions(account, sorted(hers)))
        if patience.passed:
            starting = {pid for pid in starting if _ended(connection, pid)}
        if connection.deadline.left() < TO_SAY_SO:
            left = len(hers) + len(starting)
            raise TemporaryFailure(f"{connection.target}: {left} sessions have not ended yet")
        time.sleep(POLL)
        still = starting & _starting(connection)
        now_hers, known = _listed(connection, account, hers | starting)
        hers, starting = now_hers & (hers | starting), still - known


def _starting(connection: Connection) -> set[int]:
    [rows] = connection.ask(statements.STARTING)
    return {pid for (pid,) in rows}


def _listed(connection: Connection, account: int, pids: Collection[int]) -> tuple[set[int], set[int]]:
    """All of the account's sessions; and those of ``pids`` that are known to be somebody's."""
    [rows] = connection.ask(statements.sessions(account, sorted(pids)))
    return {pid for pid, hers in rows if hers}, {pid for pid, _ in rows}


def _ended(connection: Connection, pid: int) -> bool:
    """False for a superuser's, which cannot be ended, nor be the account's."""
    try:
        connection.ask(statements.end_starting(pid))
    except NotAllowed:
        return False
    return True
