"""Mistakes in a file, each with its line, its place in the file, and what is allowed there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""A place in the file: keys, and positions in lists."""

MOST_TOLD = 200
"""The most mistakes of one file that are reported."""

SHOWN = 40
"""The most characters of the file that a mistake repeats."""

SECRETIVE = re.compile(r"(?:pass|secret|token|key)\w{0,20}\s{0,5}=", re.IGNORECASE)
"""Text after which a password follows."""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    file: str
    line: int
    path: str
    text: str
    unset: bool = False
    """True if nothing is wrong with the file, but a variable that it uses is not set here."""

    def __str__(self) -> str:
        """Return one line, no matter what the file holds."""
        parts = (f"{self.file}:{self.line}", self.path, self.text)
        return _printable(": ".join(part for part in parts if part))


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A mistake before the name of the file is known: its place, and a ``line`` if it is not that of the
    place."""

    path: Path
    text: str
    line: int | None = None
    unset: bool = False


class Unreadable(Exception):
    """The file cannot be read any further than this line."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


def in_order(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """Sort mistakes by line, and keep only the first of those about one place."""
    first: dict[tuple[int, str], Mistake] = {}
    for mistake in mistakes:
        first.setdefault((mistake.line, mistake.path), mistake)
    return sorted(first.values(), key=lambda each: each.line)


def dotted_path(path: Path) -> str:
    """Write a path as in ``resources.prod-db.gives[0].target``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{_short(part) or quote(part)}" for part in path)
    return "".join(parts).removeprefix(".")


def quote(value: object) -> str:
    """Quote a value as the file has it, short and on one line."""
    if isinstance(value, str):
        return f'"{_short(value)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else "this"


def without_password(text: str) -> str:
    """Return text of the file without what may be a password in it: an address after its scheme, what is
    before an @, and what follows ``password=``."""
    before, scheme, _ = text.partition("://")
    if scheme:
        name = re.search(r"[A-Za-z][A-Za-z0-9+.-]*$", before[-20:])
        return f"{name[0] if name else ''}://…"
    at = text.rfind("@")
    if at > 0:
        return f"…{text[at:]}"
    found = SECRETIVE.search(text)
    return f"{text[: found.end()]}…" if found else text


def _short(text: str) -> str:
    text = without_password(text)
    return _printable(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
