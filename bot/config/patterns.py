"""Regular expressions from the file: only such as cannot take for ever on any reason people may write."""

from __future__ import annotations

import re
import string
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

MOST_CHARACTERS = 200

MOST_WAYS = 500
"""In which the same reason can be divided among the parts of the pattern: each is tried, from each of its
letters on. Two repeated parts in a row that can match the same text divide it in as many ways as it is long,
which is all that there is time for; optional parts and alternatives double the ways and more."""
_LONG = 500
"""Letters of the longest reason."""

_SAMPLE = string.printable + "éßЖ中😀"
_ESCAPED = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))")
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
    """What stands for one character, any of ``letters``. ``many``: for any number of them; ``varies``: that,
    or for one or none; ``absent``: it may stand for nothing at all."""

    letters: frozenset[str]
    many: bool = False
    varies: bool = False
    absent: bool = False


@dataclass
class _Group:
    start: int
    choices: int = 1


@dataclass
class _Scan:
    sample: frozenset[str]
    pieces: list[_Piece] = field(default_factory=list)
    within: list[_Group] = field(default_factory=lambda: [_Group(0)])
    closed: _Group | None = None
    ways: int = 1

    def take(self, kind: str | None, text: str) -> None:
        closed, self.closed = self.closed, None
        match kind:
            case "open":
                self.within.append(_Group(len(self.pieces)))
            case "close":
                self.closed = self.within.pop()
                self.ways *= self.closed.choices
                if self.closed.choices > 1:
                    self._change(self.closed.start, absent=True)
            case "either":
                self.within[-1].choices += 1
            case "many" | "maybe":
                start = closed.start if closed else len(self.pieces) - 1
                self._change(start, many=kind == "many", varies=True, absent=_may_be_absent(text))
            case "atom":
                self.pieces.append(_Piece(frozenset(each for each in self.sample if _fits(text, each))))

    def _change(self, start: int, *, many: bool = False, varies: bool = False, absent: bool = False) -> None:
        self.pieces[start:] = [
            replace(each, many=each.many or many, varies=each.varies or varies, absent=each.absent or absent)
            for each in self.pieces[start:]
        ]

    def nests(self, kind: str | None) -> bool:
        """It repeats the group just closed, and that can be matched in more ways than one."""
        if self.closed is None or kind not in ("many", "exactly"):
            return False
        return self.closed.choices > 1 or any(each.varies for each in self.pieces[self.closed.start :])


def _slowness(pattern: str) -> str | None:
    scan = _Scan(frozenset(_letters(pattern)))
    for token in _TOKEN.finditer(pattern):
        kind = token.lastgroup
        if kind == "back":
            return f"refers back to a group, {_ENDLESS}; write it without"
        if scan.nests(kind):
            return f"repeats a group that itself repeats or chooses, {_ENDLESS}; repeat only simple parts"
        scan.take(kind, token[0])
    choices = scan.ways * scan.within[0].choices
    if choices > MOST_WAYS:
        return f"has too many alternatives in too many groups, {_ENDLESS}; use fewer"
    if choices * _ways(scan.pieces) > MOST_WAYS:
        return f"has too many repeated parts that can match the same text, {_ENDLESS}; use fewer"
    return None


def _letters(pattern: str) -> Iterator[str]:
    """Where two parts of a pattern have a letter in common, one of these is: ranges end at letters that the
    pattern names."""
    named = [
        int(next(filter(None, each.groups())), 8 if each[4] else 16) for each in _ESCAPED.finditer(pattern)
    ]
    for code in {*map(ord, _SAMPLE), *map(ord, pattern), *named}:
        yield from (chr(near) for near in (code - 1, code, code + 1) if 0 <= near <= 0x10FFFF)


def _ways(pieces: list[_Piece]) -> int:
    """In how many ways repeated and optional parts can share a text that all of them match."""
    ways, row = 1, list[_Piece]()
    for piece in pieces:
        sharing = [each for each in row if each.letters & piece.letters]
        if not piece.absent:
            row = sharing
        if piece.varies:
            shares = piece.many and any(each.many for each in sharing)
            ways *= _LONG if shares else 2 if sharing else 1
            row = [*row, piece]
    return ways


def _may_be_absent(repeat: str) -> bool:
    return not repeat.startswith("+") and re.match(r"\{0*[1-9]", repeat) is None


def _fits(atom: str, character: str) -> bool:
    return re.fullmatch(atom, character, re.IGNORECASE | re.DOTALL) is not None
