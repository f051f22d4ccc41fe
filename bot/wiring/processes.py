"""The composition root: the only module that names concrete adapters."""

from __future__ import annotations

import gc
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import structlog
from flask import Flask
from redis import Redis
from slack_sdk import WebClient
from werkzeug.serving import WSGIRequestHandler, make_server

from bot import config, web
from bot.core.audit.proof import Trusts
from bot.core.authentic import text_objection
from bot.core.catalog import Catalog
from bot.core.errors import Conflict, Misconfigured, PermanentFailure, TemporaryFailure
from bot.core.reasons import Reason, Why, because
from bot.evidence.anchor_file import AnchorFile
from bot.evidence.archive import ArchiveFolder
from bot.kinds import PagerDutySettings, PostgresSettings
from bot.ledger import checks
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.audit import Anchor, Signer
from bot.ports.documents import Key, PolicyInForce, PolicyText
from bot.ports.ledger import Ledger
from bot.ports.oncall import OnCallSource
from bot.ports.target import Target
from bot.slack.api.directory import SlackDirectory
from bot.slack.api.messenger import SlackMessenger
from bot.slack.incoming.listeners import SlackSettings, build
from bot.slack.incoming.socket import SocketConnection
from bot.usecases import enact
from bot.usecases.access import batches, former, overdue, owing, reconcile, survey
from bot.usecases.access.former import Elsewhere, RevokeOnly, Unusable, former_target, former_versions
from bot.usecases.audit.retention import Archive, Retention
from bot.usecases.audit.rollback import RollbackGuard
from bot.usecases.audit.seal import Sealing
from bot.usecases.context import Context
from bot.usecases.job import Job
from bot.usecases.notifications import alerts, cards
from bot.usecases.requests import ask
from bot.usecases.schedules import follow, groups, rosters
from bot.usecases.strays.sweeping import sweep
from bot.web import health
from bot.worker.admission import World
from bot.worker.loop import Batches, Duty, Worker
from bot.worker.watchdog import Watchdog

log = structlog.get_logger(__name__)

RETRY_START = 0.5
ENACTED = Key.of(PolicyInForce)
NOT_IN_FORCE = "the policy of this process is not in force yet, so nothing is granted by it"
ID_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
ID_LENGTH = 12


def new_id() -> str:
    """Make an id that cannot be guessed and is short enough to be typed: 60 bits, without letters that look
    like others."""
    return "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))


@dataclass(frozen=True, kw_only=True)
class Components:
    """The parts that both processes are built on."""

    env: config.Environment
    policy: config.Policy
    redis: Redis
    ledger: RedisLedger
    client: WebClient
    adapters: Adapters
    context: Context
    sealing: Sealing
    guard: RollbackGuard
    retention: Retention
    unsafe: bool
    """True with REDIS_UNSAFE: start, with a loud warning, on a Redis that may lose what is due."""


