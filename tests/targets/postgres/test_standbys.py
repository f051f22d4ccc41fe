"""PostgreSQL with standbys: one that a commit waits for, and others where people read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from bot.core.errors import TemporaryFailure
from bot.core.holds import Presence, Receipt, Seen
from bot.ports.deadline import Deadline
from bot.targets.postgres import replicas, sight
from bot.targets.postgres.target import Postgres
from bot.testing.cast import NINE
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.polling import until
from bot.testing.postgres import Roles, Session
from bot.usecases.doctor.findings import Grade
from bot.usecases.doctor.targets import look_at_target
from tests.targets.conftest import Replicated, Standby
from tests.targets.postgres.scenes import (
    alive,
    granted,
    may_take_the_role,
    orders_rw,
    soon,
    waits_for_a_lock,
)

# ------------------------------------------------------------------------ a commit waits for a standby


@pytest.fixture
def nobody_confirms(roles: Roles, monkeypatch: pytest.MonkeyPatch) -> Iterator[Roles]:
    """Make every commit at the server wait for a standby that does not exist, except the administrator's."""
    monkeypatch.setattr(sight, "CONFIRMED_WITHIN", 0.2)
    roles.run("SET synchronous_commit = local")
    _wait_for(roles, "nobody")
    yield roles
    _wait_for(roles, "")


def _wait_for(roles: Roles, standby: str) -> None:
    roles.run(f"ALTER SYSTEM SET synchronous_standby_names = '{standby}'")
    roles.run("SELECT pg_reload_conf()")

    def in_force() -> bool:
        with psycopg.connect(roles.url("bob"), autocommit=True) as bob:
            return bob.execute("SHOW synchronous_standby_names").fetchall() == [(standby,)]

    until(in_force)


def test_a_grant_does_not_wait_for_the_standby_and_is_usable_at_once(
    nobody_confirms: Roles, postgres: Postgres
) -> None:
    roles = nobody_confirms
    kept = granted(postgres, orders_rw(roles, "ada"), Deadline.after(2))

    assert may_take_the_role(roles, roles.session("ada"))
    assert postgres.has(orders_rw(roles, "ada"), kept, soon()).presence is Presence.OURS


def test_a_revocation_is_in_effect_at_once_but_not_confirmed(
    nobody_confirms: Roles, postgres: Postgres
) -> None:
    roles = nobody_confirms
    kept = granted(postgres, orders_rw(roles, "ada"))
    ada = roles.session("ada")
    postgres.revoke(orders_rw(roles, "ada"), kept, Deadline.after(2))
    assert roles.members() == {}
    assert not alive(ada)

    since = time.monotonic()
    seen = postgres.has(orders_rw(roles, "ada"), kept, soon())
    assert time.monotonic() - since < 2
    assert (seen.presence, seen.confirmed, seen.gone) == (Presence.NONE, False, False)
    assert seen.why == "revoked; a standby has not confirmed it yet"
    assert seen.receipts

    later = roles.session("ada")
    again = postgres.has(orders_rw(roles, "ada"), seen.receipts, soon())
    assert (again.confirmed, again.sessions) == (False, 0)
    assert alive(later)

    _wait_for(roles, "")
    assert postgres.has(orders_rw(roles, "ada"), again.receipts, soon()).gone


def test_a_standby_that_is_there_confirms(
    server: Replicated, standby: Standby, roles: Roles, postgres: Postgres
) -> None:
    assert standby.pid
    kept = granted(postgres, orders_rw(roles, "ada"))
    postgres.revoke(orders_rw(roles, "ada"), kept, soon())
    _wait_for(roles, "*")
    try:
        assert postgres.has(orders_rw(roles, "ada"), kept, soon()).gone
    finally:
        roles.run("SET synchronous_commit = local")
        _wait_for(roles, "")


def test_looking_without_receipts_does_not_wait(nobody_confirms: Roles, postgres: Postgres) -> None:
    assert postgres.has(orders_rw(nobody_confirms, "ada"), [], soon()).gone


# --------------------------------------------------------------------- a grant of ours is still at work


def test_nothing_is_gone_while_a_grant_of_ours_is_at_work(roles: Roles, postgres: Postgres) -> None:
    ada, bob = orders_rw(roles, "ada"), orders_rw(roles, "bob")
    receipt, bobs = (postgres.prepare(each, soon()) for each in (ada, bob))
    roles.run("BEGIN; LOCK pg_auth_members IN SHARE MODE")
    with ThreadPoolExecutor(1) as pool:
        granting = pool.submit(postgres.grant, ada, [receipt], None, soon())
        with psycopg.connect(roles.url("carol"), autocommit=True) as carol:
            until(lambda: waits_for_a_lock(carol))
        seen = postgres.has(ada, [receipt], soon())
        others = postgres.has(bob, [bobs], soon())
        roles.run("COMMIT")
        granting.result()

    assert (seen.presence, seen.gone, seen.receipts) == (Presence.UNKNOWN, False, (receipt,))
    assert seen.why == "an earlier grant is still being executed"
    assert others.gone
    assert postgres.has(ada, [receipt], soon()).presence is Presence.OURS


