"""The database that the sandbox grants access to: Example Co's orders, and who may do what there."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg import sql

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.ports.deadline import Deadline
from bot.sandbox.stack.servers import Postgres
from bot.sandbox.stack.system import Json, Wanted
from bot.targets.postgres.connections import Connections

FOLDER = "postgres"
DATABASE = "orders"
BOT = "rotakey"
LOGINS = ("ada", "bob", "carol", "dan")
PRIVILEGES = {
    "orders_ro": "SELECT ON ALL TABLES IN SCHEMA public",
    "orders_rw": "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public",
    "migrator": "CREATE, USAGE ON SCHEMA public",
}
LEAST = PRIVILEGES["orders_ro"]
READ_WITHIN = 2.0

TABLES = """
CREATE TABLE IF NOT EXISTS customers (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    id int PRIMARY KEY, customer int NOT NULL REFERENCES customers, item text NOT NULL, state text NOT NULL
);
INSERT INTO customers VALUES (1, 'Miller & Sons'), (2, 'Okafor Trading'), (3, 'Studio Lind')
    ON CONFLICT DO NOTHING;
INSERT INTO orders VALUES (1001, 1, '40 m of rope', 'shipped'), (1002, 2, '12 lanterns', 'stuck'),
    (1003, 3, '1 loom', 'stuck'), (1004, 1, '3 anchors', 'paid') ON CONFLICT DO NOTHING;
"""


class DatabaseView:
    """Roles, their members and open sessions, as the database has them. It reconnects automatically and never
    raises."""

    def __init__(self, url: str, name: str) -> None:
        self._connections = Connections(name, url)
        self._last: Json = {
            "name": name,
            "kind": "postgres",
            "at": 0.0,
            "roles": [],
            "sessions": [],
            "error": None,
        }

    def state(self) -> Json:
        """Return the present state; if it cannot be read, the state as last read, and why not."""
        try:
            with self._connections.borrow(Deadline.after(READ_WITHIN)) as connection:
                [[(at,)], roles, members, sessions] = connection.ask(CLOCK, ROLES, MEMBERS, SESSIONS)
        except (TemporaryFailure, PermanentFailure) as failure:
            return {**self._last, "error": str(failure)}
        inside: dict[str, list[Json]] = {role: [] for (role,) in roles}
        for role, account, grantor in members:
            inside[role].append({"account": account, "grantor": grantor})
        self._last = {
            **self._last,
            "at": at,
            "roles": [{"role": role, "members": accounts} for role, accounts in inside.items()],
            "sessions": [{"account": account, "count": count} for account, count in sessions],
        }
        return self._last

    def close(self) -> None:
        self._connections.close()


@dataclass(frozen=True, kw_only=True)
class OrdersDatabase:
    """The database once it is prepared: the URLs of the superuser and of the bot, everybody's by account, and
    a view from outside the bot."""

    url: str = field(repr=False)
    bot_url: str = field(repr=False)
    logins: Mapping[str, str] = field(repr=False)
    view: DatabaseView


@dataclass(frozen=True, kw_only=True)
class Orders:
    """The database on a server of its own. Implements System."""

    server: Postgres
    database: OrdersDatabase

    @property
    def values(self) -> Mapping[str, str]:
        return dict.fromkeys(("url", "replicas"), self.database.bot_url)

    @property
    def secrets(self) -> frozenset[str]:
        urls = (self.database.url, self.database.bot_url, *self.database.logins.values())
        return frozenset(str(urlsplit(url).password) for url in urls)

    def state(self) -> Json:
        return self.database.view.state()


@contextmanager
def run_orders(data: Path, wanted: Wanted) -> Iterator[Orders]:
    with Postgres(data / FOLDER) as server:
        database = prepare(server.url, logins=wanted.accounts, roles=wanted.roles, name=wanted.target)
        with closing(database.view):
            yield Orders(server=server, database=database)


def remove_orders(data: Path) -> None:
    """Remove the data, and what is kept elsewhere because another account needs it."""
    Postgres(data / FOLDER).remove()


def prepare(
    url: str,
    *,
    logins: Iterable[str] = LOGINS,
    roles: Iterable[str] = tuple(PRIVILEGES),
    name: str = "orders-db",
) -> OrdersDatabase:
    """Prepare the database; idempotent. ``url`` is a superuser's; ``name`` is the target's. Passwords are
    derived from the superuser's, so they are the same each time."""
    secret = unquote(urlsplit(url).password or "").encode()
    here = _at(url, database=DATABASE)
    accounts = {
        each: hmac.new(secret, each.encode(), hashlib.sha256).hexdigest()[:32] for each in (*logins, BOT)
    }
    with psycopg.connect(url, autocommit=True) as server:
        if not server.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).fetchall():
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    with psycopg.connect(here) as connection:
        connection.execute(TABLES)
        for role in roles:
            if not _exists(connection, role):
                connection.execute(_statement("CREATE ROLE {role} NOLOGIN", role=role))
            privileges = sql.SQL(PRIVILEGES.get(role, LEAST))
            connection.execute(sql.SQL("GRANT {} TO {}").format(privileges, sql.Identifier(role)))
        for account, password in accounts.items():
            verb = "ALTER" if _exists(connection, account) else "CREATE"
            statement = sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}")
            connection.execute(statement.format(sql.Identifier(account), password))
        for role in roles:
            connection.execute(_statement(MAY_GIVE, role=role, bot=BOT))
        connection.execute(_statement(MAY_END_SESSIONS, bot=BOT))
    urls = {each: _at(here, user=each, password=password) for each, password in accounts.items()}
    return OrdersDatabase(url=here, bot_url=urls.pop(BOT), logins=urls, view=DatabaseView(here, name))


MAY_GIVE = "GRANT {role} TO {bot} WITH ADMIN OPTION, INHERIT FALSE, SET FALSE"
MAY_END_SESSIONS = "GRANT pg_signal_backend TO {bot}"

CLOCK = sql.SQL("SELECT extract(epoch FROM clock_timestamp())::float8")
ROLES = sql.SQL(r"SELECT rolname FROM pg_roles WHERE NOT rolcanlogin AND rolname !~ '^pg_' ORDER BY rolname")
MEMBERS = sql.SQL(
    "SELECT role.rolname, member.rolname, grantor.rolname FROM pg_auth_members AS m"
    " JOIN pg_roles AS role ON role.oid = m.roleid AND NOT role.rolcanlogin AND role.rolname !~ '^pg_'"
    " JOIN pg_roles AS member ON member.oid = m.member JOIN pg_roles AS grantor ON grantor.oid = m.grantor"
    " WHERE m.inherit_option OR m.set_option ORDER BY member.rolname, grantor.rolname"
)
SESSIONS = sql.SQL(
    "SELECT usename, count(*) FROM pg_stat_activity JOIN pg_roles ON rolname = usename"
    " WHERE NOT rolsuper AND usename <> {} GROUP BY usename ORDER BY usename"
).format(BOT)


def _exists(connection: psycopg.Connection[Any], role: str) -> bool:
    return bool(connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchall())


def _statement(statement: str, **names: str) -> sql.Composed:
    return sql.SQL(statement).format(**{each: sql.Identifier(name) for each, name in names.items()})


def _at(url: str, *, database: str = "", user: str = "", password: str = "") -> str:
    parts = urlsplit(url)
    _, _, where = parts.netloc.rpartition("@")
    who = f"{quote(user, safe='')}:{password}" if user else parts.netloc.rpartition("@")[0]
    path = f"/{quote(database, safe='')}" if database else parts.path
    return parts._replace(netloc=f"{who}@{where}", path=path).geturl()
