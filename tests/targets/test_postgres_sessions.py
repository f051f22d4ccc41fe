"""What becomes of open sessions at PostgreSQL when access ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import quote

import psycopg
import pytest

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Presence
from bot.ports import Deadline
from bot.sandbox.servers import Postgres as Server
from bot.targets.postgres import Postgres
from bot.targets.postgres.statements import STARTING
from bot.testing.postgres import Roles, Session, fresh_roles
from tests.targets.scenes import alive, bot, eventually, may_take_the_role, orders_rw, soon, with_the_role


def test_a_session_with_the_role_outlives_a_mere_revoke(roles: Roles) -> None:
    """Which is why all sessions are ended."""
    with bot(roles, "keep") as postgres:
        granted(postgres, orders_rw(roles, "ada"))
        ada = with_the_role(roles, "ada")

        postgres.revoke(orders_rw(roles, "ada"), [], soon())

        [(now,)] = ada.execute("SELECT current_user")
        assert now == roles["orders_rw"]
        assert roles.members() == {}


def test_all_her_sessions_end_in_every_database(roles: Roles, postgres: Postgres) -> None:
    granted(postgres, orders_rw(roles, "ada"))
    hers = [with_the_role(roles, "ada"), with_the_role(roles, "ada", "template1"), roles.session("ada")]
    bob = roles.session("bob")

    postgres.revoke(orders_rw(roles, "ada"), [], soon())

    assert [alive(each) for each in hers] == [False, False, False]
    assert alive(bob)
    assert not may_take_the_role(roles, roles.session("ada"))


def test_who_had_it_from_others_keeps_his_sessions(roles: Roles, postgres: Postgres) -> None:
    roles.run("GRANT {orders_rw} TO {bob}")
    bob = with_the_role(roles, "bob")
    granted(postgres, orders_rw(roles, "bob"))

    postgres.revoke(orders_rw(roles, "bob"), [], soon())

    assert alive(bob)


def test_who_never_had_it_is_not_disturbed(roles: Roles, postgres: Postgres) -> None:
    carol = roles.session("carol")

    postgres.revoke(orders_rw(roles, "carol"), [], soon())

    assert alive(carol)


def test_a_take_that_was_cut_short_is_finished_by_the_next(roles: Roles, postgres: Postgres) -> None:
    granted(postgres, orders_rw(roles, "ada"))
    ada = with_the_role(roles, "ada")
    roles.run("REVOKE pg_signal_backend FROM {rotakey}")
    with pytest.raises(PermanentFailure):
        postgres.revoke(orders_rw(roles, "ada"), [], soon())

    assert presence(postgres, orders_rw(roles, "ada")) is Presence.OURS
    assert alive(ada)
    assert not may_take_the_role(roles, roles.session("ada"))

    roles.run("GRANT pg_signal_backend TO {rotakey}")
    postgres.revoke(orders_rw(roles, "ada"), [], soon())

    assert presence(postgres, orders_rw(roles, "ada")) is Presence.NONE
    assert not alive(ada)


def test_a_take_that_was_cut_short_can_be_overtaken_by_giving(roles: Roles, postgres: Postgres) -> None:
    granted(postgres, orders_rw(roles, "ada"))
    roles.session("ada")
    roles.run("REVOKE pg_signal_backend FROM {rotakey}")
    with pytest.raises(PermanentFailure):
        postgres.revoke(orders_rw(roles, "ada"), [], soon())
    roles.run("GRANT pg_signal_backend TO {rotakey}")

    granted(postgres, orders_rw(roles, "ada"))

    assert may_take_the_role(roles, roles.session("ada"))


@pytest.mark.parametrize("which", ["server", "older_server"])
def test_a_session_that_is_slow_to_start_does_not_slip_by(request: pytest.FixtureRequest, which: str) -> None:
    with fresh_roles(request.getfixturevalue(which).url) as roles, bot(roles) as postgres:
        granted(postgres, orders_rw(roles, "ada"))
        with starting_with_the_role(roles, "ada") as starting:
            postgres.revoke(orders_rw(roles, "ada"), [], soon())
        with starting.result() as ada:
            assert not alive(ada)


def test_nor_where_the_bot_may_not_end_it(roles: Roles, postgres: Postgres) -> None:
    granted(postgres, orders_rw(roles, "ada"))
    roles.run("REVOKE pg_signal_backend FROM {rotakey}")
    with starting_with_the_role(roles, "ada") as starting:
        with pytest.raises(PermanentFailure, match="GRANT pg_signal_backend"):
            postgres.take(orders_rw(roles, "ada"), Deadline.after(1))
        assert presence(postgres, orders_rw(roles, "ada")) is Presence.OURS
        roles.run("GRANT pg_signal_backend TO {rotakey}")
        postgres.revoke(orders_rw(roles, "ada"), [], soon())
    with starting.result() as ada:
        assert not alive(ada)


@contextmanager
def starting_with_the_role(roles: Roles, name: str) -> Iterator[Future[Session]]:
    """It has the role for a minute before it is listed anywhere as hers; what it came to, afterwards."""
    role = roles["orders_rw"].replace(" ", r"\ ")
    slow = f"{roles.url(name)}?options={quote(f'-c post_auth_delay=60 -c role={role}')}"
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(lambda: psycopg.connect(slow, autocommit=True))
        assert eventually(lambda: bool(roles.admin.execute(STARTING).fetchall()))
        yield starting


def test_without_the_role_nobody_is_disturbed(older_server: Server) -> None:
    with fresh_roles(older_server.url) as roles, bot(roles) as postgres:
        carol = roles.session("carol")
        roles.run("DROP ROLE {orders_rw}")

        postgres.revoke(orders_rw(roles, "carol"), [], soon())

        assert alive(carol)


def test_who_becomes_a_superuser_is_told_of(roles: Roles, postgres: Postgres) -> None:
    granted(postgres, orders_rw(roles, "bob"))
    roles.session("bob")
    roles.run("ALTER ROLE {bob} SUPERUSER")

    with pytest.raises(PermanentFailure, match="is a superuser now"):
        postgres.revoke(orders_rw(roles, "bob"), [], soon())


@pytest.mark.skipif(os.getuid() != 0, reason="only root may stop a server's process of another account")
def test_it_is_not_done_while_a_session_is_left(roles: Roles, postgres: Postgres) -> None:
    granted(postgres, orders_rw(roles, "ada"))
    ada = with_the_role(roles, "ada")
    os.kill(ada.info.backend_pid, signal.SIGSTOP)
    try:
        with pytest.raises(TemporaryFailure, match=r"1 sessions have not ended yet"):
            postgres.take(orders_rw(roles, "ada"), Deadline.after(1.5))
        assert presence(postgres, orders_rw(roles, "ada")) is Presence.OURS
    finally:
        os.kill(ada.info.backend_pid, signal.SIGCONT)

    postgres.revoke(orders_rw(roles, "ada"), [], soon())

    assert not alive(ada)
    assert roles.members() == {}