# -------------------------------------------------------------------------------- replicas that are listed


@contextmanager
def listing(roles: Roles, *urls: str) -> Iterator[Postgres]:
    target = Postgres("orders-db", roles.url("rotakey"), "end", urls)
    try:
        yield target
    finally:
        target.close()


@contextmanager
def with_the_role_at(standby: Standby, roles: Roles, name: str) -> Iterator[Session]:
    """Yield a session at the standby with the role, once the standby knows that it may be used."""
    with psycopg.connect(standby.url_of(roles.url(name)), autocommit=True) as session:
        until(lambda: may_take_the_role(roles, session))
        roles.run("SET ROLE {orders_rw}", by=session)
        yield session


def followed(standby: Standby, roles: Roles) -> None:
    """Wait until the standby knows the login that was just made."""

    def lets_in() -> bool:
        try:
            psycopg.connect(standby.url_of(roles.url("rotakey"))).close()
        except psycopg.OperationalError:
            return False
        return True

    until(lets_in)


def test_a_session_at_a_replica_outlives_a_revocation_at_the_primary(
    standby: Standby, roles: Roles, postgres: Postgres
) -> None:
    """For this reason replicas are listed."""
    followed(standby, roles)
    kept = granted(postgres, orders_rw(roles, "ada"))
    with with_the_role_at(standby, roles, "ada") as ada:
        postgres.revoke(orders_rw(roles, "ada"), kept, soon())
        assert postgres.has(orders_rw(roles, "ada"), kept, soon()).gone
        assert alive(ada)


def test_sessions_at_a_listed_replica_are_ended(standby: Standby, roles: Roles) -> None:
    followed(standby, roles)
    with listing(roles, standby.url_of(roles.url("rotakey"))) as postgres:
        kept = granted(postgres, orders_rw(roles, "ada"))
        with with_the_role_at(standby, roles, "ada") as ada:
            postgres.revoke(orders_rw(roles, "ada"), kept, soon())

            assert postgres.has(orders_rw(roles, "ada"), kept, soon()).gone
            assert not alive(ada)


def test_they_are_counted_and_later_ones_are_not(standby: Standby, roles: Roles) -> None:
    followed(standby, roles)
    with listing(roles, standby.url_of(roles.url("rotakey"))) as postgres:
        kept = granted(postgres, orders_rw(roles, "ada"))
        with with_the_role_at(standby, roles, "ada") as ada:
            more = " GRANTED BY {rotakey}" if roles.version >= 160_000 else ""
            roles.run("REVOKE {orders_rw} FROM {ada}" + more)

            seen = postgres.has(orders_rw(roles, "ada"), kept, soon())
            assert (seen.presence, seen.sessions, seen.gone) == (Presence.NONE, 1, False)
            assert seen.why == f"1 open sessions at 127.0.0.1:{standby.port} may still use it"
            assert alive(ada)

            with psycopg.connect(standby.url_of(roles.url("ada")), autocommit=True) as later:
                postgres.revoke(orders_rw(roles, "ada"), seen.receipts, soon())
                assert postgres.has(orders_rw(roles, "ada"), seen.receipts, soon()).gone
                assert not alive(ada)
                assert alive(later)


def _unchecked(roles: Roles, postgres: Postgres, kept: list[Receipt]) -> Seen:
    postgres.revoke(orders_rw(roles, "ada"), kept, Deadline.after(3))
    assert roles.members() == {}
    seen = postgres.has(orders_rw(roles, "ada"), kept, Deadline.after(3))
    assert (seen.presence, seen.gone, seen.receipts) == (Presence.UNKNOWN, False, tuple(kept))
    return seen


