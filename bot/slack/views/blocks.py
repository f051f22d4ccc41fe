"""Pieces of Block Kit, each within Slack's limits, no matter what is put into it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Block = dict[str, Any]

MOST_CHARACTERS = 12_000
"""The limit for all blocks of a message together, as compact JSON; Slack's own is a little above 13,000."""

_IN_TEXT, _IN_BUTTON, _IN_OPTION = 3_000, 75, 75
_MOST_OPTIONS = 100


def section(text: str, *, block_id: str | None = None, accessory: Block | None = None) -> Block:
    block: Block = {"type": "section", "text": mrkdwn(text)}
    if block_id:
        block["block_id"] = block_id[:255]
    return block | ({"accessory": accessory} if accessory else {})


def context(text: str) -> Block:
    return {"type": "context", "elements": [mrkdwn(text, 2_000)]}


def header(text: str) -> Block:
    return {"type": "header", "text": plain(text, 150)}


def divider() -> Block:
    return {"type": "divider"}


def actions(elements: Iterable[Block], *, block_id: str) -> Block:
    return {"type": "actions", "block_id": block_id[:255], "elements": list(elements)}


def button(label: str, action: str, value: str, *, style: str | None = None) -> Block:
    """Make a button. ``action`` is the verb; ``value`` an opaque id."""
    made: Block = {
        "type": "button",
        "action_id": action,
        "text": plain(label, _IN_BUTTON),
        "value": value[:2_000],
    }
    return made | ({"style": style} if style else {})


def select(placeholder: str, action: str, options: Mapping[str, str]) -> Block:
    """Make a menu. ``options`` maps values, of at most 75 characters, to labels."""
    shown = [
        {"text": plain(label, _IN_OPTION), "value": value}
        for value, label in list(options.items())[:_MOST_OPTIONS]
        if 0 < len(value) <= _IN_OPTION
    ]
    return {
        "type": "static_select",
        "action_id": action,
        "placeholder": plain(placeholder, 150),
        "options": shown,
    }


def field(label: str, name: str, element: Block, *, hint: str = "", optional: bool = False) -> Block:
    """Make an input of a form; its value is under ``name`` in both places where Slack wants an id."""
    made: Block = {
        "type": "input",
        "block_id": name,
        "label": plain(label, 200),
        "element": {"action_id": name, **element},
        "optional": optional,
    }
    return made | ({"hint": plain(hint, 500)} if hint else {})


def mrkdwn(text: str, most: int = _IN_TEXT) -> Block:
    """Make text with Slack's markup. Because of ``verbatim``, Slack does not link what looks like a link or a
    channel."""
    return {"type": "mrkdwn", "text": shorten(text, most) or " ", "verbatim": True}


def plain(text: str, most: int) -> Block:
    return {"type": "plain_text", "text": shorten(text, most) or "…", "emoji": True}


def shorten(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def fit(
    groups: Sequence[Sequence[Block]], *, most_blocks: int, most_characters: int
) -> tuple[list[Block], int]:
    """Return as many whole groups as there is room for, and the number of groups left out."""
    blocks: list[Block] = []
    used = 0
    for number, group in enumerate(groups):
        used += size(group)
        if len(blocks) + len(group) > most_blocks or used > most_characters:
            return blocks, len(groups) - number
        blocks.extend(group)
    return blocks, 0


def size(blocks: Sequence[Block]) -> int:
    return len(json.dumps(list(blocks), separators=(",", ":"), ensure_ascii=False))
