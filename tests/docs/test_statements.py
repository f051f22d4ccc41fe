"""The SQL and the ACL in the documents give the bot what it needs, and no more."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from redis.exceptions import NoPermissionError

from bot.core.catalog import Entitlement
from bot.core.grants import Grant
from bot.core.holds import Hold, Presence
from bot.ledger import checks
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Done, Due, Entry
from bot.ports.deadline import Deadline
from bot.ports.documents import Key
from bot.sandbox.stack.servers import Postgres as Server
from bot.targets.postgres.target import Postgres
from bot.testing.valkeys import alone
from tests.docs.texts import OPERATING, POSTGRESQL, blocks
from tests.targets.conftest import OLDER

NOW, BEFORE_16 = blocks(POSTGRESQL, "sql")


def test_the_bots_user_of_redis_is_allowed_just_what_it_needs() -> None:
    [rule] = blocks(OPERATING, "redis")
    with alone() as server:
        server.ask(*rule.split())
        with connect(server.url.replace("//", "//rotakey:password@")) as client:
            ledger = RedisLedger(client)
            entry, due = Entry(what="asked"), Due(member="card:g1", at=datetime(2001, 1, 1, tzinfo=UTC))
            ledger.commit(Change(put={Key.of(Grant, "g1"): None}, due=(due,), audit=(entry,), copied=True))
            (claim,) = ledger.claim(1, 1, {}).claims
            assert ledger.renew([claim]) == {"card:g1"}
            ledger.commit(Change(done=Done(claim=claim), frees=True))
            ledger.wait(0.001)
            assert client.wait(0, 1) == 0
            assert [entry for _, _, entry in ledger.entries()] == [entry]
            assert (ledger.condition().owed, [*ledger.holds()], [*ledger.grants("open")]) == (0, [], [])
            assert (checks.objections(client), checks.warnings(client)) == ([], [])
            for forbidden in ("FLUSHALL", "SHUTDOWN", "KEYS *", "GET others", "CONFIG SET maxmemory 1"):
                with pytest.raises(NoPermissionError):
                    client.execute_command(*forbidden.split())


def test_the_bots_role_is_allowed_just_what_it_needs(tmp_path: Path) -> None:
    server = Server(tmp_path / "postgres", fsync=False)
    try:
        with server:
            grant_and_revoke(server, NOW)
            with (
                psycopg.connect(server.url_for("rotakey", "its"), autocommit=True) as bot,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                bot.execute("SET ROLE orders_rw")
    finally:
        server.remove()


@pytest.mark.skipif(not OLDER.exists(), reason="PostgreSQL 15 is not installed")
def test_so_is_the_one_before_postgresql_16(tmp_path: Path) -> None:
    server = Server(tmp_path / "postgres", fsync=False, binaries=OLDER)
    try:
        with server:
            grant_and_revoke(server, BEFORE_16)
    finally:
        server.remove()


def grant_and_revoke(server: Server, statements: str) -> None:
    """Run the statements, grant Ada a role, and revoke it while a session of hers uses it."""
    with psycopg.connect(server.url, autocommit=True) as admin:
        for role in ("orders_rw", "orders_ro", "migrator"):
            admin.execute(f"CREATE ROLE {role}")
        admin.execute("CREATE ROLE ada LOGIN PASSWORD 'hers'")
        admin.execute(statements.replace("…", "its"))
    target = Postgres("orders-db", server.url_for("rotakey", "its"))
    gives = Entitlement(target="orders-db", what=(("role", "orders_rw"),))
    hold = Hold(target="orders-db", account="ada", entitlement=gives)
    receipt = target.prepare(hold, Deadline.after(5))
    target.grant(hold, [receipt], None, Deadline.after(5))
    assert target.has(hold, [receipt], Deadline.after(5)).presence is Presence.OURS
    with psycopg.connect(server.url_for("ada", "hers"), autocommit=True) as session:
        session.execute("SET ROLE orders_rw")
        target.revoke(hold, [receipt], Deadline.after(5))
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert target.has(hold, [receipt], Deadline.after(5)).presence is Presence.NONE
    target.close()
