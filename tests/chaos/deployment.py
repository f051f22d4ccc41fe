"""All that runs in a round: two web processes, two workers, Valkey, two PostgreSQL, Slack and the pager."""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import ClassVar, Self
from urllib.request import urlopen

from redis.exceptions import RedisError

from bot import config
from bot.core.catalog import Catalog
from bot.core.errors import Misconfigured, TemporaryFailure
from bot.core.people import Group
from bot.core.shifts import Roster
from bot.doubles import pagerduty
from bot.doubles.pagerduty import Pager
from bot.doubles.slack.server import serve
from bot.doubles.slack.workspace import Workspace
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.documents import Home, Key, PolicyInForce
from bot.sandbox.stack.bot_process import BotProcess
from bot.sandbox.stack.server_process import ServerProcess, free_port
from bot.sandbox.stack.servers import Valkey
from bot.slack.api.manifest import manifest
from bot.usecases.enact import enact
from tests.chaos import scenario
from tests.chaos.database import Database
from tests.chaos.history import History
from tests.chaos.process import PAUSER
from tests.chaos.steps import Post
from tests.chaos.store import Store

READY_WITHIN = 90.0
WEBS = WORKERS = 2


class Wrapped(BotProcess):
    """SIGKILL also ends what is stopped."""

    module: ClassVar[str] = "tests.chaos.process"
    death_signal: ClassVar[signal.Signals] = signal.SIGKILL


