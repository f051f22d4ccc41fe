"""The sandbox's orders database: its tables, the roles to be given, people's accounts, and a look at it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, LiteralString
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

NAME = "orders"
BOT = "rotakey"
TABLES: LiteralString = """
CREATE TABLE IF NOT EXISTS orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer text NOT NULL,
  state text NOT NULL DEFAULT 'new',
  cents bigint NOT NULL CHECK (cents > 0),
  placed_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO orders (customer, state, cents)
  SELECT 'customer ' || n, (ARRAY['new', 'paid', 'stuck'])[1 + n % 3], 1000 + 37 * n
  FROM generate_series(1, 30) AS n WHERE NOT EXISTS (SELECT 1 FROM orders);
"""
MAY: Mapping[str, LiteralString] = {
    "orders_ro": "GRANT SELECT ON orders TO {}",
    "orders_rw": "GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO {}",
    "migrator": "GRANT ALL ON SCHEMA public TO {}",
}
MEMBERS: LiteralString = """
SELECT r.rolname, m.rolname, g.rolname
FROM pg_roles r
LEFT JOIN pg_auth_members a ON a.roleid = r.oid AND a.member <> to_regrole('rotakey')
LEFT JOIN pg_roles m ON m.oid = a.member
LEFT JOIN pg_roles g ON g.oid = a.grantor
WHERE r.rolname = ANY(%s) ORDER BY 1, 2
"""
SESSIONS: LiteralString = """
SELECT usename, count(*) FROM pg_stat_activity
WHERE usename = ANY(%s) AND backend_type = 'client backend' GROUP BY 1 ORDER BY 1
"""
Json = dict[str, Any]


def prepare(admin_url: str, *, logins: Iterable[str], roles: Iterable[str]) -> Database:
    """Make everything that is not there yet. The bot's role is no superuser: it has just what the README
    tells administrators to give it, and a new password at each start."""
    logins, roles = sorted(logins), sorted(roles)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,)).fetchone():
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))
    orders_url = _at(admin_url, NAME)
    with psycopg.connect(orders_url) as admin:
        admin.execute(TABLES)
        for role in roles:
            _role(admin, role, "NOLOGIN")
            admin.execute(sql.SQL(MAY.get(role, "GRANT SELECT ON orders TO {}")).format(sql.Identifier(role)))
        passwords = {login: secrets.token_urlsafe(18) for login in (*logins, BOT)}
        for login, password in passwords.items():
            _role(admin, login, "LOGIN")
            admin.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(login), sql.Literal(password))
            )
        for role in roles:
            admin.execute(
                sql.SQL("GRANT {} TO {} WITH ADMIN OPTION, INHERIT FALSE, SET FALSE").format(
                    sql.Identifier(role), sql.Identifier(BOT)
                )
            )
        admin.execute(sql.SQL("GRANT pg_signal_backend TO {}").format(sql.Identifier(BOT)))
    return Database(orders_url, passwords, logins, roles)


def _role(admin: psycopg.Connection[Any], name: str, kind: LiteralString) -> None:
    if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone():
        admin.execute(sql.SQL("CREATE ROLE {} " + kind).format(sql.Identifier(name)))


def _at(url: str, database: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{quote(database, safe='')}"))


class Database:
    """The orders database, looked at as its administrator."""

    def __init__(
        self, admin_url: str, passwords: Mapping[str, str], logins: list[str], roles: list[str]
    ) -> None:
        self.admin_url = admin_url
        self._passwords = passwords
        self._logins = logins
        self._roles = roles
        self._looking = threading.Lock()
        self._eye: psycopg.Connection[Any] | None = None

    def url_for(self, login: str) -> str:
        """For whoever wants to log in as that person."""
        parts = urlsplit(self.admin_url)
        who = f"{quote(login, safe='')}:{quote(self._passwords[login], safe='')}"
        return urlunsplit(parts._replace(netloc=f"{who}@{parts.netloc.rpartition('@')[2]}"))

    @property
    def bot_url(self) -> str:
        return self.url_for(BOT)

    def state(self) -> Json:
        """Roles with their members, and open sessions, as PostgreSQL tells them at this moment."""
        try:
            with self._looking:
                return self._state(self._open_eye())
        except psycopg.Error as error:
            self._eye = None
            said = str(error).strip().splitlines() or ["PostgreSQL does not answer"]
            return {"name": "orders-db", "at": time.time(), "roles": [], "sessions": [], "error": said[0]}

    def close(self) -> None:
        if self._eye:
            self._eye.close()

    def _open_eye(self) -> psycopg.Connection[Any]:
        if self._eye is None or self._eye.closed:
            self._eye = psycopg.connect(
                self.admin_url, autocommit=True, connect_timeout=2, application_name="sandbox page"
            )
        return self._eye

    def _state(self, eye: psycopg.Connection[Any]) -> Json:
        members: dict[str, list[Json]] = {role: [] for role in self._roles}
        for role, member, grantor in eye.execute(MEMBERS, (self._roles,)):
            if member:
                members[role].append({"account": member, "grantor": grantor})
        sessions = eye.execute(SESSIONS, (self._logins,)).fetchall()
        return {
            "name": "orders-db",
            "at": time.time(),
            "roles": [{"role": role, "members": held} for role, held in members.items()],
            "sessions": [{"account": account, "count": count} for account, count in sessions],
            "error": None,
        }
