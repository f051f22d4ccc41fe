"""Helpers that tests of PostgreSQL share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import psycopg
from psycopg import errors

from bot.core.catalog import Entitlement
from bot.core.holds import Hold, Presence, Receipt
from bot.ports.deadline import Deadline
from bot.ports.target import Target
from bot.targets.postgres.target import Postgres
from bot.testing.postgres import Roles, Session


def soon() -> Deadline:
    return Deadline.after(10)


def hold(account: str, role: str) -> Hold:
    entitlement = Entitlement(target="orders-db", what=(("role", role),))
    return Hold(target="orders-db", account=account, entitlement=entitlement)


def orders_rw(roles: Roles, account: str) -> Hold:
    return hold(roles[account], roles["orders_rw"])


def granted(target: Target, hold: Hold, not_after: Deadline | None = None) -> list[Receipt]:
    """Prepare and grant, and return the receipts that the ledger keeps."""
    by = not_after or soon()
    return [target.grant(hold, [target.prepare(hold, by)], None, by)]


def presence(target: Target, hold: Hold, receipts: Sequence[Receipt] = ()) -> Presence:
    return target.has(hold, receipts, soon()).presence


@contextmanager
def bot(roles: Roles, sessions: Literal["end", "keep"] = "end") -> Iterator[Postgres]:
    target = Postgres("orders-db", roles.url("rotakey"), sessions)
    try:
        yield target
    finally:
        target.close()


def with_the_role(roles: Roles, name: str, database: str = "postgres") -> Session:
    """Return a session that has used SET ROLE."""
    session = roles.session(name, database)
    roles.run("SET ROLE {orders_rw}", by=session)
    return session


def may_take_the_role(roles: Roles, session: Session) -> bool:
    try:
        roles.run("SET ROLE {orders_rw}", by=session)
    except errors.InsufficientPrivilege:
        return False
    roles.run("RESET ROLE", by=session)
    return True


def alive(session: Session) -> bool:
    try:
        session.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def waits_for_a_lock(session: Session) -> bool:
    """Return whether any session waits for a lock."""
    return bool(session.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall())
