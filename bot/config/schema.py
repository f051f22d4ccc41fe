"""The JSON Schema of access.yaml, for editors."""

from __future__ import annotations

from typing import Any

from bot.config.shapes import File
from bot.core.durations import brief


def schema() -> dict[str, Any]:
    found: dict[str, Any] = _as_written(File.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": "access.yaml"}


def _as_written(part: Any) -> Any:
    """Return the schema without titles made from names and without nulls, and with lengths as people write
    them."""
    if isinstance(part, list):
        return [_as_written(each) for each in part if each != {"type": "null"}]
    if not isinstance(part, dict):
        return part
    kept = {key: _as_written(each) for key, each in part.items() if key not in ("title", "default")}
    for table in ("properties", "$defs"):
        if table in part:
            kept[table] = {name: _as_written(each) for name, each in part[table].items()}
    default = _default(part)
    return {**kept, "default": default} if default else kept


def _default(part: dict[str, Any]) -> object:
    """Return the default if it can be written in one word."""
    default = part.get("default")
    if part.get("type") == "string" and isinstance(default, int):
        return brief(default) if default else None
    return default if isinstance(default, str | int) else None
