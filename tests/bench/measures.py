"""Measurements on a sandbox. Each starts one of its own and reads the database from outside the bot."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from bot.core.grants import Grant, State
from bot.sandbox.run import Sandbox
from bot.sandbox.stack.orders import Orders
from tests.bench.table import Row, quantile, spread
from tests.sandbox.running import running_sandbox, temporary_folder

ASKS, ENDS, KILLS, SHIFTS, ACKS, AT_ONCE = 60, 30, 5, 4, 480, 16
MEMBERSHIP = """
SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles u ON u.oid = m.member
WHERE r.rolname = %s AND u.rolname = %s
"""


@dataclass(frozen=True)
class Bench:
    sandbox: Sandbox
    database: psycopg.Connection[Any]

    def type(self, who: str, text: str) -> None:
        reply = self.sandbox.workspace.type_command(who, "C0DBACCESS", "/access", text)
        if reply.status != 200:
            raise RuntimeError(f"{text}: {reply}")

    def has(self, role: str, account: str) -> bool:
        return self.database.execute(MEMBERSHIP, (role, account)).fetchone() is not None

    def wait_for(self, role: str, account: str, *, has: bool) -> float:
        """Return when the account was first seen with the role, or without it, in epoch seconds."""
        return _wait_for(lambda: self.has(role, account) is has)

    def end_of(self, resource: str) -> float:
        leases = self.sandbox.observer.leases()
        return float(next(each["until"] for each in leases if each["resource"] == resource))

    def is_active(self, resource: str) -> bool:
        """Return whether a grant was seen at the target, and that is written down: no call is under way."""
        grants = self.sandbox.ledger.read((), (f"resource:{resource}",)).all(Grant)
        return any(grant.state is State.ACTIVE for grant in grants)

    def wait_until_idle(self, resource: str) -> None:
        """Wait until nobody has the resource or waits for it."""
        _wait_for(lambda: not self.sandbox.ledger.read((), (f"resource:{resource}",)).documents)


@contextmanager
def _bench() -> Iterator[Bench]:
    with (
        running_sandbox() as sandbox,
        psycopg.connect(sandbox.system(Orders).server.url, autocommit=True) as database,
    ):
        yield Bench(sandbox, database)


def _wait_for(condition: Callable[[], bool], seconds: float = 30) -> float:
    """Return when the condition became true, in epoch seconds; it is checked every half millisecond."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return time.time()
        time.sleep(0.0005)
    raise TimeoutError("it did not happen in time")


def asks() -> Iterator[Row]:
    granting, revoking = [], []
    with _bench() as bench:
        for number in range(ASKS):
            asked = time.time()
            bench.type("U02ADA", f"request prod-db 4h because of measurement {number}")
            granting.append(bench.wait_for("orders_rw", "ada", has=True) - asked)
            back = time.time()
            bench.type("U02ADA", "done prod-db")
            revoking.append(bench.wait_for("orders_rw", "ada", has=False) - back)
            bench.wait_until_idle("prod-db")
    worst = max(statistics.median(granting) / 0.150, quantile(granting, 0.99) / 0.500)
    yield Row("on-call request: command in to role held", "median 150, p99 500 ms", spread(granting), worst)
    yield Row("given back: command in to role gone", "", spread(revoking))


def ends() -> Iterator[Row]:
    late = []
    with _bench() as bench:
        for number in range(ENDS):
            bench.type("U02ADA", f"request prod-db 1s because of measurement {number}")
            end = bench.end_of("prod-db")
            bench.wait_for("orders_rw", "ada", has=True)
            late.append(bench.wait_for("orders_rw", "ada", has=False) - end)
            bench.wait_until_idle("prod-db")
    yield Row("lease end to role gone", "p99 300 ms", spread(late), quantile(late, 0.99) / 0.300)


def worker_away() -> Iterator[Row]:
    late = []
    with _bench() as bench:
        worker = bench.sandbox.worker
        for number in range(KILLS):
            bench.type("U02ADA", f"request prod-db 2s because of measurement {number}")
            _wait_for(lambda: bench.is_active("prod-db"))
            end = bench.end_of("prod-db")
            worker.kill()
            time.sleep(max(end + 0.5 - time.time(), 0))
            worker.start()
            up = _wait_for(lambda: '"working"' in worker.output())
            late.append(bench.wait_for("orders_rw", "ada", has=False) - up)
            bench.wait_until_idle("prod-db")
    yield Row("worker killed before the end, up after it: gone", "1 s of being up", spread(late), max(late))


def shifts() -> Iterator[Row]:
    starts, ends = [], []
    with _bench() as bench:
        for _ in range(SHIFTS):
            start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=8)
            end = start + timedelta(seconds=3)
            bench.sandbox.pager.override("PDBPRIM", "U02DAN", start, end)
            starts.append(bench.wait_for("orders_ro", "dan", has=True) - start.timestamp())
            ends.append(bench.wait_for("orders_ro", "dan", has=False) - end.timestamp())
    for what, seconds in (("shift start to role held", starts), ("shift end to role gone", ends)):
        yield Row(what, "300 ms of the second", spread(seconds), max(seconds) / 0.300)


def acks() -> Iterator[Row]:
    for at_once, pause, how in (
        (1, 0.0, "one after the other"),
        (AT_ONCE, 0.3, f"{AT_ONCE} at once"),
        (AT_ONCE, 0.0, f"{AT_ONCE} at once, without a pause"),
    ):
        with _bench() as bench:
            seconds = _acknowledgements(bench.sandbox, at_once, pause)
        promised = "p99 50 ms" if pause else ""
        yield Row(
            f"acknowledgement to Slack, {how}", promised, spread(seconds), quantile(seconds, 0.99) / 0.050
        )


def _acknowledgements(sandbox: Sandbox, at_once: int, pause: float) -> list[float]:
    """Return the seconds to each acknowledgement, under load from a process of its own."""
    arguments = (f"{sandbox.bot_url}/slack/events", str(at_once), str(ACKS // at_once), str(pause))
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load_generator", *arguments],
        env={**os.environ, "SLACK_SIGNING_SECRET": sandbox.secrets.signing_secret},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [float(line) for line in done.stdout.split()]


def starts() -> Iterator[Row]:
    with temporary_folder() as data:
        for which, promised in (("first", 20.0), ("second", 5.0)):
            began = time.monotonic()
            command = [sys.executable, "-m", "bot", "sandbox", "--data", str(data)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sandbox:
                for line in sandbox.stdout or ():
                    if "Open http" in line:
                        break
                took = time.monotonic() - began
                sandbox.terminate()
            what = f"sandbox, {which} start: page answers, bot is ready"
            yield Row(what, f"{promised:.0f} s", f"{took:.1f} s", took / promised)
