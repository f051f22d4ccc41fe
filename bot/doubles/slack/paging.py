"""Slack's cursors: opaque, and only good for the list they came from."""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from bot.doubles.slack.model import Json, SlackError

T = TypeVar("T")


def page(items: Sequence[T], args: Json, default: int) -> tuple[Sequence[T], str]:
    """Return a page of `items` and the cursor of the next one, empty at the end."""
    start = _start(str(args.get("cursor") or ""))
    try:
        limit = int(args.get("limit") or default)
    except ValueError:
        raise SlackError("invalid_limit") from None
    if not 1 <= limit <= 1000 or start > len(items):
        raise SlackError("invalid_limit" if not 1 <= limit <= 1000 else "invalid_cursor")
    end = start + limit
    return items[start:end], _cursor(end) if end < len(items) else ""


def _cursor(start: int) -> str:
    return base64.b64encode(f"after:{start}".encode()).decode()


def _start(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("after:"))
    except (binascii.Error, ValueError):
        raise SlackError("invalid_cursor") from None
