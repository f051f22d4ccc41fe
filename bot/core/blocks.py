"""Revocations and stops: how long no rule gives access back, and who may end that earlier."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core.document import Document
from bot.core.reasons import Reason, Why, because


@dataclass(frozen=True, kw_only=True)
class Block(Document, kind="block"):
    """A pause after a revocation: until ``until`` no rule, shift or incident gives one person one resource,
    because of ``reason``. ``by`` is the person who revoked it; None: it was removed by hand at the target,
    nobody knows by whom."""

    reason: Reason
    by: str | None
    since: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Ban(Document, kind="ban"):
    """A stop for one person: nothing is granted to them until security people allow it again. ``reason`` is
    what ``by`` said. ``by`` None: the record of it cannot be read."""

    by: str | None
    reason: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Freeze(Document, kind="freeze"):
    """A stop for everybody: no rule, shift or incident gives anybody anything. The fields are those of a
    ban."""

    by: str | None
    reason: str
    at: datetime


def block_name(resource: str, person: str) -> str:
    """Return the id of this person's block for this resource."""
    return f"{resource}/{person}"


def unreadable_block(now: datetime) -> Block:
    """Return the block that stands in for a record that cannot be read: it lasts until somebody approves a
    request."""
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
