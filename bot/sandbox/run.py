"""The whole system on one machine: real Valkey and PostgreSQL, a small Slack and pager, and the bot itself,
started exactly as in production."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self
from urllib.request import urlopen

from flask import Flask

from bot.core.catalog import Catalog
from bot.core.errors import Misconfigured
from bot.doubles import pagerduty
from bot.doubles.pagerduty import Pager
from bot.doubles.slack.server import serve
from bot.doubles.slack.workspace import Workspace
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.documents import Key, PolicyInForce
from bot.sandbox import cast
from bot.sandbox.page.observer import Observer
from bot.sandbox.page.pager_controls import PagerControls
from bot.sandbox.page.routes import page_routes
from bot.sandbox.stack.bot_process import BotProcess
from bot.sandbox.stack.orders import prepare
from bot.sandbox.stack.server_process import free_port, is_free
from bot.sandbox.stack.servers import Postgres, Valkey
from bot.slack.api.manifest import manifest

READY_WITHIN = 20.0
KEPT = ("secrets.json", "workspace.json", "pager.json", "port", "web.log", "worker.log", "policy.log")
"""The files that are kept besides those of the servers, each of which has a folder of its own."""
HERE = Path(__file__).parent
POLICY = HERE / "access.yaml"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The policy to try: its file, its catalog, its workspace's name, and the variables it uses: those that
    stand for the database, and those that stand for the pager's ``token`` or ``api_url``."""

    path: Path
    catalog: Catalog
    workspace: str
    variables: frozenset[str]
    pager: Mapping[str, str]


@dataclass(frozen=True)
class Secrets:
    """Secrets that are made once and kept beside the data, so that a second start fits the first."""

    bot_token: str
    app_token: str
    signing_secret: str
    pagerduty_token: str

    @classmethod
    def kept_in(cls, path: Path) -> Secrets:
        if path.exists():
            return cls(**json.loads(path.read_text("utf-8")))
        made = cls(
            bot_token=f"xoxb-{secrets.token_hex(12)}",
            app_token=f"xapp-{secrets.token_hex(12)}",
            signing_secret=secrets.token_hex(16),
            pagerduty_token=secrets.token_hex(10),
        )
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(made), file)
        return made


