"""The spelling of people, times, lengths and typed text in a message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from bot.core.catalog import Resource
from bot.core.durations import SECONDS
from bot.slack.grammar.markup import escape

_NAMES = {
    "w": ("week", "week"),
    "d": ("day", "day"),
    "h": ("hour", "h"),
    "m": ("minute", "min"),
    "s": ("second", "s"),
}
_PERSON = re.compile(r"[UW][A-Z0-9]{1,30}")
_LONGEST = 300

_LIKE = {"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ", ">": "＞"}
"""Look-alikes of characters that Slack has no way to write without marking text."""
_MARKS = re.compile(r"[*~`]|(?<![^\W_])_|_(?![^\W_])")
"""Characters that can begin or end bold, italic, struck-out or code text; not the underscore inside a
name."""
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb]"
)
"""Control characters, and those that reverse the direction of what follows."""


def when(at: datetime | int | None) -> str:
    """Write a moment in the reader's own time zone. None: there is no end."""
    if at is None:
        return "no end"
    moment = at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
    fallback = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} at {{time}}|{fallback}>"


def until(at: datetime | None) -> str:
    return f"until {when(at)}" if at else "with no end"


def lasting(seconds: int) -> str:
    """Write a length: ``4 hours``, ``1 h 30 min``, ``2 days``."""
    counted, rest = [], max(seconds, 0)
    for unit, size in SECONDS.items():
        count, rest = divmod(rest, size)
        if count:
            counted.append((count, unit))
    if not counted:
        return "0 seconds"
    if len(counted) == 1:
        count, unit = counted[0]
        return f"{count} {_NAMES[unit][0]}{'' if count == 1 else 's'}"
    return " ".join(
        f"{count} {_NAMES[unit][1]}{'s' if unit in 'wd' and count != 1 else ''}" for count, unit in counted
    )


def for_length(seconds: int | None) -> str:
    return "until the end of the shift" if seconds is None else f"for {lasting(seconds)}"


def person(who: str) -> str:
    return f"<@{who}>" if _PERSON.fullmatch(who) else safe_text(who, 40)


def people(who: Sequence[str], word: str, most: int = 5) -> str:
    """Write ``<@U1>, <@U2> and <@U3>`` if ``word`` is *and*; if there are many, only the first."""
    shown = [person(each) for each in who[:most]]
    return in_words([*shown, "others"] if len(who) > most else shown, word)


def in_words(names: Sequence[str], word: str) -> str:
    return f" {word} ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def with_capital(text: str) -> str:
    """Return the text with a capital letter at its start; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def without_capital(text: str) -> str:
    """Return the text with a small letter at its start; the rest stays as it is."""
    return text[:1].lower() + text[1:]


def safe_text(text: str, most: int = _LONGEST) -> str:
    """Write what somebody typed on one line of at most ``most`` characters, so that no markup in it works."""
    line = _without_marks(_one_line(text)) or ("…" if text else "")
    cut = _cut(f"{_LIKE['>']}{line[1:]}" if line.startswith(">") else line, most)
    return _without_marks(cut)  # a mark that was inside a name may be at its end now


def _without_marks(text: str) -> str:
    return _MARKS.sub(lambda mark: _LIKE[mark[0]], text)


def code(text: str, most: int = 80) -> str:
    return f"`{_cut(_one_line(text.replace('`', '')), most) or '…'}`"


def _one_line(text: str) -> str:
    return " ".join(_HIDDEN.sub("", " ".join(text.split())).split())


def _cut(line: str, most: int) -> str:
    safe = escape(line)
    if len(safe) <= most:
        return safe
    kept, room = [], most - 1
    for letter in line:
        piece = escape(letter)
        if len(piece) > room:
            break
        kept.append(piece)
        room -= len(piece)
    return "".join(kept) + "…"


def resource_name(resource: str | Resource) -> str:
    name = resource if isinstance(resource, str) else resource.name
    return f"*{safe_text(name, 80)}*"
