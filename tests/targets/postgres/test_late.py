"""Access is never granted late at PostgreSQL, whether the bot, the server or a lock is slow."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from bot.core.errors import TemporaryFailure
from bot.core.holds import Presence
from bot.ports.deadline import Deadline
from bot.targets.postgres.target import Postgres
from bot.testing.polling import until
from bot.testing.postgres import Roles
from tests.paths import ROOT
from tests.targets.postgres.late_giver import STOPS_AT
from tests.targets.postgres.scenes import granted, orders_rw, presence, soon, waits_for_a_lock


@pytest.mark.parametrize("where", STOPS_AT)
def test_a_bot_that_was_paused_gives_nothing_when_it_goes_on(roles: Roles, where: str) -> None:
    command = [sys.executable, "-m", "tests.targets.postgres.late_giver"]
    arguments = [roles.url("rotakey"), roles["ada"], roles["orders_rw"], where]
    with subprocess.Popen(
        [*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as giver:
        assert giver.stdout
        not_after = float(giver.stdout.readline())
        _, status = os.waitpid(giver.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        until(lambda: time.monotonic() > not_after)
        giver.send_signal(signal.SIGCONT)
        _, said = giver.communicate(timeout=10)

    assert said.startswith("not granted: orders-db")
    assert roles.members() == {}


def test_it_does_not_wait_for_a_lock_beyond_its_time(roles: Roles, postgres: Postgres) -> None:
    receipt = postgres.prepare(orders_rw(roles, "ada"), soon())
    roles.run("BEGIN; LOCK pg_auth_members IN SHARE MODE")
    with pytest.raises(TemporaryFailure):
        postgres.grant(orders_rw(roles, "ada"), [receipt], None, Deadline.after(0.3))
    roles.run("COMMIT")

    assert roles.members() == {}


def test_it_waits_for_a_lock_while_it_has_time(roles: Roles, postgres: Postgres) -> None:
    roles.run("BEGIN; LOCK pg_auth_members IN SHARE MODE")
    with ThreadPoolExecutor(1) as pool:
        giving = pool.submit(granted, postgres, orders_rw(roles, "ada"))
        with psycopg.connect(roles.url("bob"), autocommit=True) as bob:
            until(lambda: waits_for_a_lock(bob))
        roles.run("COMMIT")
        giving.result()

    assert roles.members() == {"ada": {"rotakey"}}


@pytest.mark.skipif(os.getuid() != 0, reason="only root may stop a server's process of another account")
def test_a_server_that_stops_answering_holds_nobody_up(roles: Roles, postgres: Postgres) -> None:
    assert presence(postgres, orders_rw(roles, "ada")) is Presence.NONE
    receipt = postgres.prepare(orders_rw(roles, "ada"), soon())
    ours = "SELECT pid FROM pg_stat_activity WHERE usename = %s"
    [(backend,)] = roles.admin.execute(ours, (roles["rotakey"],)).fetchall()
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(TemporaryFailure, match="did not answer in time"):
            postgres.grant(orders_rw(roles, "ada"), [receipt], None, Deadline.after(0.3))
    finally:
        os.kill(backend, signal.SIGCONT)

    until(lambda: not roles.admin.execute(ours, (roles["rotakey"],)).fetchall())
    assert roles.members() == {}
    assert presence(postgres, orders_rw(roles, "ada")) is Presence.NONE
