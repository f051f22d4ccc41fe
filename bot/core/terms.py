"""The terms that an approver agrees to: the button carries their digest, and the commit compares it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from bot.core.catalog import digest
from bot.core.grants import Extension, Grant
from bot.core.holds import Hold


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Everything that a vote is about and that does not change over time. ``lasts`` is the length or the end
    that was requested, ``gives`` the entitlements with the accounts they would be granted to."""

    person: str
    resource: str
    gives: tuple[tuple[str, ...], ...]
    lasts: str
    starts: str
    ground: str
    reason: str
    approvals: int

    @cached_property
    def digest(self) -> str:
        return digest(
            self.person,
            self.resource,
            self.gives,
            self.lasts,
            self.starts,
            self.ground,
            self.reason,
            self.approvals,
        )


def terms_of(grant: Grant, holds: Iterable[Hold], approvals: int, extension: Extension | None) -> Terms:
    """Return the terms of a request or, if one is given, of an extension. ``holds`` are what the resource
    gives today at the person's accounts."""
    if extension is None:
        lasts = f"{grant.length} s" if grant.length is not None else "until the shift ends"
    elif extension.ends_with:
        lasts = f"until the shift of {extension.ends_with.schedule} ends"
    else:
        lasts = f"until {_second(extension.until)}"
    return Terms(
        person=grant.person,
        resource=grant.resource,
        gives=tuple(
            sorted((each.target, each.account, *map("=".join, each.entitlement.what)) for each in holds)
        ),
        lasts=lasts,
        starts=_second(grant.starts_at) if grant.starts_at and extension is None else "",
        ground="approval",
        reason=grant.reason,
        approvals=approvals,
    )


def _second(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