class Sandbox:
    """The sandbox, a context manager. ``say`` is called with each step. Nothing it started outlives it."""

    def __init__(
        self,
        policy: Policy,
        data: Path,
        *,
        port: int = 0,
        fresh: bool = False,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.policy = policy
        self.data = data
        self.say = say
        self._wanted_port = port
        self._fresh = fresh
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._stack.enter_context(_alone_in(self.data))
        if self._fresh:
            forget(self.data)
        self.secrets = Secrets.kept_in(self.data / "secrets.json")
        self.say("Starting Valkey and PostgreSQL ...")
        self.valkey = self._stack.enter_context(Valkey(self.data / "valkey"))
        self.postgres = self._stack.enter_context(Postgres(self.data / "postgres"))
        self.database = prepare(self.postgres.url, **self._orders())
        self._stack.callback(self.database.close)
        self.redis = connect(self.valkey.url)
        self.ledger = RedisLedger(self.redis, self.policy.workspace)
        self._open_slack()
        self._start_bot()

    def _orders(self) -> dict[str, set[str]]:
        """Return the logins of the database, and the roles that can be granted."""
        people = cast.accounts(self.policy.catalog).values()
        return {"logins": set().union(*people), "roles": cast.roles(self.policy.catalog)}

    def _open_slack(self) -> None:
        self.say("Opening the Slack workspace and the pager ...")
        self.workspace = Workspace(
            manifest(),
            bot_token=self.secrets.bot_token,
            signing_secret=self.secrets.signing_secret,
            app_token=self.secrets.app_token,
        )
        self._stack.callback(self.workspace.close)
        cast.settle(self.workspace, self.policy.catalog)
        self.workspace.keep_in(self.data / "workspace.json")
        self.pager = Pager(token=self.secrets.pagerduty_token)
        kept = self.data / "pager.json"
        if kept.exists():
            self.pager.load(kept)
        cast.roster(self.pager, self.policy.catalog)
        self._stack.callback(self.pager.save, kept)
        self._pager_served = pagerduty.serve(self.pager)
        self._stack.callback(self._pager_served.close)
        self.observer = Observer(self.ledger, self.database, self.policy.catalog)
        page = Flask("sandbox")
        page.register_blueprint(page_routes(self.workspace, PagerControls(self.pager, kept), self.observer))
        self._page = serve(self.workspace, self._port(), beside=page)
        self._stack.callback(self._page.close)
        (self.data / "port").write_text(self.url.rpartition(":")[2], "utf-8")

    def _port(self) -> int:
        """Return the port that was named, otherwise the last one used if it is still free."""
        kept = self.data / "port"
        last = int(kept.read_text("utf-8")) if kept.exists() else 0
        return self._wanted_port or (last if last and is_free(last) else 0)

    @property
    def url(self) -> str:
        """Return the address of the page."""
        return self._page.url

    @property
    def bot_url(self) -> str:
        """Return the address of the bot's own web process."""
        return f"http://127.0.0.1:{self._web_port}"

    def _start_bot(self) -> None:
        self.say("Starting the bot: web and worker ...")
        self._web_port = free_port()
        self._apply_policy()
        self.web = self._stack.enter_context(
            BotProcess("web", "--host", "127.0.0.1", environ=self.environ, log=self.data / "web.log")
        )
        self.worker = self._stack.enter_context(
            BotProcess("worker", environ=self.environ, log=self.data / "worker.log")
        )
        self._stack.callback(self._end_both)
        self.workspace.connect(f"{self.bot_url}/slack/events")
        self._wait_until_ready()

    def _apply_policy(self) -> None:
        """Put the policy in force: an earlier run may have had another one, and its database another port."""
        if self.ledger.read({Key.of(PolicyInForce)}).find(PolicyInForce) is None:
            return
        applying = BotProcess(
            "policy", "apply", str(self.policy.path), environ=self.environ, log=self.data / "policy.log"
        )
        with applying:
            if applying.wait(READY_WITHIN) != 0:
                applying.must_be_running()

    def _end_both(self) -> None:
        """Tell both processes to stop before waiting for either."""
        self.web.tell_to_stop()
        self.worker.tell_to_stop()

    @property
    def environ(self) -> Mapping[str, str]:
        """Return the bot's environment. Every ``${…}`` of the policy is the sandbox's own database, whatever
        this shell has under that name: nothing real is touched."""
        pager = {"token": self.secrets.pagerduty_token, "api_url": self._pager_served.url}
        return {
            **dict.fromkeys(self.policy.variables, self.database.bot_url),
            **{name: pager[key] for name, key in self.policy.pager.items()},
            "SLACK_BOT_TOKEN": self.secrets.bot_token,
            "SLACK_SIGNING_SECRET": self.secrets.signing_secret,
            "SLACK_API_URL": self._page.api_url,
            "REDIS_URL": self.valkey.url,
            "ACCESS_FILE": str(self.policy.path),
            "PORT": str(self._web_port),
            "PAGERDUTY_TOKEN": pager["token"],
            "PAGERDUTY_API_URL": pager["api_url"],
        }

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            self.web.must_be_running()
            self.worker.must_be_running()
            if _answers(f"{self.bot_url}/readyz") and self.observer.ready():
                return
            time.sleep(0.05)
        raise Misconfigured(f"the bot was not ready in {READY_WITHIN:.0f} s: see {self.data}/web.log")

    def watch_over(self) -> None:
        """Watch until interrupted. Raise Misconfigured if a part of the bot ends before."""
        while True:
            self.web.must_be_running()
            self.worker.must_be_running()
            time.sleep(0.5)


def forget(data: Path) -> None:
    """Remove what a sandbox kept there, and what is kept elsewhere because another account needs it. Only
    files that sandboxes make are touched."""
    if not data.exists():
        return
    shutil.rmtree(data / "valkey", ignore_errors=True)
    Postgres(data / "postgres").remove()
    for name in KEPT:
        (data / name).unlink(missing_ok=True)


@contextmanager
def _alone_in(data: Path) -> Iterator[None]:
    with (data / "lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured(
                f"another sandbox is running on {data}: end it, or name another directory with --data"
            ) from None
        yield


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=1) as answer:  # noqa: S310  # our own server on this machine
            return bool(answer.status == 200)
    except OSError:
        return False
