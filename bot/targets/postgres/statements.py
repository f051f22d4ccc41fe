"""The SQL that is sent to PostgreSQL. psycopg quotes names; nothing is put together from text."""

from __future__ import annotations

import re
from collections.abc import Collection

from psycopg import sql

from bot.targets.postgres.troubles import PASSED, RENAMED

ONE_ROW_PER_GRANTOR = 160_000
"""The first version in which each grantor has a membership row with options; before, all share one."""


def server(mark: sql.Composable | None = None) -> sql.Composed:
    """Return one row, as in ``Server``. ``mark`` is the start of the text of a grant of ours that is still
    running. The timeline is that of the WAL that is being written, because the one in the control file stays
    as it was until the first checkpoint after a failover. The position is the one that no crash can lose.
    Aurora, which has no WAL of its own, refuses to tell it."""
    at_work = sql.SQL(
        "EXISTS (SELECT FROM pg_stat_activity AS other WHERE other.usesysid = me.oid"
        " AND other.pid <> pg_backend_pid() AND other.state = 'active' AND starts_with(other.query, {}))"
    )
    return sql.SQL(
        """
        SELECT extract(epoch FROM clock_timestamp())::float8, me.oid::int8, me.rolname, me.rolsuper,
            pg_is_in_recovery(), (SELECT system_identifier::text FROM pg_control_system()),
            extract(epoch FROM pg_postmaster_start_time())::text,
            (SELECT timeline_id::text FROM pg_control_checkpoint()),
            CASE WHEN NOT pg_is_in_recovery() AND to_regproc('aurora_version') IS NULL THEN
                ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::int::text END,
            CASE WHEN NOT pg_is_in_recovery() AND to_regproc('aurora_version') IS NULL THEN
                (pg_current_wal_flush_lsn() - '0/0')::int8 END,
            current_setting('synchronous_standby_names') <> '',
            pg_has_role(me.oid, 'pg_signal_backend', 'USAGE'), {at_work}
        FROM pg_roles AS me WHERE me.rolname = current_user
        """
    ).format(at_work=at_work.format(mark.as_string()) if mark else sql.SQL("false"))


def roles(names: Collection[str], oids: Collection[int], version: int) -> sql.Composed:
    """Return oid, name, whether it is a superuser and whether we may grant it; for the names and oids that
    exist."""
    may_grant = (
        "EXISTS (SELECT FROM pg_auth_members AS a"
        " WHERE a.roleid = r.oid AND a.member = me.oid AND a.admin_option)"
    )
    if version < ONE_ROW_PER_GRANTOR:
        may_grant = f"({may_grant} OR me.rolcreaterole)"
    return sql.SQL(
        "SELECT r.oid::int8, r.rolname, r.rolsuper, {may_grant} FROM pg_roles AS r"
        " JOIN pg_roles AS me ON me.rolname = current_user WHERE {named}"
    ).format(may_grant=sql.SQL(may_grant), named=_matching("r", names, oids))


def memberships(
    role: str, account: str, roles: Collection[int], accounts: Collection[int], version: int
) -> sql.Composed:
    """Return role, member, grantor, the grantor's name (null if it was dropped) and whether it is usable, for
    those found by name or oid. Our own membership, which lets us grant it, is left out."""
    return sql.SQL(
        """
        SELECT m.roleid::int8, m.member::int8, m.grantor::int8, grantor.rolname, {usable}
        FROM pg_auth_members AS m
        LEFT JOIN pg_roles AS grantor ON grantor.oid = m.grantor
        WHERE m.roleid IN (SELECT r.oid FROM pg_roles AS r WHERE {roles})
            AND m.member IN (SELECT a.oid FROM pg_roles AS a WHERE {accounts} AND a.rolname <> current_user)
        """
    ).format(
        usable=_usable(version),
        roles=_matching("r", [role], roles),
        accounts=_matching("a", [account], accounts),
    )


def members(role: str, version: int) -> sql.Composed:
    """Return each account that has the role, and whether we granted it. Our own membership, which lets us
    grant it, is left out."""
    return sql.SQL(
        """
        SELECT member.rolname, bool_or(m.grantor = me.oid)
        FROM pg_auth_members AS m
        JOIN pg_roles AS role ON role.oid = m.roleid AND role.rolname = {role}
        JOIN pg_roles AS me ON me.rolname = current_user
        JOIN pg_roles AS member ON member.oid = m.member AND member.oid <> me.oid
        WHERE m.grantor = me.oid OR {usable}
        GROUP BY member.rolname ORDER BY member.rolname
        """
    ).format(role=role, usable=_usable(version))


def reached_through(accounts: Collection[str], roles: Collection[str], version: int) -> sql.Composed:
    """Return account and member, for each member that can use the privileges of an account that is named, or
    that we granted one of the roles."""
    return sql.SQL(
        """
        SELECT account.rolname, member.rolname
        FROM pg_auth_members AS m
        JOIN pg_roles AS account ON account.oid = m.roleid
        JOIN pg_roles AS member ON member.oid = m.member
        WHERE {usable} AND (account.rolname = ANY({accounts}::text[]) OR EXISTS (
            SELECT FROM pg_auth_members AS held
            JOIN pg_roles AS role ON role.oid = held.roleid AND role.rolname = ANY({roles}::text[])
            JOIN pg_roles AS me ON me.oid = held.grantor AND me.rolname = current_user
            WHERE held.member = account.oid
        ))
        GROUP BY account.rolname, member.rolname ORDER BY account.rolname, member.rolname
        """
    ).format(accounts=list(accounts), roles=list(roles), usable=_usable(version))


