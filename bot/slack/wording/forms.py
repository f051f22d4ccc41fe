"""The words in the forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.core.reasons import Why
from bot.slack.wording.spoken import in_words, lasting

REQUEST_TITLE, REQUEST = "Request access", "Request"
RESOURCE = "Resource"
LENGTH = "How long"
LENGTH_HINT = "For example 45m, 4h, 2d (48 hours) or until end of shift. Empty: the usual length."
REASON = "Reason"
NEXT: Mapping[Why, str] = {
    Why.REASON_MISSING: "Say why you need it.",
    Why.REASON_PATTERN: "Please add that.",
}
"""The next step for a refusal that is shown beside a field, if it differs from that for a typed command."""
UNTIL_SHIFT_ENDS = "until end of shift"

DENY_TITLE, DENY = "Deny this request", "Deny"
WHY = "Reason"
WHY_HINT = "The requester will see this."

NOTICE_TITLE, CLOSE = "Rotakey", "Close"


def length_hint(usual: int, most: int) -> str:
    """Return the hint for one resource, which is the one chosen when the form opens."""
    return f"Empty: {lasting(usual)}. At most {lasting(most)}. For example 45m, 4h, 2d or until end of shift."


def reason_hint(needed: Sequence[str]) -> str:
    """Return the hint. ``needed``: the resources that need a reason, if others need none."""
    if not needed:
        return ""
    shown = [*needed[:5], *(["others"] if len(needed) > 5 else [])]
    return f"Required for {in_words(shown, 'and')}."
