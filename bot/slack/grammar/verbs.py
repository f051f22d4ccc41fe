"""Text typed after ``/access``, read into a command. Pure.

Each command reads what is typed after its verb, and may find that another command was meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from bot.core.durations import UntilShiftEnds
from bot.core.errors import refuse
from bot.core.reasons import Why
from bot.slack.grammar.details import WORDS_OF_NO_MEANING, Details, Reader, foreign_piece
from bot.slack.grammar.lexer import (
    QUOTED,
    Length,
    first_word,
    level_text,
    name_in,
    not_understood,
    reason_in,
    says_because,
    split_reason,
    without_marks,
)
from bot.slack.grammar.likeness import alike
from bot.slack.grammar.markup import mention_in, readable
from bot.slack.grammar.moments import Moment


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request. ``resource`` is empty if none was named: then the form opens. ``besides``: further
    resources."""

    resource: str = ""
    besides: tuple[str, ...] = ()
    length: Length = None
    behalf: str | None = None
    start: Moment | None = None
    end: Moment | None = None
    urgent: bool = False
    reason: str = ""

    @staticmethod
    def read(rest: str, names: Names) -> Request:
        head, reason = split_reason(rest)
        found = Reader(known=names, sure=reason is not None).read(head)
        own = found.names[0] if found.names else ""
        if reason is not None and found.rest:
            raise not_understood(found.rest, **({"resource": own} if own else {}))
        if reason is None:
            piece = foreign_piece(found.rest, names, own)
            if piece:
                raise refuse(Why.REASON_UNCLEAR, text=readable(piece).strip()[:QUOTED], resource=own or "…")
            reason = reason_in(found.rest)
        return Request(
            resource=own,
            besides=found.names[1:],
            length=found.length,
            behalf=found.behalf,
            start=found.start,
            end=found.end,
            urgent=found.urgent,
            reason=reason,
        )


@dataclass(frozen=True, kw_only=True)
class Mine:
    pass


@dataclass(frozen=True, kw_only=True)
class List:
    pass


@dataclass(frozen=True, kw_only=True)
class Who:
    resource: str

    @staticmethod
    def read(rest: str, _: Names) -> Command:
        has = _WHO.match(level_text(rest))
        found = _whole(rest[has.end() :] if has else rest, "names")
        return Who(resource=found.names[0]) if found.names else Help(topic="who")


@dataclass(frozen=True, kw_only=True)
class Extend:
    which: str | None = None
    length: Length = None
    end: Moment | None = None

    @staticmethod
    def read(rest: str, _: Names) -> Extend:
        found = _whole(rest, "names", "length", "end")
        return Extend(which=found.names[0] if found.names else None, length=found.length, end=found.end)


@dataclass(frozen=True, kw_only=True)
class Done:
    """Giving back or withdrawing. ``everything``: all that the person has or waits for."""

    which: str | None = None
    everything: bool = False

    @staticmethod
    def read(rest: str, _: Names) -> Done:
        found = _whole(rest, "names", nothing={*WORDS_OF_NO_MEANING, "my", "it", "request", "requests"})
        everything = found.names[:1] != () and found.names[0] in _ALL
        return Done(which=found.names[0] if found.names and not everything else None, everything=everything)


@dataclass(frozen=True, kw_only=True)
class Revoke:
    """A revocation. ``resource`` is empty if none was named: then it is the only one that the person has."""

    person: str
    resource: str = ""
    why: str = ""

    @staticmethod
    def read(rest: str, names: Names) -> Command:
        head, reason = split_reason(rest)
        found = Reader(wanted=("names", "behalf"), known=names, sure=reason is not None).read(head)
        if found.behalf is None:
            return Help(topic="revoke")
        if len(found.names) > 1:
            raise not_understood(found.names[1])
        if reason is not None and found.rest:
            raise not_understood(found.rest)
        resource = found.names[0] if found.names else ""
        if reason is None:
            piece = foreign_piece(found.rest, names, resource)
            if piece:
                raise refuse(Why.NOT_UNDERSTOOD, text=readable(piece).strip()[:QUOTED])
            reason = reason_in(found.rest)
        if resource in _ALL:
            return RevokeAll(person=found.behalf, why=reason)
        return Revoke(person=found.behalf, resource=resource, why=reason)


