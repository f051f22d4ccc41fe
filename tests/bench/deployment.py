"""A real Valkey and the bot's own processes; databases that do nothing, and a Slack that agrees to all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from bot import config
from bot.core.catalog import Catalog
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.settings import VARIABLE
from bot.testing.valkey import valkey
from tests.bench.always_ok import AlwaysOk, always_ok
from tests.bench.deeds import Deeds, Hanging

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SIGNING_SECRET = "0123456789abcdef"


@contextmanager
def deployed(policy: str) -> Iterator[Deployment]:
    """Nothing of it is left behind."""
    with (
        tempfile.TemporaryDirectory() as folder,
        valkey() as server,
        always_ok() as slack,
        ExitStack() as stack,
    ):
        yield Deployment(Path(folder), server.url, slack, policy, stack)


class Deployment:
    def __init__(self, folder: Path, redis_url: str, slack: AlwaysOk, policy: str, stack: ExitStack) -> None:
        self.folder, self.slack, self._stack = folder, slack, stack
        file = folder / "access.yaml"
        file.write_text(policy, "utf-8")
        names = {name[2:-1] for name in re.findall(VARIABLE, policy)}
        nowhere = {name: f"postgresql://nowhere-{name}" for name in names}
        self.catalog: Catalog = config.load(file.read_bytes(), environ=nowhere).catalog
        self.environ = {
            **os.environ,
            **nowhere,
            "MALLOC_ARENA_MAX": "2",  # as in the Procfile
            "SLACK_BOT_TOKEN": "xoxb-bench",
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_API_URL": slack.url,
            "REDIS_URL": redis_url,
            "ACCESS_FILE": str(file),
        }
        self.redis: Redis = connect(redis_url)
        self.ledger = RedisLedger(self.redis)
        self.deeds = Deeds(folder / "deeds")
        """Of the workers, at the databases."""
        self.hanging = Hanging(folder / "deeds")

    def worker(self, **environ: str) -> int:
        """The pid of one more."""
        return self._started("tests.bench.load_worker", str(self.folder / "deeds"), **environ)

    def web(self, port: int) -> int:
        return self._started("bot", "web", PORT=str(port))

    def valkey_pid(self) -> int:
        found: dict[str, int] = self.redis.info("server")
        return int(found["process_id"])

    def _started(self, module: str, *arguments: str, **environ: str) -> int:
        log = self._stack.enter_context((self.folder / f"{module}.log").open("ab"))
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], env=self.environ | environ, stdout=log, stderr=log
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        return process.pid


def owed_now(redis: Redis, kinds: Collection[str], ahead: float = 0) -> int:
    """How many things of these kinds are owed by now, or so many seconds ahead."""
    latest = (time.time() + ahead) * 1000
    lanes: Any = redis.smembers("rotakey:{main}:lanes")
    of_these = [lane for lane in lanes if lane.partition(":")[0] in kinds]
    return sum(int(redis.zcount(f"rotakey:{{main}}:due:{lane}", "-inf", latest)) for lane in of_these)


def cpu(pid: int) -> float:
    """Seconds that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> float:
    """MB of memory, of the process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1_000_000
    return own + sum(resident(int(child)) for child in children)
