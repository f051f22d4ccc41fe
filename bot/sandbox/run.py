"""The whole system on one machine: a real Valkey, the systems of the targets, a small Slack and pager, and
the bot itself, started exactly as in production."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self, TypeVar

from flask import Flask

from bot.core.catalog import Catalog
from bot.core.errors import Misconfigured
from bot.doubles.snapshots import UnreadableError
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.sandbox import cast
from bot.sandbox.example import ANCHOR, ARCHIVE, with_evidence_in
from bot.sandbox.page.observer import Observer
from bot.sandbox.page.pager_controls import PagerControls
from bot.sandbox.page.routes import page_routes
from bot.sandbox.stack.child import lock_directory
from bot.sandbox.stack.deployment import Deployment, Doubles, Secrets
from bot.sandbox.stack.kinds import KINDS
from bot.sandbox.stack.servers import Valkey
from bot.sandbox.stack.system import System
from bot.testing.localhost import is_free

FILE = "access.yaml"
KEPT = (
    *("secrets.json", "workspace.json", "pager.json", "port", "web.log", "worker.log", "policy.log"),
    *(FILE, ANCHOR, f"{ANCHOR}.holds"),
)
"""The files that are kept besides those of the servers, each of which has a folder of its own."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The policy to try, with at most one target of each kind.

    ``path`` is its file; if that is None, the sandbox writes ``text`` into its folder. ``targets`` has the
    kind of each target. ``variables`` are those of the targets, each with its target and the key of the
    setting; ``pager`` has those that stand for the pager's ``token`` or ``api_url``.
    """

    path: Path | None
    text: str = field(repr=False)
    catalog: Catalog
    workspace: str
    targets: Mapping[str, str]
    variables: Mapping[str, tuple[str, str]]
    pager: Mapping[str, str]


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
        self.systems: Mapping[str, System] = {}
        self._file = policy.path or data / FILE

    def __enter__(self) -> Self:
        for kind in self.policy.targets.values():
            KINDS[kind].must_be_installed()
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with ExitStack() as stack, _saying_how_to_go_on():
            in_use = f"another sandbox is running on {self.data}"
            otherwise = f"{in_use}: end it, or name another directory with --data"
            stack.enter_context(lock_directory(self.data, otherwise))
            if self._fresh:
                forget(self.data)
            self.say("Opening the Slack workspace and the pager ...")
            self._open_doubles(stack)
            self.say(f"Starting Valkey and the targets: {', '.join(self.policy.targets)} ...")
            self.valkey = stack.enter_context(Valkey(self.data / "valkey"))
            policy = self.policy.catalog
            self.systems = {
                name: stack.enter_context(KINDS[kind].run(self.data, cast.needs_of(policy, name)))
                for name, kind in self.policy.targets.items()
            }
            self.redis = connect(self.valkey.url)
            self.ledger = RedisLedger(self.redis, self.policy.workspace)
            self._serve_page()
            text = with_evidence_in(self.data, self.policy.text)
            if self.policy.path is None or text != self.policy.text:
                self._file = self.data / FILE
                self._file.write_text(text, "utf-8")
            self.say("Starting the bot: web and worker ...")
            self.deployment = stack.enter_context(Deployment(self.data, self.ledger, self.environ))
            self.web, self.worker = (self.deployment.add(command) for command in ("web", "worker"))
            self.workspace.connect(f"{self.web.url}/slack/events")
            self.deployment.start(self.policy.catalog)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """Return the address of the page."""
        return self._doubles.url

    @property
    def bot_url(self) -> str:
        """Return the address of the bot's own web process."""
        return str(self.web.url)

    def system(self, kind: type[T]) -> T:
        """Return the system of that class. Raise ValueError if the policy has no target of its kind."""
        [found] = [each for each in self.systems.values() if isinstance(each, kind)]
        return found

    @property
    def environ(self) -> Mapping[str, str]:
        """Return the bot's environment. Every ``${…}`` of the policy is one of the sandbox's own systems,
        whatever this shell has under that name: nothing real is touched."""
        doubles = self._doubles.environ
        pager = {"token": doubles["PAGERDUTY_TOKEN"], "api_url": doubles["PAGERDUTY_API_URL"]}
        return {
            **{
                name: self.systems[target].values[key]
                for name, (target, key) in self.policy.variables.items()
            },
            **{name: pager[key] for name, key in self.policy.pager.items()},
            **doubles,
            "REDIS_URL": self.valkey.url,
            "ACCESS_FILE": str(self._file),
        }

    def watch_over(self) -> None:
        """Watch until interrupted. Raise Misconfigured if a part of the bot ends before."""
        while True:
            self.deployment.must_be_running()
            time.sleep(0.5)

    def _open_doubles(self, stack: ExitStack) -> None:
        """Open Slack and the pager as they were left."""
        self.secrets = secrets_in(self.data / "secrets.json")
        self._doubles = stack.enter_context(Doubles(self.secrets))
        self.workspace, self.pager = self._doubles.slack, self._doubles.pager
        cast.add_people(self.workspace, self.policy.catalog)
        kept = self.data / "pager.json"
        self.workspace.keep_in(self.data / "workspace.json")
        if kept.exists():
            self.pager.load(kept)
        cast.add_schedules(self.pager, self.policy.catalog)
        stack.callback(self.pager.save, kept)

    def _serve_page(self) -> None:
        """Serve the page beside Slack: on the port that was named, otherwise on the last one used if it is
        still free."""
        self.observer = Observer(self.ledger, self.systems.values(), self.policy.catalog)
        controls = PagerControls(self.pager, self.data / "pager.json")
        page = Flask("sandbox")
        page.register_blueprint(page_routes(self.workspace, controls, self.observer))
        ports = self.data / "port"
        last = int(ports.read_text("utf-8")) if ports.exists() else 0
        self._doubles.serve(self._wanted_port or (last if last and is_free(last) else 0), beside=page)
        ports.write_text(self.url.rpartition(":")[2], "utf-8")


@contextmanager
def _saying_how_to_go_on() -> Iterator[None]:
    """Raise Misconfigured, with what to do, if a file cannot be read."""
    try:
        yield
    except UnreadableError as error:
        raise Misconfigured(
            f"{error}. Start with --fresh, which forgets all that happened in the sandbox, or name"
            " another directory with --data"
        ) from error


def secrets_in(path: Path) -> Secrets:
    """Return the secrets that are kept beside the data. They are made once, so that a second start fits the
    first."""
    if path.exists():
        return Secrets(**json.loads(path.read_text("utf-8")))
    made = Secrets()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(made), file)
    return made


def forget(data: Path) -> None:
    """Remove what a sandbox kept there, and what is kept elsewhere because another account needs it. Only
    files that sandboxes make are touched."""
    if not data.exists():
        return
    for folder in ("valkey", ARCHIVE):
        shutil.rmtree(data / folder, ignore_errors=True)
    for kind in KINDS.values():
        kind.remove(data)
    for name in KEPT:
        (data / name).unlink(missing_ok=True)
