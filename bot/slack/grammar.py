"""What people type behind ``/access``, read into a command. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.core import durations
from bot.core.durations import UNTIL_SHIFT_ENDS, UntilShiftEnds
from bot.core.errors import refuse
from bot.core.reasons import Why
from bot.slack.entities import mentioned, readable
from bot.slack.likeness import alike

Length = int | UntilShiftEnds | None
"""Seconds, for as long as the shift lasts, or None where no length was named."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """``resource`` is empty where none was named: then the form opens."""

    resource: str = ""
    length: Length = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Mine:
    pass


@dataclass(frozen=True, kw_only=True)
class List:
    pass


@dataclass(frozen=True, kw_only=True)
class Who:
    resource: str


@dataclass(frozen=True, kw_only=True)
class Extend:
    which: str | None = None
    length: int | None = None


@dataclass(frozen=True, kw_only=True)
class Done:
    which: str | None = None


@dataclass(frozen=True, kw_only=True)
class Revoke:
    person: str
    resource: str
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Approve:
    grant: str


@dataclass(frozen=True, kw_only=True)
class Deny:
    grant: str
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Help:
    """``topic`` is a verb whose words were not complete; empty: all of it."""

    topic: str = ""


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """No verb. ``meant`` are verbs that look like it, too weighty to be guessed."""

    word: str
    meant: tuple[str, ...] = ()


Command = Request | Mine | List | Who | Extend | Done | Revoke | Approve | Deny | Help | Unknown

_LONGEST_TEXT = 8_000
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
_FILLER = re.compile(r"(?:access\s+to|to|of|on|for|with|from|by)\s+(?=\S)", re.IGNORECASE)
_HAS = re.compile(r"(?:has|holds)\s+", re.IGNORECASE)
_FOR = re.compile(r"for\s+", re.IGNORECASE)
_BETWEEN = re.compile(r"(?:[\s,;:]|[–—-](?=\s))*")
_WORD = re.compile(r'"([^"]*)"|<[^<>\s][^<>]*>|\S+')


def parse(text: str) -> Command:
    """Raises Refused for a length that nobody can mean; any other text is some command."""
    typed = text[:_LONGEST_TEXT].strip()
    word, rest = _word(typed)
    verb = word.casefold().strip("/.:,!`*")
    if not verb:
        return Help()
    known = _SYNONYMS.get(verb)
    if known:
        return _VERBS[known](rest)
    near = alike(verb, tuple(_VERBS))
    if any(each in _WEIGHTY for each in near):
        return Unknown(word=readable(word), meant=near)
    if near:
        return _VERBS[near[0]](rest)
    return _without_verb(typed, word)


def length(text: str) -> Length:
    """A length alone, as in a form; empty: None. Raises Refused."""
    found, rest = _length(text)
    if _level(rest).strip():
        raise refuse(Why.DURATION_UNREADABLE, text=readable(text)[:40])
    return found


def _without_verb(typed: str, word: str) -> Command:
    """``prod-db 2h because …`` can only be an ask; a bare word may be anything."""
    asked = _request(typed)
    if asked.resource and (asked.length is not None or _BECAUSE.search(_level(typed))):
        return asked
    return Unknown(word=readable(word))


# ------------------------------------------------------------------------------------------- verbs


def _request(rest: str) -> Request:
    length, rest = _leading_length(rest)
    resource, rest = _resource(_past(_FILLER, rest))
    if length is None:
        length, rest = _length(rest)
    return Request(resource=resource, length=length, reason=_reason(rest))


def _who(rest: str) -> Command:
    resource, _ = _resource(_past(_HAS, rest))
    return Who(resource=resource) if resource else Help(topic="who")


def _extend(rest: str) -> Extend:
    length, rest = _leading_length(_past(_FILLER, rest))
    which, rest = _resource(_past(_FILLER, rest))
    if length is None:
        length, _ = _length(_past(_FILLER, rest))
    if isinstance(length, UntilShiftEnds):
        raise refuse(Why.DURATION_UNREADABLE, text="until end of shift")
    return Extend(which=which or None, length=length)


def _done(rest: str) -> Done:
    which, _ = _resource(_past(_FILLER, rest))
    return Done(which=which or None)


def _revoke(rest: str) -> Command:
    first, rest = _word(rest)
    second, rest = _word(_past(_FILLER, rest))
    for person, resource in ((first, second), (second, first)):
        whose = mentioned(person)
        if whose and resource and not mentioned(resource):
            return Revoke(person=whose, resource=_named(resource), why=_reason(rest))
    return Help(topic="revoke")


def _approve(rest: str) -> Command:
    grant, _ = _word(rest)
    return Approve(grant=_plain(grant)) if grant else Help(topic="approve")


def _deny(rest: str) -> Command:
    grant, rest = _word(rest)
    return Deny(grant=_plain(grant), why=_reason(rest)) if grant else Help(topic="deny")


def _help(rest: str) -> Help:
    topic = _SYNONYMS.get(_word(rest)[0].casefold(), "")
    return Help(topic=topic)


_VERBS: Mapping[str, Callable[[str], Command]] = {
    "request": _request,
    "list": lambda _: List(),
    "mine": lambda _: Mine(),
    "who": _who,
    "extend": _extend,
    "done": _done,
    "revoke": _revoke,
    "approve": _approve,
    "deny": _deny,
    "help": _help,
}
_WEIGHTY = frozenset({"revoke", "approve", "deny", "done"})
"""What decides about somebody, or ends something, is never guessed."""

_SYNONYMS: Mapping[str, str] = {
    **{verb: verb for verb in _VERBS},
    **dict.fromkeys(("req", "ask", "get", "need"), "request"),
    **dict.fromkeys(("ls", "resources", "offers"), "list"),
    **dict.fromkeys(("me", "my", "status"), "mine"),
    **dict.fromkeys(("prolong",), "extend"),
    **dict.fromkeys(("give-back", "giveback", "return"), "done"),
    **dict.fromkeys(("?", "-h", "--help", "usage"), "help"),
}


# ------------------------------------------------------------------------------------------- pieces


def _level(text: str) -> str:
    """The same text, letter for letter as long, with plain quotes and plain spaces."""
    return "".join(" " if each.isspace() else each for each in text.translate(_LEVEL))


def _start(level: str) -> int:
    found = _BETWEEN.match(level)
    return found.end() if found else 0


def _past(what: re.Pattern[str], text: str) -> str:
    """The text behind ``what``, where it starts with that."""
    level = _level(text)
    found = what.match(level, _start(level))
    return text[found.end() :] if found else text


def _word(text: str) -> tuple[str, str]:
    """The first word, or what stands in quotes, and the rest as it was typed."""
    level = _level(text)
    found = _WORD.match(level, _start(level))
    if found is None:
        return "", ""
    return found[0] if found[1] is None else found[1], text[found.end() :]


def _resource(text: str) -> tuple[str, str]:
    word, rest = _word(text)
    return ("", text) if _BECAUSE.match(word) else (_named(word), rest)


def _named(word: str) -> str:
    return _plain(word).casefold()


def _plain(word: str) -> str:
    return readable(word).strip("\"'‘’`*.,;: ")


def _leading_length(text: str) -> tuple[Length, str]:
    """The length that the text starts with, and what is behind it; where there is none, all of it."""
    level = _level(text)
    start = _start(level)
    shift = _SHIFT.match(level, start)
    if shift:
        return UNTIL_SHIFT_ENDS, text[shift.end() :]
    spoken = _FOR.match(level, start)
    start = spoken.end() if spoken else start
    found = _LENGTH.match(level, start) or _ONE.match(level, start)
    return (_seconds(found[0]), text[found.end() :]) if found else (None, text)


def _length(text: str) -> tuple[Length, str]:
    """The same, and refuses what stands in a length's place but is none."""
    length, rest = _leading_length(text)
    if length is None:
        level = _level(_past(_FOR, text))
        said = _UNREADABLE.match(level, _start(level)) or _number_after_for(text, level)
        if said:
            raise refuse(Why.DURATION_UNREADABLE, text=readable(said[0])[:40])
    return length, rest


def _number_after_for(text: str, behind: str) -> re.Match[str] | None:
    return re.match(r"[0-9]+\S*", behind) if len(behind) < len(text) else None


def _seconds(said: str) -> Length:
    words = re.sub(r",\s|\band\b", " ", said.casefold().replace("−", "-"))
    if words.startswith("half"):
        return 1_800
    return durations.parse(re.sub(r"^an? ", "1 ", " ".join(words.split())))


def _reason(text: str) -> str:
    """What is behind the length: verbatim, without *because* and without quotes around all of it."""
    level = _level(text)
    start = _start(level)
    said = _BECAUSE.match(level, start)
    reason = readable(text[said.end() if said else start :]).strip()
    closing = _CLOSING.get(reason[:1])
    whole = closing and len(reason) > 1 and reason.endswith(closing) and closing not in reason[1:-1]
    return reason[1:-1].strip() if whole else reason
