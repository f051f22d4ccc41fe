"""A real Valkey and the bot's own processes, with databases that do nothing and a Slack that accepts all."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from bot import config
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.sandbox.stack.deployment import Deployment
from bot.settings import VARIABLE
from bot.testing.valkey import valkey
from tests.bench.always_ok import AlwaysOk, always_ok
from tests.bench.calls import CallLog, HangingTargets

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SIGNING_SECRET = "0123456789abcdef"
READY_WITHIN = 60.0


class BenchDeployment(Deployment):
    """A deployment whose workers log their calls to the databases in ``calls``."""

    def __init__(self, folder: Path, redis_url: str, slack: AlwaysOk, policy: str) -> None:
        self.slack = slack
        self.redis: Redis = connect(redis_url)
        file, calls = folder / "access.yaml", folder / "calls"
        file.write_text(policy, "utf-8")
        names = {name[2:-1] for name in re.findall(VARIABLE, policy)}
        nowhere = {name: f"postgresql://nowhere-{name}" for name in names}
        self.catalog = config.load(file.read_bytes(), environ=nowhere).catalog
        self.calls, self.hanging = CallLog(calls), HangingTargets(calls)
        environ = {
            **nowhere,
            "MALLOC_ARENA_MAX": "2",  # as in the Procfile
            "SLACK_BOT_TOKEN": "xoxb-bench",
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_API_URL": slack.url,
            "REDIS_URL": redis_url,
            "ACCESS_FILE": str(file),
            "BENCH_CALLS": str(calls),
        }
        super().__init__(folder, RedisLedger(self.redis), environ, module="tests.bench.load_worker")

    def valkey_pid(self) -> int:
        found: dict[str, int] = self.redis.info("server")
        return int(found["process_id"])


@contextmanager
def bench_deployment(
    policy: str, *, webs: int = 0, workers: int = 1, **of_workers: str
) -> Iterator[BenchDeployment]:
    """Start a deployment of which nothing is left behind. ``of_workers`` are variables of the workers."""
    with (
        tempfile.TemporaryDirectory() as folder,
        valkey() as server,
        always_ok() as slack,
        BenchDeployment(Path(folder), server.url, slack, policy) as deployment,
    ):
        for number in range(webs):
            deployment.add("web", name=f"web-{number}")
        for number in range(workers):
            deployment.add("worker", name=f"worker-{number}", **of_workers)
        deployment.start(deployment.catalog, READY_WITHIN)
        yield deployment


def count_due(redis: Redis, kinds: Collection[str], ahead: float = 0) -> int:
    """Return how many things of these kinds are due now, or ``ahead`` seconds from now."""
    latest = (time.time() + ahead) * 1000
    lanes: Any = redis.smembers("rotakey:{main}:lanes")
    of_these = [lane for lane in lanes if lane.partition(":")[0] in kinds]
    return sum(int(redis.zcount(f"rotakey:{{main}}:due:{lane}", "-inf", latest)) for lane in of_these)


def cpu(pid: int) -> float:
    """Return the seconds of CPU that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> float:
    """Return the MB of memory of the process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1_000_000
    return own + sum(resident(int(child)) for child in children)
