"""What stands in the forms."""

from __future__ import annotations

ASK_TITLE, ASK = "Ask for access", "Ask"
RESOURCE = "What for"
LENGTH = "For how long"
LENGTH_HINT = "Like 45m, 4h, 2d (48 hours) or until end of shift. Left empty, it is the usual length."
REASON = "Why"
UNTIL_SHIFT_ENDS = "until end of shift"

DENY_TITLE, DENY = "Deny this ask", "Deny"
WHY = "Why"
WHY_HINT = "Who asked reads this."

NOTICE_TITLE, CLOSE = "Rotakey", "Close"
