"""The acts of the administrator of a chaos round, on a real PostgreSQL."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.chaos import scenario
from tests.chaos.database import Database
from tests.chaos.observer import MEMBERS

ADA, BOB = (scenario.email(person) for person in scenario.PEOPLE[:2])
ROLE = "table_1"
LONG_ENOUGH = 10.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, Database]]:
    folder = tmp_path_factory.mktemp("chaos")
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        orders, other = (stack.enter_context(closing(Database(each, folder))) for each in scenario.URLS_OF)
        list(pool.map(Database.open, (orders, other)))
        yield orders, other


@pytest.fixture
def other(running: tuple[Database, Database]) -> Database:
    return running[1]


@pytest.fixture
def database(running: tuple[Database, Database]) -> Iterator[Database]:
    yield running[0]
    with psycopg.connect(running[0].url, autocommit=True) as session:
        for account, role, grantor in session.execute(MEMBERS).fetchall():
            _membership(session, "REVOKE {} FROM {} GRANTED BY {}", role, account, grantor)


def _membership(session: psycopg.Connection[Any], statement: str, *names: str) -> None:
    session.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def grant(url: str, account: str) -> None:
    with psycopg.connect(url, autocommit=True) as bot:
        _membership(bot, "GRANT {} TO {}", ROLE, account)


def members(database: Database) -> set[tuple[str, str, str]]:
    with psycopg.connect(database.url) as session:
        return set(session.execute(MEMBERS).fetchall())


def test_a_role_is_revoked_by_hand(database: Database) -> None:
    assert database.revoke(random.Random(1)) == []
    grant(database.bot_url, ADA)
    [revoked] = database.revoke(random.Random(1))
    assert revoked.pair == (ADA, ROLE)
    assert revoked.began <= revoked.ended
    assert members(database) == set()


def test_a_login_is_dropped_with_all_that_it_has_granted(database: Database) -> None:
    before, its_url = database.logins[-1], database.bot_url
    grant(its_url, ADA)
    fresh = database.new_login(heir=False)
    grant(fresh, BOB)
    assert [each.pair for each in database.drop_login(before)] == [(ADA, ROLE)]
    assert {(account, grantor) for account, _, grantor in members(database)} == {(BOB, database.logins[-1])}
    assert before not in database.logins
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(its_url)


@pytest.mark.parametrize("heir", [True, False])
def test_only_an_heir_may_revoke_what_an_earlier_login_has_granted(database: Database, heir: bool) -> None:
    before = database.logins[-1]
    grant(database.bot_url, ADA)
    with psycopg.connect(database.new_login(heir=heir), autocommit=True) as bot:
        revoke = "REVOKE {} FROM {} GRANTED BY {}"
        if heir:
            _membership(bot, revoke, ROLE, ADA, before)
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                _membership(bot, revoke, ROLE, ADA, before)
    assert members(database) == (set() if heir else {(ADA, ROLE, before)})


def test_the_bot_uses_another_address_and_the_old_one_leads_elsewhere(
    database: Database, other: Database
) -> None:
    before = database.bot_url
    database.change_address()
    database.reuse_old_address(other)
    assert [system(before), system(database.bot_url)] == [system(other.url), system(database.url)]
    database.change_address()
    assert (database.bot_url, system(before)) == (before, system(database.url))


def system(url: str) -> int:
    with psycopg.connect(url) as session:
        [(found,)] = session.execute("SELECT system_identifier FROM pg_control_system()").fetchall()
        return int(found)


def test_a_commit_waits_until_no_standby_is_required(database: Database) -> None:
    database.require_standby(required=True)
    granting = threading.Thread(target=grant, args=(database.bot_url, ADA))
    granting.start()
    try:
        until = time.monotonic() + LONG_ENOUGH
        while not is_waiting(database):
            assert time.monotonic() < until
        assert members(database) == set()
    finally:
        database.require_standby(required=False)
        granting.join(LONG_ENOUGH)
    assert {account for account, _, _ in members(database)} == {ADA}


def is_waiting(database: Database) -> bool:
    with psycopg.connect(database.url) as session:
        found = session.execute("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'").fetchall()
    return bool(found)
