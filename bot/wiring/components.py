"""The parts of a process: the ledger, Slack, and what the use-cases work with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from redis import Redis
from slack_sdk import WebClient

from bot import config
from bot.core.audit.proof import Trusts
from bot.core.errors import Misconfigured, PermanentFailure
from bot.kinds.table import requires
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.audit import Signer
from bot.slack.api.directory import SlackDirectory
from bot.usecases.audit.retention import Retention
from bot.usecases.audit.rollback import RollbackGuard
from bot.usecases.audit.seal import Sealing
from bot.usecases.context import Context
from bot.wiring.adapters import Adapters, policy_text, program_needs_key
from bot.wiring.ids import new_id


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


def ledger_of(env: config.Environment, workspace: str) -> RedisLedger:
    redis = connect(env.redis_url.get_secret_value(), workspace)
    return RedisLedger(redis, workspace, copies=env.redis_copies)


def signer(env: config.Environment) -> Signer | None:
    """Return the key of AUDIT_KEY, None if that is not set. Raise Misconfigured."""
    pem = env.audit_key.get_secret_value()
    if not pem:
        return None
    try:
        with requires("audit"):
            from bot.evidence.signing import SigningKey  # noqa: PLC0415 -- needs an extra
    except PermanentFailure as missing:
        raise Misconfigured(f"AUDIT_KEY is set, but {missing}") from missing
    return SigningKey(pem)


def trust(pems: Iterable[bytes]) -> Trusts:
    """Return a function that tells whether a signature is by one of these public keys. Raise
    Misconfigured."""
    try:
        with requires("audit"):
            from bot.evidence.signing import TrustedKeys  # noqa: PLC0415 -- needs an extra
    except PermanentFailure as missing:
        raise Misconfigured(str(missing)) from missing
    return TrustedKeys(pems).trusts


def components(
    env: config.Environment, policy: config.Policy, environ: Mapping[str, str], *, secrets: bool = True
) -> Components:
    """Put the parts of a process together. Without ``secrets`` it reaches no target and no source. Raise
    Misconfigured if a target runs programs and the policy in Redis would not be signed."""
    unsigned = [name for name, each in policy.targets.items() if each.runs_programs and not env.secret_keys]
    if unsigned:
        raise Misconfigured(program_needs_key(unsigned[0]))
    redis = connect(env.redis_url.get_secret_value(), policy.workspace)
    ledger = RedisLedger(redis, policy.workspace, copies=env.redis_copies)
    client = WebClient(token=env.slack_bot_token.get_secret_value(), base_url=env.slack_api_url)
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
        retention=Retention(ledger=ledger, books=ledger, guard=guard, signer=key, wall=wall),
    )


def wall() -> datetime:
    """Return the time by this machine's clock, which is compared with that of Redis."""
    return datetime.now(UTC)  # noqa: TID251 -- if the clock of Redis is wrong, another one has to tell
