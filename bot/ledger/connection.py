"""The connection to Redis, and the one place where its errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import BlockingConnectionPool, ConnectionPool, Redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ConnectionError,  # noqa: A004 -- it is what the client raises
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TimeoutError,  # noqa: A004 -- likewise
    TryAgainError,
)
from redis.retry import Retry

from bot.core.errors import Misconfigured, TemporaryFailure, Unconfirmed
from bot.ledger import scripts
from bot.ledger.following import Locator, following_settings
from bot.ledger.forms import taken_apart
from bot.ledger.keys import names

ANSWER_WITHIN = 1.5
"""Seconds for one try. A call is sent at most three times, so it fails after about five seconds."""

LONGEST_WAIT = 2.0
"""The longest that a call waits for a nudge; a caller that wants to wait longer calls again."""


UNREADABLE = (
    "REDIS_URL is not valid: write redis://user:password@host:6379/0, with rediss:// for TLS, unix:///path"
    " for a socket, or redis+sentinel://host,host/name or redis+cluster://host,host; write special"
    " characters in a password as %40 and the like, and check that certificate files exist"
)


def connect(url: str, workspace: str = "main") -> Redis:
    """Return a client that threads may share and that survives a fork. It connects when it is first used, in
    a cluster to the node that has the workspace.

    Options in the URL (``?socket_timeout=3``) take precedence. Raise Misconfigured.
    """
    settings: dict[str, Any] = {
        "decode_responses": True,
        "encoding_errors": "surrogateescape",
        "protocol": 2,
        "socket_timeout": ANSWER_WITHIN,
        "socket_connect_timeout": ANSWER_WITHIN,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "retry": Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), retries=2),
        "max_connections": 64,
        "timeout": ANSWER_WITHIN,
    }
    try:
        form = taken_apart(url)
        settings |= form.settings
        if "path" in settings:
            del settings["socket_keepalive"]
        if form.how:
            settings = following_settings(settings, Locator(form, _slot(workspace)))
        pool = BlockingConnectionPool(**settings)
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError):
        # its text may hold a part of the password
        raise Misconfigured(UNREADABLE) from None
    return Redis.from_pool(pool)


def at_home(client: Redis, workspace: str) -> Redis:
    """Return this client, or another one if this one goes to the node of another workspace."""
    pool, slot = client.connection_pool, _slot(workspace)
    there: Locator | None = pool.connection_kwargs.get("locator")
    if there is None or there.form.how != "cluster" or there.slot == slot:
        return client
    settings = pool.connection_kwargs | {"locator": Locator(there.form, slot)}
    bounds = {"max_connections": pool.max_connections, "timeout": ANSWER_WITHIN}
    return Redis.from_pool(
        BlockingConnectionPool(connection_class=pool.connection_class, **bounds, **settings)
    )


def _slot(workspace: str) -> int:
    return key_slot(names(workspace)[0].encode())


def follows(client: Redis) -> bool:
    """Return whether the client follows the primary when that changes."""
    return "locator" in client.connection_pool.connection_kwargs


def patient(client: Redis) -> Redis:
    """Return a client of the same server, for calls that Redis holds back for up to LONGEST_WAIT. Nothing is
    sent twice."""
    pool = client.connection_pool
    settings = pool.connection_kwargs | {
        "socket_timeout": LONGEST_WAIT + ANSWER_WITHIN,
        "retry": Retry(NoBackoff(), retries=0),
    }
    return Redis.from_pool(
        ConnectionPool(connection_class=pool.connection_class, max_connections=16, **settings)
    )


def _other_version(there: str) -> str:
    if there.isdigit() and int(there) < scripts.SCHEMA:
        return (
            f"Redis has records of an older version of Rotakey (shape {there}; this one writes"
            f" {scripts.SCHEMA}): start a worker of this version, which upgrades them"
        )
    return (
        f"Redis has records of a newer version of Rotakey (shape {there}; this one knows {scripts.SCHEMA}):"
        " this process no longer reads or writes anything. Stop it, and start the newer version instead"
    )


@contextmanager
def translate_errors(
    apart_from: type[RedisError] | tuple[()] = (), *, writing: bool = False
) -> Iterator[None]:
    """Translate any trouble with Redis to TemporaryFailure, except ``apart_from``. ``writing``: if no answer
    came it is Unconfirmed, because one of several tries may have been written."""
    try:
        yield
    except apart_from:
        raise
    except OutOfMemoryError as error:
        raise TemporaryFailure(
            "Redis is full: nothing new is granted until it has more memory (maxmemory); revoking goes on"
        ) from error
    except ReadOnlyError as error:
        raise TemporaryFailure(
            "Redis takes no writes, because it is a replica: nothing is granted or revoked until it is the"
            " primary, or REDIS_URL names the primary"
        ) from error
    except TryAgainError as error:
        raise TemporaryFailure(
            "the cluster is moving this workspace to another node: nothing is granted or revoked until that"
            " is done"
        ) from error
    except AskError as error:
        raise TemporaryFailure(
            "this Redis is one node of a cluster: set REDIS_URL to redis+cluster://host:6379"
        ) from error
    except RedisError as error:
        code, _, said = str(error).partition(" ")
        if code == "SCHEMA":
            raise TemporaryFailure(_other_version(said)) from error
        if code == "MISPLACED":
            raise TemporaryFailure(
                f"{said}, so something else writes to this Redis: rename that key, and keep other programs"
                " off this Redis"
            ) from error
        lost = writing and isinstance(error, ConnectionError | TimeoutError)
        failure = Unconfirmed if lost else TemporaryFailure
        raise failure(f"the call to Redis failed: {error}") from error
