"""A fresh set of roles in a real PostgreSQL, for one test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

Session = psycopg.Connection[Any]


class Roles:
    """Roles of one test. Their names on the server are unique to it: ``roles["ada"]`` is Ada's. The bot may
    grant ``orders_rw``, and end sessions."""

    def __init__(self, url: str, admin: Session, stack: ExitStack) -> None:
        self._url = url
        self._stack = stack
        self._token = secrets.token_hex(4)
        self._made: list[str] = []
        self.admin = admin
        for account in ("ada", "bob", "carol", "rotakey"):
            self.login(account)
        self.create("orders_rw")
        self.run("GRANT {orders_rw} TO {rotakey} WITH ADMIN OPTION" + self.no_use)
        self.run("GRANT pg_signal_backend TO {rotakey}")

    def __getitem__(self, name: str) -> str:
        return f"{name} {self._token}"

    @property
    def version(self) -> int:
        return self.admin.info.server_version

    def at(self, url: str, admin: Session) -> Roles:
        """Return the same roles at another server that already has them."""
        other = copy(self)
        other.__dict__.update(_url=url, admin=admin, _made=list(self._made))
        return other

    def rename(self, name: str) -> None:
        """Rename a role. ``members`` still uses its first name; ``run`` knows it as ``{renamed name}``."""
        self._made.append(self[f"renamed {name}"])
        self.run("ALTER ROLE {" + name + "} RENAME TO {renamed " + name + "}")

    def create(self, name: str, options: str = "NOLOGIN") -> None:
        """Create a role. ``options`` are those of CREATE ROLE."""
        self._made.append(self[name])
        self.admin.execute(sql.SQL("CREATE ROLE {} " + options).format(sql.Identifier(self[name])))

    def login(self, name: str) -> None:
        self.create(name, "LOGIN PASSWORD 'open sesame'")

    def run(self, statement: str, by: Session | None = None) -> None:
        """Run a statement, as the administrator if nobody else is named; ``{ada}`` is Ada's account."""
        names = {name.rpartition(" ")[0]: sql.Identifier(name) for name in self._made}
        (by or self.admin).execute(sql.SQL(statement).format(**names))

    def url(self, name: str, database: str = "postgres") -> str:
        where = urlsplit(self._url).netloc.rpartition("@")[2]
        return f"postgresql://{quote(self[name])}:open%20sesame@{where}/{database}"

    def session(self, name: str, database: str = "postgres") -> Session:
        opened = psycopg.connect(self.url(name, database), autocommit=True)
        self._stack.callback(opened.close)
        return opened

    def oid(self, name: str) -> str:
        [(oid,)] = self.admin.execute("SELECT %s::regrole::oid::text", [f'"{self[name]}"']).fetchall()
        return str(oid)

    def members(self) -> dict[str, set[str]]:
        """Return the members of orders_rw, each with the grantors."""
        rows = self.admin.execute(
            "SELECT member::regrole::text, grantor::regrole::text FROM pg_auth_members"
            " JOIN pg_roles AS role ON role.oid = roleid JOIN pg_roles AS account ON account.oid = member"
            " WHERE role.rolname = ANY(%s) AND account.rolname <> %s",
            ([self["orders_rw"], self["renamed orders_rw"]], self["rotakey"]),
        ).fetchall()
        inside: dict[str, set[str]] = {}
        for member, grantor in rows:
            inside.setdefault(self._plain(member), set()).add(self._plain(grantor))
        return inside

    def drop(self) -> None:
        """Drop every role made here, and end what is open under it."""
        self.admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = ANY(%s)",
            (self._made,),
        )
        for name in reversed(self._made):
            self.admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))

    @property
    def no_use(self) -> str:
        """Return the options of a membership that only lets its member grant the role."""
        return ", INHERIT FALSE, SET FALSE" if self.version >= 160_000 else ""

    def _plain(self, name: str) -> str:
        return name.strip('"').removesuffix(f" {self._token}").removeprefix("renamed ")


@contextmanager
def fresh_roles(url: str, *, stays: bool = False) -> Iterator[Roles]:
    """Make the roles of one test. ``url`` is a superuser's. With ``stays`` nothing is dropped afterwards."""
    with psycopg.connect(url, autocommit=True) as admin, ExitStack() as stack:
        roles = Roles(url, admin, stack)
        if not stays:
            stack.callback(roles.drop)
        yield roles