# ------------------------------------------------------------------------------------------ changes


def grant_mark(key: str) -> sql.SQL:
    """Return a comment that names a hold, by which a grant that is still at work is found."""
    return sql.SQL("/* rotakey grant " + re.sub(r"[^\w./-]", "", key) + " */ ")


def grant(account: str, role: str, version: int) -> sql.Composed:
    options = " WITH ADMIN FALSE, INHERIT TRUE, SET TRUE" if version >= ONE_ROW_PER_GRANTOR else ""
    return _membership("GRANT {role} TO {account}" + options + " GRANTED BY {grantor}", account, role, None)


def disable(account: str, role: str, grantor: str | None) -> sql.Composed:
    """Leave a membership that is not usable, as a mark that the revocation is not finished. PostgreSQL 16 and
    later. ``grantor`` None: ourselves."""
    no_admin = "REVOKE ADMIN OPTION FOR {role} FROM {account} GRANTED BY {grantor} CASCADE"
    no_use = "GRANT {role} TO {account} WITH INHERIT FALSE, SET FALSE GRANTED BY {grantor}"
    return _membership(f"{no_admin}; {no_use}", account, role, grantor)


def revoke(account: str, role: str, grantor: str | None) -> sql.Composed:
    return _membership("REVOKE {role} FROM {account} GRANTED BY {grantor} CASCADE", account, role, grantor)


def fence(moment: float) -> sql.Composed:
    """Fail, and with it the transaction, from that moment on by the server's clock (epoch seconds)."""
    passed = sql.SQL("extract(epoch FROM clock_timestamp()) >= {}").format(moment)
    return _refuse_if(passed, PASSED)


def must_be_there(role: int, member: int) -> sql.Composed:
    """Fail, and with it the transaction, if the names that were just used now belong to other roles."""
    return _refuse_if(sql.SQL("NOT ") + _row_exists(role, member), RENAMED)


def must_be_gone(role: int, member: int, grantor: int, version: int, *, usable: bool = False) -> sql.Composed:
    """Fail, and with it the transaction, if the membership is still there. ``usable``: one that is not usable
    may remain."""
    more = sql.SQL(" AND m.grantor = {}::oid").format(grantor)
    if usable:
        more += sql.SQL(" AND ") + _usable(version)
    return _refuse_if(_row_exists(role, member, more), RENAMED)


CONFIRMATION = sql.SQL(
    """
    DO $$ BEGIN
        IF current_setting('synchronous_commit') IN ('off', 'local') THEN
            PERFORM set_config('synchronous_commit', 'on', true);
        END IF;
        PERFORM pg_logical_emit_message(true, 'rotakey', '');
        COMMIT;
    END $$
    """
)
"""Commits a message that nobody reads, and waits until the synchronous standbys have it. statement_timeout
does not bound the commit at the end of a statement, but it does bound one inside a block. If it is cancelled,
it ends with a warning, and the message is committed here all the same."""


# ----------------------------------------------------------------------------------------- sessions

STARTING = sql.SQL(
    "SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_database'::regclass"
    " AND mode = 'RowExclusiveLock' AND granted"
)
"""Every session holds this lock while it is starting, from after its password was checked."""


def sessions(account: int, pids: Collection[int]) -> sql.Composed:
    """Return each pid, and whether it is the account's, for all sessions of the account and all pids
    named."""
    return sql.SQL(
        "SELECT pid, usesysid = {account}::oid FROM pg_stat_activity"
        " WHERE usesysid IS NOT NULL AND (usesysid = {account}::oid OR pid = ANY({pids}::int[]))"
    ).format(account=account, pids=sorted(pids))


def end_sessions(account: int, pids: Collection[int]) -> sql.Composed:
    return sql.SQL(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usesysid = {account}::oid AND pid = ANY({pids}::int[])"
    ).format(account=account, pids=sorted(pids))


def end_starting(pid: int) -> sql.Composed:
    return sql.SQL("SELECT pg_terminate_backend({})").format(pid)


def _matching(table: str, names: Collection[str], oids: Collection[int]) -> sql.Composed:
    return sql.SQL("({table}.rolname = ANY({names}::text[]) OR {table}.oid = ANY({oids}::int8[]))").format(
        table=sql.Identifier(table), names=list(names), oids=sorted(oids)
    )


def _usable(version: int) -> sql.SQL:
    return sql.SQL("(m.inherit_option OR m.set_option)" if version >= ONE_ROW_PER_GRANTOR else "true")


def _row_exists(role: int, member: int, more: sql.Composable | None = None) -> sql.Composed:
    start = "EXISTS (SELECT FROM pg_auth_members AS m WHERE m.roleid = {}::oid AND m.member = {}::oid"
    return sql.SQL(start).format(role, member) + (more or sql.SQL("")) + sql.SQL(")")


def _refuse_if(wrong: sql.Composable, reason: str) -> sql.Composed:
    return sql.SQL(
        "SELECT set_config('statement_timeout',"
        " CASE WHEN {wrong} THEN {reason} ELSE current_setting('statement_timeout') END, true)"
    ).format(wrong=wrong, reason=reason)


def _membership(statement: str, account: str, role: str, grantor: str | None) -> sql.Composed:
    by = sql.Identifier(grantor) if grantor is not None else sql.SQL("CURRENT_USER")
    return sql.SQL(statement).format(account=sql.Identifier(account), role=sql.Identifier(role), grantor=by)
