"""Times as the ledger keeps them: whole milliseconds since 1970, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.core.audit.chain import from_ms

__all__ = ["from_ms", "not_after", "not_before"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(milliseconds=1)


def not_after(moment: datetime) -> int:
    """Return the last whole millisecond up to ``moment``: a lease never lasts longer than was said."""
    return (moment - _EPOCH) // _TICK


def not_before(moment: datetime) -> int:
    """Return the first whole millisecond from ``moment`` on: nothing is due earlier than was said."""
    return -((_EPOCH - moment) // _TICK)
