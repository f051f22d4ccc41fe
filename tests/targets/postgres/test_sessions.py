"""Open sessions at PostgreSQL when access ends, in whatever way it ends."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Presence, Receipt, Seen
from bot.ports.deadline import Deadline
from bot.targets.postgres import receipts
from bot.targets.postgres.statements import STARTING
from bot.targets.postgres.target import Postgres
from bot.testing.polling import until
from bot.testing.postgres import Roles, Session, fresh_roles
from tests.targets.conftest import Replicated
from tests.targets.postgres.scenes import (
    alive,
    bot,
    granted,
    may_take_the_role,
    orders_rw,
    presence,
    soon,
    with_the_role,
)


def seen(roles: Roles, postgres: Postgres, kept: Sequence[Receipt], name: str = "ada") -> Seen:
    return postgres.has(orders_rw(roles, name), kept, soon())


def revoke(roles: Roles, postgres: Postgres, kept: Sequence[Receipt], name: str = "ada") -> Seen:
    postgres.revoke(orders_rw(roles, name), kept, soon())
    return seen(roles, postgres, kept, name)


def test_a_session_with_the_role_outlives_a_mere_revoke(roles: Roles) -> None:
    """For this reason all sessions are ended."""
    with bot(roles, "keep") as postgres:
        kept = granted(postgres, orders_rw(roles, "ada"))
        ada = with_the_role(roles, "ada")

        assert revoke(roles, postgres, kept).gone

        [(now,)] = ada.execute("SELECT current_user")
        assert now == roles["orders_rw"]
        assert roles.members() == {}


def test_all_her_sessions_end_in_every_database(roles: Roles, postgres: Postgres) -> None:
    kept = granted(postgres, orders_rw(roles, "ada"))
    hers = [with_the_role(roles, "ada"), with_the_role(roles, "ada", "template1"), roles.session("ada")]
    bob = roles.session("bob")

    assert revoke(roles, postgres, kept).gone

    assert [alive(each) for each in hers] == [False, False, False]
    assert alive(bob)
    assert not may_take_the_role(roles, roles.session("ada"))


def test_an_account_that_had_it_from_others_keeps_its_sessions(newer: Roles) -> None:
    newer.run("GRANT {orders_rw} TO {bob}")
    bob = with_the_role(newer, "bob")
    with bot(newer) as postgres:
        kept = granted(postgres, orders_rw(newer, "bob"))

        look = revoke(newer, postgres, kept, "bob")

        assert (look.presence, look.grantor, look.gone) == (Presence.THEIRS, "postgres", True)
        assert alive(bob)


def test_an_account_without_a_receipt_is_not_disturbed(roles: Roles, postgres: Postgres) -> None:
    carol = roles.session("carol")

    postgres.revoke(orders_rw(roles, "carol"), [], soon())

    assert alive(carol)
    assert postgres.has(orders_rw(roles, "carol"), [], soon()).sessions == 0


# -------------------------------------------------------- the membership went first, by another hand


def by_hand(roles: Roles) -> None:
    more = " GRANTED BY {rotakey}" if roles.version >= 160_000 else ""
    roles.run("REVOKE {orders_rw} FROM {ada}" + more)


def cascade(roles: Roles) -> None:
    roles.run("REVOKE ADMIN OPTION FOR {orders_rw} FROM {rotakey} CASCADE")
    if roles.version < 160_000:
        roles.run("REVOKE {orders_rw} FROM {ada}")
    roles.run("GRANT {orders_rw} TO {rotakey} WITH ADMIN OPTION" + roles.no_use)


def account_dropped(roles: Roles) -> None:
    roles.run("DROP ROLE {ada}")


def role_dropped(roles: Roles) -> None:
    roles.run("DROP ROLE {orders_rw}; CREATE ROLE {orders_rw}")
    roles.run("GRANT {orders_rw} TO {rotakey} WITH ADMIN OPTION" + roles.no_use)


def bot_made_again(roles: Roles) -> None:
    """Drop the bot's login, and create it again. From PostgreSQL 16 on, its grants are dropped with it."""
    roles.run("DROP OWNED BY {rotakey}; DROP ROLE {rotakey}")
    roles.run("CREATE ROLE {rotakey} LOGIN PASSWORD 'open sesame'; GRANT pg_signal_backend TO {rotakey}")
    roles.run("GRANT {orders_rw} TO {rotakey} WITH ADMIN OPTION" + roles.no_use)


GONE: list[Callable[[Roles], None]] = [by_hand, cascade, account_dropped, role_dropped]


@pytest.mark.parametrize("goes", [*GONE, bot_made_again])
def test_a_session_that_outlived_its_membership_is_counted_and_ended(
    newer: Roles, goes: Callable[[Roles], None]
) -> None:
    _counted_and_ended(newer, goes)


