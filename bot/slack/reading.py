"""The pieces of a typed command, read from its start: words, names, lengths, the reason. Pure."""

from __future__ import annotations

import re

from bot.core import durations
from bot.core.durations import UNTIL_SHIFT_ENDS, UntilShiftEnds
from bot.core.errors import refuse
from bot.core.reasons import Why
from bot.slack.entities import readable

Length = int | UntilShiftEnds | None
"""Seconds, for as long as the shift lasts, or None where no length was named."""

_LEVEL = str.maketrans({**dict.fromkeys("“”„‟″«»", '"'), **dict.fromkeys("\u200b\u2060\ufeff", " ")})
_CLOSING = {'"': '"', "'": "'", "“": "”", "„": "“", "‘": "’", "«": "»", "”": "”", "’": "’", "`": "`"}

_UNIT = r"(?:w|wks?|weeks?|d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)"
_AMOUNT = rf"[+\-−–]?[0-9]+(?:[.,][0-9]+)?\s*{_UNIT}(?![a-z])"
_EDGE = r"(?=$|[\s,;:.!)])"
_THEN = r"(?=[\s,;:]*(?:$|because\b|bc\b))"
_LENGTH = re.compile(rf"{_AMOUNT}(?:\s*(?:,\s*|and\s+)?{_AMOUNT})*{_EDGE}", re.IGNORECASE)
_ONE = re.compile(rf"(?:half\s+an\s+hour|an?\s+(?:hour|minute|day|week)){_EDGE}", re.IGNORECASE)
_SHIFT = re.compile(
    r"(?:until|till|til|to)\s+(?:the\s+)?"
    rf"(?:end\s+of\s+(?:my\s+|the\s+)?shift|(?:my\s+)?shift(?:'s)?\s+ends?){_EDGE}"
    rf"|for\s+(?:the\s+rest\s+of\s+)?my\s+shift{_THEN}",
    re.IGNORECASE,
)
_UNREADABLE = re.compile(
    rf"[+\-−–.]?[0-9][^\s,;:]*{_THEN}|(?:until|till|til)\b(?:\s+(?!because\b|bc\b)\S+){{0,4}}", re.IGNORECASE
)
_BECAUSE = re.compile(
    r"(?<![\w-])(?:because|bc|b/c|becuase|becasue|beacuse|becaus|becouse)(?![\w-])\s*[:,]?\s*", re.IGNORECASE
)
_FOR = re.compile(r"for\s+", re.IGNORECASE)
_BETWEEN = re.compile(r"(?:[\s,;:]|[–—-](?=\s))*")
_WORD = re.compile(r'"([^"]*)"|<[^<>\s][^<>]*>|\S+')


def levelled(text: str) -> str:
    """The same text, letter for letter as long, with plain quotes and plain spaces."""
    return "".join(" " if each.isspace() else each for each in text.translate(_LEVEL))


def _start(level: str) -> int:
    found = _BETWEEN.match(level)
    return found.end() if found else 0


def past(what: re.Pattern[str], text: str) -> str:
    """The text behind ``what``, where it starts with that."""
    level = levelled(text)
    found = what.match(level, _start(level))
    return text[found.end() :] if found else text


def first_word(text: str) -> tuple[str, str]:
    """The first word, or what stands in quotes, and the rest as it was typed."""
    level = levelled(text)
    found = _WORD.match(level, _start(level))
    if found is None:
        return "", ""
    return found[0] if found[1] is None else found[1], text[found.end() :]


def first_name(text: str) -> tuple[str, str]:
    word, rest = first_word(text)
    return ("", text) if _BECAUSE.match(word) else (named(word), rest)


def named(word: str) -> str:
    return plain(word).casefold()


def plain(word: str) -> str:
    return readable(word).strip("\"'‘’`*.,;: ")


def leading_length(text: str) -> tuple[Length, str]:
    """The length that the text starts with, and what is behind it; where there is none, all of it."""
    level = levelled(text)
    start = _start(level)
    shift = _SHIFT.match(level, start)
    if shift:
        return UNTIL_SHIFT_ENDS, text[shift.end() :]
    spoken = _FOR.match(level, start)
    start = spoken.end() if spoken else start
    found = _LENGTH.match(level, start) or _ONE.match(level, start)
    return (_seconds(found[0]), text[found.end() :]) if found else (None, text)


def first_length(text: str) -> tuple[Length, str]:
    """The same, and refuses what stands in a length's place but is none."""
    length, rest = leading_length(text)
    if length is None:
        level = levelled(past(_FOR, text))
        said = _UNREADABLE.match(level, _start(level)) or _number_after_for(text, level)
        if said:
            raise refuse(Why.DURATION_UNREADABLE, text=readable(said[0])[:40])
    return length, rest


def length_in(text: str) -> Length:
    """A length alone, as in a form; empty: None. Raises Refused."""
    found, rest = first_length(text)
    if levelled(rest).strip():
        raise refuse(Why.DURATION_UNREADABLE, text=readable(text)[:40])
    return found


def says_because(text: str) -> bool:
    return _BECAUSE.search(levelled(text)) is not None


def _number_after_for(text: str, behind: str) -> re.Match[str] | None:
    return re.match(r"[0-9]+\S*", behind) if len(behind) < len(text) else None


def _seconds(said: str) -> Length:
    words = re.sub(r",\s|\band\b", " ", said.casefold().replace("−", "-"))
    if words.startswith("half"):
        return 1_800
    return durations.parse(re.sub(r"^an? ", "1 ", " ".join(words.split())))


def reason_in(text: str) -> str:
    """What is behind the length: verbatim, without *because* and without quotes around all of it."""
    level = levelled(text)
    start = _start(level)
    said = _BECAUSE.match(level, start)
    reason = readable(text[said.end() if said else start :]).strip()
    closing = _CLOSING.get(reason[:1])
    whole = closing and len(reason) > 1 and reason.endswith(closing) and closing not in reason[1:-1]
    return reason[1:-1].strip() if whole else reason
