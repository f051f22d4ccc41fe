"""Checks, when a process starts, whether this Redis can be trusted to know who has access."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from redis import Redis
from redis.exceptions import ResponseError

from bot.core.errors import TemporaryFailure
from bot.ledger.connection import follows, translate_errors

OLDEST = 7

Facts = Mapping[str, str]
"""The answers of INFO and CONFIG; what they are not allowed to say is missing."""


def objections(client: Redis) -> list[str]:
    """Return what must be changed before Rotakey runs on it, each with what to do. Raise TemporaryFailure."""
    return _all(_look(client), (_replica, _too_old, _evicts, _forgets))


def warnings(client: Redis, copies: int = 0) -> list[str]:
    """Return what should be changed, and what could not be found out. Raise TemporaryFailure."""
    facts = dict(_look(client)) | {"wanted_copies": str(copies), "followed": "yes" if follows(client) else ""}
    return _all(
        facts, (_unknown, _would_evict, _has_evicted, _may_lose, _cannot_write, _cluster, _copies_fault)
    )


def _all(facts: Facts, checks: tuple[Callable[[Facts], str | None], ...]) -> list[str]:
    return [found for check in checks if (found := check(facts))]


def _look(client: Redis) -> Facts:
    found: dict[str, str] = {}
    for ask in (_info, _config):
        try:
            with translate_errors(apart_from=ResponseError):
                found |= ask(client)
        except ResponseError:
            continue
    if found.get("loading", "0") != "0":
        raise TemporaryFailure("Redis is still reading what it had on disk")
    return found


def _info(client: Redis) -> Facts:
    return {name: str(value) for name, value in client.info().items()}


def _config(client: Redis) -> Facts:
    found = client.config_get("maxmemory", "maxmemory-policy", "save", "appendonly", "appendfsync")
    return {str(name).replace("-", "_"): str(value) for name, value in found.items()}


# --------------------------------------------------------------------------------------- objections


def _replica(facts: Facts) -> str | None:
    if facts.get("role", "master") == "master":
        return None
    return f"Redis takes no writes, for its role is {facts['role']}: let REDIS_URL name the primary"


def _too_old(facts: Facts) -> str | None:
    version = facts.get("valkey_version") or facts.get("redis_version", "")
    if not version or int(version.split(".")[0]) >= OLDEST:
        return None
    return f"Redis {version} is too old: Rotakey needs Redis {OLDEST}.0 or later, or Valkey"


def _evicts(facts: Facts) -> str | None:
    if not _evicting(facts) or facts.get("maxmemory") == "0":
        return None
    return (
        f"maxmemory-policy is {facts['maxmemory_policy']}: when Redis is full it forgets who has access, and"
        " nobody takes it back. Set maxmemory-policy to noeviction, and keep other programs off this Redis"
    )


def _forgets(facts: Facts) -> str | None:
    if _appends(facts) is not False or facts.get("save") != "":
        return None
    return (
        "Redis keeps nothing on disk: after a restart it has forgotten who has access, and nobody takes it"
        " back. Set appendonly to yes and appendfsync to always"
    )


# ----------------------------------------------------------------------------------------- warnings


def _unknown(facts: Facts) -> str | None:
    wanted = {
        "role": "role",
        "redis_version": "version",
        "maxmemory_policy": "maxmemory-policy (must be noeviction)",
    }
    silent = [what for name, what in wanted.items() if name not in facts]
    if _appends(facts) is None or (_appends(facts) is False and "save" not in facts):
        silent.append("persistence (appendonly should be yes)")
    elif _appends(facts) and "appendfsync" not in facts:
        silent.append("appendfsync (should be always)")
    return f"Redis does not tell us its {', '.join(silent)}: see to it yourself" if silent else None


def _would_evict(facts: Facts) -> str | None:
    if not _evicting(facts) or facts.get("maxmemory") != "0":
        return None
    return (
        f"maxmemory-policy is {facts['maxmemory_policy']}: as soon as somebody sets maxmemory, Redis will"
        " forget who has access. Set maxmemory-policy to noeviction"
    )


def _has_evicted(facts: Facts) -> str | None:
    if facts.get("evicted_keys", "0") == "0":
        return None
    return (
        f"Redis has evicted {facts['evicted_keys']} keys since it started: grants may be among them."
        " Compare who has access at each target with what Rotakey knows"
    )


def _may_lose(facts: Facts) -> str | None:
    if _appends(facts) is False and facts.get("save"):
        return (
            f"Redis keeps snapshots only (save {facts['save']}): a crash loses what was written since the"
            " last one. Set appendonly to yes and appendfsync to always"
        )
    if _appends(facts) and facts.get("appendfsync", "always") != "always":
        return (
            f"appendfsync is {facts['appendfsync']}: a power cut loses the last second or more. Set"
            " appendfsync to always; it costs less than a millisecond a write on a local disk"
        )
    return None


def _cannot_write(facts: Facts) -> str | None:
    status = {facts.get("aof_last_write_status", "ok"), facts.get("rdb_last_bgsave_status", "ok")}
    if status == {"ok"}:
        return None
    return "Redis could not write to its disk the last time it tried: look at its log and at the disk"


def _cluster(facts: Facts) -> str | None:
    if facts.get("cluster_enabled", "0") == "0" or facts["followed"]:
        return None
    return "Redis runs as a cluster: write REDIS_URL as redis+cluster://host:6379"


def _copies_fault(facts: Facts) -> str | None:
    wanted, there = int(facts["wanted_copies"]), int(facts.get("connected_slaves", "0"))
    if there >= wanted or "connected_slaves" not in facts:
        return None
    return (
        f"REDIS_COPIES is {wanted}, and Redis has {there} replicas: nothing is given until there are as many"
    )


def _evicting(facts: Facts) -> bool:
    return facts.get("maxmemory_policy", "noeviction") != "noeviction"


def _appends(facts: Facts) -> bool | None:
    """Return whether each write is appended to a file; None: it does not say."""
    said = facts.get("appendonly", facts.get("aof_enabled"))
    return None if said is None else said in {"1", "yes"}
