"""Slack's own spellings in text that people typed: mentions, links, escapes; and back again."""

from __future__ import annotations

import re

_ENTITY = re.compile(r"<([^<>\s][^<>]{0,3000})>")
_PERSON = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")


def readable(text: str) -> str:
    """Return what the person saw while typing: ``<@U1|ada>`` is @ada, ``&lt;`` is <."""
    shown = _ENTITY.sub(_readable_entity, text)
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def escape(text: str) -> str:
    """Return text that Slack shows as it is: no mention, link or broadcast can hide in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mention_in(text: str) -> str | None:
    """Return the Slack user id if the text is a mention of a person and nothing else."""
    found = _PERSON.fullmatch(text.strip())
    return found[1] if found else None


def _readable_entity(entity: re.Match[str]) -> str:
    what, _, label = entity[1].partition("|")
    match what[0]:
        case "@":
            return "@" + (label or what[1:])
        case "#":
            return "#" + (label or what[1:])
        case "!":
            return label or "@" + what[1:].partition("^")[0]
        case _:
            address = what.removeprefix("mailto:")
            if not label or label in (address, what):
                return label or address
            return label if address.partition("://")[2].rstrip("/") == label else f"{label} ({address})"
