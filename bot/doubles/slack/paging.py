"""Slack's cursors: opaque, and only good for the list they came from."""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from bot.doubles.slack.model import Json, SlackError

T = TypeVar("T")


def page(items: Sequence[T], args: Json, default: int) -> tuple[Sequence[T], str]:
    """Return a page of `items` and the cursor of the next one, empty at the end."""
    cursor = str(args.get("cursor") or "")
    try:
        start = int(base64.b64decode(cursor, validate=True).decode().removeprefix("after:")) if cursor else 0
    except (binascii.Error, ValueError):
        raise SlackError("invalid_cursor") from None
    try:
        limit = int(args.get("limit") or default)
    except ValueError:
        raise SlackError("invalid_limit") from None
    if not 1 <= limit <= 1000:
        raise SlackError("invalid_limit")
    if start > len(items):
        raise SlackError("invalid_cursor")
    end = start + limit
    following = base64.b64encode(f"after:{end}".encode()).decode() if end < len(items) else ""
    return items[start:end], following
