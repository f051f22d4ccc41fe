"""The details of a command between its verb and its reason: what, how long, from when, for whom. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from bot.slack.grammar import lengths, moments
from bot.slack.grammar.lexer import (
    SHIFT,
    Length,
    gap_end,
    length_at,
    level_text,
    name_in,
    not_understood,
    word_at,
)
from bot.slack.grammar.markup import mention_in
from bot.slack.grammar.moments import Moment, moment_at

EVERYTHING = frozenset({"names", "length", "start", "end", "behalf", "urgent"})

_JOINING = ("access", "to", "the", "of", "on", "for", "with", "from", "by", "and", "plus", "also")
_POLITE = ("me", "please", "pls", "plz", "now", "thanks", "thank", "you")
WORDS_OF_NO_MEANING = frozenset((*_JOINING, "&", "&amp", "+", *_POLITE))
"""Words that change nothing about what a request means, wherever they are."""

_MARKED = str.maketrans(dict.fromkeys("*`~", " "))
_LIST = re.compile(r"\s*(?:,|;|\band\b|&amp;|&|\+|\bplus\b)[\s,;]*(?:and\s+|plus\s+|also\s+)?", re.IGNORECASE)
_START = re.compile(
    r"(?:(?:starting|start|beginning|begin|from|after)(?:\s+(?:at|on|from))?|at|on)\s+", re.IGNORECASE
)
_FROM_NOW = re.compile(rf"({lengths.LENGTH})\s+from\s+now(?!\w)", re.IGNORECASE)
_IN = re.compile(rf"(?:(?:starting|start|beginning)\s+)?in\s+({lengths.LENGTH})(?![\w-])", re.IGNORECASE)
_UNTIL = re.compile(r"(?:until|till|til|to|up\s+to|ending(?:\s+at)?)\s+|[-–—]\s*(?=[0-9])", re.IGNORECASE)
_NAME = re.compile(r'"([^"]*)"|<[^<>\s][^<>]*>|[^\s,;<]*[^\s,;.:!?<]')
_URGENT = re.compile(
    r"(?:as\s+soon\s+as\s+possible|urgent(?:ly)?|asap|immediately|emergency)(?![\w'’-])[!]*", re.IGNORECASE
)
_FOREIGN = re.compile(
    rf"(?<![\w.,:/])(?<!\w-)(?:{lengths.LENGTH}(?![\w-])|{moments.CLOCK}|{moments.DAY}|at\s+[0-9]{{1,2}}(?!\w)|--\w[\w-]*)"
    rf"|(?<!\w)(?:{SHIFT})|<[@!][^<>]*>|(?<![^\s,;])[^\s,;@]*@\w[\w.-]*"
    r"|(?<![\w-])(?:(?:week|day|hour|minute|min|second|morning|afternoon|evening|night)s?|overnight)(?![\w-])"
    r"|^[\s,;:]*(?:until|till|til|and|plus|&amp;|&|\+)(?!\w).*",
    re.IGNORECASE,
)
_BROKEN = re.compile(
    r"[\s,;:]*(?:for\s+)?"
    r"(?P<said>[+\-−–.]?[0-9]+(?:[.,][0-9]+)?[wdhms]\w*|[+\-−–.]?[0-9½¼¾]\S*\s*$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Details:
    """The details that were read. ``rest`` is what was not understood, as it was typed."""

    names: tuple[str, ...] = ()
    length: Length = None
    behalf: str | None = None
    start: Moment | None = None
    end: Moment | None = None
    urgent: bool = False
    rest: str = ""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A reader of details. ``known``: names of resources. ``wanted``: the kinds of details that the command
    has. ``sure``: the reason follows after *because*, so what is left over is not the reason. ``nothing``:
    words to skip."""

    known: Collection[str] = ()
    wanted: Collection[str] = EVERYTHING
    sure: bool = True
    nothing: Collection[str] = WORDS_OF_NO_MEANING

    def read(self, head: str) -> Details:
        """Read each detail once and stop at the first word that is not one. Raise Refused for a length that
        nobody can mean."""
        level = level_text(head).translate(_MARKED)
        found, position = Details(), 0
        while True:
            step = self._next(level, position, found)
            if step is None:
                return replace(found, rest=head[position:])
            found, position = step
            if gap_end(level, position) == len(level):
                return found

    def _next(self, level: str, position: int, found: Details) -> tuple[Details, int] | None:
        """Read the next detail, past words of no meaning; they are left alone if none follows them."""
        start = gap_end(level, position)
        while start < len(level):
            step = self._detail(level, start, found) or self._name(level, position, start, found)
            if step:
                return step
            word = word_at(level, start)
            if word is None or word[0].casefold().rstrip(".,;:!") not in self.nothing:
                return None
            start = gap_end(level, word.end())
        return found, start

    def _detail(self, level: str, at: int, found: Details) -> tuple[Details, int] | None:
        wants_start = "start" in self.wanted and found.start is None
        if wants_start and (soon := _FROM_NOW.match(level, at) or _IN.match(level, at)):
            return replace(found, start=Moment(after=lengths.seconds(soon[1]))), soon.end()
        if "length" in self.wanted and found.length is None and (length := length_at(level, at)):
            return replace(found, length=length[0]), length[1]
        if "end" in self.wanted and found.end is None and (until := _UNTIL.match(level, at)):
            end = moment_at(level, until.end(), hour=True)
            if end:
                return replace(found, end=end[0]), end[1]
        if wants_start:
            lead = _START.match(level, at)
            hour = lead is not None and not lead[0].rstrip().casefold().endswith("on")
            if start := moment_at(level, lead.end() if lead else at, hour=hour):
                return replace(found, start=start[0]), start[1]
        word = word_at(level, at)
        if "behalf" in self.wanted and found.behalf is None and word and (whose := mention_in(word[0])):
            return replace(found, behalf=whose), word.end()
        urgent = _URGENT.match(level, at)
        if "urgent" in self.wanted and not found.urgent and urgent:
            return replace(found, urgent=True), urgent.end()
        return None

    def _name(self, level: str, before: int, at: int, found: Details) -> tuple[Details, int] | None:
        """Take the first word that can be a name as the resource; further names must follow in a list, or be
        known."""
        word = _NAME.match(level, at)
        if "names" not in self.wanted or word is None or word[0].startswith(("--", "<@", "<!")):
            return None
        name = name_in(word[0] if word[1] is None else word[1])
        if not name or name in found.names or name in self.nothing:
            return None
        reasons_to_think_so = (
            self.sure,
            name in self.known,
            _LIST.fullmatch(level[before:at]) is not None,
        )
        if found.names and sum(reasons_to_think_so) < 2:
            return None
        return replace(found, names=(*found.names, name)), word.end()


def foreign_piece(reason: str, known: Collection[str], own: str) -> str | None:
    """Return what in a reason without *because* may have been meant as part of the request: a length, a time,
    a day, a mention, an option, or a resource other than its own. Raise Refused if it begins with something
    like a length."""
    level = level_text(reason)
    broken = _BROKEN.match(level)
    if broken:
        raise not_understood(broken["said"])
    found = _FOREIGN.search(level)
    if found:
        return reason[found.start() : found.end()]
    words = (word[0] for word in re.finditer(r"[^\s,;]+", reason))
    return next((word for word in words if name_in(word).lstrip("#") in {*known} - {own}), None)
