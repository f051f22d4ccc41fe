"""Lengths of time as people write them: 90s, 45m, 12h, 2d, 1w, 1h30m, until end of shift."""

from __future__ import annotations

import re

from bot.core.errors import refuse
from bot.core.reasons import Why

SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
ABSURD = 10 * 366 * 86_400
"""The longest length that is accepted, ten years."""

_UNIT_WORDS = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
    "w": ("w", "wk", "wks", "week", "weeks"),
}
_UNITS = {word: unit for unit, words in _UNIT_WORDS.items() for word in words}
UNIT_WORDS = frozenset(_UNITS)
"""Words for units of time, in lower case."""
_PART = re.compile(r"\s*(\d{1,9})\s*([a-z]+)", re.ASCII)
_SHIFT_END = re.compile(r"(until|till|til)\s+(the\s+)?(end\s+of\s+(my\s+|the\s+)?shift|shift\s+end)")


class UntilShiftEnds:
    """The length that is not a number: for as long as the shift lasts."""

    def __repr__(self) -> str:
        return "UNTIL_SHIFT_ENDS"


UNTIL_SHIFT_ENDS = UntilShiftEnds()


def parse(text: str) -> int | UntilShiftEnds:
    """Return whole seconds, at least 1.

    Raise Refused if the length is zero, negative, fractional or absurd (above ten years), if units are not in
    falling order or named twice, or if it is not a length at all.
    """
    wanted = " ".join(text.strip().casefold().split())
    if _SHIFT_END.fullmatch(wanted):
        return UNTIL_SHIFT_ENDS
    if re.search(r"\d[.,]\d", wanted):
        raise refuse(Why.DURATION_FRACTION, text=text.strip()[:40])

    unreadable = refuse(Why.DURATION_UNREADABLE, text=text.strip()[:40])
    total, position, last = 0, 0, SECONDS["w"] + 1
    while position < len(wanted):
        part = _PART.match(wanted, position)
        unit = _UNITS.get(part[2]) if part else None
        if part is None or unit is None or SECONDS[unit] >= last:
            raise unreadable
        last = SECONDS[unit]
        total += int(part[1]) * last
        position = part.end()
    if not 0 < total <= ABSURD:
        raise unreadable
    return total


def brief(seconds: int) -> str:
    """Write the length as people would type it: 5400 is 1h30m. ``parse`` reads it back."""
    parts = []
    rest = seconds
    for unit, size in SECONDS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def rough(seconds: float) -> str:
    """Write the length in its two largest units: ``2d3h``."""
    sizes = list(SECONDS.values())
    whole = max(int(seconds), 0)
    largest = next((place for place, size in enumerate(sizes) if whole >= size), -2)
    smallest = sizes[min(largest + 1, len(sizes) - 1)]
    return brief(whole - whole % smallest)
