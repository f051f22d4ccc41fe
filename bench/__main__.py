"""Measures the promises on this machine and prints them beside what was promised.

Web and worker run as processes of their own, on a real Valkey and a real PostgreSQL; Slack is the
sandbox's workspace, which answers at once. Nothing here passes or fails: it prints.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import DEVNULL, run
from sys import argv, executable

import psycopg

from bot import config
from bot.sandbox.run import POLICY, Policy, Sandbox

ASKS = 60
ENDS = 30
HELD = (
    "SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles u ON u.oid = m.member"
)
WHERE = f"{HELD} WHERE r.rolname = %s AND u.rolname = %s"


@dataclass(frozen=True)
class Row:
    what: str
    promised: str
    measured: str


def main() -> None:
    only = set(argv[1:])
    measures: dict[str, Callable[[], list[Row]]] = {
        "asks": lambda: _in_sandbox(_asks),
        "ends": lambda: _in_sandbox(_ends),
        "worker": lambda: _in_sandbox(_worker_away),
        "shifts": lambda: _in_sandbox(_shifts),
        "acks": lambda: _in_sandbox(_acks),
        "starts": _starts,
    }
    print(f"{'what':<62} {'promised':<28} measured")
    for name, measure in measures.items():
        if only and name not in only:
            continue
        for row in measure():
            print(f"{row.what:<62} {row.promised:<28} {row.measured}", flush=True)


def _in_sandbox(measure: Callable[[Sandbox, psycopg.Connection], list[Row]]) -> list[Row]:
    text = POLICY.read_bytes()
    names = config.variables(text)
    checked = config.load(text, environ=dict.fromkeys(names, "postgresql://sandbox"))
    policy = Policy(
        path=POLICY, catalog=checked.catalog, workspace=checked.workspace, variables=frozenset(names)
    )
    with tempfile.TemporaryDirectory() as data, Sandbox(policy, Path(data)) as sandbox:
        with psycopg.connect(sandbox.postgres.url, autocommit=True) as eye:
            return measure(sandbox, eye)


def _held(eye: psycopg.Connection, role: str, account: str) -> bool:
    return eye.execute(WHERE, (role, account)).fetchone() is not None


def _until(condition: Callable[[], bool], seconds: float = 30) -> float:
    """When, on the wall clock, it came to be so; looked at every half millisecond."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return time.time()
        time.sleep(0.0005)
    raise TimeoutError("it did not come to be so")


def _type(sandbox: Sandbox, who: str, text: str) -> None:
    reply = sandbox.workspace.type_command(who, "C0DBACCESS", "/access", text)
    if reply.status != 200:
        raise RuntimeError(f"{text}: {reply}")


def _quantiles(seconds: Sequence[float]) -> str:
    ordered = sorted(each * 1000 for each in seconds)
    p99 = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    return f"median {statistics.median(ordered):.0f} ms, p99 {p99:.0f} ms, max {ordered[-1]:.0f} ms (n={len(ordered)})"


def _asks(sandbox: Sandbox, eye: psycopg.Connection) -> list[Row]:
    given, taken = [], []
    for number in range(ASKS):
        asked = time.time()
        _type(sandbox, "U02ADA", f"request prod-db 4h because of measurement {number}")
        given.append(_until(lambda: _held(eye, "orders_rw", "ada")) - asked)
        back = time.time()
        _type(sandbox, "U02ADA", "done prod-db")
        taken.append(_until(lambda: not _held(eye, "orders_rw", "ada")) - back)
        _until(lambda: not _open(sandbox, "prod-db"))
    return [
        Row("on-call request: command in to role held", "median 150 ms, p99 500 ms", _quantiles(given)),
        Row("given back: command in to role gone", "", _quantiles(taken)),
    ]


def _open(sandbox: Sandbox, resource: str) -> bool:
    return any(lease["resource"] == resource for lease in sandbox.watch.leases()) or bool(
        sandbox.ledger.read((), (f"resource:{resource}",)).documents
    )


