"""Everything that runs in a round: two web processes, two workers, two Valkeys, two PostgreSQL servers, Slack
and the pager."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from redis.exceptions import RedisError

from bot import config
from bot.core.errors import Misconfigured, TemporaryFailure
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.documents import Key, PolicyInForce
from bot.sandbox.stack import deployment as builder
from bot.sandbox.stack.bot_process import BotProcess
from bot.sandbox.stack.deployment import Doubles
from bot.sandbox.stack.server_process import ServerProcess
from bot.sandbox.stack.servers import Valkey
from bot.usecases.enact import enact
from tests.chaos import scenario
from tests.chaos.database import Database
from tests.chaos.failpoints import Failpoints
from tests.chaos.history import History
from tests.chaos.process import PAUSER
from tests.chaos.store import Store

READY_WITHIN = 90.0
WEBS = WORKERS = 2


class Part:
    """A process or server that can be killed and paused. ``lock`` is held while something is done to it."""

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
        """Stop it, with all that it started, until the time or the round is ``over``."""
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
    """A process of the bot, with its failpoints."""

    def __init__(self, process: BotProcess, failpoints: Failpoints, name: str) -> None:
        super().__init__(name)
        self.process = process
        self.failpoints = failpoints
        self.order_lock = threading.Lock()
        """Held while an order waits to be carried out."""

    def start(self) -> None:
        if not self.process.running:
            self.process.start()

    def is_working(self) -> bool:
        """Return whether it is a worker that has put its policy in force since it was started."""
        return self.process.running and '"working"' in self.process.output()

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
        """Start it, though what a killed one left may still be in its way for a moment."""
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
    """One of the two Valkeys."""

    def __init__(self, name: str, server: Valkey, store: Store) -> None:
        super().__init__(name, server)
        self._store = store

    def start(self) -> None:
        """Start it, and let one of the two replicate the other again."""
        super().start()
        with suppress(RedisError):  # the other one is away, and does this when it is started
            self._store.replicate()


class Deployment:
    """A context manager; nothing that it started outlives it. With ``copies``, what leads to access waits
    until it is copied; ``design`` is a broken one to run."""

    def __init__(
        self, folder: Path, *, lapse_after: int, design: str | None = None, copies: bool = False
    ) -> None:
        self.folder = folder
        self._lapse_after = lapse_after
        self._chaos = {"REDIS_COPIES": "1" if copies else "0", **({"CHAOS_BREAK": design} if design else {})}
        self._policy, self._variant = self.folder / "access.yaml", ""
        self._changing = threading.RLock()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start_servers(stack)
            self._open_doubles(stack)
            self._start_bot(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start_servers(self, stack: ExitStack) -> None:
        self.store = Store(self.folder)
        stack.callback(self.store.close)
        self.store.open()
        self.databases = {target: Database(target, self.folder) for target in scenario.URLS_OF}
        for database in self.databases.values():
            stack.callback(database.close)
        with ThreadPoolExecutor(len(self.databases)) as pool:
            list(pool.map(Database.open, self.databases.values()))
        self._stores = {
            each: StorePart(name, each, self.store)
            for name, each in (("valkey-1", self.store.primary), ("valkey-2", self.store.replica))
        }
        self.targets = {
            target: ServerPart(f"postgres-{target}", database.server)
            for target, database in self.databases.items()
        }
        self.ledger = RedisLedger(connect(self.store.url))

    def _open_doubles(self, stack: ExitStack) -> None:
        self._doubles = stack.enter_context(Doubles())
        self.slack, self.pager = self._doubles.slack, self._doubles.pager
        self.history = self.slack.api.calls = History()
        scenario.add_people(self.slack)
        scenario.add_schedules(self.pager)
        self._doubles.serve()

    def _start_bot(self, stack: ExitStack) -> None:
        self.write_policy()
        environ = {
            **self._doubles.environ,
            **{name: url for each in self.databases.values() for name, url in each.environ.items()},
            **self._chaos,
            "REDIS_URL": self.store.url,
            "ACCESS_FILE": str(self._policy),
        }
        deployment = stack.enter_context(
            builder.Deployment(
                self.folder, self.ledger, environ, module="tests.chaos.process", death_signal=signal.SIGKILL
            )
        )

        def bot(command: str, number: int) -> BotPart:
            name = f"{command}-{number}"
            folder = self.folder / name
            process = deployment.add(command, name=name, CHAOS_FAILPOINTS=str(folder))
            return BotPart(process, Failpoints(folder), name)

        self.webs = [bot("web", number) for number in range(1, WEBS + 1)]
        self.workers = [bot("worker", number) for number in range(1, WORKERS + 1)]
        deployment.start(self.catalog, READY_WITHIN)

    def write_policy(self, variant: str | None = None) -> None:
        """Write the policy, with the present address of each target. ``variant`` is used from now on."""
        with self._changing:
            self._variant = self._variant if variant is None else variant
            urls = {target: each.variable for target, each in self.databases.items()}
            scenario.write_policy(self._policy, self._lapse_after, urls, self._variant)
            variables = (url for each in scenario.URLS_OF.values() for url in each)
            environ = {**self._doubles.environ, **{url: f"postgresql://{url}" for url in variables}}
            self.catalog = config.load(config.bytes_of(self._policy), environ=environ).catalog

    def apply_policy(self) -> bool:
        """Do as ``rotakey policy apply`` does, and return whether that worked."""
        with self._changing:
            found = config.load(config.bytes_of(self._policy), environ={}, secrets=False)
            try:
                enact(self.ledger, found.catalog, found.text, by="chaos")
            except TemporaryFailure:
                return False
            return True

    def is_in_force(self) -> bool:
        """Return whether the policy that was written last is in force."""
        try:
            found = self.ledger.read({Key.of(PolicyInForce)}).find(PolicyInForce)
        except TemporaryFailure:
            return False
        return found is not None and found.version == self.catalog.version

    @property
    def bots(self) -> list[BotPart]:
        return [*self.webs, *self.workers]

    @property
    def primary(self) -> ServerPart:
        """Return the Valkey that is the primary now."""
        return self._stores[self.store.primary]

    @property
    def replica(self) -> ServerPart:
        return self._stores[self.store.replica]

    @property
    def servers(self) -> list[ServerPart]:
        return [self.primary, self.replica, *self.targets.values()]

    def backends(self, target: str) -> list[int]:
        """Return the pids of PostgreSQL's own processes that serve the bot there."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                title = (path / "cmdline").read_bytes()
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                if title.startswith(b"postgres: rotakey") and parent == self.targets[target].pid:
                    found.append(int(path.name))
        return found

    def home_texts(self) -> dict[str, frozenset[str]]:
        """Return the texts on the Home tabs, by person."""
        found = {}
        for person in scenario.PEOPLE:
            if home := self.slack.home(person):
                texts = [
                    part for block in home.blocks for part in (block.get("text"), *block.get("elements", ()))
                ]
                found[person] = frozenset(str(each["text"]) for each in texts if each and "text" in each)
        return found

    def connect_to_some_web(self, rng: random.Random) -> None:
        """Let Slack send to a web process that is drawn."""
        self.slack.connect(f"{rng.choice(self.webs).process.url}/slack/events")