class Adapters:
    """The adapters that the policy in force names, each built when it is first needed. Begins with
    ``policy``, the process's own file. ``text_of`` finds an earlier policy text by its version. ``starts``:
    nothing is granted until that file is in force, or the policy in force was followed. Without ``secrets``,
    policies are followed, and their targets and sources are not needed."""

    def __init__(
        self,
        env: config.Environment,
        environ: Mapping[str, str],
        policy: config.Policy,
        text_of: Callable[[str], PolicyText | None] = lambda _: None,
        *,
        starts: bool = False,
        secrets: bool = True,
    ) -> None:
        self._env = env
        self._secrets = secrets
        self._reached: Mapping[str, str] = {}
        self._environ = environ
        self._policy = policy
        self._text_of = text_of
        self._former: Mapping[str, tuple[str, ...]] = {}
        self._closed: str | None = None
        self._own: config.Policy | None = policy
        """The process's own file, until it was in force, or another process's came into force instead."""
        self._over: str | None = None
        """The version that was in force when it was to be put in force for the first time."""
        self._was_in_force = not starts
        self._built: dict[tuple[str, Any], Any] = {}
        self._building = threading.Lock()

    def follow(self, force: PolicyInForce, kept: PolicyText | None) -> Catalog:
        """Follow the policy in force. If its text is not what it claims to be, or is held back, or this
        process cannot read it (because a variable is not set here, for example), the last policy that could
        be followed stays, closed: nothing is granted by it, and revoking goes on."""
        self.note_former(force)
        against = self._objection(force.version, kept) or force.held_back
        if against or kept is None:
            return self._closed_by(against or because(Why.POLICY_LOST, version=force.version))
        try:
            policy = self._same(kept.text) or config.load(
                kept.text, environ=self._environ, secrets=self._secrets
            )
        except Misconfigured as mistake:
            first = str(mistake).splitlines()[0]
            return self._closed_by(because(Why.POLICY_UNREADABLE, version=force.version, mistake=first))
        if policy.workspace != self._policy.workspace:
            return self._closed_by(because(Why.POLICY_FOREIGN, version=force.version))
        self._policy, self._closed, self._was_in_force = policy, None, True
        for name in former.targets_elsewhere(force, policy.catalog):
            log.critical("this process grants nothing at a target", why=self._elsewhere(name))
        self._let_go()
        return policy.catalog

    def _elsewhere(self, name: str) -> str:
        variables = " and ".join(self.catalog.located.variables.get(name, ()))
        return (
            f"{name} is at another address here than the policy in force has it, because of {variables}: set"
            " that as it is elsewhere; or, if the target has moved, set it everywhere and run rotakey policy"
            " apply FILE with it"
        )

    def _closed_by(self, against: Reason) -> Catalog:
        self._closed = "the policy in force is not followed here, so nothing is granted: see rotakey doctor"
        log.critical("the policy in force is not followed", why=against.why.value, **against.facts)
        return replace(self._policy.catalog, closed=against)

    def _objection(self, version: str, kept: PolicyText | None) -> Reason | None:
        text, hmacs = (kept.text, kept.hmacs) if kept else (None, ())
        return text_objection(version, text, hmacs, self._env.secret_keys)

    def _same(self, text: str) -> config.Policy | None:
        return self._policy if self._policy.text == text else None

    @property
    def catalog(self) -> Catalog:
        return self._policy.catalog

    @property
    def world(self) -> World:
        """Return what the worker waits for."""
        return World(
            targets=frozenset((*self._policy.targets, *self._former)),
            sources=frozenset(self._policy.oncall),
            wished=self._env.worker_threads,
        )

    @property
    def security_channel(self) -> str | None:
        return self.catalog.security_channel

    @property
    def target_names(self) -> tuple[str, ...]:
        """Return all targets, in the order of access.yaml."""
        return tuple(self._policy.targets)

    def anchor(self) -> Anchor | None:
        file = self.catalog.audit.file
        return AnchorFile(Path(file)) if file else None

    def archive(self) -> Archive | None:
        folder = self.catalog.audit.archive
        return ArchiveFolder(Path(folder), self._policy.workspace) if folder else None

    def enact(self, ledger: Ledger) -> None:
        """Put the process's own file in force, if Redis has never seen it; once that was decided, the policy
        that the process follows, if Redis has lost it. A file that could not be written at first gives way to
        one that another process puts in force meanwhile. Raise TemporaryFailure."""
        own, keys = self._own, self._env.secret_keys
        if own is None:
            if self._was_in_force:
                enact.put_back(ledger, self._policy.catalog, self._policy.text, keys)
            return
        force = ledger.read({ENACTED}).find(PolicyInForce)
        version = force.version if force else ""
        self._over = version if self._over is None else self._over
        if version not in ("", self._over, own.catalog.version):
            self._report_not_in_force(ledger, own)
            self._own = None
        elif enact.start_with(ledger, own.catalog, own.text, keys):
            self._own, self._was_in_force = None, True
        else:
            self._report_not_in_force(ledger, own)
            self._own = None

    def _report_not_in_force(self, ledger: Ledger, own: config.Policy) -> None:
        """Report it in the channel of the policy that is in force, if there is one."""
        version = own.catalog.version
        force = ledger.read({ENACTED}).find(PolicyInForce)
        if force:
            self.follow(force, self._text_of(force.version))
        log.critical(
            "the access.yaml of this process is not in force",
            version=version,
            in_force=force.version if force else None,
            to_go_back_to_it="rotakey policy apply FILE",
        )
        enact.report_not_in_force(ledger, version, self.security_channel, new_id)

    def target(self, name: str) -> Target:
        """Return the target as the policy that is followed has it. For revoking only, while the policy in
        force cannot be followed. Raise PermanentFailure if the policy does not name it."""
        settings = self._policy.targets.get(name)
        if settings is None:
            raise PermanentFailure(
                f"target {name} is not in access.yaml any more: put it back until nothing is held there"
            )
        built: Target = self._once(name, settings, TARGETS[type(settings)])
        here = self.catalog.located.reached.get(name)
        if here and here != self._reached.get(name, here):
            return Elsewhere(built, lambda: TemporaryFailure(self._elsewhere(name)))
        closed = self._closed or (None if self._was_in_force else NOT_IN_FORCE)
        return RevokeOnly(built, lambda: TemporaryFailure(closed)) if closed else built

    def reach(self, name: str) -> Target:
        """Return the target of that name, as it was if the policy no longer names it."""
        if name in self._policy.targets:
            return self.target(name)
        return self.former(name) or self.target(name)

    def former(self, name: str) -> Target | None:
        """Return the target as it was while something was granted there that may still be held: for revoking
        only. None if it is where it was. Raise PermanentFailure if its former settings cannot be used, naming
        the variables that are not set; of several addresses, one that can be used is enough."""
        versions = self._former.get(name, ())
        found = [self._former_at(name, each) for each in versions]
        unusable = [each for each in found if isinstance(each, Unusable)]
        if unusable and len(unusable) == len(found):
            raise unusable[0].failure
        return former_target(name, found) if found else None

    def _former_at(self, name: str, version: str) -> Target:
        try:
            settings = self._settings_of(name, version)
        except PermanentFailure as failure:
            return Unusable(failure)
        built: Target = self._once(name, settings, TARGETS[type(settings)])
        return built

    def needs_of_former(self, name: str) -> tuple[str, ...]:
        """Return the variables that a target needs as it was. Raise PermanentFailure if that cannot be
        known."""
        found = (self._targets_of(name, each).variables.get(name, ()) for each in self._former.get(name, ()))
        return tuple(dict.fromkeys(variable for every in found for variable in every))

    def has_unsigned_former(self, name: str) -> bool:
        """Return whether the target is kept as it was in a text without any HMAC. With a SECRET_KEY, no such
        text is relied on, because anybody who can write to Redis could have put it there."""
        texts = [self._text_of(each) for each in self._former.get(name, ())]
        return any(each is not None and not each.hmacs for each in texts)

    def note_former(self, force: PolicyInForce) -> tuple[str, ...]:
        """Note where the targets are from now on, and which are needed as they were; return the names of
        these."""
        self._former, self._reached = former_versions(force), force.reached
        return tuple(self._former)

    def _settings_of(self, name: str, version: str) -> Any:
        found = self._targets_of(name, version)
        if name not in found.settings:
            why = found.skipped.get(name, "it is not in that text")
            raise PermanentFailure(
                f"something is held at {name} as it was in policy {version}, and it cannot be reached: {why};"
                " set that, or put the target back into access.yaml as it was"
            )
        return found.settings[name]

    def _targets_of(self, name: str, version: str) -> config.Targets:
        kept = self._text_of(version)
        against = self._objection(version, kept)
        held = f"something is held at {name} as it was in policy {version}, and that text"
        if against and against.why is Why.POLICY_UNSIGNED:
            raise PermanentFailure(
                f"{held} was not put in Redis with this SECRET_KEY: put the target back into access.yaml as"
                " it was; or, if the key was set or changed since, take that back until nothing is held there"
            )
        if against or kept is None:
            raise PermanentFailure(
                f"{held} is lost or was changed in Redis: put the target back into access.yaml as it was"
            )
        return config.targets_of(kept.text, name=f"policy {version}", environ=self._environ)

    def source(self, name: str) -> OnCallSource:
        settings = self._policy.oncall.get(name)
        if settings is None:
            raise PermanentFailure(f"on-call source {name} is not in access.yaml any more")
        built: OnCallSource = self._once(name, settings, SOURCES[type(settings)])
        return built

    def close(self) -> None:
        """Close everything that was built and keeps connections."""
        for built in self._built.values():
            _close(built)

    def _let_go(self) -> None:
        """Close what the policy no longer names, or names with other settings."""
        named = {*self._policy.targets.items(), *self._policy.oncall.items()}
        with self._building:
            gone = [self._built.pop(key) for key in self._built.keys() - named if key[0] not in self._former]
        for built in gone:
            _close(built)

    def _once(self, name: str, settings: Any, build_it: Callable[..., Any]) -> Any:
        with self._building:
            key = (name, settings)
            if key not in self._built:
                self._built[key] = build_it(name, settings, self._env)
            return self._built[key]


