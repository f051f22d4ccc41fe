"""The checks of ``rotakey doctor``, put together from the environment, however little of it works."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, Self, cast

from slack_sdk import WebClient

from bot import config
from bot.core.audit.chain import read_seal
from bot.core.authentic import text_objection
from bot.core.errors import Misconfigured, TemporaryFailure
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ledger.server import RedisServer
from bot.ports.audit import Signer
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, PolicyInForce
from bot.slack.api.app import SlackApp
from bot.slack.api.directory import SlackDirectory
from bot.slack.api.manifest import scopes
from bot.upstream import within
from bot.usecases.audit.seal import HEAD, newest
from bot.usecases.doctor import access, evidence, pager, policy, slack, stops, store, targets, work
from bot.usecases.doctor.findings import Check, Finding, few, look_at, run_checks, wrong
from bot.wiring import components
from bot.wiring.adapters import Adapters, policy_text
from bot.wiring.components import wall

POLICY_WITHIN, ALL_WITHIN = 4.0, 8.0
"""The seconds for reading the policy, and after that for all checks."""
SPARE = 1.0
"""Seconds that are left to a check at the end to say what did not answer."""


class Examination:
    """The examination, a context manager. Raise Misconfigured if the environment cannot be read, or does not
    tell which ledger is meant."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._env = env = config.Environment.read(environ, needs=(("REDIS_URL",),))
        self._text = config.bytes_of(env.access_file)
        self._file = str(env.access_file)
        self.workspace = config.targets_of(self._text, name=self._file, environ=environ).workspace
        self._stack = ExitStack()
        self._redis = connect(env.redis_url.get_secret_value(), self.workspace)
        self._stack.callback(self._redis.close)
        self.ledger = RedisLedger(self._redis, self.workspace, copies=env.redis_copies)
        self._server = RedisServer(self._redis)
        self._client = WebClient(token=env.slack_bot_token.get_secret_value(), base_url=env.slack_api_url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def signer(self) -> Signer | None:
        """Return the key for seals. Raise Misconfigured if seals were signed, and this environment has no key
        to go on with."""
        signer = components.signer(self._env)
        last = self.ledger.seals(newest(self.ledger.read({HEAD}), self.ledger).number - 1, 1)
        if signer is None and any(read_seal(each.text).key for each in last):
            raise Misconfigured("the seals of this audit are signed: set AUDIT_KEY as on the workers")
        return signer

    def findings(self) -> list[Finding]:
        """Return all findings, the worst first; within fifteen seconds, no matter what does not answer."""
        mistakes = config.check(self._text, name=self._file, environ=self._environ)
        local = None if mistakes else config.load(self._text, name=self._file, environ=self._environ)
        faults = [wrong(policy.POLICY, str(each)) for each in mistakes]
        self._force: PolicyInForce | None = None
        try:
            followed = self._in_force() or local
        except Misconfigured as mistake:
            followed = local
            first = str(mistake).splitlines()[0]
            what = f"this environment cannot follow the policy in force: {first}"
            faults.insert(0, wrong(policy.POLICY, what, "fix that here, and also where the workers run"))
        said = config.caution(followed.catalog.audit.file, self._env.redis_copies) if followed else None
        faults += [look_at(policy.POLICY, said)] if said else []
        version = local.catalog.version if local else None
        ledger, server = self.ledger, self._server
        checks: dict[str, Check] = {
            store.REDIS: lambda _: store.look_at_redis(server, ledger, wall, self._env.redis_copies),
            work.WORKER: lambda _: work.look_at_worker(ledger),
            work.RECORDS: lambda _: work.look_at_records(ledger, self.workspace),
            work.SWEEP: lambda _: work.look_at_sweep(ledger),
            access.ACCESS: lambda _: access.look_at_access(ledger),
            access.STRAYS: lambda _: access.look_at_strays(ledger),
            access.RESTORE: lambda _: access.look_at_restore(ledger),
            stops.STOPPED: lambda _: stops.look_at_stops(ledger),
            policy.POLICY: lambda _: policy.look_at_policy(
                ledger, version, self._file, self._env.secret_keys
            ),
            "access.yaml": lambda _: few(faults),
        }
        checks |= self._of_policy(followed) if followed else {}
        checks |= self._of_slack(followed)
        return run_checks(checks, Deadline.after(ALL_WITHIN), SPARE)

    def _in_force(self) -> config.Policy | None:
        """Return the policy in force. None if there is none, if its text cannot be trusted, or if Redis does
        not answer; then nothing waits for Redis again. Raise Misconfigured if it cannot be followed here."""

        def read() -> str | None:
            force = self.ledger.read({Key.of(PolicyInForce)}).find(PolicyInForce)
            if force is None:
                return None
            self._force = force
            found = policy_text(self.ledger, force.version)
            if found is None or text_objection(force.version, found.text, found.hmacs, self._env.secret_keys):
                return None
            return found.text

        try:
            text = within(Deadline.after(POLICY_WITHIN), "Redis", read)
        except TemporaryFailure as failure:
            away = _Away(failure)
            self.ledger, self._server = cast("RedisLedger", away), cast("RedisServer", away)
            return None
        return config.load(text, name="the policy in force", environ=self._environ) if text else None

    def _of_policy(self, followed: config.Policy) -> dict[str, Check]:
        ledger, catalog = self.ledger, followed.catalog
        text_of = partial(policy_text, ledger)
        adapters = Adapters(self._env, self._environ, followed, text_of)
        former = adapters.note_former(self._force) if self._force else ()
        self._stack.callback(adapters.close)
        directory = SlackDirectory(self._client)

        def source(name: str) -> Check:
            return lambda by: pager.look_at_source(adapters.source, name, catalog, wall(), by)

        def target(name: str) -> Check:
            gives = targets.gives_by_target(catalog)[name]
            accounts = targets.accounts_by_target(catalog).get(name, ())
            return lambda by: targets.look_at_target(adapters.target, gives, ledger, by, accounts)

        def as_it_was(name: str) -> Check:
            needs, unsigned = adapters.needs_of_former, adapters.has_unsigned_former
            return lambda _: targets.look_at_former(adapters.former, needs, unsigned, name)

        return {
            evidence.AUDIT: lambda _: evidence.look_at_audit(ledger, catalog.audit, adapters.anchor),
            policy.PEOPLE: lambda by: policy.look_at_people(ledger, directory, catalog, by),
            pager.ON_CALL: lambda _: pager.look_at_rosters(ledger, catalog),
            **{f"{pager.ON_CALL} {name}": source(name) for name in pager.sources_of(catalog)},
            **{f"{targets.TARGET} {name}": target(name) for name in targets.gives_by_target(catalog)},
            **{f"{targets.TARGET} {name} as it was": as_it_was(name) for name in former},
        }

    def _of_slack(self, followed: config.Policy | None) -> dict[str, Check]:
        env, app = self._env, SlackApp(self._client, self._env.slack_app_token.get_secret_value())
        if not env.slack_bot_token:
            return {slack.SLACK: lambda _: [wrong(slack.SLACK, "SLACK_BOT_TOKEN is not set")]}
        found: dict[str, Check] = {slack.SLACK: lambda by: slack.look_at_app(app, scopes(), self.ledger, by)}
        if env.socket_mode:
            found["socket mode"] = lambda by: slack.look_at_socket(app, by)
        if followed:
            found["slack channels"] = lambda by: slack.look_at_channels(app, followed.catalog, by)
        return found


class _Away:
    """A stand-in for something that does not answer."""

    def __init__(self, failure: TemporaryFailure) -> None:
        self._failure = failure

    def __getattr__(self, _: str) -> Callable[..., Any]:
        def fails(*_: object, **__: object) -> Any:
            raise TemporaryFailure(str(self._failure))

        return fails
