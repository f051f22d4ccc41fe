"""Words that ``/access`` does not read as the name of a resource, so that no resource may have one as its
name."""

from __future__ import annotations

import re

from bot.core.durations import UNIT_WORDS

VERBS = frozenset(
    (
        *("request", "req", "ask", "get", "need", "list", "ls", "resources", "offers"),
        *("mine", "me", "my", "status", "who", "extend", "prolong", "renew", "more"),
        *("done", "give-back", "giveback", "return", "withdraw", "cancel", "release", "end", "stop"),
        *("revoke", "approve", "yes", "ok", "okay", "deny", "no", "reject", "allow", "freeze", "unfreeze"),
        *("help", "usage", "why", "break-glass", "breakglass", "pending", "history", "oncall", "on-call"),
        *("out", "whoami", "hand-over", "handover", "review"),
    )
)
"""Verbs of ``/access`` and their synonyms, including verbs that do not exist yet."""

_FILLERS = (
    *("access", "to", "the", "of", "on", "for", "with", "from", "by", "me", "please", "pls", "plz", "now"),
    *("and", "plus", "also", "thanks", "thank", "you", "has", "have", "holds", "got", "uses"),
)
_TIMES = (
    *(
        "until",
        "till",
        "til",
        "at",
        "in",
        "start",
        "starting",
        "begin",
        "beginning",
        "after",
        "ending",
        "next",
    ),
    *("this", "today", "tomorrow", "tonight", "noon", "midnight", "weekend", "week-end"),
    *("monday", "mon", "tuesday", "tues", "tue", "wednesday", "wed", "thursday", "thurs", "thur", "thu"),
    *("friday", "fri", "saturday", "sat", "sunday", "sun"),
    *("urgent", "urgently", "asap", "immediately", "emergency"),
)
_REASONS = ("because", "bc", "becuase", "becasue", "beacuse", "becaus", "becouse")

RESERVED = VERBS | {*_FILLERS, *_TIMES, *_REASONS, "all", "everything"}
"""Words that keep their own meaning, whatever follows them."""

_UNIT = "|".join(sorted(UNIT_WORDS, key=len, reverse=True))
_NUMBER = re.compile(
    rf"[0-9.]+|(?:[0-9]+(?:\.[0-9]+)?-?(?:{_UNIT}))+"
    r"|p(?=[0-9]|t[0-9])(?:[0-9]+w)?(?:[0-9]+d)?(?:t(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?)?"
    r"|(?:1[0-2]|0?[1-9])[ap]\.?m\.?|[0-9]{4}-[0-9]{2}-[0-9]{2}"
)


def read_otherwise(name: str) -> bool:
    """Return whether a resource of this name could not be requested by it: it is a word of the grammar, a
    number, a length, a time or a date."""
    return name in RESERVED or _NUMBER.fullmatch(name) is not None
