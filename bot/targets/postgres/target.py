"""Membership in a PostgreSQL role, given and taken back.

The bot's own role is made once, by an administrator (before PostgreSQL 16 without INHERIT and SET)::

    CREATE ROLE rotakey LOGIN PASSWORD '...';
    GRANT orders_rw TO rotakey WITH ADMIN OPTION, INHERIT FALSE, SET FALSE;
    GRANT pg_signal_backend TO rotakey;

Whose a membership is, its grantor tells. What an account has through another role does not count: only
direct membership is looked at, given and taken. Before PostgreSQL 16 all grantors share one membership:
what an administrator grants while ours is there changes nothing, and ends with ours.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure
from bot.core.holds import Hold, Presence
from bot.ports import Abilities, Deadline, Holder
from bot.targets.postgres import statements
from bot.targets.postgres.connections import Connection, Connections
from bot.targets.postgres.look import Look, Pair, look_at, unfit
from bot.targets.postgres.refusals import why_not_give, why_not_taken
from bot.targets.postgres.sessions import end_all
from bot.targets.postgres.troubles import NotAllowed
from bot.upstream import short_retries, time_left

LONGEST_FENCE = 60.0


class Postgres:
    """``sessions``: whether all sessions of an account end with its access. One that has used ``SET ROLE``
    outlives a REVOKE, and looks like any other."""

    def __init__(self, name: str, url: str, sessions: Literal["end", "keep"] = "end") -> None:
        self.name = name
        self._ends_sessions = sessions == "end"
        self._connections = Connections(name, url)

    def __repr__(self) -> str:
        return f"Postgres({self.name!r})"

    @property
    def abilities(self) -> Abilities:
        return Abilities(marks=True, keeps_end=False, ends_sessions=self._ends_sessions)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._connections.close()

    def give(self, hold: Hold, until: datetime | None, not_after: Deadline) -> None:  # noqa: ARG002 -- has no end
        """``not_after`` becomes a moment on the server's clock, which the server itself checks after the
        GRANT, in the same message and transaction: a pause of ours, wherever it falls, cannot give late."""
        pair = self._pair(hold)

        def once() -> None:
            with self._connections.borrowed(not_after) as connection:
                self._give(connection, pair, not_after)

        short_retries(once, not_after)

    def take(self, hold: Hold, deadline: Deadline) -> None:
        """What depends on our grant goes with it. Sessions end before the membership is gone, so that a
        take that was cut short is known by what is still there."""
        pair = Pair(hold.account, hold.entitlement["role"])
        if unfit(pair.account) or unfit(pair.role):
            return

        def once() -> None:
            with self._connections.borrowed(deadline) as connection:
                self._take(connection, pair)

        short_retries(once, deadline)

    def has(self, hold: Hold, deadline: Deadline) -> Presence:
        """THEIRS for a superuser, who has every access. Ours counts until it is wholly taken."""
        pair = self._pair(hold)

        def once() -> Presence:
            with self._connections.borrowed(deadline) as connection:
                return look_at(connection, pair).presence

        return short_retries(once, deadline)

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> tuple[Holder, ...]:
        """All direct members but the bot itself."""
        role = self._fit(entitlement["role"], "role")

        def once() -> tuple[Holder, ...]:
            with self._connections.borrowed(deadline) as connection:
                [rows] = connection.ask(statements.members(role, connection.info.server_version))
            return tuple(
                Holder(account=account, presence=Presence.OURS if ours else Presence.THEIRS)
                for account, ours in rows
            )

        return short_retries(once, deadline)

    def _give(self, connection: Connection, pair: Pair, not_after: Deadline) -> None:
        look = look_at(connection, pair)
        moment = look.at + min(time_left(not_after, self.name), LONGEST_FENCE)
        if refusal := why_not_give(self.name, look, pair, ends_sessions=self._ends_sessions):
            raise refusal
        grant = statements.grant(pair.account, pair.role, connection.info.server_version)
        connection.ask(grant, statements.fence(moment))

    def _take(self, connection: Connection, pair: Pair) -> None:
        look = look_at(connection, pair)
        if look.account is None or look.role is None:
            return
        try:
            if connection.info.server_version >= statements.ONE_ROW_PER_GRANTOR:
                self._take_ours(connection, pair, look)
            else:
                self._take_the_one(connection, pair, look)
        except NotAllowed as refusal:
            raise why_not_taken(
                self.name, look, pair, refusal, ends_sessions=self._ends_sessions
            ) from refusal

    def _take_ours(self, connection: Connection, pair: Pair, look: Look) -> None:
        if not look.ours:
            return
        if self._ends_sessions:
            connection.ask(statements.disable(pair.account, pair.role))
            self._end_sessions(connection, pair, look_at(connection, pair))
        connection.ask(statements.revoke(pair.account, pair.role))

    def _take_the_one(self, connection: Connection, pair: Pair, look: Look) -> None:
        """Before PostgreSQL 16 a membership cannot be left as a mark: where there is none, an earlier take
        may have been cut short."""
        if look.ours:
            connection.ask(statements.revoke(pair.account, pair.role))
        if self._ends_sessions:
            self._end_sessions(connection, pair, look)

    def _end_sessions(self, connection: Connection, pair: Pair, look: Look) -> None:
        """Who begins one later has not got the role; who has it from others as well keeps theirs."""
        if look.account is not None and not look.theirs and pair.account != look.bot:
            end_all(connection, look.account, look)

    def _pair(self, hold: Hold) -> Pair:
        return Pair(self._fit(hold.account, "account"), self._fit(hold.entitlement["role"], "role"))

    def _fit(self, name: str, what: str) -> str:
        if reason := unfit(name):
            raise PermanentFailure(f"{self.name}: the {what} {name[:80]!r} {reason}")
        return name
