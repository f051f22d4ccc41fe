"""Points in time as people say them: 22:00, 5pm, tomorrow 9:00, on Monday, in 2 hours. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NO_MORE = r"(?!\w)"
_WEEKDAY = (
    "monday|mon|tuesday|tues|tue|wednesday|wed|thursday|thurs|thur|thu|friday|fri|saturday|sat|sunday|sun"
)
CLOCK = (
    rf"(?:(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?:\s*[ap]\.?m\b\.?)?|(?:1[0-2]|0?[1-9])\s*[ap]\.?m\b\.?|noon|midnight)"
    rf"{_NO_MORE}"
)
DAY = (
    r"(?:(?:the\s+)?day\s+after\s+tomorrow|(?:today|tomorrow)(?:\s+(?:morning|afternoon|evening|night))?|tonight"
    rf"|this\s+(?:morning|afternoon|evening)|(?:next\s+|this\s+)?(?:{_WEEKDAY}|week-?end)"
    rf"|next\s+(?:week|month)|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}){_NO_MORE}"
)
"""Patterns for text in lower case, or with IGNORECASE."""

_CLOCK = re.compile(CLOCK, re.IGNORECASE)
_DAY = re.compile(rf"{DAY}(?!['’])", re.IGNORECASE)
_HOUR = re.compile(r"(?:[01]?[0-9]|2[0-3])(?:\s*o['’]?clock)?(?![\w:.,½¼¾'’])", re.IGNORECASE)
_LEAD = re.compile(r"[\s,]*(?:(at|on)\s+)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A point in time. ``day`` as it was typed, in lower case; ``clock`` as HH:MM. ``after``: seconds from
    now."""

    day: str = ""
    clock: str = ""
    after: int = 0


def moment_at(level: str, start: int, *, hour: bool = False) -> tuple[Moment, int] | None:
    """Return the moment that the text has at ``start``, and where it ends. ``hour``: an hour alone counts
    too."""
    day = clock = ""
    position = end = start
    while lead := _LEAD.match(level, position):
        position = lead.end()
        alone = hour or (lead[1] or "").casefold() == "at"
        time = _CLOCK.match(level, position) or (_HOUR.match(level, position) if alone else None)
        date = _DAY.match(level, position)
        if time and not clock:
            clock, end = _as_clock(time[0]), time.end()
        elif date and not day:
            day, end = " ".join(date[0].casefold().split()), date.end()
        else:
            break
        position, hour = end, False
    return (Moment(day=day, clock=clock), end) if end > start else None


def _as_clock(said: str) -> str:
    text = said.casefold()
    if text in ("noon", "midnight"):
        return "12:00" if text == "noon" else "00:00"
    hour, minute = ([int(each) for each in re.findall(r"[0-9]+", text)] + [0])[:2]
    if "p" in text and hour < 12:
        hour += 12
    elif "a" in text and hour == 12:
        hour = 0
    return f"{hour:02}:{minute:02}"
