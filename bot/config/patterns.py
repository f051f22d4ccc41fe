"""Regular expressions from the file: which are accepted, which match anything, and which are slow."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator
from itertools import pairwise

import regex

from bot.core.catalog import ReasonRule
from bot.core.policy import REASON_AT_MOST
from bot.usecases.requests.reasons_fit import AT_ONCE, reason_fits

MOST_CHARACTERS = 200

MOST_PARTS = 5_000
"""The most parts of a pattern once its counts are written out, as ``regex`` does when it compiles:
``a{1000}{1000}`` would be a million. The longest reason has 500 letters."""

MOST_TRIED = 40
"""The most hostile texts that are tried with one pattern."""

_TOKEN = re.compile(
    r"""(?P<note>\(\?\#[^)]*\))
    |(?P<open>\()
    |(?P<close>\))
    |(?P<count>\{(?P<least>\d*),?\d*\})
    |(?P<atom>\[\^?\]?(?:\\.|[^\]\\])*\]|\\.|.)""",
    re.VERBOSE | re.DOTALL,
)
_BARE_BRACE = re.compile(r"(?:\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{\d+(?:,\d*)?\}|\{,\d+\}|[^{\\\[])*")
_UNLIKE = ("a", "Z", "7", "é", "中")
"""Reasons that have nothing in common."""


def objection(pattern: str) -> str | None:
    """Return what is wrong with it and what to write; None if it is accepted. It must mean the same to
    ``re``, which people know, and to ``regex``, which matches it."""
    if len(pattern) > MOST_CHARACTERS:
        return f"has {len(pattern)} characters; use at most {MOST_CHARACTERS}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            flags = re.compile(pattern).flags
    except re.error as error:
        where = "" if error.pos is None else f" from character {error.pos + 1} on"
        return f"is not a valid regular expression{where}; try it with Python's re module"
    except (RecursionError, OverflowError, Warning):
        return "cannot be used as a regular expression; write a simpler one"
    if flags & re.VERBOSE:
        return "uses the flag x; write it without that flag"
    if not _BARE_BRACE.fullmatch(pattern):
        return r"has a { that is not a count such as {3} or {1,3}; write \{ for a plain {"
    parts = _parts(pattern)
    if parts > MOST_PARTS:
        return f"has {parts} parts once its counts are written out; reduce them to {MOST_PARTS} or fewer"
    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError, MemoryError):
        return "cannot be used as a regular expression; write a simpler one"
    return None


def matches_anything(pattern: str) -> bool:
    """Return whether the pattern is found in each of some reasons that have nothing in common."""
    return all(reason_fits(ReasonRule(pattern=pattern), each) for each in _UNLIKE)


def slow_text(pattern: str, within: float = AT_ONCE, budget: float = 5.0) -> str | None:
    """Return a reason that the pattern cannot be matched with in ``within`` seconds; None if none was found.
    Long runs of the pattern's own letters are tried, for ``budget`` seconds at most."""
    rule, ends_at = ReasonRule(pattern=pattern), time.monotonic() + budget
    for text in _hostile(pattern):
        if reason_fits(rule, text, within) is None:
            return text
        if time.monotonic() > ends_at:
            return None
    return None


def _hostile(pattern: str) -> Iterator[str]:
    """Yield texts that repeat one piece many times, with ends that spoil the match; the second of each pair
    has everything that must be in it."""
    plain = re.sub(r"\\[a-zA-Z]|[^\w\s:/.#@-]", "", pattern)
    letters = [each for each in dict.fromkeys(pattern) if each.isprintable() and each not in r"\()[]{}|?*+^$"]
    pairs = map("".join, pairwise(letters))
    pieces = dict.fromkeys(["a", "1", " ", "-", "a ", "aA1 ", plain, *letters, *pairs])
    for piece in list(filter(None, pieces))[:MOST_TRIED]:
        run = piece * (REASON_AT_MOST // len(piece) + 1)
        end = "!" + plain[:50]
        yield run[: REASON_AT_MOST - 1] + "!"
        yield run[: REASON_AT_MOST - len(end)] + end


def _parts(pattern: str) -> int:
    """Count the parts of a pattern, each as many times as the counts after it and after its groups say."""
    groups: list[list[int]] = [[]]
    for token in _TOKEN.finditer(pattern):
        row = groups[-1]
        match token.lastgroup:
            case "open":
                groups.append([])
            case "close" if len(groups) > 1:
                groups.pop()
                groups[-1].append(sum(row) + 1)
            case "count" if row:
                row[-1] *= max(int(token["least"] or 0), 1)
            case "atom":
                row.append(1)
    return sum(map(sum, groups))
