"""The sandbox's orders database, as seen from outside the bot."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from bot.core.holds import Presence
from bot.sandbox.stack import orders
from bot.sandbox.stack.orders import OrdersDatabase
from bot.sandbox.stack.servers import Postgres as Server
from bot.targets.postgres.target import Postgres
from bot.testing.polling import until
from tests.targets.postgres.scenes import hold, soon


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="rotakey-") as folder:
        server = Server(Path(folder) / "postgres", fsync=False)
        try:
            server.start()
            yield server
        finally:
            server.remove()


@pytest.fixture
def database(server: Server) -> Iterator[OrdersDatabase]:
    database = orders.prepare(server.url)
    yield database
    database.view.close()


@pytest.fixture
def rotakey(database: OrdersDatabase) -> Iterator[Postgres]:
    target = Postgres("orders-db", database.bot_url)
    yield target
    target.close()


def members(database: OrdersDatabase) -> dict[str, list[dict[str, str]]]:
    return {each["role"]: each["members"] for each in database.view.state()["roles"]}


def test_preparing_it_again_changes_nothing(server: Server, database: OrdersDatabase) -> None:
    again = orders.prepare(server.url)
    assert (again.bot_url, again.logins) == (database.bot_url, database.logins)
    with psycopg.connect(again.url) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchall() == [(4,)]
    again.view.close()


def test_ada_can_mend_an_order_while_she_has_the_role(database: OrdersDatabase, rotakey: Postgres) -> None:
    mend = "UPDATE orders SET state = 'paid' WHERE id = 1002"
    with psycopg.connect(database.logins["ada"], autocommit=True) as ada:
        with pytest.raises(errors.InsufficientPrivilege):
            ada.execute(mend)
        receipt = rotakey.prepare(hold("ada", "orders_rw"), soon())
        rotakey.grant(hold("ada", "orders_rw"), [receipt], None, soon())
        ada.execute(mend)

        state = database.view.state()
        assert members(database)["orders_rw"] == [{"account": "ada", "grantor": "rotakey"}]
        assert state["sessions"] == [{"account": "ada", "count": 1}]
        assert (state["name"], state["error"]) == ("orders-db", None)

        rotakey.revoke(hold("ada", "orders_rw"), [receipt], soon())
        with pytest.raises(errors.AdminShutdown):
            ada.execute(mend)
    assert members(database)["orders_rw"] == []


@pytest.mark.parametrize("role", ["orders_ro", "orders_rw", "migrator", "made up"])
def test_the_bot_can_give_every_role_of_the_policy(server: Server, role: str) -> None:
    database = orders.prepare(server.url, logins={"dan", "dan@example.com"}, roles={role})
    target = Postgres("orders-db", database.bot_url)
    for account in ("dan", "dan@example.com"):
        receipt = target.prepare(hold(account, role), soon())
        target.grant(hold(account, role), [receipt], None, soon())
        assert target.has(hold(account, role), [receipt], soon()).presence is Presence.OURS
        psycopg.connect(database.logins[account]).close()
        target.revoke(hold(account, role), [receipt], soon())
    target.close()
    database.view.close()


def test_the_bot_itself_sees_no_orders(database: OrdersDatabase) -> None:
    with psycopg.connect(database.bot_url) as bot, pytest.raises(errors.InsufficientPrivilege):
        bot.execute("SELECT FROM orders")


def test_the_view_says_when_it_cannot_see_and_sees_again(server: Server, database: OrdersDatabase) -> None:
    before = database.view.state()
    server.kill()
    until(lambda: bool(database.view.state()["error"]))
    assert database.view.state()["roles"] == before["roles"]

    server.start()
    until(lambda: database.view.state()["error"] is None)
    assert database.view.state()["at"] > before["at"]
