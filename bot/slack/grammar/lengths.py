"""Lengths as people say them: 2h, 1.5h, two hours, half a day, an hour and a half, PT2H. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from bot.core.durations import ABSURD, SECONDS
from bot.core.errors import refuse
from bot.core.reasons import Why

_FRACTIONS = {"½": Fraction(1, 2), "¼": Fraction(1, 4), "¾": Fraction(3, 4)}
_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {
    **{word: number for number, word in enumerate((*_ONES, *_TEENS), 1)},
    **{word: 10 * tens for tens, word in enumerate(_TENS, 2)},
    **{f"{word} {one}": 10 * t + n for t, word in enumerate(_TENS, 2) for n, one in enumerate(_ONES, 1)},
    **dict.fromkeys(("a", "an"), 1),
}
_UNIT = "weeks?|wks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s"
_DIGITS = r"[0-9]{1,9}(?:[.,][0-9]{1,6}|\s*[½¼¾])?|[½¼¾]"
_IN_WORDS = rf"(?:{'|'.join(_TENS)})(?:[\s-]+(?:{'|'.join(_ONES)}))?|{'|'.join((*_TEENS, *_ONES))}|an?"
_HALF = r"\s+and\s+a\s+half(?![a-z])"
_PIECE = (
    rf"(?P<number>{_DIGITS}|{_IN_WORDS}|(?:an?\s+)?half(?:\s+an?)?)(?P<more>{_HALF})?"
    rf"(?:[\s-]+|(?<=[0-9½¼¾]))(?P<unit>{_UNIT})(?![a-z])(?P<after>{_HALF})?"
)
_UNNAMED = re.sub(r"\?P<\w+>", "?:", _PIECE)
_ISO = (
    r"p(?=[0-9]|t[0-9])(?:[0-9]{1,9}w)?(?:[0-9]{1,9}d)?"
    r"(?:t(?=[0-9])(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m)?(?:[0-9]{1,9}s)?)?"
)
_MOST_PIECES = 8
"""The most pieces of one length: there are five units, and a length that has one of them twice is refused."""
LENGTH = rf"(?:(?>{_UNNAMED})(?:\s*(?:,\s*|and\s+)?(?>{_UNNAMED})){{0,{_MOST_PIECES - 1}}}|{_ISO})"
"""A pattern for text in lower case, or with IGNORECASE. *An hour and a half an hour* can be read in two ways,
so each piece is atomic: otherwise a row of such pieces is read in exponentially many ways."""

_ONE_PIECE = re.compile(_PIECE)
_ONE_ISO = re.compile(r"([0-9]+)([wdhms])")


def seconds(said: str) -> int:
    """Read a match of ``LENGTH``. Raise Refused if it is not whole seconds, is absurd, or counts a unit twice
    or a larger one after a smaller one."""
    total, last = Fraction(0), SECONDS["w"] + 1
    for number, size in _pieces(" ".join(said.casefold().split())):
        if size >= last:
            raise refuse(Why.DURATION_UNREADABLE, text=said[:40])
        total, last = total + number * size, size
    if not 0 < total <= ABSURD:
        raise refuse(Why.DURATION_UNREADABLE, text=said[:40])
    if total.denominator != 1:
        raise refuse(Why.DURATION_FRACTION, text=said[:40])
    return int(total)


def _pieces(said: str) -> Iterator[tuple[Fraction, int]]:
    if said.startswith("p"):
        yield from ((Fraction(number), SECONDS[unit]) for number, unit in _ONE_ISO.findall(said))
        return
    for piece in _ONE_PIECE.finditer(said):
        number, halves = piece["number"], sum(1 for each in ("more", "after") if piece[each])
        if "half" in number:
            count = Fraction(1, 2)
        elif number[0].isdigit():
            count = Fraction(number.rstrip("½¼¾ ").replace(",", ".")) + _FRACTIONS.get(number[-1], 0)
        else:
            count = _FRACTIONS.get(number) or Fraction(_WORDS[" ".join(number.replace("-", " ").split())])
        yield count + Fraction(halves, 2), SECONDS[piece["unit"][0]]
