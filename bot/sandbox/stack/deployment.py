"""A whole deployment on one machine: doubles of Slack and PagerDuty, and the bot's own processes, started
exactly as in production."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Self

from bot.core.catalog import Catalog
from bot.core.errors import Misconfigured, TemporaryFailure
from bot.core.people import Group
from bot.core.shifts import Roster
from bot.doubles import pagerduty
from bot.doubles.pagerduty import Pager
from bot.doubles.slack.server import serve
from bot.doubles.slack.workspace import Workspace
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.documents import Home, Key, PolicyInForce
from bot.sandbox.stack.bot_process import BotProcess
from bot.slack.api.manifest import manifest
from bot.testing.localhost import free_port

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

READY_WITHIN = 20.0
POLL = 0.05


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """The secrets of the doubles: new ones, unless they are given."""

    bot_token: str = field(default_factory=lambda: f"xoxb-{token_hex(12)}", repr=False)
    app_token: str = field(default_factory=lambda: f"xapp-{token_hex(12)}", repr=False)
    signing_secret: str = field(default_factory=lambda: token_hex(16), repr=False)
    pagerduty_token: str = field(default_factory=lambda: token_hex(10), repr=False)


class Doubles:
    """A Slack workspace with the bot's app and a pager, both empty. A context manager: leaving it closes
    them."""

    def __init__(self, secrets: Secrets | None = None) -> None:
        self.secrets = secrets or Secrets()
        self.slack = Workspace(
            manifest(),
            bot_token=self.secrets.bot_token,
            signing_secret=self.secrets.signing_secret,
            app_token=self.secrets.app_token,
        )
        self.pager = Pager(token=self.secrets.pagerduty_token)
        self._stack = ExitStack()
        self._stack.callback(self.slack.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def serve(self, port: int = 0, beside: WSGIApplication | None = None) -> None:
        """Serve both on 127.0.0.1: Slack on ``port``, or on any that is free, with ``beside`` on the same
        one."""
        self._pager_server = pagerduty.serve(self.pager)
        self._stack.callback(self._pager_server.close)
        self._slack_server = serve(self.slack, port, beside)
        self._stack.callback(self._slack_server.close)

    @property
    def url(self) -> str:
        """Return the address of Slack, and of what is served beside it."""
        return self._slack_server.url

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables by which the bot reaches them."""
        return {
            "SLACK_BOT_TOKEN": self.secrets.bot_token,
            "SLACK_SIGNING_SECRET": self.secrets.signing_secret,
            "SLACK_API_URL": self._slack_server.api_url,
            "PAGERDUTY_TOKEN": self.secrets.pagerduty_token,
            "PAGERDUTY_API_URL": self._pager_server.url,
        }


class Deployment:
    """Web and worker processes on a Redis, targets, a Slack and a pager that are there already. A context
    manager: leaving it stops the processes.

    All processes get ``environ``, which has the URLs and tokens and names the policy's file, and a log each
    in ``folder``. ``module`` and ``death_signal`` are as in BotProcess.
    """

    def __init__(
        self,
        folder: Path,
        ledger: RedisLedger,
        environ: Mapping[str, str],
        *,
        module: str = "bot",
        death_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.folder = folder
        self.ledger = ledger
        self.environ = environ
        self._module = module
        self._death_signal = death_signal
        self.processes: list[BotProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def add(self, command: str, *, name: str = "", **environ: str) -> BotProcess:
        """Add a ``web`` or a ``worker``, which ``start`` starts. Its log is called by its name, otherwise by
        the command. A web process gets a free port, unless ``environ`` has one."""
        port = {"PORT": str(free_port())} if command == "web" else {}
        process = BotProcess(
            command,
            *(("--host", "127.0.0.1") if command == "web" else ()),
            environ={**self.environ, **port, **environ},
            log=self.folder / f"{name or command}.log",
            module=self._module,
            death_signal=self._death_signal,
        )
        self.processes.append(process)
        return process

    def start(self, catalog: Catalog, within: float = READY_WITHIN) -> None:
        """Put the policy in force, start all processes, and return when they can decide by the catalog. Raise
        Misconfigured if one ends, or if that takes longer."""
        if self.ledger.read({Key.of(PolicyInForce)}).find(PolicyInForce) is not None:
            # an earlier run may have had another policy, or its servers other ports
            words = ("policy", "apply", self.environ["ACCESS_FILE"])
            with BotProcess(*words, environ=self.environ, log=self.folder / "policy.log") as applying:
                if applying.wait(within) != 0:
                    applying.must_be_running()
        for each in self.processes:
            each.start()
        self.wait_until_ready(catalog, within)

    def wait_until_ready(self, catalog: Catalog, within: float = READY_WITHIN) -> None:
        def is_ready() -> bool:
            self.must_be_running()
            return all(each.is_ready() for each in self.processes) and self.has_read_facts(catalog)

        if not wait_until(is_ready, within):
            raise Misconfigured(f"the bot was not ready in {within:.0f} s: see the logs in {self.folder}")

    def must_be_running(self) -> None:
        """Raise Misconfigured, with its last words, if a process has ended."""
        for each in self.processes:
            each.must_be_running()

    def has_read_facts(self, catalog: Catalog) -> bool:
        """Return whether a worker has read all that the first decision rests on: workspace, groups and
        rosters."""
        keys = {Key.of(Home), *(Key.of(Group, name) for name in catalog.groups())}
        keys |= {Key.of(Roster, schedule) for schedule in catalog.schedules()}
        try:
            return keys <= self.ledger.read(keys).documents.keys()
        except TemporaryFailure:
            return False

    def stop(self) -> None:
        """Tell all processes to stop before waiting for any of them."""
        for each in self.processes:
            each.tell_to_stop()
        for each in self.processes:
            each.stop()


def wait_until(condition: Callable[[], bool], seconds: float, poll: float = POLL) -> bool:
    """Wait for the condition, and return whether it became true in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(poll)
    return True
