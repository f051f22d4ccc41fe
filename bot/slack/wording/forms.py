"""The words in the forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.core.reasons import Why
from bot.slack.wording.spoken import in_words, lasting

ASK_TITLE, ASK = "Ask for access", "Ask"
RESOURCE = "What for"
LENGTH = "For how long"
LENGTH_HINT = "Like 45m, 4h, 2d (48 hours) or until end of shift. Left empty, it is the usual length."
REASON = "Why"
NEXT: Mapping[Why, str] = {
    Why.REASON_MISSING: "Say here why you need it.",
    Why.REASON_PATTERN: "Add that here.",
}
"""The next step for a refusal that is shown beside a field, if it differs from that for a typed command."""
UNTIL_SHIFT_ENDS = "until end of shift"

DENY_TITLE, DENY = "Deny this request", "Deny"
WHY = "Why"
WHY_HINT = "The requester will see this."

NOTICE_TITLE, CLOSE = "Rotakey", "Close"


def length_hint(usual: int, most: int) -> str:
    """Return the hint for one resource, which is the one chosen when the form opens."""
    return f"Left empty: {lasting(usual)}. At most {lasting(most)}. Like 45m, 4h, 2d or until end of shift."


def reason_hint(needed: Sequence[str]) -> str:
    """Return the hint. ``needed``: the resources that need a reason, if others need none."""
    if not needed:
        return ""
    shown = [*needed[:5], *(["others"] if len(needed) > 5 else [])]
    return f"Needed for {in_words(shown, 'and')}."
