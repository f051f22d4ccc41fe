"""The pieces of a typed command, read from its start: words, names, lengths, the reason. Pure."""

from __future__ import annotations

import re
import unicodedata

from bot.core.durations import UNTIL_SHIFT_ENDS, UntilShiftEnds
from bot.core.errors import Refused, refuse
from bot.core.reasons import Why
from bot.slack.grammar import lengths
from bot.slack.grammar.markup import readable

Length = int | UntilShiftEnds | None
"""A length in seconds, until the shift ends, or None if none was named."""

QUOTED = 60
"""The most characters of what was typed that a refusal repeats."""

_LEVEL = str.maketrans({**dict.fromkeys("“”„‟″«»", '"'), **dict.fromkeys("\u200b\u2060\ufeff", " ")})
_CLOSING = {'"': '"', "'": "'", "“": "”", "„": "“", "‘": "’", "«": "»", "”": "”", "’": "’", "`": "`"}
_MARKS = "*_~`"

_EDGE = r"(?=$|[\s,;:.!?)])"
_THEN = r"(?=[\s,;:.!?]*$|\s+(?:of|on|to)\s)"
_MY = r"(?:my\s+|the\s+)?"
_LENGTH = re.compile(
    rf"(?:--?(?:duration|length|time|for)(?:\s*=\s*|\s+))?(?:next\s+)?({lengths.LENGTH}){_EDGE}",
    re.IGNORECASE,
)
SHIFT = (
    rf"(?:until|till|til|to)\s+(?:the\s+)?(?:end\s+of\s+{_MY}shift|{_MY}shift(?:['’]s)?\s+ends?){_EDGE}"
    rf"|(?:end\s+of\s+{_MY}shift|(?:rest|all)\s+of\s+{_MY}shift|{_MY}(?:whole|entire|full)\s+shift|my\s+shift){_THEN}"
)
_SHIFT = re.compile(SHIFT, re.IGNORECASE)
_BECAUSE = re.compile(
    r"(?<![\w-])(?:because|bc|b/c|becuase|becasue|beacuse|becaus|becouse)(?![\w-])\s*[:,]?\s*", re.IGNORECASE
)
_BETWEEN = re.compile(r"(?:[\s,;:]|[–—\-.!?*_~`](?=\s|$))*")
_WORD = re.compile(r'"([^"]*)"|<[^<>\s][^<>]*>|\S+')


def level_text(text: str) -> str:
    """Return the same text, letter for letter as long, with plain quotes, plain spaces and plain digits."""
    return "".join(
        " " if letter.isspace() else str(unicodedata.decimal(letter, letter))
        for letter in text.translate(_LEVEL)
    )


def gap_end(level: str, start: int = 0) -> int:
    """Return the position of the next word, after spaces and mere separators."""
    found = _BETWEEN.match(level, start)
    return found.end() if found else start


def word_at(level: str, start: int) -> re.Match[str] | None:
    """Match the word at ``start``, or quoted text, which is then the first group."""
    return _WORD.match(level, start)


def first_word(text: str) -> tuple[str, str]:
    """Split off the first word, or quoted text; the rest stays as it was typed."""
    level = level_text(text)
    found = word_at(level, gap_end(level))
    if found is None:
        return "", ""
    return found[0] if found[1] is None else found[1], text[found.end() :]


def name_in(word: str) -> str:
    return plain(word).casefold()


def plain(word: str) -> str:
    return readable(word).strip("\"'‘’`*.,;:?! ")


def length_at(level: str, start: int) -> tuple[Length, int] | None:
    """Return the length that the text has at ``start``, and where it ends. Raise Refused for one that nobody
    can mean."""
    shift = _SHIFT.match(level, start)
    if shift:
        return UNTIL_SHIFT_ENDS, shift.end()
    found = _LENGTH.match(level, start)
    return (lengths.seconds(found[1]), found.end()) if found else None


def length_in(text: str) -> Length:
    """Read a length alone, as in a form; None if the text is empty. Raise Refused for anything else."""
    level = level_text(text)
    start = gap_end(level)
    if start == len(level):
        return None
    spoken = re.compile(r"for\s+(?:the\s+)?", re.IGNORECASE).match(level, start)
    found = length_at(level, spoken.end() if spoken else start)
    if found is None or gap_end(level, found[1]) < len(level):
        bare = level.strip()
        unitless = bare.isascii() and bare.isdigit()
        why = Why.DURATION_UNITLESS if unitless else Why.DURATION_UNREADABLE
        raise refuse(why, text=readable(text).strip()[:QUOTED])
    return found[0]


def says_because(text: str) -> bool:
    return _BECAUSE.search(level_text(text)) is not None


def split_reason(text: str) -> tuple[str, str | None]:
    """Split a text into what is before *because* and the reason after it; None if it does not say
    *because*."""
    said = _BECAUSE.search(level_text(text))
    if said is None:
        return text, None
    before, reason = text[: said.start()], reason_in(text[said.end() :])

    # a mark at its end may have been opened before *because*
    mark = reason[-1:]
    if mark and mark in _MARKS and before.count(mark) % 2 and reason.count(mark) == 1:
        reason = reason[:-1].rstrip()
    return before, reason


def reason_in(text: str) -> str:
    """Return a reason verbatim, without the separators before it and without quotes around all of it."""
    level = level_text(text)
    reason = readable(text[gap_end(level) :]).strip()
    closing = _CLOSING.get(reason[:1])
    whole = closing and len(reason) > 1 and reason.endswith(closing) and closing not in reason[1:-1]
    return reason[1:-1].strip() if whole else reason


def not_understood(text: str, **facts: str) -> Refused:
    """Return the refusal that quotes what could not be read: as a length if it looks like one."""
    said = readable(text[gap_end(level_text(text)) :]).strip()[:QUOTED]
    length = re.sub(r"^(?:for\s+)?(?:the\s+)?", "", level_text(said), flags=re.IGNORECASE)
    if re.fullmatch(r"[0-9]+", length):
        return refuse(Why.DURATION_UNITLESS, text=length)
    unreadable = re.match(r"[+\-−–.]?[0-9]", length)
    if unreadable:
        return refuse(Why.DURATION_UNREADABLE, text=said)
    return refuse(Why.NOT_UNDERSTOOD, text=said, **facts)


def without_marks(typed: str) -> str:
    """Return a line without its marks, if it is bold, italic, struck out or code as a whole."""
    mark = typed[:1]
    if mark and mark in _MARKS and typed.endswith(mark) and typed.count(mark) == 2:
        return typed[1:-1].strip()
    return typed