@dataclass(frozen=True, kw_only=True)
class RevokeAll:
    person: str
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Allow:
    person: str

    @staticmethod
    def read(rest: str, _: Names) -> Command:
        if not mention_in(first_word(rest)[0]):
            return Help(topic="allow")
        return Allow(person=_whole(rest, "behalf").behalf or "")


@dataclass(frozen=True, kw_only=True)
class Freeze:
    why: str = ""

    @staticmethod
    def read(rest: str, _: Names) -> Freeze:
        found = _whole(rest, "names")
        if found.names and found.names[0] not in _ALL:
            raise not_understood(found.names[0])
        return Freeze(why=split_reason(rest)[1] or "")


@dataclass(frozen=True, kw_only=True)
class Unfreeze:
    @staticmethod
    def read(rest: str, _: Names) -> Unfreeze:
        Freeze.read(rest, _)
        return Unfreeze()


@dataclass(frozen=True, kw_only=True)
class Approve:
    """An approval. ``grant`` is a request's id, or a resource's name: then nothing is decided. ``length``
    shortens it."""

    grant: str
    length: int | None = None

    @staticmethod
    def read(rest: str, _: Names) -> Command:
        word, rest = _decision(rest)
        if not word:
            return Help(topic="approve")
        found = _whole(rest, "length", "names", "behalf")
        if isinstance(found.length, UntilShiftEnds):
            raise refuse(Why.NOT_UNDERSTOOD, text="until end of shift")
        whose, grant = mention_in(word), _id(word)
        if whose and not found.behalf:
            return Waiting(person=whose, resource="".join(found.names))
        if found.names:
            raise not_understood(found.names[0])
        return (
            Waiting(person=found.behalf, resource=grant)
            if found.behalf
            else Approve(grant=grant, length=found.length)
        )


@dataclass(frozen=True, kw_only=True)
class Deny:
    """A denial. ``grant`` is as for ``Approve``."""

    grant: str
    why: str = ""

    @staticmethod
    def read(rest: str, _: Names) -> Command:
        word, rest = _decision(rest)
        if not word:
            return Help(topic="deny")
        if whose := mention_in(word):
            return Waiting(person=whose)
        head, reason = split_reason(rest)
        if reason is None:
            return Deny(grant=_id(word), why=reason_in(rest))
        _whole(head)
        return Deny(grant=_id(word), why=reason)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """An approval or denial that names a person and no request: what fits is shown, and nothing is
    decided."""

    person: str
    resource: str = ""


@dataclass(frozen=True, kw_only=True)
class Help:
    """A request for help. ``topic`` is a verb whose words were not complete; empty: all of it."""

    topic: str = ""

    @staticmethod
    def read(rest: str, _: Names) -> Help:
        topic = _bare(first_word(rest)[0])
        return Help(topic=topic if topic in _VERBS else "")


@dataclass(frozen=True, kw_only=True)
class Later:
    """A verb that does not exist yet."""

    verb: str


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """Text without a verb. ``meant`` are verbs that look like it, too weighty to be guessed."""

    word: str
    meant: tuple[str, ...] = ()


Command = (
    Request
    | Mine
    | List
    | Who
    | Extend
    | Done
    | Revoke
    | RevokeAll
    | Allow
    | Freeze
    | Unfreeze
    | Approve
    | Deny
    | Waiting
    | Help
    | Later
    | Unknown
)
Names = Collection[str]

_LONGEST_TEXT = 8_000
_ALL = frozenset({"all", "everything"})
_PHRASES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"give\s+(\S+\s+)?back(?!\S)", re.IGNORECASE), "done"),
    (re.compile(r"(?:give\s+me|i\s+need)(?!\S)", re.IGNORECASE), "request"),
    (re.compile(r"more\s+time(?!\S)", re.IGNORECASE), "extend"),
    (re.compile(r"break\s+glass(?!\S)", re.IGNORECASE), "break-glass"),
    (re.compile(r"on\s+call(?!\S)", re.IGNORECASE), "oncall"),
    (re.compile(r"who\s+am\s+i(?!\S)", re.IGNORECASE), "whoami"),
    (re.compile(r"hand\s+over(?!\S)", re.IGNORECASE), "hand-over"),
)
_WHO = re.compile(r"\s*(?:has|holds|have|got|is\s+on|uses|can\s+use)(?!\S)", re.IGNORECASE)


