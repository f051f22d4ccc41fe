"""One look at the server: the server itself, the roles in question, and who is a member of which."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from psycopg import sql

from bot.core.holds import Position, System
from bot.targets.postgres import statements
from bot.targets.postgres.connections import Connection

LONGEST_NAME = 63


@dataclass(frozen=True)
class Pair:
    """A role and an account, by name."""

    role: str
    account: str


@dataclass(frozen=True)
class Server:
    """The server and our login. ``at`` is the server's clock in epoch seconds, ``me`` the oid of the bot's
    login. ``wal`` is the part of its WAL that is on disk, in bytes, and ``writes_timeline`` the timeline of
    that WAL; None if it does not tell. ``at_work``: an earlier grant of ours for the same hold is still
    running."""

    at: float
    me: int
    bot: str
    bot_is_superuser: bool
    in_recovery: bool
    identifier: str
    started: str
    timeline: str
    writes_timeline: str | None
    wal: int | None
    has_standbys: bool
    may_end_sessions: bool
    at_work: bool

    @property
    def system(self) -> System:
        return System(id=self.identifier, instance=self.started)

    @property
    def position(self) -> Position | None:
        if self.writes_timeline is None or self.wal is None:
            return None
        return Position(timeline=self.writes_timeline, at=self.wal)


@dataclass(frozen=True)
class Role:
    oid: int
    name: str
    is_superuser: bool
    may_grant: bool


@dataclass(frozen=True)
class Membership:
    """One row of a membership. ``by`` is the grantor's name; None if that role was dropped (PostgreSQL 15 and
    earlier)."""

    role: int
    member: int
    grantor: int
    by: str | None
    usable: bool


@dataclass(frozen=True, kw_only=True)
class Look:
    server: Server
    version: int
    pair: Pair
    roles: tuple[Role, ...]
    memberships: tuple[Membership, ...]

    @property
    def role(self) -> Role | None:
        """Return the role that has the hold's name now."""
        return self._role_by_name(self.pair.role)

    @property
    def account(self) -> Role | None:
        """Return the account that has the hold's name now."""
        return self._role_by_name(self.pair.account)

    def of_oid(self, oid: int) -> Role | None:
        return next((each for each in self.roles if each.oid == oid), None)

    def name_of(self, oid: int) -> str | None:
        found = self.of_oid(oid)
        return found.name if found else None

    def _role_by_name(self, name: str) -> Role | None:
        return next((each for each in self.roles if each.name == name), None)


def look_at(
    connection: Connection,
    pair: Pair,
    roles: Collection[int] = (),
    accounts: Collection[int] = (),
    mark: sql.Composable | None = None,
) -> Look:
    """Look for the pair by name, and for roles and accounts by oid. ``mark``: see ``Server.at_work``. It is
    read before the memberships, so that they show what a grant that ended in between has done."""
    version = connection.info.server_version
    [[server], found, memberships] = connection.ask(
        statements.server(mark),
        statements.roles([pair.role, pair.account], [*roles, *accounts], version),
        statements.memberships(pair.role, pair.account, roles, accounts, version),
    )
    return Look(
        server=Server(*server),
        version=version,
        pair=pair,
        roles=tuple(Role(*row) for row in found),
        memberships=tuple(Membership(*row) for row in memberships),
    )


def unfit(name: str) -> str:
    """Return why it cannot be a name, or None. PostgreSQL would cut a name that is too long."""
    if not name or not name.isprintable():
        return "is not a valid name: it is empty, or has unprintable characters; correct access.yaml"
    if len(name.encode()) > LONGEST_NAME:
        return f"is longer than the {LONGEST_NAME} bytes that PostgreSQL allows; correct access.yaml"
    return ""
