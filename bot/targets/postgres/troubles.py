"""The meaning of PostgreSQL's errors for us, in one place."""

from __future__ import annotations

import re

import psycopg
from psycopg import errors

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.upstream import too_late

PASSED = "the deadline has passed"
RENAMED = "a role was renamed meanwhile"
"""Values that no setting takes: the server itself refuses to go on."""


class NotAllowed(PermanentFailure):
    """The bot's role lacks a privilege."""


PASSING = (
    errors.OperationalError,  # 53 resources, 55 locks, 57 shutdowns and timeouts, 58 the system
    errors.TransactionRollback,  # 40 deadlocks and lost races
    errors.ReadOnlySqlTransaction,  # a standby, until it is promoted
    errors.InvalidTransactionState,
    errors.UniqueViolation,  # two grants of one membership at once, before PostgreSQL 16
    errors.UndefinedObject,  # it was there a moment ago, or we had not asked
)

REFUSED = re.compile(
    r"password authentication failed|no password supplied|authentication failed|no pg_hba\.conf entry"
    r"|is not permitted to log in|(role|database) \".*\" does not exist|does not support SSL|certificate"
    r"|permission denied for database|invalid connection option"
)
QUOTES_URL = re.compile(
    r"invalid \w+ (value|number)|definition of service|service file|could not parse network address"
)
"""Errors that may quote the password: a special character in it can make part of it look like a port or a
service."""
PREFIX = re.compile(
    r"^(connection (failed|is bad): )?(connection to server .*? failed: )?((FATAL|ERROR):\s+)?"
)


def trouble(error: psycopg.Error, name: str) -> TemporaryFailure | PermanentFailure:
    """Translate an error. The message has what the server said and what to do, but no URL, address or
    password."""
    said = error.diag.message_primary
    if said is None:
        return _of_connection(error, name)
    for reason in (PASSED, RENAMED):
        if isinstance(error, errors.InvalidParameterValue) and reason in said:
            return TemporaryFailure(f"{name}: nothing was done: {reason}")
    if isinstance(error, errors.QueryCanceled):
        return too_late(name)
    if isinstance(error, errors.InsufficientPrivilege):
        return NotAllowed(f"{name}: {_in_full(error, said)}")
    if isinstance(error, PASSING) or "tuple concurrently" in said:
        return TemporaryFailure(f"{name}: {said}")
    return PermanentFailure(f"{name}: {_in_full(error, said)}")


def _in_full(error: psycopg.Error, said: str) -> str:
    detail = error.diag.message_detail
    return f"{said}: {detail}" if detail else said


def _of_connection(error: psycopg.Error, name: str) -> TemporaryFailure | PermanentFailure:
    """Translate an error while connecting. libpq gives no code here, only words; unknown ones count as
    temporary."""
    if isinstance(error, psycopg.ProgrammingError):
        return PermanentFailure(f"{name}: PostgreSQL cannot parse the target's url: correct it")
    if isinstance(error, errors.ConnectionTimeout):
        return too_late(name)
    first = next(iter(str(error).splitlines()), "")
    said = PREFIX.sub("", first) or "no answer"
    if QUOTES_URL.search(said):
        return PermanentFailure(f"{name}: PostgreSQL cannot parse the target's url: correct it")
    if REFUSED.search(said):
        return PermanentFailure(f"{name}: {said}: check the target's url and the server's pg_hba.conf")
    if said.startswith("failed to resolve host"):
        said = "its host name cannot be resolved"
    return TemporaryFailure(f"{name}: {said}")
