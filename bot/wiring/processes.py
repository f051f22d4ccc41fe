"""The processes, web and worker, and how each starts and ends."""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

import structlog

from bot import config, web
from bot.core.errors import Misconfigured, TemporaryFailure
from bot.ledger import checks
from bot.slack.incoming.listeners import SlackSettings, build
from bot.slack.incoming.socket import SocketConnection
from bot.usecases.access import owing
from bot.web import health
from bot.web import server as web_server
from bot.wiring.components import Components, components
from bot.wiring.duties import duties, together
from bot.worker.loop import Worker
from bot.worker.watchdog import Watchdog

log = structlog.get_logger(__name__)

RETRY_START = 0.5


class Stop:
    """A flag that a signal handler sets: setting it must wait for no lock."""

    told = False


def begin(made: Components, stop: Stop, first: Callable[[], object]) -> None:
    """Wait for Redis, check whether it can be trusted, and do what comes ``first``. Raise Misconfigured if
    this Redis would lose or evict what is due."""
    while not stop.told:
        try:
            for warning in checks.warnings(made.redis, made.env.redis_copies):
                log.warning("redis", warning=warning)
            against = checks.objections(made.redis)
            if against and not made.env.redis_unsafe:
                raise Misconfigured("\n".join((*against, "to start anyway, set REDIS_UNSAFE=1")))
            for objection in against:
                log.error("redis is unsafe", objection=objection)
            first()
        except TemporaryFailure as failure:
            log.warning("waiting for redis", error=str(failure))
            time.sleep(RETRY_START)
        else:
            return


def serve(env: config.Environment, policy: config.Policy, environ: Mapping[str, str], host: str) -> None:
    """Run the web process until SIGTERM or SIGINT; requests under way are answered first."""
    door = _Door(env, policy, environ)
    web_server.serve(door.site, host, env.port, on_open=door.on_open, on_close=door.on_close)


class _Door:
    """The web process."""

    def __init__(self, env: config.Environment, policy: config.Policy, environ: Mapping[str, str]) -> None:
        self._env = env
        self._parts = components(env, policy, environ, secrets=False)
        self._stop = Stop()
        self._trouble: str | None = "starting"
        self._socket: SocketConnection | None = None
        settings = SlackSettings(
            token=env.slack_bot_token.get_secret_value(),
            signing_secret="" if env.socket_mode else env.slack_signing_secret.get_secret_value(),
            api_url=env.slack_api_url,
        )
        self._bolt = build(self._parts.context, settings)

        def trouble() -> str | None:
            own = self._trouble or (self._socket.trouble if self._socket else None)
            return health.trouble(self._parts.context) or own or health.shut_out(self._parts.context)

        gauges = health.Gauges(self._parts.ledger)
        self.site = web.create(None if env.socket_mode else self._bolt, trouble, gauges)

    def on_open(self) -> None:
        def start() -> None:
            try:
                begin(self._parts, self._stop, lambda: self._parts.adapters.enact(self._parts.ledger))
            except Misconfigured as mistake:
                log.critical("cannot start", mistakes=str(mistake))
                self._trouble = str(mistake)
                return
            self._trouble = None
            if self._env.socket_mode:
                self._socket = SocketConnection(self._bolt, self._env.slack_app_token.get_secret_value())

        threading.Thread(target=start, name="begin", daemon=True).start()

    def on_close(self) -> None:
        self._stop.told = True
        if self._socket:
            self._socket.close()


def work(env: config.Environment, policy: config.Policy, environ: Mapping[str, str], host: str) -> None:
    """Run the worker until SIGTERM or SIGINT; jobs under way are finished first. Health and metrics are
    served on WORKER_PORT, if that is set."""
    made = components(env, policy, environ)
    keep_owed = partial(owing.keep_owed, made.context, made.ledger)
    made.adapters.world.demand()
    worker = Worker(
        made.ledger, made.ledger, duties(made), together(made), keep_owed, lambda: made.adapters.world
    )
    stopping = Stop()

    def stop(*_: object) -> None:
        stopping.told = True
        worker.stop()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    if env.worker_port is not None:
        gauges = health.Gauges(made.ledger)
        site = web.create(
            None, lambda: health.trouble(made.context) or health.stuck(worker.last_round), gauges
        )
        web_server.serve_in_background(site, host, env.worker_port, "WORKER_PORT")
    if said := config.caution(policy.catalog.audit.file, env.redis_copies):
        log.warning("redis", warning=said)
    watchdog = Watchdog(made.guard, made.ledger, made.adapters, keep_owed)
    begin(made, stopping, lambda: _first(made, watchdog))
    if stopping.told:
        return
    watchdog.begin()

    # Looking for cycles among everything that documents consist of takes a quarter of the time that it takes
    # to do very many jobs at once (``make bench ARGS=load``), and there are hardly any.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)

    log.info("working")
    worker.run()


def _first(made: Components, watchdog: Watchdog) -> None:
    """Upgrade the ledger, look, and put the policy in force.

    The workers of a new version begin first: until one has, its web processes wait, and those of the previous
    version go on; from then on it is the other way round, so that at any time some process revokes. For that
    reason a new policy that a full Redis refuses does not hold it up.
    """
    made.ledger.upgrade()
    watchdog.look()
    watchdog.put_in_force()
