"""A PostgreSQL server that is one target, and what its administrator does to it without the bot."""

from __future__ import annotations

import random
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from bot.sandbox.stack import orders
from bot.sandbox.stack.servers import Postgres
from tests.chaos import scenario
from tests.chaos.observer import MEMBERS, Pair
from tests.chaos.relay import Relay

BOT = orders.BOT
NOBODY = "nobody_answers"
CONNECTS_WITHIN = 5
RECOVERS_WITHIN = 20.0
DROP_TRIES = 5


class ReplicatingPostgres(Postgres):
    """A PostgreSQL that can be told to wait for a standby."""

    def _command(self) -> list[str]:
        return [*super()._command(), "--wal-level=replica", "--max-wal-senders=2"]


@dataclass(frozen=True, kw_only=True)
class ManualRevocation:
    """A revocation by the administrator, at some moment between ``began`` and ``ended``."""

    pair: Pair
    began: float
    ended: float


class Database:
    """One target. ``logins`` are all that the bot has had here and that still exist, the one in use last. The
    bot uses one of two addresses, numbered by ``side``; the other one leads somewhere else."""

    def __init__(self, target: str, folder: Path) -> None:
        self.target = target
        self.server = ReplicatingPostgres(folder / target)
        self.roles = sorted(role for role, where in scenario.TARGET_OF.items() if where == target)
        self.logins = [BOT]
        self.side = 0
        self._password = "the same at all targets"
        self._made = 1
        self.relays = [Relay(lambda: self.server.port) for _ in scenario.URLS_OF[target]]

    def open(self) -> None:
        self.server.start()
        accounts = [scenario.email(person) for person in scenario.PEOPLE]
        prepared = orders.prepare(self.server.url, logins=accounts, roles=self.roles)
        prepared.view.close()
        self.url = prepared.url
        with self._administrator() as session:
            new = sql.SQL("ALTER ROLE {} PASSWORD {}")
            session.execute(new.format(sql.Identifier(BOT), self._password))

    def close(self) -> None:
        for each in self.relays:
            each.close()
        self.server.remove()

    @property
    def variable(self) -> str:
        """Return the variable that the policy is to name."""
        return scenario.URLS_OF[self.target][self.side]

    @property
    def environ(self) -> dict[str, str]:
        """Return the bot's URLs here, by variable."""
        who = f"{self.logins[-1]}:{quote(self._password)}"
        ports = (each.port for each in self.relays)
        urls = (f"postgresql://{who}@127.0.0.1:{port}/{orders.DATABASE}" for port in ports)
        return dict(zip(scenario.URLS_OF[self.target], urls, strict=True))

    @property
    def bot_url(self) -> str:
        return self.environ[self.variable]

    def reuse_old_address(self, other: Database) -> None:
        """Let the address that is not in use lead to another server, where the bot may log in, too."""
        with other._administrator() as session, suppress(psycopg.errors.DuplicateObject):
            create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            session.execute(create.format(sql.Identifier(self.logins[-1]), self._password))
        self.relays[1 - self.side].lead_to(lambda: other.server.port)

    def change_address(self) -> None:
        """Let the other address lead here, too; the bot is to use that from now on."""
        self.side = 1 - self.side
        self.relays[self.side].lead_to(lambda: self.server.port)

    # ------------------------------------------------------------------------------ the administrator

    def revoke(self, rng: random.Random) -> list[ManualRevocation]:
        """Revoke one role that the bot has granted, if there is one. Raise psycopg.Error if PostgreSQL does
        not answer."""
        with self._administrator() as session:
            there: list[Any] = sorted(session.execute(MEMBERS).fetchall())
            if not there:
                return []
            account, role, grantor = rng.choice(there)
            began = time.time()
            revoke = sql.SQL("REVOKE {} FROM {} GRANTED BY {} CASCADE")
            session.execute(revoke.format(*map(sql.Identifier, (role, account, grantor))))
            return [ManualRevocation(pair=(account, role), began=began, ended=time.time())]

    def new_login(self, *, heir: bool) -> str:
        """Make another login for the bot, and return its URL. An ``heir`` may also revoke what the earlier
        ones have granted. Raise psycopg.Error if PostgreSQL does not answer."""
        self._made += 1
        name, password = f"{BOT}_{self.target}_{self._made}", secrets.token_hex(12)
        with self._administrator() as session, session.transaction():
            create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            session.execute(create.format(sql.Identifier(name), password))
            for role in self.roles:
                may_give = sql.SQL(orders.MAY_GIVE)
                session.execute(may_give.format(role=sql.Identifier(role), bot=sql.Identifier(name)))
            session.execute(sql.SQL(orders.MAY_END_SESSIONS).format(bot=sql.Identifier(name)))
            for before in self.logins if heir else ():
                inherit = sql.SQL("GRANT {} TO {} WITH INHERIT TRUE, SET FALSE")
                session.execute(inherit.format(sql.Identifier(before), sql.Identifier(name)))
        self.logins.append(name)
        self._password = password
        return self.bot_url

    def drop_login(self, name: str) -> list[ManualRevocation]:
        """Drop a login with all that it has granted, and return that. Raise psycopg.Error if PostgreSQL does
        not answer."""
        statements = ("REASSIGN OWNED BY {} TO CURRENT_USER", "DROP OWNED BY {}", "DROP ROLE {}")
        with self._administrator() as session:
            for tries in range(1, DROP_TRIES + 1):
                began = time.time()
                try:
                    with session.transaction():  # the lock lets nobody grant anything meanwhile
                        session.execute("LOCK TABLE pg_auth_members IN SHARE ROW EXCLUSIVE MODE")
                        there = session.execute(MEMBERS).fetchall()
                        for each in statements:
                            session.execute(sql.SQL(each).format(sql.Identifier(name)))
                except psycopg.errors.DeadlockDetected:  # with a grant in progress
                    if tries == DROP_TRIES:
                        raise
                else:
                    break
        self.logins.remove(name)
        ended = time.time()
        pairs = [(account, role) for account, role, grantor in there if grantor == name]
        return [ManualRevocation(pair=pair, began=began, ended=ended) for pair in pairs]

    def require_standby(self, *, required: bool) -> None:
        """Let commits wait for a standby that does not exist, or no longer. Raise psycopg.Error if PostgreSQL
        does not answer."""
        with self._administrator() as session:
            who = sql.Literal(NOBODY if required else "")
            session.execute(sql.SQL("ALTER SYSTEM SET synchronous_standby_names = {}").format(who))
            session.execute("SELECT pg_reload_conf()")

    def wait_until_back(self) -> None:
        """Return when the server answers after a crash. Raise psycopg.Error if it does not."""
        self._administrator().close()

    def _administrator(self) -> psycopg.Connection[Any]:
        """Return a connection that waits for no standby. Wait for a server that recovers from a crash."""
        deadline = time.monotonic() + RECOVERS_WITHIN
        while True:
            try:
                return psycopg.connect(
                    self.url,
                    autocommit=True,
                    connect_timeout=CONNECTS_WITHIN,
                    options="-c synchronous_commit=local -c statement_timeout=10s",
                )
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
