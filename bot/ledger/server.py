"""The Redis that the ledger is in, as it describes itself to those who look after it."""

from __future__ import annotations

from redis import Redis
from redis.exceptions import ResponseError

from bot.ledger import checks
from bot.ledger.connection import translate_errors
from bot.ports.ledger import ServerFacts


class RedisServer:
    """The server of a Redis. Implements Server."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def facts(self) -> ServerFacts:
        try:
            with translate_errors(apart_from=ResponseError):
                told = {name: str(value) for name, value in self._client.info().items()}
        except ResponseError:  # we may not ask; the warnings say so
            told = {}
        valkey, redis = told.get("valkey_version"), told.get("redis_version", "")
        replicas = told.get("connected_slaves")
        return ServerFacts(
            name=f"Valkey {valkey}" if valkey else f"Redis {redis}".strip(),
            objections=tuple(checks.objections(self._client)),
            warnings=tuple(checks.warnings(self._client)),
            replicas=int(replicas) if replicas else None,
        )
