"""Strays: access at a target, made by us, that no live grant and no hold record explains.

    SEEN ──► OPEN ──► TAKING ──► gone
               └────► LEFT ────► gone

Seen once it may be a give that is just under way, or its end; seen again later it counts.
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
    """LEFT: somebody decided to leave it as it is."""

    SEEN = "seen"
    OPEN = "open"
    TAKING = "taking"
    LEFT = "left"


@dataclass(frozen=True, kw_only=True)
class Stray:
    """``since`` is when it was first seen, ``alert`` names the message that tells of it."""

    hold: Hold
    since: datetime
    state: StrayState = StrayState.SEEN
    alert: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What one look showed. ``read``: the entitlements whose holders are known. ``unexplained``: holds of
    ours that neither a grant nor a record explains. ``owed``: those with a record, and no grant behind."""

    now: datetime
    read: Collection[Entitlement]
    unexplained: Mapping[str, Hold]
    owed: Collection[str] = ()


def strays_after(known: Mapping[str, Stray], sight: Sight, again_after: timedelta) -> dict[str, Stray]:
    """The strays as they are after a look. What was not looked at stays as it was, and what is not there
    any more, or is explained by now, is left out."""
    kept = {
        key: stray
        for key, stray in known.items()
        if stray.hold.entitlement not in sight.read or _still_taken(key, stray, sight)
    }
    there = {
        key: _seen_again(known[key], sight.now, again_after)
        if key in known
        else Stray(hold=hold, since=sight.now)
        for key, hold in sight.unexplained.items()
    }
    return kept | there


def may_be_taken(count: int, held: int, share: int) -> bool:
    """Whether so many of all that is held are few enough: at most ``share`` percent, or a single one."""
    return count <= max(held * share // 100, 1)


def _still_taken(key: str, stray: Stray, sight: Sight) -> bool:
    return stray.state is StrayState.TAKING and key in sight.owed


def _seen_again(stray: Stray, now: datetime, again_after: timedelta) -> Stray:
    """Judge access that we took and that is there all the same: it was granted again, or was taken while we
    looked. If the clock was set back since it was first seen, its age is unknown, and it counts as first seen
    now."""
    too_new = stray.state is StrayState.SEEN and age(stray.since, now) == UNKNOWN_AGE
    if stray.state is StrayState.TAKING or too_new:
        return replace(stray, state=StrayState.SEEN, since=now)
    counts = stray.state is StrayState.SEEN and now - stray.since > again_after
    return replace(stray, state=StrayState.OPEN) if counts else stray