@pytest.mark.parametrize("goes", GONE)
def test_it_is_so_before_postgresql_16(older_server: Replicated, goes: Callable[[Roles], None]) -> None:
    with fresh_roles(older_server.url) as roles:
        _counted_and_ended(roles, goes)


def _counted_and_ended(roles: Roles, goes: Callable[[Roles], None]) -> None:
    with bot(roles) as postgres:
        kept = granted(postgres, orders_rw(roles, "ada"))
        ada = with_the_role(roles, "ada")
        bob = roles.session("bob")
        postgres.close()
        goes(roles)

        look = seen(roles, postgres, kept)
        assert (look.presence, look.sessions, look.gone) == (Presence.NONE, 1, False)
        assert look.why == "1 open sessions may still use it"
        assert alive(ada)

        assert revoke(roles, postgres, look.receipts).gone
        assert not alive(ada)
        assert alive(bob)


def test_a_session_that_began_later_does_not_count(roles: Roles, postgres: Postgres) -> None:
    """Otherwise a client that reconnects at once could prevent access from counting as gone."""
    kept = granted(postgres, orders_rw(roles, "ada"))
    first = with_the_role(roles, "ada")
    by_hand(roles)
    look = seen(roles, postgres, kept)
    later = roles.session("ada")

    again = seen(roles, postgres, look.receipts)
    assert (again.sessions, again.receipts) == (1, look.receipts)

    assert revoke(roles, postgres, look.receipts).gone
    assert not alive(first)
    assert alive(later)


def test_all_sessions_count_while_more_are_open_than_are_written_down(
    roles: Roles, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "MOST_PIDS", 1)
    kept = granted(postgres, orders_rw(roles, "ada"))
    hers = [with_the_role(roles, "ada") for _ in range(2)]
    by_hand(roles)

    look = seen(roles, postgres, kept)

    assert look.sessions == 2
    assert look.receipts == tuple(kept)
    assert revoke(roles, postgres, look.receipts).gone
    assert not any(alive(each) for each in hers)


def test_a_membership_that_is_back_begins_anew(roles: Roles, postgres: Postgres) -> None:
    """The recorded sessions say nothing about those that begin with the role now."""
    kept = granted(postgres, orders_rw(roles, "ada"))
    first = with_the_role(roles, "ada")
    by_hand(roles)
    look = seen(roles, postgres, kept)

    completed = postgres.grant(orders_rw(roles, "ada"), look.receipts, None, soon())
    assert completed == kept[0]
    assert seen(roles, postgres, look.receipts).receipts == tuple(kept)
    second = with_the_role(roles, "ada")
    by_hand(roles)

    assert seen(roles, postgres, [completed]).sessions == 2
    assert revoke(roles, postgres, [completed]).gone
    assert not alive(first)
    assert not alive(second)


def test_sessions_are_kept_if_somebody_else_has_granted_the_role_since(
    roles: Roles, postgres: Postgres
) -> None:
    kept = granted(postgres, orders_rw(roles, "ada"))
    ada = with_the_role(roles, "ada")
    by_hand(roles)
    roles.run("GRANT {orders_rw} TO {ada}")

    look = revoke(roles, postgres, kept)

    assert (look.presence, look.grantor, look.gone) == (Presence.THEIRS, "postgres", True)
    assert alive(ada)


def test_where_sessions_are_kept_none_is_counted(roles: Roles) -> None:
    with bot(roles, "keep") as postgres:
        kept = granted(postgres, orders_rw(roles, "ada"))
        ada = with_the_role(roles, "ada")
        by_hand(roles)

        assert seen(roles, postgres, kept).gone
        assert revoke(roles, postgres, kept).gone
        assert alive(ada)


# ---------------------------------------------------------------------- a revocation that was cut short


def test_a_revocation_that_was_cut_short_is_finished_by_the_next(roles: Roles, postgres: Postgres) -> None:
    kept = granted(postgres, orders_rw(roles, "ada"))
    ada = with_the_role(roles, "ada")
    roles.run("REVOKE pg_signal_backend FROM {rotakey}")
    with pytest.raises(PermanentFailure, match="GRANT pg_signal_backend"):
        postgres.revoke(orders_rw(roles, "ada"), kept, soon())

    look = seen(roles, postgres, kept)
    shown = Presence.USELESS if roles.version >= 160_000 else Presence.NONE
    assert (look.presence, look.sessions, look.gone) == (shown, 1, False)
    assert alive(ada)
    later = roles.session("ada")
    assert not may_take_the_role(roles, later)

    roles.run("GRANT pg_signal_backend TO {rotakey}")
    assert revoke(roles, postgres, look.receipts).gone
    assert not alive(ada)
    assert alive(later)