def _close(built: object) -> None:
    if close := getattr(built, "close", None):
        close()


def _postgres(name: str, settings: PostgresSettings, _: config.Environment) -> Target:
    postgres = _import_extra("bot.targets.postgres", "postgres")
    replicas = [url.get_secret_value() for url in settings.replicas]
    made: Target = postgres.Postgres(name, settings.url.get_secret_value(), settings.sessions, replicas)
    return made


def _pagerduty(name: str, _: PagerDutySettings, env: config.Environment) -> OnCallSource:
    token = env.pagerduty_token.get_secret_value()
    if not token:
        raise PermanentFailure("PAGERDUTY_TOKEN is not set: create a read-only API key in PagerDuty")
    pagerduty = import_module("bot.oncall.pagerduty")
    made: OnCallSource = pagerduty.PagerDuty(name, token, env.pagerduty_api_url)
    return made


TARGETS: Mapping[type[Any], Callable[..., Target]] = {PostgresSettings: _postgres}
SOURCES: Mapping[type[Any], Callable[..., OnCallSource]] = {PagerDutySettings: _pagerduty}


def _import_extra(module: str, extra: str) -> Any:
    """Import an adapter whose SDK comes with an extra. Raise PermanentFailure that names the extra."""
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        raise PermanentFailure(
            f"{missing.name} is not installed: pip install 'rotakey[{extra}]'"
        ) from missing