def parse(text: str, names: Names = ()) -> Command:
    """Read text into a command. ``names``: resources that this person may request. Raise Refused for a length
    that nobody can mean and for what was not understood; any other text is some command."""
    typed = without_marks(text[:_LONGEST_TEXT].strip())
    for phrase, verb in _PHRASES:
        if said := phrase.match(level_text(typed)):
            between = (each or "" for each in said.groups())
            return _read(verb, "".join((*between, typed[said.end() :])), names)
    word, rest = first_word(typed)
    verb = _bare(word)
    if not verb:
        return Help()
    known = _SYNONYMS.get(verb)
    if known and (verb in _VERBS or verb not in names):
        return _read(known, rest, names)
    near = () if verb in names else alike(verb, tuple(_VERBS))
    if any(each in _WEIGHTY for each in near):
        return Unknown(word=readable(word), meant=near)
    if near:
        return _read(near[0], rest, names)
    # ``prod-db 2h because …`` begins with no verb and can only be a request; a bare word may be anything
    head, reason = split_reason(typed)
    found = Reader(known=names, sure=reason is not None).read(head)
    told = (found.length, found.start, found.end, found.behalf, found.urgent or None, found.names[1:] or None)
    if found.names and (reason is not None or any(each is not None for each in told)):
        return Request.read(typed, names)
    return Unknown(word=readable(word))


def wants_names(text: str) -> bool:
    """Return whether ``parse`` may read this text differently if it is given the names of resources."""
    verb = _bare(first_word(without_marks(text.strip()))[0])
    if verb in _SYNONYMS and verb not in _VERBS:
        return True
    return verb not in ("", *_VERBS.keys() - {"request", "revoke"}) and not says_because(text)


def _bare(word: str) -> str:
    return word.casefold().strip("/.:,!*_~`")


def _read(verb: str, rest: str, names: Names) -> Command:
    return Later(verb=verb) if verb in _LATER else _VERBS[verb](rest, names)


def _whole(rest: str, *wanted: str, nothing: Names = WORDS_OF_NO_MEANING) -> Details:
    """Return the details before *because*. Raise Refused if there is anything else before it."""
    found = Reader(wanted=wanted, nothing=nothing).read(split_reason(rest)[0])
    if found.rest or len(found.names) > 1:
        raise not_understood(found.rest or found.names[1])
    return found


def _decision(rest: str) -> tuple[str, str]:
    """Split an approver's text into the id that it decides about, empty if there is none, and the rest."""
    word, behind = first_word(rest)
    return (word, behind) if _id(word) and not says_because(word) else ("", rest)


def _id(word: str) -> str:
    return name_in(word).lstrip("#")


_VERBS: Mapping[str, Callable[[str, Names], Command]] = {
    "request": Request.read,
    "list": lambda *_: List(),
    "mine": lambda *_: Mine(),
    "who": Who.read,
    "extend": Extend.read,
    "done": Done.read,
    "revoke": Revoke.read,
    "allow": Allow.read,
    "freeze": Freeze.read,
    "unfreeze": Unfreeze.read,
    "approve": Approve.read,
    "deny": Deny.read,
    "help": Help.read,
}
_WEIGHTY = frozenset({"revoke", "approve", "deny", "done", "allow", "freeze", "unfreeze"})
"""Verbs that decide about somebody, or end something: they are never guessed."""

_LATER = ("why", "break-glass", "pending", "history", "oncall", "out", "whoami", "hand-over", "review")

_SYNONYMS: Mapping[str, str] = {
    **{verb: verb for verb in (*_VERBS, *_LATER)},
    **dict.fromkeys(("req", "ask", "get", "need"), "request"),
    **dict.fromkeys(("ls", "resources", "offers"), "list"),
    **dict.fromkeys(("me", "my", "status"), "mine"),
    **dict.fromkeys(("prolong", "renew", "more"), "extend"),
    **dict.fromkeys(
        ("give-back", "giveback", "return", "withdraw", "cancel", "release", "end", "stop"), "done"
    ),
    **dict.fromkeys(("yes", "ok", "okay"), "approve"),
    **dict.fromkeys(("no", "reject"), "deny"),
    **dict.fromkeys(("breakglass",), "break-glass"),
    **dict.fromkeys(("on-call",), "oncall"),
    **dict.fromkeys(("handover",), "hand-over"),
    **dict.fromkeys(("?", "-h", "--help", "usage"), "help"),
}
