"""Access begins and ends by the clock of Redis, whatever the clocks of web, worker and PostgreSQL say."""

import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta

import pytest

from bot.sandbox.stack.bot_process import ROOT
from bot.testing.polling import until
from tests.clocks.conftest import Clocks
from tests.e2e.rig import ADA, DAN, DB_ACCESS, Rig

MINUTE, HOUR = 60, 3_600
APART = [(4 * MINUTE, -5 * MINUTE, HOUR), (-4 * MINUTE, 5 * MINUTE, -HOUR)]
"""Of web, worker and PostgreSQL. Slack takes the web process's for wrong from five minutes on."""


def redis_time(rig: Rig) -> datetime:
    return rig.ledger.read(()).now


def end_of(rig: Rig, reason: str) -> datetime:
    end = rig.grant(reason).until
    assert end
    return end


def goes_with_its_lease(rig: Rig, role: str, end: datetime) -> None:
    """Wait until nobody is in the role, and check that this was right after ``end`` on Redis's clock."""
    until(lambda: not rig.members(role))
    assert end <= redis_time(rig) < end + timedelta(seconds=5)


def goes_by_redis(rig: Rig, who: str, reason: str) -> None:
    """Check that two seconds of access last two seconds, and that the card says so."""
    before = redis_time(rig)
    rig.types(who, f"request prod-db 2s because {reason}")
    end = end_of(rig, reason)
    assert before <= end - timedelta(seconds=2) <= redis_time(rig)
    rig.sees(who, reason, "You have *prod-db* until TIME.")
    assert f"<!date^{int(end.timestamp())}^" in rig.card(who, reason).text
    goes_with_its_lease(rig, "orders_rw", end)
    rig.sees(who, reason, "Your *prod-db* ended TIME: time is up.")


def stands_in(rig: Rig, start: datetime, end: datetime) -> None:
    """Put Dan on call for Ada, with nothing else happening meanwhile."""
    rig.pager.override("PNIGHT", DAN, start, end)
    rig.has("night_ro", "dan")
    assert start <= redis_time(rig)
    rig.has("night_ro", "ada")
    assert end <= redis_time(rig) < end + timedelta(seconds=5)


@pytest.mark.parametrize(("web", "worker", "postgres"), APART)
def test_access_begins_and_ends_by_the_clock_of_redis_alone(
    rig: Rig, clocks: Clocks, web: float, worker: float, postgres: float
) -> None:
    clocks.web.set(apart=web)
    clocks.worker.set(apart=worker)
    clocks.postgres.set(apart=postgres)
    rig.has("night_ro", "ada")
    goes_by_redis(rig, ADA, f"web is {web} s ahead")
    stands_in(rig, rig.second(ahead=3), rig.second(ahead=5))


def test_setting_the_clocks_of_web_and_worker_ends_nothing_early_or_late(rig: Rig, clocks: Clocks) -> None:
    rig.types(ADA, "request prod-db 2s because somebody sets the clock")
    rig.has("orders_rw", "ada")
    for clock in (clocks.web, clocks.worker):
        clock.set(apart=HOUR)
    rig.sees(ADA, "somebody sets the clock", "You have *prod-db* until TIME.")
    for clock in (clocks.web, clocks.worker):
        clock.set(apart=-HOUR)
    goes_with_its_lease(rig, "orders_rw", end_of(rig, "somebody sets the clock"))
    rig.sees(ADA, "somebody sets the clock", "Your *prod-db* ended TIME: time is up.")


@pytest.mark.parametrize("apart", [6 * MINUTE, -6 * MINUTE])
def test_a_web_process_that_is_off_by_more_than_slack_allows_hears_nobody(
    rig: Rig, clocks: Clocks, apart: float
) -> None:
    """Slack's own rule: a request that old may be a recorded one."""
    clocks.web.set(apart=apart)
    reply = rig.slack.type_command(ADA, DB_ACCESS, "/access", "request prod-db 1h because it is late")
    assert reply.status == 401
    assert rig.open_asks() == []
    clocks.web.set(apart=0)
    assert rig.types(ADA, "request prod-db 1h because it is set").startswith(
        "You get *prod-db* until TIME (1 hour): "
    )


@pytest.mark.parametrize("apart", [HOUR, -HOUR])
def test_postgresql_gives_nothing_late_whatever_its_clock_says(
    rig: Rig, clocks: Clocks, apart: float
) -> None:
    clocks.postgres.set(apart=apart)
    arguments = [rig.orders.database.bot_url, "dan", "orders_rw", "granting"]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.targets.postgres.late_giver", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as giver:
        assert giver.stdout
        not_after = float(giver.stdout.readline())
        os.waitpid(giver.pid, os.WUNTRACED)
        until(lambda: time.monotonic() > not_after)
        giver.send_signal(signal.SIGCONT)
        _, said = giver.communicate(timeout=10)
    assert said.startswith("not granted: orders-db")
    assert rig.members("orders_rw") == set()
