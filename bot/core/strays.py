"""Strays: access at a target, made by us, that neither a live grant nor a hold record explains.

    SEEN ──► OPEN ──► TAKING ──► gone
               └────► LEFT ────► gone

Access seen once may be a grant that is under way, or its end; if it is seen again later, it counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.core.ages import UNKNOWN_AGE, age
from bot.core.catalog import Entitlement
from bot.core.holds import Hold


class StrayState(StrEnum):
    """The states of a stray. LEFT: somebody decided to leave it as it is."""

    SEEN = "seen"
    OPEN = "open"
    TAKING = "taking"
    LEFT = "left"


@dataclass(frozen=True, kw_only=True)
class Stray:
    """A stray. ``since`` is when it was first seen, ``alert`` names the message that reports it."""

    hold: Hold
    since: datetime
    state: StrayState = StrayState.SEEN
    alert: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sight:
    """The result of one look. ``read``: the entitlements whose holders are known. ``unexplained``: holds of
    ours that neither a grant nor a record explains. ``owed``: those with a record, but no grant behind it."""

    now: datetime
    read: Collection[Entitlement]
    unexplained: Mapping[str, Hold]
    owed: Collection[str] = ()


def strays_after(known: Mapping[str, Stray], sight: Sight, again_after: timedelta) -> dict[str, Stray]:
    """Return the strays as they are after a look. What was not looked at stays as it was; what is no longer
    there, or is explained by now, is left out."""
    kept = {
        key: stray
        for key, stray in known.items()
        if stray.hold.entitlement not in sight.read
        or (stray.state is StrayState.TAKING and key in sight.owed)
    }
    for key, hold in sight.unexplained.items():
        stray = known.get(key, Stray(hold=hold, since=sight.now))
        clock_was_set_back = stray.state is StrayState.SEEN and age(stray.since, sight.now) == UNKNOWN_AGE
        if stray.state is StrayState.TAKING or clock_was_set_back:
            # revoked and still there: it was granted again, or was revoked during the look
            stray = replace(stray, state=StrayState.SEEN, since=sight.now)
        elif stray.state is StrayState.SEEN and sight.now - stray.since > again_after:
            stray = replace(stray, state=StrayState.OPEN)
        kept[key] = stray
    return kept


def may_be_taken(count: int, held: int, share: int) -> bool:
    """Return whether few enough of what is held would be revoked: at most ``share`` percent, or a single
    one."""
    return count <= max(held * share // 100, 1)
