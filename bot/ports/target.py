"""Systems where access is granted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.core.catalog import Entitlement
from bot.core.holds import Hold, Presence, Receipt, Seen, System
from bot.ports.deadline import Deadline


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """The abilities of a target, as data."""

    marks: bool
    """Distinguishes what we made from what others made, without a receipt."""
    keeps_end: bool
    """Ends access itself at ``until``; ``grant`` is called again when the end moves."""
    hears_end: bool = False
    """Is sent ``until`` and may act on it; ``grant`` is called again when the end moves."""
    ends_sessions: bool
    """Open sessions end with the access."""

    @property
    def knows_end(self) -> bool:
        """Return whether the access may end at ``until`` without us."""
        return self.keeps_end or self.hears_end


@dataclass(frozen=True, kw_only=True)
class Holder:
    account: str
    presence: Presence


@dataclass(frozen=True, kw_only=True)
class Holders:
    """Everybody who has an entitlement, and the system that said so."""

    holders: tuple[Holder, ...]
    system: System | None = None


class Target(Protocol):
    """A system where access is granted.

    ``grant`` and ``revoke`` are idempotent: repeating one changes nothing. All methods return only what the
    target itself has answered, and raise TemporaryFailure (try later: the outcome may be unknown) or
    PermanentFailure (nothing helps until a person changes something) by the deadline.

    ``receipts`` are all that is kept of what was made for this hold, oldest first. What they name is ours.
    For a kind that cannot mark what it makes there is no other evidence: access that no receipt names is
    THEIRS. A kind that can mark also counts what bears its mark, and returns a receipt for it.

    If a receipt's ``system`` is not the system that answers, ``grant`` raises PermanentFailure, ``revoke``
    removes only what is certainly ours by its name and mark, and ``has`` reports ELSEWHERE.
    """

    @property
    def abilities(self) -> Abilities: ...

    def prepare(self, hold: Hold, not_after: Deadline) -> Receipt:
        """Make nothing usable, and return what can be known before granting. Preparing again may return an
        equal receipt. Raise PermanentFailure if granting cannot work: the account or role does not exist, or
        a privilege that granting, revoking or ending sessions needs is missing."""
        ...

    def grant(
        self, hold: Hold, receipts: Sequence[Receipt], until: datetime | None, not_after: Deadline
    ) -> Receipt:
        """Make the access exist, and return the completed last receipt. ``not_after`` is checked right before
        sending and, if the target has transactions, inside one, right before its commit: so a worker that was
        paused cannot grant late."""
        ...

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        """Remove what the receipts name and what is marked as ours, and end the sessions that use it. If it
        is already gone, that is success. Access that others made stays."""
        ...

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        """Look, and change nothing. See ``Seen``."""
        ...

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:
        """Return everybody who has the entitlement. OURS is only what the target itself marks as ours. Raise
        Unsupported if the target cannot list them."""
        ...

    def ready(self, hold: Hold, deadline: Deadline) -> None:
        """Raise what ``prepare`` and ``grant`` would raise now, and change nothing."""
        ...
