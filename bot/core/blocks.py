"""What people took away and what is stopped: until when no rule gives it back, and who may end that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core.reasons import Reason, Why, because


@dataclass(frozen=True, kw_only=True)
class Block:
    """After ``reason`` no rule, shift or incident gives one person one resource ``until`` then. ``by`` is who
    took it away; None: a hand at the target, and nobody knows whose."""

    reason: Reason
    by: str | None
    since: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Ban:
    """Nothing is given to one person until security people allow it again. ``reason``: what ``by`` said.
    ``by`` None: the record of it cannot be read."""

    by: str | None
    reason: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """No rule, shift or incident gives anybody anything. The fields are as those of a ban."""

    by: str | None
    reason: str
    at: datetime


def block_name(resource: str, person: str) -> str:
    """Return the id of the block of this person for this resource."""
    return f"{resource}/{person}"


def unreadable_block(now: datetime) -> Block:
    """Return what stands for a record that cannot be read: it lasts until somebody approves a request."""
    return Block(reason=because(Why.REVOKED), by=None, since=now, until=now + timedelta(days=1))


def block_reason(block: Block, resource: str, person: str) -> Reason:
    until = int(block.until.timestamp())
    by = _by(block.by)
    return because(Why.REVOKED_LATELY, person=person, resource=resource, until_at=until, **by)


def ban_reason(ban: Ban, person: str) -> Reason:
    return because(Why.BANNED, person=person, **_by(ban.by))


def freeze_reason(freeze: Freeze, resource: str) -> Reason:
    return because(Why.FROZEN, resource=resource, **_by(freeze.by))


def _by(person: str | None) -> dict[str, str]:
    return {"by_person": person} if person else {}