def test_a_revocation_that_was_cut_short_can_be_overtaken_by_granting(
    roles: Roles, postgres: Postgres
) -> None:
    kept = granted(postgres, orders_rw(roles, "ada"))
    roles.session("ada")
    roles.run("REVOKE pg_signal_backend FROM {rotakey}")
    with pytest.raises(PermanentFailure):
        postgres.revoke(orders_rw(roles, "ada"), kept, soon())
    roles.run("GRANT pg_signal_backend TO {rotakey}")

    kept = granted(postgres, orders_rw(roles, "ada"))

    assert may_take_the_role(roles, roles.session("ada"))
    assert presence(postgres, orders_rw(roles, "ada"), kept) is Presence.OURS


def test_a_session_that_is_slow_to_start_does_not_slip_by(roles: Roles, postgres: Postgres) -> None:
    kept = granted(postgres, orders_rw(roles, "ada"))
    with starting_with_the_role(roles, "ada") as starting:
        assert revoke(roles, postgres, kept).gone
    with starting.result() as ada:
        assert not alive(ada)


def test_a_session_that_is_slow_to_start_is_counted(roles: Roles, postgres: Postgres) -> None:
    kept = granted(postgres, orders_rw(roles, "ada"))
    with starting_with_the_role(roles, "ada") as starting:
        by_hand(roles)
        look = seen(roles, postgres, kept)
        assert (look.presence, look.sessions) == (Presence.NONE, 1)
        assert revoke(roles, postgres, look.receipts).gone
    with starting.result() as ada:
        assert not alive(ada)


def test_nor_if_the_bot_may_not_end_it(roles: Roles, postgres: Postgres) -> None:
    kept = granted(postgres, orders_rw(roles, "ada"))
    roles.run("REVOKE pg_signal_backend FROM {rotakey}")
    with starting_with_the_role(roles, "ada") as starting:
        with pytest.raises(PermanentFailure, match="GRANT pg_signal_backend"):
            postgres.revoke(orders_rw(roles, "ada"), kept, Deadline.after(1))
        look = seen(roles, postgres, kept)
        assert (look.sessions, look.gone) == (1, False)
        roles.run("GRANT pg_signal_backend TO {rotakey}")
        assert revoke(roles, postgres, look.receipts).gone
    with starting.result() as ada:
        assert not alive(ada)


@contextmanager
def starting_with_the_role(roles: Roles, name: str) -> Iterator[Future[Session]]:
    """Yield a session that has had the role for a minute without being listed as hers, and in the end its
    outcome."""
    role = roles["orders_rw"].replace(" ", r"\ ")
    slow = f"{roles.url(name)}?options={quote(f'-c post_auth_delay=60 -c role={role}')}"
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(lambda: psycopg.connect(slow, autocommit=True))
        until(lambda: any(_sleeps(pid) for (pid,) in roles.admin.execute(STARTING).fetchall()))
        yield starting


def _sleeps(pid: int) -> bool:
    """Return whether it has been idle for a moment: it takes the role just before, and no other session that
    is starting sleeps. Without /proc nobody can tell, and it counts as asleep."""
    status = Path(f"/proc/{pid}/status")
    if not Path("/proc/self/status").exists():
        return True

    def switches() -> list[str]:
        try:
            text = status.read_text()
        except (FileNotFoundError, ProcessLookupError):
            return []
        return re.findall(r"^State:\s+S|ctxt_switches:\s+\d+", text, re.MULTILINE)

    before = switches()
    time.sleep(0.05)
    return len(before) == 3 and switches() == before


def test_without_the_role_nobody_is_disturbed(roles: Roles, postgres: Postgres) -> None:
    carol = roles.session("carol")
    roles.run("DROP ROLE {orders_rw}")

    postgres.revoke(orders_rw(roles, "carol"), [], soon())

    assert alive(carol)


def test_an_account_that_becomes_a_superuser_is_named(newer: Roles) -> None:
    with bot(newer) as postgres:
        kept = granted(postgres, orders_rw(newer, "bob"))
        newer.session("bob")
        newer.run("ALTER ROLE {bob} SUPERUSER")

        with pytest.raises(PermanentFailure, match="is a superuser now"):
            postgres.revoke(orders_rw(newer, "bob"), kept, soon())


@pytest.mark.skipif(os.getuid() != 0, reason="only root may stop a server's process of another account")
def test_it_is_not_done_while_a_session_is_left(roles: Roles, postgres: Postgres) -> None:
    kept = granted(postgres, orders_rw(roles, "ada"))
    ada = with_the_role(roles, "ada")
    os.kill(ada.info.backend_pid, signal.SIGSTOP)
    try:
        with pytest.raises(TemporaryFailure, match=r"1 sessions have not ended yet"):
            postgres.revoke(orders_rw(roles, "ada"), kept, Deadline.after(1))
        look = seen(roles, postgres, kept)
        assert (look.sessions, look.gone) == (1, False)
    finally:
        os.kill(ada.info.backend_pid, signal.SIGCONT)

    assert revoke(roles, postgres, look.receipts).gone

    assert not alive(ada)
    assert roles.members() == {}