def targets_alone(env: config.Environment, known: config.Targets) -> Callable[[str], Target]:
    """Return a function that finds the targets of a file by name, for revoking without a policy; each is
    built once. It raises PermanentFailure for one that does not exist, or cannot be used here."""

    @cache
    def find(name: str) -> Target:
        if name in known.skipped:
            raise PermanentFailure(f"target {name} is skipped: {known.skipped[name]}")
        if name not in known.settings:
            raise PermanentFailure(f"target {name} is not in this access.yaml")
        settings = known.settings[name]
        return TARGETS[type(settings)](name, settings, env)

    return find


def ledger_of(env: config.Environment, workspace: str) -> RedisLedger:
    redis = connect(env.redis_url.get_secret_value(), workspace)
    return RedisLedger(redis, workspace, copies=env.redis_copies)


def signer(env: config.Environment) -> Signer | None:
    """Return the key of AUDIT_KEY, None if that is not set. Raise Misconfigured."""
    pem = env.audit_key.get_secret_value()
    if not pem:
        return None
    try:
        made: Signer = _import_extra("bot.evidence.signing", "audit").SigningKey(pem)
    except PermanentFailure as missing:
        raise Misconfigured(f"AUDIT_KEY is set, but {missing}") from missing
    return made


def trust(pems: Iterable[bytes]) -> Trusts:
    """Return a function that tells whether a signature is by one of these public keys. Raise
    Misconfigured."""
    try:
        trusts: Trusts = _import_extra("bot.evidence.signing", "audit").TrustedKeys(pems).trusts
    except PermanentFailure as missing:
        raise Misconfigured(str(missing)) from missing
    return trusts


