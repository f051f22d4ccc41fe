"""The contents of a Redis, kept in a file and loaded into a real one, with all times moved to now."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from redis import Redis

FIXTURES = Path(__file__).parent / "fixtures"
_MOMENT = re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"')
_SECONDS = re.compile(r'(?<=_at":)\d+')


def kept(name: str) -> dict[str, Any]:
    """Return what a file holds: ``keys`` are rows of name, type, milliseconds left to live (or none), and
    value; ``access`` is what there was at the target: account, role, and by whom."""
    found: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    return found


def load(client: Redis, what: dict[str, Any]) -> None:
    """Load it into an empty Redis as if it had been written a moment ago: leases have as long to live as they
    had, and due times and all times in documents are as far from now as they were. The audit and its seals
    stay as they were signed."""
    seconds, micros = client.time()
    now = timedelta(seconds=seconds, microseconds=micros)
    later = now - timedelta(seconds=datetime.fromisoformat(what["at"]).timestamp())
    for name, kind, left, value in what["keys"]:
        _put(client, name, kind, _moved(name, value, later))
        if left:
            client.pexpire(name, left)


def _moved(name: str, value: Any, later: timedelta) -> Any:
    if ":due:" in name:
        return [(member, at + later // timedelta(milliseconds=1)) for member, at in value]
    if ":doc:" in name and ":doc:seal-head:" not in name:
        return value | {"d": _text_moved(value["d"], later)}
    return value


def _text_moved(text: str, later: timedelta) -> str:
    def moment(found: re.Match[str]) -> str:
        moved = datetime.fromisoformat(found[0].strip('"')) + later
        return f'"{moved:%Y-%m-%dT%H:%M:%S.%fZ}"'

    text = _MOMENT.sub(moment, text)
    return _SECONDS.sub(lambda found: str(int(found[0]) + later // timedelta(seconds=1)), text)


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
