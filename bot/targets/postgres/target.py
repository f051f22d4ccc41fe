"""Membership in a PostgreSQL role, granted and revoked.

An administrator makes the bot's own role once (before PostgreSQL 16 without INHERIT and SET)::

    CREATE ROLE rotakey LOGIN PASSWORD '...';
    GRANT orders_rw TO rotakey WITH ADMIN OPTION, INHERIT FALSE, SET FALSE;
    GRANT pg_signal_backend TO rotakey;

A membership is ours if our login granted it, or if a receipt names it: role, account and grantor by oid,
which stay what they are when any of them is renamed, replaced or dropped. Access that an account has through
another role does not count: only direct membership is looked at. Before PostgreSQL 16 all grantors share one
membership: what an administrator grants while ours is there changes nothing, and ends with ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, TypeVar

from psycopg import sql

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Hold, Presence, Receipt, Seen
from bot.ports.deadline import Deadline
from bot.ports.target import Abilities, Holder, Holders
from bot.targets.postgres import receipts as kept
from bot.targets.postgres import statements
from bot.targets.postgres.connections import Connection, Connections
from bot.targets.postgres.look import Look, Pair, Server, look_at, unfit
from bot.targets.postgres.refusals import grantable, quote, refuse_server, why_elsewhere
from bot.targets.postgres.replicas import Replica, share
from bot.targets.postgres.revocation import Revocation
from bot.targets.postgres.sight import Sight
from bot.upstream import short_retries, time_left

LONGEST_FENCE = 60.0
T = TypeVar("T")


class Postgres:
    """A PostgreSQL server. Implements Target. ``sessions``: all sessions of an account end with its access. A
    session that has used ``SET ROLE`` outlives a REVOKE, and looks like any other. ``replicas`` are the urls
    of standby servers where sessions end, too; they must accept the bot's login."""

    def __init__(
        self,
        name: str,
        url: str,
        sessions: Literal["end", "keep"] = "end",
        replicas: Sequence[str] = (),
    ) -> None:
        self.name = name
        self._ends_sessions = sessions == "end"
        self._connections = Connections(name, url)
        self._replicas = tuple(Replica(name, each) for each in replicas) if self._ends_sessions else ()

    def __repr__(self) -> str:
        return f"Postgres({self.name!r})"

    @property
    def abilities(self) -> Abilities:
        return Abilities(marks=True, keeps_end=False, ends_sessions=self._ends_sessions)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._connections.close()
        for replica in self._replicas:
            replica.close()

    def prepare(self, hold: Hold, not_after: Deadline) -> Receipt:
        """Look once, and return the oids that a grant would have."""
        pair = self._pair(hold)

        def once(connection: Connection) -> Receipt:
            look = self._look(connection, pair)
            oids = (look.role.oid if look.role else 0, look.account.oid if look.account else 0)
            role, account = grantable(self.name, look, *oids, ends_sessions=self._ends_sessions)
            return kept.receipt_for(look, role.oid, account.oid, look.server.me)

        return self._call(once, not_after)

    def grant(
        self,
        hold: Hold,
        receipts: Sequence[Receipt],
        until: datetime | None,  # noqa: ARG002 -- PostgreSQL keeps no end
        not_after: Deadline,
    ) -> Receipt:
        """Grant before ``not_after``. It becomes a moment on the server's clock, which the server itself
        checks after the GRANT, in the same message and transaction: so no pause of ours can make the grant
        late."""
        pair, last = self._pair(hold), receipts[-1]

        def once(connection: Connection) -> Receipt:
            look = self._look(connection, pair, [last])
            moment = look.server.at + min(time_left(connection.deadline, self.name), LONGEST_FENCE)
            if kept.is_elsewhere(look, [last]):
                raise PermanentFailure(why_elsewhere(self.name, look, [last]))
            prepared = kept.prepared_pair(look, last)
            if look.role and look.account and not all(look.of_oid(each) for each in prepared):
                raise TemporaryFailure(f"{self.name}: a role was replaced after this was prepared")
            role, account = grantable(self.name, look, *prepared, ends_sessions=self._ends_sessions)
            connection.change(
                statements.grant(account.name, role.name, look.version),
                statements.must_be_there(role.oid, account.oid),
                statements.fence(moment),
                mark=statements.grant_mark(hold.key),
            )
            return kept.completed_receipt(look, last, role.oid, account.oid)

        return self._call(once, not_after)

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        """Revoke our grant and all that depends on it. From PostgreSQL 16 on, sessions end before the
        membership is gone, so that an interrupted revocation shows in what is still there."""
        if unfit(hold.account) or unfit(hold.entitlement["role"]):
            return
        pair = self._pair(hold)

        def once(connection: Connection) -> None:
            look = self._look(connection, pair, receipts)
            Revocation(
                name=self.name,
                connection=connection,
                look=look,
                named=kept.named_here(look, receipts),
                ends_sessions=self._ends_sessions,
                replicas=self._replicas,
            ).run()

        self._call(once, deadline)

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        """Look. A superuser shows THEIRS, because it has every role. Ours counts until it is wholly
        revoked."""
        pair = self._pair(hold)
        mark = statements.grant_mark(hold.key) if receipts else None

        def once(connection: Connection) -> Seen:
            look = self._look(connection, pair, receipts, mark)
            if kept.is_elsewhere(look, receipts):
                return Seen(
                    presence=Presence.ELSEWHERE,
                    system=look.server.system,
                    position=look.server.position,
                    receipts=tuple(receipts),
                    why=why_elsewhere(self.name, look, receipts),
                )
            return Sight(
                connection=connection,
                look=look,
                receipts=tuple(receipts),
                named=kept.named_here(look, receipts),
                ends_sessions=self._ends_sessions,
                replicas=self._replicas,
            ).judge()

        return self._call(once, deadline)

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:
        """Return all direct members except the bot itself."""
        role = self._fit(entitlement["role"], "role")

        def once(connection: Connection) -> Holders:
            version = connection.info.server_version
            [[row], rows] = connection.ask(statements.server(), statements.members(role, version))
            server = Server(*row)
            refuse_server(self.name, server, role, version, ends_sessions=self._ends_sessions)
            found = tuple(
                Holder(account=account, presence=Presence.OURS if ours else Presence.THEIRS)
                for account, ours in rows
            )
            return Holders(holders=found, system=server.system)

        return self._call(once, deadline)

    def ready(self, hold: Hold, deadline: Deadline) -> None:
        """Prepare, which changes nothing."""
        self.prepare(hold, deadline)

    def warnings(
        self, gives: Sequence[Entitlement], accounts: Sequence[str], deadline: Deadline
    ) -> tuple[str, ...]:
        """Return what an administrator should know, each with what to do: who else can use these accounts and
        those that have what we give; and replicas that cannot be reached. Not part of the port."""
        roles = [role for each in gives if not unfit(role := each["role"])]
        known = [account for account in accounts if not unfit(account)]

        def once(connection: Connection) -> tuple[str, ...]:
            reached = statements.reached_through(known, roles, connection.info.server_version)
            [[server], rows] = connection.ask(statements.server(), reached)
            found = [
                f"{quote(member)} can use everything that the account {quote(account)} is granted: run"
                f" REVOKE {quote(account)} FROM {quote(member)};"
                for account, member in rows
            ]
            system = Server(*server).identifier
            for place, replica in enumerate(self._replicas):
                try:
                    replica.ready(system, share(deadline, self._replicas[place:]))
                except (TemporaryFailure, PermanentFailure) as failure:
                    found.append(f"sessions at {replica.where} cannot be ended: {failure}")
            return tuple(found)

        return self._call(once, deadline)

    def _look(
        self,
        connection: Connection,
        pair: Pair,
        receipts: Sequence[Receipt] = (),
        mark: sql.Composable | None = None,
    ) -> Look:
        """Look at the pair. Raise if nothing can be done over this connection."""
        roles = kept.oids(receipts, "role", "grantor")
        look = look_at(connection, pair, roles, kept.oids(receipts, "member"), mark)
        refuse_server(self.name, look.server, pair.role, look.version, ends_sessions=self._ends_sessions)
        return look

    def _call(self, call: Callable[[Connection], T], deadline: Deadline) -> T:
        def once() -> T:
            with self._connections.borrow(deadline) as connection:
                return call(connection)

        return short_retries(once, deadline)

    def _pair(self, hold: Hold) -> Pair:
        return Pair(
            role=self._fit(hold.entitlement["role"], "role"), account=self._fit(hold.account, "account")
        )

    def _fit(self, name: str, what: str) -> str:
        if reason := unfit(name):
            raise PermanentFailure(f"{self.name}: the {what} {name[:80]!r} {reason}")
        return name
