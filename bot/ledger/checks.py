"""Checks, when a process starts, whether this Redis can be trusted to know who has access."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from redis import Redis
from redis.exceptions import ResponseError

from bot.core.errors import TemporaryFailure
from bot.ledger.connection import follows, translate_errors

OLDEST = 7

Facts = Mapping[str, str]
"""The answers of INFO and CONFIG; what they are not allowed to say is missing."""


def objections(client: Redis) -> list[str]:
    """Return what must be changed before Rotakey runs on it, each with what to do. Raise TemporaryFailure."""
    facts, found = _look(client), []
    if facts.get("role", "master") != "master":
        found.append(
            f"Redis takes no writes, because its role is {facts['role']}: set REDIS_URL to the primary"
        )
    version = facts.get("valkey_version") or facts.get("redis_version", "")
    if version and int(version.split(".")[0]) < OLDEST:
        found.append(f"Redis {version} is too old: use Redis {OLDEST}.0 or later, or Valkey")
    if _evicting(facts) and facts.get("maxmemory") != "0":
        found.append(
            f"maxmemory-policy is {facts['maxmemory_policy']}: when Redis is full it forgets who has access,"
            " and that access is never revoked. Set maxmemory-policy to noeviction, and keep other programs"
            " off this Redis"
        )
    if _appends(facts) is False and facts.get("save") == "":
        found.append(
            "Redis keeps nothing on disk: a restart makes it forget who has access, and that access is never"
            " revoked. Set appendonly to yes and appendfsync to always"
        )
    return found


def warnings(client: Redis, copies: int = 0) -> list[str]:
    """Return what should be changed, and what could not be found out. Raise TemporaryFailure."""
    facts, found = _look(client), []
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
    if silent:
        found.append(f"Redis does not report its {', '.join(silent)}: check that yourself")

    found += _storage_warnings(facts)

    if facts.get("cluster_enabled", "0") != "0" and not follows(client):
        found.append("Redis runs as a cluster: set REDIS_URL to redis+cluster://host:6379")
    there = facts.get("connected_slaves")
    if there is not None and int(there) < copies:
        found.append(
            f"REDIS_COPIES is {copies}, but Redis has {there} replicas: nothing is granted until there are"
            " enough"
        )
    return found


def _look(client: Redis) -> Facts:
    settings = ("maxmemory", "maxmemory-policy", "save", "appendonly", "appendfsync")
    found: dict[str, str] = {}
    for ask in (client.info, partial(client.config_get, *settings)):
        try:
            with translate_errors(apart_from=ResponseError):
                found |= {str(name).replace("-", "_"): str(value) for name, value in ask().items()}
        except ResponseError:
            continue
    if found.get("loading", "0") != "0":
        raise TemporaryFailure("Redis is still loading its data from disk")
    return found


def _storage_warnings(facts: Facts) -> Iterator[str]:
    """Warn if Redis may forget, in memory or on disk."""
    if _evicting(facts) and facts.get("maxmemory") == "0":
        yield (
            f"maxmemory-policy is {facts['maxmemory_policy']}: as soon as somebody sets maxmemory, Redis will"
            " forget who has access. Set maxmemory-policy to noeviction"
        )
    if facts.get("evicted_keys", "0") != "0":
        yield (
            f"Redis has evicted {facts['evicted_keys']} keys since it started: grants may be among them."
            " Compare who has access at each target with what Rotakey knows"
        )
    if _appends(facts) is False and facts.get("save"):
        yield (
            f"Redis keeps snapshots only (save {facts['save']}): a crash loses what was written since the"
            " last one. Set appendonly to yes and appendfsync to always"
        )
    elif _appends(facts) and facts.get("appendfsync", "always") != "always":
        yield (
            f"appendfsync is {facts['appendfsync']}: a power cut loses the last second or more. Set"
            " appendfsync to always; it costs less than a millisecond a write on a local disk"
        )
    status = {facts.get("aof_last_write_status", "ok"), facts.get("rdb_last_bgsave_status", "ok")}
    if status != {"ok"}:
        yield "Redis could not write to its disk at the last attempt: check its log and the disk"


def _evicting(facts: Facts) -> bool:
    return facts.get("maxmemory_policy", "noeviction") != "noeviction"


def _appends(facts: Facts) -> bool | None:
    """Return whether each write is appended to a file; None: it does not say."""
    said = facts.get("appendonly", facts.get("aof_enabled"))
    return None if said is None else said in {"1", "yes"}
