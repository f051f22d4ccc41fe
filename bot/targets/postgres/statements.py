"""What is asked of PostgreSQL. Names are quoted by psycopg; nothing is put together from text."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from bot.targets.postgres.troubles import PASSED

ONE_ROW_PER_GRANTOR = 160_000
"""From PostgreSQL 16 on each grantor has a membership of their own, with options; before, all share one."""

OURS = sql.SQL("(m.grantor = me.oid AND NOT me.rolsuper)")
"""All that superusers grant counts as the first superuser's: to a bot that is one, nothing is ours."""


def look(account: str, role: str, version: int) -> sql.Composed:
    """One row: see ``Look``."""
    return sql.SQL(
        """
        SELECT extract(epoch FROM clock_timestamp())::float8, me.rolname, me.rolsuper, {may_give},
            pg_has_role(me.oid, 'pg_signal_backend', 'USAGE'), account.oid::int8, account.rolsuper,
            role.oid::int8,
            coalesce(bool_or({ours}), false), coalesce(bool_or(NOT {ours} AND {usable}), false)
        FROM pg_roles AS me
        LEFT JOIN pg_roles AS account ON account.rolname = {account}
        LEFT JOIN pg_roles AS role ON role.rolname = {role}
        LEFT JOIN pg_auth_members AS m ON m.roleid = role.oid AND m.member = account.oid
        WHERE me.rolname = current_user
        GROUP BY me.oid, me.rolname, me.rolsuper, me.rolcreaterole,
            account.oid, account.rolsuper, role.oid
        """
    ).format(
        account=account,
        role=role,
        ours=OURS,
        usable=_usable(version),
        may_give=sql.SQL(
            "EXISTS (SELECT FROM pg_auth_members AS a"
            " WHERE a.roleid = role.oid AND a.member = me.oid AND a.admin_option)"
        )
        + sql.SQL("" if version >= ONE_ROW_PER_GRANTOR else " OR me.rolcreaterole"),
    )


def members(role: str, version: int) -> sql.Composed:
    """Account, and whether its membership is of our making. Our own, which lets us give it, is left out."""
    return sql.SQL(
        """
        SELECT member.rolname, bool_or({ours})
        FROM pg_auth_members AS m
        JOIN pg_roles AS role ON role.oid = m.roleid AND role.rolname = {role}
        JOIN pg_roles AS me ON me.rolname = current_user
        JOIN pg_roles AS member ON member.oid = m.member AND member.oid <> me.oid
        WHERE {ours} OR {usable}
        GROUP BY member.rolname ORDER BY member.rolname
        """
    ).format(role=role, ours=OURS, usable=_usable(version))


def fence(moment: float) -> sql.Composed:
    """Fails, and its transaction with it, from that moment on by the server's clock (epoch seconds)."""
    return sql.SQL(
        "SELECT set_config('statement_timeout', CASE WHEN extract(epoch FROM clock_timestamp()) < {moment}"
        " THEN current_setting('statement_timeout') ELSE {passed} END, true)"
    ).format(moment=moment, passed=PASSED)


def grant(account: str, role: str, version: int) -> sql.Composed:
    options = " WITH ADMIN FALSE, INHERIT TRUE, SET TRUE" if version >= ONE_ROW_PER_GRANTOR else ""
    return _membership("GRANT {role} TO {account}" + options + " GRANTED BY CURRENT_USER", account, role)


def disable(account: str, role: str) -> sql.Composed:
    """Leaves a membership that is of no use, as a mark that we are not done. PostgreSQL 16 and later."""
    no_admin = "REVOKE ADMIN OPTION FOR {role} FROM {account} GRANTED BY CURRENT_USER CASCADE"
    no_use = "GRANT {role} TO {account} WITH INHERIT FALSE, SET FALSE GRANTED BY CURRENT_USER"
    return _membership(f"{no_admin}; {no_use}", account, role)


def revoke(account: str, role: str) -> sql.Composed:
    return _membership("REVOKE {role} FROM {account} GRANTED BY CURRENT_USER CASCADE", account, role)


STARTING = sql.SQL(
    "SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_database'::regclass"
    " AND mode = 'RowExclusiveLock' AND granted"
)
"""Every session holds this lock while it is starting, from after its password was checked."""


def sessions(account: int, pids: Sequence[int]) -> sql.Composed:
    """Pid, and whether it is the account's: of all that are the account's, and of those named."""
    return sql.SQL(
        "SELECT pid, usesysid = {account} FROM pg_stat_activity"
        " WHERE usesysid IS NOT NULL AND (usesysid = {account} OR pid = ANY({pids}::int[]))"
    ).format(account=account, pids=list(pids))


def end_sessions(account: int, pids: Sequence[int]) -> sql.Composed:
    return sql.SQL(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usesysid = {account} AND pid = ANY({pids}::int[])"
    ).format(account=account, pids=list(pids))


def end_starting(pid: int) -> sql.Composed:
    return sql.SQL("SELECT pg_terminate_backend({})").format(pid)


def _usable(version: int) -> sql.SQL:
    return sql.SQL("(m.inherit_option OR m.set_option)" if version >= ONE_ROW_PER_GRANTOR else "true")


def _membership(statement: str, account: str, role: str) -> sql.Composed:
    return sql.SQL(statement).format(account=sql.Identifier(account), role=sql.Identifier(role))