def components(
    env: config.Environment, policy: config.Policy, environ: Mapping[str, str], *, secrets: bool = True
) -> Components:
    """Put the parts of a process together. Without ``secrets`` it reaches no target and no source."""
    redis = connect(env.redis_url.get_secret_value(), policy.workspace)
    ledger = RedisLedger(redis, policy.workspace, copies=env.redis_copies)
    client = WebClient(token=env.slack_bot_token.get_secret_value(), base_url=env.slack_api_url)
    health.WATCHED.ledger = health.WATCHED.books = health.WATCHED.trail = ledger
    text_of = partial(policy_text, ledger)
    adapters = Adapters(env, environ, policy, text_of, starts=True, secrets=secrets)
    key = signer(env)
    guard = RollbackGuard(ledger, ledger, adapters.anchor, new_id, key, ledger)
    return Components(
        env=env,
        policy=policy,
        redis=redis,
        ledger=ledger,
        client=client,
        adapters=adapters,
        context=Context(ledger, SlackDirectory(client), adapters.follow, new_id),
        sealing=Sealing(ledger=ledger, trail=ledger, signer=key, new_id=new_id),
        guard=guard,
        retention=Retention(ledger=ledger, books=ledger, guard=guard, signer=key, wall=_wall),
        unsafe=environ.get("REDIS_UNSAFE", "") not in ("", "0"),
    )


def _wall() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 -- a clock of Redis that runs ahead makes nothing old


def policy_text(ledger: Ledger, version: str) -> PolicyText | None:
    return ledger.read({Key.of(PolicyText, version)}).find(PolicyText, version)


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
            if against and not made.unsafe:
                raise Misconfigured("\n".join((*against, "REDIS_UNSAFE=1 starts anyway")))
            for objection in against:
                log.error("redis is unsafe", objection=objection)
            first()
        except TemporaryFailure as failure:
            log.warning("waiting for redis", error=str(failure))
            time.sleep(RETRY_START)
        else:
            return


# ------------------------------------------------------------------------------------------- processes


def serve(env: config.Environment, policy: config.Policy, environ: Mapping[str, str], host: str) -> None:
    """Run the web process until SIGTERM. Does not return."""
    door = _Door(env, policy, environ)
    web.run(door.load, host, env.port, started=door.on_open, stopping=door.on_close)


class _Door:
    """The web process. Everything in it is made in the child that answers, after the fork."""

    def __init__(self, env: config.Environment, policy: config.Policy, environ: Mapping[str, str]) -> None:
        self._env, self._policy, self._environ = env, policy, environ
        self._stop = Stop()
        self._trouble: str | None = "starting"
        self._socket: SocketConnection | None = None

    def load(self) -> Flask:
        self._parts = components(self._env, self._policy, self._environ, secrets=False)
        socket = self._env.socket_mode
        settings = SlackSettings(
            token=self._env.slack_bot_token.get_secret_value(),
            signing_secret="" if socket else self._env.slack_signing_secret.get_secret_value(),
            api_url=self._env.slack_api_url,
        )
        self._bolt = build(self._parts.context, settings)
        return web.create(None if socket else self._bolt, self._ready)

    def on_open(self) -> None:
        threading.Thread(target=self._begin, name="begin", daemon=True).start()

    def _begin(self) -> None:
        try:
            begin(self._parts, self._stop, lambda: self._parts.adapters.enact(self._parts.ledger))
        except Misconfigured as mistake:
            log.critical("cannot work like this", mistakes=str(mistake))
            self._trouble = str(mistake)
            return
        self._trouble = None
        if self._env.socket_mode:
            self._socket = SocketConnection(self._bolt, self._env.slack_app_token.get_secret_value())

    def on_close(self) -> None:
        self._stop.told = True
        if self._socket:
            self._socket.close()

    def _ready(self) -> str | None:
        trouble = self._trouble or (self._socket.trouble if self._socket else None)
        return health.trouble(self._parts.context) or trouble or health.shut_out(self._parts.context)


class _Quiet(WSGIRequestHandler):
    timeout = 10
    """Seconds that a thread waits for a client that connects and says nothing."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: nobody reads a line for each look at the health."""


def work(env: config.Environment, policy: config.Policy, environ: Mapping[str, str], host: str) -> None:
    """Run the worker until SIGTERM or SIGINT; jobs under way are finished first. Health and metrics are
    served on WORKER_PORT, if that is set."""
    made = components(env, policy, environ)
    keep_owed = partial(owing.keep_owed, made.context, made.ledger)
    made.adapters.world.demand()
    worker = Worker(made.ledger, duties(made), together(made), keep_owed, lambda: made.adapters.world)
    stopping = Stop()

    def stop(*_: object) -> None:
        stopping.told = True
        worker.stop()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    if env.worker_port is not None:
        site = web.create(None, lambda: health.trouble(made.context) or health.stuck(worker.last_round))
        server = make_server(host, env.worker_port, site, threaded=True, request_handler=_Quiet)
        threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    if said := config.caution(policy.catalog.audit.file, env.redis_copies):
        log.warning("redis", warning=said)
    watchdog = Watchdog(made.guard, made.ledger, made.adapters, keep_owed)
    begin(made, stopping, lambda: _first(made, watchdog))
    if stopping.told:
        return
    watchdog.begin()
    _collect_seldom()
    log.info("working")
    worker.run()


