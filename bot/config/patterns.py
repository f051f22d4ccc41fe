"""Regular expressions from the file: only such as cannot take for ever on any reason people may write."""

from __future__ import annotations

import re
import string
import warnings
from dataclasses import dataclass, field, replace

MOST_CHARACTERS = 200

MOST_REPEATS = 2
"""Repeated parts in a row that can match the same text: three divide it in millions of ways."""
MOST_CHOICES = 8
"""The same for optional parts, and for groups with alternatives anywhere: each doubles the ways."""

_SAMPLE = string.printable + "éßЖ中"
_TOKEN = re.compile(
    r"""(?P<back>\\[1-9]|\(\?P=|\(\?\()
    |(?P<note>\(\?\#[^)]*\))
    |(?P<open>\((?:\?(?:P<\w+>|[:=!>]|<[=!]|[a-zA-Z-]+:|[a-zA-Z]+(?=\))))?)
    |(?P<close>\))
    |(?P<either>\|)
    |(?P<exactly>\{\d+\})
    |(?P<many>(?:[*+]|\{\d*,\d*\})[?+]?)
    |(?P<maybe>\?[?+]?)
    |(?P<empty>\\[bBAZ]|\^|\$)
    |(?P<atom>\[\^?\]?(?:\\.|[^\]\\])*\]|\\(?:x..|u.{4}|U.{8}|N\{[^}]*\}|0[0-7]{0,2}|.)|.)""",
    re.VERBOSE | re.DOTALL,
)
_ENDLESS = "which can take for ever"


def objection(pattern: str) -> str | None:
    """What is wrong with it, and what to write; None where nothing is."""
    if len(pattern) > MOST_CHARACTERS:
        return f"has {len(pattern)} characters; write {MOST_CHARACTERS} or fewer"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            flags = re.compile(pattern).flags
    except re.error as error:
        where = "" if error.pos is None else f" from character {error.pos + 1} on"
        return f"is no regular expression{where}; try it with Python's re module"
    except (RecursionError, OverflowError, Warning):
        return "is no regular expression that can be used; write a simpler one"
    if flags & re.VERBOSE:
        return "has the flag x; write it without that"
    return _slowness(pattern)


@dataclass(frozen=True)
class _Piece:
    """What stands for one character, and whether it may stand for any number of them, or for none."""

    atom: str
    many: bool = False
    maybe: bool = False

    def meets(self, other: _Piece) -> bool:
        """Some character fits both."""
        return any(_fits(self.atom, each) and _fits(other.atom, each) for each in _SAMPLE)


@dataclass
class _Group:
    start: int
    chooses: bool = False


@dataclass
class _Scan:
    pieces: list[_Piece] = field(default_factory=list)
    within: list[_Group] = field(default_factory=lambda: [_Group(0)])
    closed: _Group | None = None
    choosing: int = 0

    def take(self, kind: str | None, text: str) -> None:
        closed, self.closed = self.closed, None
        match kind:
            case "open":
                self.within.append(_Group(len(self.pieces)))
            case "close":
                self.closed = self.within.pop()
                self.choosing += self.closed.chooses
            case "either":
                self.within[-1].chooses = True
            case "many" | "maybe":
                start = closed.start if closed else len(self.pieces) - 1
                many = kind == "many"
                self.pieces[start:] = [
                    replace(each, many=each.many or many, maybe=True) for each in self.pieces[start:]
                ]
            case "atom":
                self.pieces.append(_Piece(text))

    def nests(self, kind: str | None) -> bool:
        """It repeats the group just closed, and that can be matched in more ways than one."""
        if self.closed is None or kind not in ("many", "exactly"):
            return False
        return self.closed.chooses or any(each.maybe for each in self.pieces[self.closed.start :])


def _slowness(pattern: str) -> str | None:
    scan = _Scan()
    for token in _TOKEN.finditer(pattern):
        kind = token.lastgroup
        if kind == "back":
            return f"refers back to a group, {_ENDLESS}; write it without"
        if scan.nests(kind):
            return f"repeats a group that itself repeats or chooses, {_ENDLESS}; repeat only simple parts"
        scan.take(kind, token[0])
    if scan.choosing > MOST_CHOICES:
        return f"has more than {MOST_CHOICES} groups with alternatives, {_ENDLESS}; use fewer"
    return _crowding(scan.pieces)


def _crowding(pieces: list[_Piece]) -> str | None:
    row: list[_Piece] = []
    for piece in pieces:
        if piece.maybe or row:
            row = [each for each in row if each.meets(piece)]
        if piece.maybe:
            row.append(piece)
        if sum(each.many for each in row) > MOST_REPEATS or len(row) > MOST_CHOICES:
            return f"has too many repeated parts that can match the same text, {_ENDLESS}; use fewer"
    return None


def _fits(atom: str, character: str) -> bool:
    return re.fullmatch(atom, character, re.IGNORECASE | re.DOTALL) is not None
