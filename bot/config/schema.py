"""The JSON Schema of access.yaml, for editors."""

from __future__ import annotations

from typing import Any

from bot.config.shapes import File
from bot.core.durations import brief
from bot.settings import BOUNDS


def schema() -> dict[str, Any]:
    found: dict[str, Any] = _as_written(File.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": "access.yaml"}


def _as_written(part: Any) -> Any:
    """Return the schema without titles made from names and without nulls, with lengths as people write them,
    and with the bounds of lengths in words, because JSON Schema knows none."""
    if isinstance(part, list):
        return [_as_written(each) for each in part if each != {"type": "null"}]
    if not isinstance(part, dict):
        return part
    ours = ("title", "default", BOUNDS)
    kept = {key: _as_written(each) for key, each in part.items() if key not in ours}
    if BOUNDS in part:
        least, most = part[BOUNDS]
        kept["description"] = f"{part.get('description', '')} From {least} to {most}.".strip()
    for table in ("properties", "$defs"):
        if table in part:
            kept[table] = {name: _as_written(each) for name, each in part[table].items()}
    default = part.get("default")
    if part.get("type") == "string" and isinstance(default, int):
        default = brief(default) if default else None
    if isinstance(default, str | int | list) and default != []:  # others cannot be written on one line
        kept["default"] = default
    return kept