def _first(made: Components, watchdog: Watchdog) -> None:
    """Upgrade the ledger, look, and put the policy in force.

    The workers of a new version begin first: until one has, its web processes wait, and those of the previous
    version go on; from then on it is the other way round, so that at any time some process revokes. For that
    reason a new policy that a full Redis does not accept is no reason to wait.
    """
    made.ledger.upgrade()
    watchdog.look()
    watchdog.put_in_force()


def _collect_seldom() -> None:
    """Make garbage collection rare. Looking for cycles among everything that documents consist of takes a
    quarter of the time that it takes to do very many jobs at once (``make bench ARGS=load``), and there are
    hardly any."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def reconciling(made: Components) -> Callable[[Job], reconcile.Reconciliation]:
    adapters = made.adapters
    return lambda job: reconcile.Reconciliation(
        made.ledger, adapters.reach, job, adapters.security_channel, adapters.target_names, adapters.former
    )


def together(made: Components) -> Mapping[str, Batches]:
    """Return the ways in which the worker does many due jobs of a kind in one batch."""
    catch_up = following(made)
    return {
        "hold": batches.HoldBatches(made.ledger, made.adapters.reach, reconciling(made), catch_up, _unwritten)
    }


def following(made: Components) -> Callable[[], None]:
    """Return a function that makes sure that targets and channels are those of the policy in force. Revoking
    waits for no policy: if this process cannot follow it, the last one that it could follow counts."""

    def catch_up() -> None:
        with suppress(TemporaryFailure):
            made.context.catalog()

    return catch_up


def _unwritten(job: Job, error: Exception) -> None:
    foreseen = isinstance(error, Conflict | TemporaryFailure)
    about = {"error": str(error)} if foreseen else {"exc_info": error}
    log.warning("it is not written yet what was taken", member=job.claim.member, **about)


def duties(made: Components) -> Mapping[str, Duty]:
    """Return what the worker does for each kind of job."""
    context, adapters, catch_up = made.context, made.adapters, following(made)
    messenger = SlackMessenger(made.client)

    def hold(job: Job) -> None:
        catch_up()
        reconciling(made)(job).run()

    def seal(job: Job) -> None:
        catch_up()
        made.sealing.seal(job.claim, adapters.catalog.audit.channel)
        made.guard.look(adapters.security_channel)

    def keep(job: Job) -> None:
        """Drop what is old enough according to the policy in force, and no other: dropped entries do not come
        back."""
        catalog = context.catalog()
        seconds = None if catalog.closed else catalog.keep
        made.retention.run(job.claim, timedelta(seconds=seconds) if seconds else None, adapters.archive())

    return {
        "hold": hold,
        "alarm": lambda job: overdue.alarm(context, made.ledger, job.claim),
        "ask": lambda job: ask.tend(context, job.claim),
        "card": partial(cards.show, context, messenger),
        "alert": partial(alerts.show, context, messenger),
        "sweep": partial(sweep, context, made.ledger, adapters.target),
        "hands": partial(survey.survey, context, made.ledger, adapters.reach),
        "note": partial(cards.tell, context, messenger),
        "home": partial(cards.publish_home, context, messenger),
        "roster": partial(rosters.read_roster, context, adapters.source),
        "shift": partial(follow.follow, context),
        "people": partial(follow.refresh_person, context),
        "groups": partial(groups.refresh_groups, context),
        "workspace": partial(groups.refresh_home, context),
        "seal": seal,
        "keep": keep,
        "former": partial(former.tidy, made.ledger, made.ledger),
        "owed": partial(owing.look_through, made.ledger, made.ledger),
    }
