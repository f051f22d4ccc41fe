"""Block Kit as Slack accepts it: the rules for blocks in messages and for views.

Everything here is pure. Each broken rule is one sentence with a JSON pointer, worded as Slack words it; no
sentence means that Slack would accept it.
"""

import json
from collections.abc import Iterator
from typing import Any, Literal

from bot.doubles.slack.checks import Check, anything, by_type, flag, list_of, one_of, shape, string, wrong
from bot.doubles.slack.elements import (
    ELEMENTS,
    IN_ACTIONS,
    IN_INPUT,
    IN_SECTION,
    element,
    exactly_one,
    plain_text,
    text,
)

Surface = Literal["message", "modal", "home"]

MOST_BLOCKS = {"message": 50, "modal": 100, "home": 100}
MOST_CHARACTERS = 13_200
LARGEST_VIEW = 250_000


def message_errors(blocks: Any) -> list[str]:
    errors = list(_blocks("message")(blocks, "/blocks"))
    if isinstance(blocks, list):
        texts = [b.get("text") for b in blocks if isinstance(b, dict) and b.get("type") == "markdown"]
        if sum(len(each) for each in texts if isinstance(each, str)) > 12_000:
            errors.append(wrong("must be less than 12001 characters in all", "/blocks"))
    return errors


def view_errors(view: Any, kind: Literal["modal", "home"]) -> list[str]:
    if not isinstance(view, dict):
        return [wrong("must be an object", "/view")]
    if view.get("type") != kind:
        return [wrong(f"must be one of {kind}", "/view/type")]
    errors = list(_VIEWS[kind](view, "/view"))
    blocks = view["blocks"] if isinstance(view.get("blocks"), list) else []
    has_input = any(isinstance(block, dict) and block.get("type") == "input" for block in blocks)
    if kind == "modal" and has_input and not view.get("submit"):
        errors.append(wrong("missing required field: submit", "/view"))
    return errors


def too_long(blocks: list[Any]) -> bool:
    """Return whether they are too long. Counted as compact JSON, which is close to where Slack draws the
    line."""
    return len(json.dumps(blocks, separators=(",", ":"), ensure_ascii=False)) > MOST_CHARACTERS


def view_too_large(view: Any) -> bool:
    return len(json.dumps(view)) > LARGEST_VIEW


_SECTION = shape(
    {"type": anything},
    {
        "block_id": string(255),
        "text": text(3000),
        "fields": list_of(text(2000), 10),
        "accessory": element(IN_SECTION),
        "expand": flag,
    },
)
_CONTEXT_PART = by_type({"image": ELEMENTS["image"], "plain_text": text(2000), "mrkdwn": text(2000)})
_RICH_FIELDS: dict[str, dict[str, Check]] = {
    "rich_text_section": {},
    "rich_text_preformatted": {"border": anything, "language": anything},
    "rich_text_quote": {"border": anything},
    "rich_text_list": {
        "style": one_of("bullet", "ordered"),
        "indent": anything,
        "offset": anything,
        "border": anything,
    },
}
_RICH = by_type(
    {
        kind: shape({"type": anything, "elements": list_of(anything, 1000, least=0)}, fields)
        for kind, fields in _RICH_FIELDS.items()
    }
)
_CELL = by_type({"raw_text": anything, "raw_number": anything, "rich_text": anything})

_EVERYWHERE: dict[str, Check] = {
    "section": _SECTION,
    "divider": shape({"type": anything}, {"block_id": string(255)}),
    "header": shape({"type": anything, "text": plain_text(150)}, {"block_id": string(255)}),
    "context": shape({"type": anything, "elements": list_of(_CONTEXT_PART, 10)}, {"block_id": string(255)}),
    "actions": shape(
        {"type": anything, "elements": list_of(element(IN_ACTIONS), 25)},
        {"block_id": string(255)},
    ),
    "image": shape(
        {"type": anything, "alt_text": string(2000)},
        {
            "block_id": string(255),
            "image_url": string(3000),
            "slack_file": anything,
            "title": plain_text(2000),
        },
    ),
    "rich_text": shape({"type": anything, "elements": list_of(_RICH, 1000)}, {"block_id": string(255)}),
}
_IN_MESSAGES: dict[str, Check] = {
    "markdown": shape({"type": anything, "text": string(12_000)}, {"block_id": string(255)}),
    "table": shape(
        {"type": anything, "rows": list_of(list_of(_CELL, 20), 100)},
        {"block_id": string(255), "column_settings": list_of(anything, 20)},
    ),
}
_IN_VIEWS: dict[str, Check] = {
    "input": shape(
        {"type": anything, "label": plain_text(2000), "element": element(IN_INPUT)},
        {
            "block_id": string(255),
            "hint": plain_text(2000),
            "optional": flag,
            "dispatch_action": flag,
        },
    ),
}


def _blocks(surface: Surface) -> Check:
    more = _IN_MESSAGES if surface == "message" else _IN_VIEWS
    known = by_type(_EVERYWHERE | more)
    every = list_of(known, MOST_BLOCKS[surface], least=0)

    def check(value: Any, at: str) -> Iterator[str]:
        yield from every(value, at)
        blocks = [block for block in value if isinstance(block, dict)] if isinstance(value, list) else []
        yield from _twice([block.get("block_id") for block in blocks], "block_id", at)
        for number, block in enumerate(blocks):
            yield from _within(block, f"{at}/{number}")

    return check


_COMMON = {
    "type": anything,
    "private_metadata": string(3000, least=0),
    "callback_id": string(255, least=0),
    "external_id": string(255, least=0),
}
_VIEWS = {
    "modal": shape(
        {"title": plain_text(24), "blocks": _blocks("modal")},
        {
            **_COMMON,
            "submit": plain_text(24),
            "close": plain_text(24),
            "clear_on_close": flag,
            "notify_on_close": flag,
            "submit_disabled": flag,
        },
    ),
    "home": shape({"blocks": _blocks("home")}, _COMMON),
}


def _within(block: dict[str, Any], at: str) -> Iterator[str]:
    """Yield the broken rules between the fields of one block."""
    if block.get("type") == "section" and not block.get("text") and not block.get("fields"):
        yield wrong("must define either `text` or `fields`", at)
    if block.get("type") == "image":
        yield from exactly_one(block, ("image_url", "slack_file"), at)
    elements = block.get("elements")
    if isinstance(elements, list):
        ids = [each.get("action_id") for each in elements if isinstance(each, dict)]
        yield from _twice(ids, "action_id", f"{at}/elements")


def _twice(ids: list[Any], name: str, at: str) -> Iterator[str]:
    seen: set[str] = set()
    for each in ids:
        if isinstance(each, str) and each in seen:
            yield wrong(f"`{name}` {each} already exists", at)
        elif isinstance(each, str):
            seen.add(each)
