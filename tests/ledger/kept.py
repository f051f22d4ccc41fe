"""What a Redis held once, kept in a file: loaded into a real one, with its times moved to now."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from redis import Redis

FIXTURES = Path(__file__).parent / "fixtures"


def kept(name: str) -> dict[str, Any]:
    """Return what a file holds: ``keys`` are rows of name, type, milliseconds left to live (or none), and
    value; ``access`` is what there was at the target: account, role, and by whom."""
    found: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    return found


def load(client: Redis, what: dict[str, Any]) -> None:
    """Put it into a Redis that is empty: leases have as long to live as they had, and things are due as long
    from now; all that was written down stays as it was."""
    seconds, micros = client.time()
    later = seconds * 1000 + micros // 1000 - round(datetime.fromisoformat(what["at"]).timestamp() * 1000)
    for name, kind, left, value in what["keys"]:
        moved = [(member, at + later) for member, at in value] if ":due:" in name else value
        _put(client, name, kind, moved)
        if left:
            client.pexpire(name, left)


def _put(client: Redis, name: str, kind: str, value: Any) -> None:
    match kind:
        case "string":
            client.set(name, value)
        case "hash":
            client.hset(name, mapping=value)
        case "set":
            client.sadd(name, *value)
        case "zset":
            client.zadd(name, dict(value))
        case "list":
            client.rpush(name, *value)
        case "stream":
            for entry, fields in value:
                client.xadd(name, fields, id=entry)
