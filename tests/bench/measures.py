"""What is measured: each opens a sandbox of its own and looks at the database from outside."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from bot.cli import to_try
from bot.core.grants import Grant, State
from bot.sandbox.run import POLICY, Sandbox, forget
from tests.bench.table import Row, quantile, spread

ASKS, ENDS, KILLS, SHIFTS, ACKS, AT_ONCE = 60, 30, 5, 4, 480, 16
HELD = """
SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles u ON u.oid = m.member
WHERE r.rolname = %s AND u.rolname = %s
"""


@dataclass(frozen=True)
class Bench:
    sandbox: Sandbox
    eye: psycopg.Connection[Any]

    def types(self, who: str, text: str) -> float:
        """Seconds to the acknowledgement."""
        reply = self.sandbox.workspace.type_command(who, "C0DBACCESS", "/access", text)
        if reply.status != 200:
            raise RuntimeError(f"{text}: {reply}")
        return reply.seconds

    def held(self, role: str, account: str) -> bool:
        return self.eye.execute(HELD, (role, account)).fetchone() is not None

    def end_of(self, resource: str) -> float:
        leases = self.sandbox.observer.leases()
        return float(next(each["until"] for each in leases if each["resource"] == resource))

    def active(self, resource: str) -> bool:
        """Observed as given, and written down: no call is under way."""
        grants = self.sandbox.ledger.read((), (f"resource:{resource}",)).all(Grant)
        return any(grant.state is State.ACTIVE for grant in grants)

    def idle(self, resource: str) -> bool:
        return not self.sandbox.ledger.read((), (f"resource:{resource}",)).documents


@contextmanager
def _bench() -> Iterator[Bench]:
    with (
        _folder() as data,
        Sandbox(to_try(POLICY), data) as sandbox,
        psycopg.connect(sandbox.postgres.url, autocommit=True) as eye,
    ):
        yield Bench(sandbox, eye)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield Path(folder)
        finally:
            forget(Path(folder))


def _when(condition: Callable[[], bool], seconds: float = 30) -> float:
    """When, on the wall clock, it came to be so; looked at every half millisecond."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return time.time()
        time.sleep(0.0005)
    raise TimeoutError("it did not come to be so")


def asks() -> Iterator[Row]:
    given, taken = [], []
    with _bench() as bench:
        for number in range(ASKS):
            asked = time.time()
            bench.types("U02ADA", f"request prod-db 4h because of measurement {number}")
            given.append(_when(lambda: bench.held("orders_rw", "ada")) - asked)
            back = time.time()
            bench.types("U02ADA", "done prod-db")
            taken.append(_when(lambda: not bench.held("orders_rw", "ada")) - back)
            _when(lambda: bench.idle("prod-db"))
    worst = max(statistics.median(given) / 0.150, quantile(given, 0.99) / 0.500)
    yield Row("on-call request: command in to role held", "median 150, p99 500 ms", spread(given), worst)
    yield Row("given back: command in to role gone", "", spread(taken))


def ends() -> Iterator[Row]:
    late = []
    with _bench() as bench:
        for number in range(ENDS):
            bench.types("U02ADA", f"request prod-db 1s because of measurement {number}")
            end = bench.end_of("prod-db")
            _when(lambda: bench.held("orders_rw", "ada"))
            late.append(_when(lambda: not bench.held("orders_rw", "ada")) - end)
            _when(lambda: bench.idle("prod-db"))
    yield Row("lease end to role gone", "p99 300 ms", spread(late), quantile(late, 0.99) / 0.300)


def worker_away() -> Iterator[Row]:
    late = []
    with _bench() as bench:
        worker = bench.sandbox.worker

        def starts() -> int:
            return worker.log.read_text("utf-8").count('"working"')

        for number in range(KILLS):
            bench.types("U02ADA", f"request prod-db 2s because of measurement {number}")
            _when(lambda: bench.active("prod-db"))
            end = bench.end_of("prod-db")
            worker.kill()
            time.sleep(max(end + 0.5 - time.time(), 0))
            before = starts()
            worker.start()
            up = _when(lambda before=before: starts() > before)  # type: ignore[misc]  # of this round
            late.append(_when(lambda: not bench.held("orders_rw", "ada")) - up)
            _when(lambda: bench.idle("prod-db"))
    yield Row("worker killed before the end, up after it: gone", "1 s of being up", spread(late), max(late))


def shifts() -> Iterator[Row]:
    starts, ends = [], []
    with _bench() as bench:
        for _ in range(SHIFTS):
            start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=8)
            end = start + timedelta(seconds=3)
            bench.sandbox.pager.override("PDBPRIM", "U02DAN", start, end)
            starts.append(_when(lambda: bench.held("orders_ro", "dan")) - start.timestamp())
            ends.append(_when(lambda: not bench.held("orders_ro", "dan")) - end.timestamp())
    for what, seconds in (("shift start to role held", starts), ("shift end to role gone", ends)):
        yield Row(what, "300 ms of the second", spread(seconds), max(seconds) / 0.300)


def acks() -> Iterator[Row]:
    for at_once, pause, how in (
        (1, 0.0, "one after the other"),
        (AT_ONCE, 0.3, f"{AT_ONCE} at once"),
        (AT_ONCE, 0.0, f"{AT_ONCE} at once, without a pause"),
    ):
        with _bench() as bench:
            seconds = _crowd(bench.sandbox, at_once, pause)
        promised = "p99 50 ms" if pause else ""
        yield Row(
            f"acknowledgement to Slack, {how}", promised, spread(seconds), quantile(seconds, 0.99) / 0.050
        )


def _crowd(sandbox: Sandbox, at_once: int, pause: float) -> list[float]:
    arguments = (f"{sandbox.bot_url}/slack/events", str(at_once), str(ACKS // at_once), str(pause))
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.crowd", *arguments],
        env={**os.environ, "SLACK_SIGNING_SECRET": sandbox.secrets.signing_secret},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [float(line) for line in done.stdout.split()]


def starts() -> Iterator[Row]:
    with _folder() as data:
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
