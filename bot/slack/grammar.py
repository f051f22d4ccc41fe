"""What people type behind ``/access``, read into a command. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.core.durations import UntilShiftEnds
from bot.core.errors import refuse
from bot.core.reasons import Why
from bot.slack.entities import mentioned, readable
from bot.slack.likeness import alike
from bot.slack.reading import (
    Length,
    first_length,
    first_name,
    first_word,
    leading_length,
    named,
    past,
    plain,
    reason_in,
    says_because,
)


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
_FILLER = re.compile(r"(?:access\s+to|to|of|on|for|with|from|by)\s+(?=\S)", re.IGNORECASE)
_HAS = re.compile(r"(?:has|holds)\s+", re.IGNORECASE)


def parse(text: str) -> Command:
    """Raises Refused for a length that nobody can mean; any other text is some command."""
    typed = text[:_LONGEST_TEXT].strip()
    word, rest = first_word(typed)
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


def _without_verb(typed: str, word: str) -> Command:
    """``prod-db 2h because …`` can only be an ask; a bare word may be anything."""
    asked = _request(typed)
    if asked.resource and (asked.length is not None or says_because(typed)):
        return asked
    return Unknown(word=readable(word))


# ------------------------------------------------------------------------------------------- verbs


def _request(rest: str) -> Request:
    length, rest = leading_length(rest)
    resource, rest = first_name(past(_FILLER, rest))
    if length is None:
        length, rest = first_length(rest)
    return Request(resource=resource, length=length, reason=reason_in(rest))


def _who(rest: str) -> Command:
    resource, _ = first_name(past(_HAS, rest))
    return Who(resource=resource) if resource else Help(topic="who")


def _extend(rest: str) -> Extend:
    length, rest = leading_length(past(_FILLER, rest))
    which, rest = first_name(past(_FILLER, rest))
    if length is None:
        length, _ = first_length(past(_FILLER, rest))
    if isinstance(length, UntilShiftEnds):
        raise refuse(Why.DURATION_UNREADABLE, text="until end of shift")
    return Extend(which=which or None, length=length)


def _done(rest: str) -> Done:
    which, _ = first_name(past(_FILLER, rest))
    return Done(which=which or None)


def _revoke(rest: str) -> Command:
    first, rest = first_word(rest)
    second, rest = first_word(past(_FILLER, rest))
    for person, resource in ((first, second), (second, first)):
        whose = mentioned(person)
        if whose and resource and not mentioned(resource):
            return Revoke(person=whose, resource=named(resource), why=reason_in(rest))
    return Help(topic="revoke")


def _approve(rest: str) -> Command:
    grant, _ = first_word(rest)
    return Approve(grant=plain(grant)) if grant else Help(topic="approve")


def _deny(rest: str) -> Command:
    grant, rest = first_word(rest)
    return Deny(grant=plain(grant), why=reason_in(rest)) if grant else Help(topic="deny")


def _help(rest: str) -> Help:
    topic = _SYNONYMS.get(first_word(rest)[0].casefold(), "")
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