class Part:
    """What can be killed and paused. ``lock`` is held by whoever has something done to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.Lock()

    def start(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        raise NotImplementedError

    @property
    def pid(self) -> int | None:
        raise NotImplementedError

    def pause(self, seconds: float, over: threading.Event | None = None) -> None:
        """With all that it started. Returns when it goes on, which it does as soon as it is ``over``."""
        pid = self.pid
        if pid is None:
            return
        command = [sys.executable, "-I", "-S", str(PAUSER), str(seconds), str(pid)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as pauser:
            while over and pauser.poll() is None:
                if over.wait(0.05):
                    pauser.communicate()  # it goes on when the pauser's input ends
            pauser.wait()


class BotPart(Part):
    """Started from one thread that lives as long as the deployment, because it dies with that thread."""

    def __init__(self, process: Wrapped, post: Post, name: str, starter: ThreadPoolExecutor) -> None:
        super().__init__(name)
        self.process = process
        self.post = post
        self.ordered = threading.Lock()
        """Held while an order waits to be obeyed."""
        self._starter = starter
        self._begins = 0

    def start(self) -> None:
        if not self.process.running:
            self._begins = self.process.log.stat().st_size if self.process.log.exists() else 0
            self._starter.submit(self.process.start).result()

    def works(self) -> bool:
        """Whether it is a worker that has put its policy in force and gone to work since it was started."""
        if self.pid is None:
            return False
        with self.process.log.open("rb") as log:
            log.seek(self._begins)
            return b'"working"' in log.read()

    def kill(self) -> None:
        self.process.kill()

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process.running else None


class ServerPart(Part):
    def __init__(self, name: str, server: ServerProcess) -> None:
        super().__init__(name)
        self.server = server

    def start(self) -> None:
        """What a killed one left may still be in its way for a moment."""
        for _ in range(20):
            try:
                self.server.start()
            except Misconfigured:
                time.sleep(0.2)
                continue
            return
        self.server.start()

    def kill(self) -> None:
        self.server.kill()

    @property
    def pid(self) -> int | None:
        return self.server.pid


class StorePart(ServerPart):
    def __init__(self, name: str, server: Valkey, store: Store) -> None:
        super().__init__(name, server)
        self._store = store

    def start(self) -> None:
        """Whichever of the two was started, one is the copy of the other again."""
        super().start()
        with suppress(RedisError):  # the other one is away: seen to when that is started
            self._store.follow()


class Deployment:
    """Use it as a context manager. Nothing that it started outlives it."""

    def __init__(
        self, folder: Path, *, lapse_after: int, design: str | None = None, copies: bool = False
    ) -> None:
        """``copies``: what leads to access waits until it is copied."""
        self._copies = copies
        self.folder = folder
        self._lapse_after = lapse_after
        self._design = design
        self._stack = ExitStack()
        self._secrets = {
            "SLACK_BOT_TOKEN": f"xoxb-{secrets.token_hex(12)}",
            "SLACK_SIGNING_SECRET": secrets.token_hex(16),
            "PAGERDUTY_TOKEN": secrets.token_hex(10),
        }

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self) -> None:
        self.redises = Store(self.folder)
        self._stack.callback(self.redises.close)
        self.redises.open()
        self.databases = {target: Database(target, self.folder) for target in scenario.URLS_OF}
        for database in self.databases.values():
            self._stack.callback(database.close)
        with ThreadPoolExecutor(len(self.databases)) as pool:
            list(pool.map(Database.open, self.databases.values()))
        self._stores = {
            each: StorePart(name, each, self.redises)
            for name, each in (("valkey-1", self.redises.primary), ("valkey-2", self.redises.replica))
        }
        self.targets = {
            target: ServerPart(f"postgres-{target}", database.server)
            for target, database in self.databases.items()
        }
        self.redis = connect(self.redises.url)
        self.ledger = RedisLedger(self.redis)
        self._policy, self._variant = self.folder / "access.yaml", ""
        self._changing = threading.RLock()
        self.write_policy()
        self._open_slack()
        self._open_pager()
        self._start_bot()

    def _open_slack(self) -> None:
        self.slack = Workspace(
            manifest(),
            bot_token=self._secrets["SLACK_BOT_TOKEN"],
            signing_secret=self._secrets["SLACK_SIGNING_SECRET"],
            app_token=f"xapp-{secrets.token_hex(12)}",
        )
        self.history = self.slack.api.calls = History()
        self._stack.callback(self.slack.close)
        scenario.settle(self.slack)
        self._slack_served = serve(self.slack)
        self._stack.callback(self._slack_served.close)

    def _open_pager(self) -> None:
        self.pager = Pager(token=self._secrets["PAGERDUTY_TOKEN"])
        scenario.roster(self.pager)
        self._pager_served = pagerduty.serve(self.pager)
        self._stack.callback(self._pager_served.close)

    def write_policy(self, variant: str | None = None) -> None:
        """By it each target is reached by the address that it has now. ``variant``: the one from now on."""
        with self._changing:
            self._variant = self._variant if variant is None else variant
            urls = {target: each.variable for target, each in self.databases.items()}
            scenario.write_policy(self._policy, self._lapse_after, urls, self._variant)
            self.catalog = _catalog(self._policy)

    def answers(self, web: BotPart) -> bool:
        return _answers(web.process.environ["PORT"])

    def apply_policy(self) -> bool:
        """As ``rotakey policy apply`` does; whether that worked."""
        with self._changing:
            found = config.load(config.bytes_of(self._policy), environ={}, secrets=False)
            try:
                enact(self.ledger, found.catalog, found.text, by="chaos")
            except TemporaryFailure:
                return False
            return True

    def in_force(self) -> bool:
        """Whether that is so by now."""
        try:
            found = self.ledger.read({Key.of(PolicyInForce)}).find(PolicyInForce)
        except TemporaryFailure:
            return False
        return found is not None and found.version == self.catalog.version

    def _start_bot(self) -> None:
        self._starter = self._stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="starter"))
        environ = {
            **self._secrets,
            **{name: url for each in self.databases.values() for name, url in each.environ.items()},
            "SLACK_API_URL": self._slack_served.api_url,
            "REDIS_URL": self.redises.url,
            "REDIS_COPIES": "1" if self._copies else "0",
            "ACCESS_FILE": str(self._policy),
            "PAGERDUTY_API_URL": self._pager_served.url,
            **({"CHAOS_BREAK": self._design} if self._design else {}),
        }
        self.webs = [self._bot("web", number, environ) for number in range(1, WEBS + 1)]
        self.workers = [self._bot("worker", number, environ) for number in range(1, WORKERS + 1)]
        self._stack.callback(self._end_bot)
        for each in self.bots:
            each.start()
        self._wait_until_ready()

    def _bot(self, command: str, number: int, environ: Mapping[str, str]) -> BotPart:
        name = f"{command}-{number}"
        post = Post(self.folder / name)
        whole = {**environ, "CHAOS_POST": str(self.folder / name), "PORT": str(free_port())}
        arguments = ("--host", "127.0.0.1") if command == "web" else ()
        process = Wrapped(command, *arguments, environ=whole, log=self.folder / f"{name}.log")
        return BotPart(process, post, name, self._starter)

    @property
    def bots(self) -> list[BotPart]:
        return [*self.webs, *self.workers]

    @property
    def store(self) -> ServerPart:
        """The Valkey that is the primary now."""
        return self._stores[self.redises.primary]

    @property
    def copy(self) -> ServerPart:
        return self._stores[self.redises.replica]

    @property
    def servers(self) -> list[ServerPart]:
        return [self.store, self.copy, *self.targets.values()]

    def backends(self, target: str) -> list[int]:
        """PostgreSQL's own processes that serve the bot there."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                title = (path / "cmdline").read_bytes()
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                if title.startswith(b"postgres: rotakey") and parent == self.targets[target].pid:
                    found.append(int(path.name))
        return found

    def homes(self) -> dict[str, frozenset[str]]:
        """What is written on the Home tabs, by person."""
        found = {}
        for person in scenario.PEOPLE:
            if home := self.slack.home(person):
                texts = [
                    part for block in home.blocks for part in (block.get("text"), *block.get("elements", ()))
                ]
                found[person] = frozenset(str(each["text"]) for each in texts if each and "text" in each)
        return found

    def choose_web(self, rng: random.Random) -> None:
        """What is done in Slack next comes in here; for that one web process is as good as another."""
        port = rng.choice(self.webs).process.environ["PORT"]
        self.slack.connect(f"http://127.0.0.1:{port}/slack/events")

    def ready(self) -> bool:
        """All web processes answer, and the worker has read what decisions rest on."""
        wanted = {Key.of(Home), *(Key.of(Group, name) for name in self.catalog.groups())}
        wanted |= {Key.of(Roster, schedule) for schedule in self.catalog.schedules()}
        try:
            read = wanted <= self.ledger.read(wanted).documents.keys()
        except TemporaryFailure:
            return False
        return read and all(self.answers(each) for each in self.webs)

    def _wait_until_ready(self) -> None:
        wait_until(self.ready, READY_WITHIN, f"the bot was not ready: see {self.folder}")

    def _end_bot(self) -> None:
        for each in self.bots:
            each.process.tell_to_stop()
        for each in self.bots:
            each.process.stop()


def wait_until(look: Callable[[], bool], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.05)


def _catalog(policy: Path) -> Catalog:
    environ = {
        **os.environ,
        **{url: f"postgresql://{url}" for urls in scenario.URLS_OF.values() for url in urls},
    }
    return config.load(config.bytes_of(policy), name=str(policy), environ=environ).catalog


def _answers(port: str) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