def test_a_replica_that_cannot_be_asked_is_named_and_holds_no_revocation_up(roles: Roles) -> None:
    with listing(roles, "postgresql://rotakey:sesame@127.0.0.1:1/orders") as postgres:
        kept = granted(postgres, orders_rw(roles, "ada"))
        why = _unchecked(roles, postgres, kept).why or ""
        assert why.startswith("revoked; sessions at 127.0.0.1:1 could not be checked: ")
        assert "sesame" not in why
        [warning] = postgres.warnings([], [], soon())
        assert warning.startswith("sessions at 127.0.0.1:1 cannot be ended: ")
        assert "sesame" not in warning


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("postgresql:///orders?hostaddr=10.0.0.2", "postgresql:///orders?hostaddr=10.0.0.3"),
        ("postgresql:///orders?service=a", "postgresql:///orders?service=b"),
        ("postgresql://a/orders", "postgresql://b/orders"),
        ("postgresql://a:5433/orders", "postgresql://a/orders"),
    ],
)
def test_two_replicas_do_not_share_what_receipts_say_of_their_sessions(one: str, other: str) -> None:
    assert replicas.Replica("orders-db", one).where != replicas.Replica("orders-db", other).where


def test_one_whose_url_is_broken_is_not_quoted(roles: Roles) -> None:
    with listing(roles, "postgresql://rotakey:se same@127.0.0.1:x/orders") as postgres:
        kept = granted(postgres, orders_rw(roles, "ada"))
        assert "same@" not in (_unchecked(roles, postgres, kept).why or "")


def test_another_server_is_not_a_replica(roles: Roles, request: pytest.FixtureRequest) -> None:
    other = "older_server" if roles.version >= 160_000 else "newer_server"
    with listing(roles, request.getfixturevalue(other).url) as postgres:
        kept = granted(postgres, orders_rw(roles, "ada"))
        assert "it is not a standby of this target" in (_unchecked(roles, postgres, kept).why or "")


def test_a_replica_that_has_not_replayed_the_revocation_is_not_done(
    standby: Standby, roles: Roles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "LONGEST_REPLAY", 0.1)
    followed(standby, roles)
    with (
        listing(roles, standby.url_of(roles.url("rotakey"))) as postgres,
        psycopg.connect(standby.url, autocommit=True) as there,
    ):
        kept = granted(postgres, orders_rw(roles, "ada"))
        with with_the_role_at(standby, roles, "ada") as ada:
            there.execute("SELECT pg_wal_replay_pause()")
            try:
                assert "has not replayed" in (_unchecked(roles, postgres, kept).why or "")
                assert not alive(ada)
                late = psycopg.connect(standby.url_of(roles.url("ada")), autocommit=True)
                assert may_take_the_role(roles, late)
            finally:
                there.execute("SELECT pg_wal_replay_resume()")
            monkeypatch.setattr(replicas, "LONGEST_REPLAY", 5.0)
            seen = postgres.has(orders_rw(roles, "ada"), kept, soon())
            assert (seen.presence, seen.sessions) == (Presence.NONE, 1)
            postgres.revoke(orders_rw(roles, "ada"), seen.receipts, soon())
            assert postgres.has(orders_rw(roles, "ada"), seen.receipts, soon()).gone
            assert not alive(late)
            late.close()


def test_members_of_an_account_are_named(roles: Roles, postgres: Postgres) -> None:
    gives = [orders_rw(roles, "ada").entitlement]
    roles.run("GRANT {ada} TO {bob}")
    warning = (
        f'"{roles["bob"]}" can use everything that the account "{roles["ada"]}" is granted: run REVOKE'
        f' "{roles["ada"]}" FROM "{roles["bob"]}";'
    )
    assert postgres.warnings(gives, [], soon()) == ()
    assert postgres.warnings(gives, [roles["ada"], roles["carol"]], soon()) == (warning,)

    granted(postgres, orders_rw(roles, "ada"))
    assert postgres.warnings(gives, [], soon()) == (warning,)

    roles.admin.execute(sql.SQL(warning.partition(": run ")[2]))
    assert postgres.warnings(gives, [roles["ada"]], soon()) == ()


def test_doctor_names_them(roles: Roles, postgres: Postgres) -> None:
    roles.run("GRANT {ada} TO {bob}")
    gives, ledger = [orders_rw(roles, "ada").entitlement], MemoryLedger(NINE)
    for accounts, expected in (([roles["ada"]], 1), ([roles["carol"]], 0)):
        found = list(look_at_target(lambda _: postgres, gives, ledger, soon(), accounts))
        named = [each for each in found if roles["bob"] in each.what]
        assert [each.grade for each in named] == [Grade.LOOK_AT] * expected


def test_a_standby_that_is_asked_for_the_primary_may_be_promoted(standby: Standby, roles: Roles) -> None:
    followed(standby, roles)
    target = Postgres("orders-db", standby.url_of(roles.url("rotakey")))
    with pytest.raises(TemporaryFailure, match="this server is a standby"):
        target.prepare(orders_rw(roles, "ada"), Deadline.after(1))
    target.close()
