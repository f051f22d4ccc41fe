"""The words of an alert: what is wrong, the outcome, and the labels of its buttons."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.core.durations import brief
from bot.core.reasons import Why
from bot.ports.slack import AlertView
from bot.slack.wording.reasons import NOT_COPIED, refusal, say

LABELS: Mapping[str, str] = {
    "adopt": "Adopt as a grant",
    "remove": "Remove",
    "leave": "Leave",
    "try_now": "Retry now",
    "removed": "I removed it by hand",
    "same_system": "It's the same system",
    "same_person": "Same person: move account",
    "somebody_else": "Somebody else",
    "grant_again": "Grant again",
    "end_them": "End it",
}


def headline(view: AlertView) -> str:
    """Return the sentence that is also the notification: once it is over, the outcome."""
    if view.over and view.became:
        return f"✅ {say(view.became)}" if view.copied else f"{say(view.became)} {NOT_COPIED}"
    return refusal(view.reason)


def below(view: AlertView) -> str:
    """Return the outcome so far; once it is over, what the alert was about."""
    if view.over:
        return f"This was about: {say(view.reason).lstrip('🚨⚠️ ')}"
    said = [say(view.became)] if view.became else []
    if other := view.replacement:
        earlier = " and ".join(other.earlier)
        said += [f"{other.target} now answers as {other.system}, but the access was granted at {earlier}."]
        said += ["If it is the same system, upgraded or restored, security people can say so."]
    return " ".join(said)


def label(view: AlertView, verb: str) -> str:
    if verb == "adopt" and view.length:
        length = " ".join(re.findall(r"\d+|[a-z]", brief(view.length)))
        return f"Adopt as a {length} grant"
    if view.reason.why is Why.MISSING_MANY:
        return {"grant_again": "Grant all again", "end_them": "End them"}[verb]
    return LABELS[verb]
