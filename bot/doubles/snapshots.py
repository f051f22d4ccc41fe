"""The memory of a double, in one JSON file that is written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


class UnreadableError(Exception):
    """A saved file that this version cannot read."""


def write_snapshot(path: Path, kind: TypeAdapter[T], snapshot: T) -> None:
    text = json.dumps(kind.dump_python(snapshot, mode="json"), ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(text.encode("utf-8", "replace"))  # half of a surrogate pair could not be read back
    os.replace(beside, path)


def read_snapshot(path: Path, kind: TypeAdapter[T]) -> T:
    try:
        return kind.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UnreadableError(f"{path} cannot be read: {where and f'{where}: '}{first['msg']}") from error