def _end_of(sandbox: Sandbox, resource: str) -> float:
    ends = [lease["until"] for lease in sandbox.watch.leases() if lease["resource"] == resource]
    return float(ends[0])


def _ends(sandbox: Sandbox, eye: psycopg.Connection) -> list[Row]:
    late = []
    for number in range(ENDS):
        _type(sandbox, "U02ADA", f"request prod-db 1s because of measurement {number}")
        end = _end_of(sandbox, "prod-db")
        _until(lambda: _held(eye, "orders_rw", "ada"))
        late.append(_until(lambda: not _held(eye, "orders_rw", "ada")) - end)
        _until(lambda: not _open(sandbox, "prod-db"))
    return [Row("lease end to role gone", "p99 300 ms", _quantiles(late))]


def _worker_away(sandbox: Sandbox, eye: psycopg.Connection) -> list[Row]:
    late = []
    for number in range(5):
        _type(sandbox, "U02ADA", f"request prod-db 2s because of measurement {number}")
        _until(lambda: _held(eye, "orders_rw", "ada"))
        sandbox.worker.kill()
        end = _end_of(sandbox, "prod-db")
        _until(lambda end=end: time.time() > end + 0.5)  # type: ignore[misc]  # the end of this round
        sandbox.worker.start()
        up = _until(
            lambda: "working" in sandbox.worker.log.read_text("utf-8").splitlines()[-1:][0:1].__str__()
        )
        late.append(_until(lambda: not _held(eye, "orders_rw", "ada")) - up)
        _until(lambda: not _open(sandbox, "prod-db"))
    return [Row("worker killed before the end, up again after it: gone", "1 s of being up", _quantiles(late))]


def _shifts(sandbox: Sandbox, eye: psycopg.Connection) -> list[Row]:
    starts, ends = [], []
    now = datetime.now(UTC)
    for number in range(3):
        start = (now + timedelta(seconds=9 + 8 * number)).replace(microsecond=0)
        sandbox.pager.override("PDBPRIM", "U02DAN", start, start + timedelta(seconds=4))
        now = datetime.now(UTC)
        starts.append(_until(lambda: _held(eye, "orders_ro", "dan")) - start.timestamp())
        end = start + timedelta(seconds=4)
        ends.append(_until(lambda: not _held(eye, "orders_ro", "dan")) - end.timestamp())
        now = datetime.now(UTC) - timedelta(seconds=8 * number)
    return [
        Row("shift start to role held", "300 ms of the second", _quantiles(starts)),
        Row("shift end to role gone", "300 ms of the second", _quantiles(ends)),
    ]


def _acks(sandbox: Sandbox, _: psycopg.Connection) -> list[Row]:
    seconds: list[float] = []
    lock = threading.Lock()

    def one(number: int) -> None:
        text = f"request schema-migration 1h because of measurement {number}"
        who = ("U02ADA", "U02DAN", "U02BOB", "U02CAR")[number % 4]
        reply = sandbox.workspace.type_command(who, "C0DBACCESS", "/access", text if number % 2 else "mine")
        with lock:
            seconds.append(reply.seconds)

    with ThreadPoolExecutor(16) as crowd:
        list(crowd.map(one, range(64)))
        seconds.clear()
        list(crowd.map(one, range(1_000, 1_480)))
    return [Row("acknowledgement to Slack, 16 at once", "p99 50 ms", _quantiles(seconds))]


def _starts() -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as data:
        for which, promised in (("first start", "20 s with make"), ("second start", "5 s")):
            began = time.monotonic()
            run([executable, "-m", "bench.start", data], check=True, stdout=DEVNULL)
            rows.append(
                Row(
                    f"sandbox, {which}: page answers and the bot is ready (and ends)",
                    promised,
                    f"{time.monotonic() - began:.1f} s",
                )
            )
    return rows


main()
