"""Holds: one person's one entitlement at one target, kept while a live grant stands behind it.

    EMPTY ──► GIVING ──► GIVEN ──► TAKING ──► EMPTY
                 └────────────────►┘

The phase is what was *written down before acting*, so after a crash it never claims less than may be true at
the target: from GIVING on the access may be there, and is revoked before the hold is EMPTY again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from bot.core.catalog import Entitlement, digest
from bot.core.document import Document

OVERDUE_AFTER_FAILURES = 3
LONGEST_BACKOFF = timedelta(minutes=5)


class Presence(StrEnum):
    """The result of a look at a hold: nothing (NONE), access we made (OURS), access we made that is no longer
    usable (USELESS), access somebody else made (THEIRS), another system than the receipts name (ELSEWHERE),
    or nothing that can be judged (UNKNOWN).

    OURS and USELESS take precedence over THEIRS if both are there. ELSEWHERE and UNKNOWN prove nothing:
    neither that access is there nor that it is gone.
    """

    NONE = "none"
    OURS = "ours"
    USELESS = "useless"
    THEIRS = "theirs"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"


class Phase(StrEnum):
    EMPTY = "empty"
    GIVING = "giving"
    GIVEN = "given"
    TAKING = "taking"


@dataclass(frozen=True, kw_only=True)
class Hold:
    """The access that is held: fixed when it is first approved, so exactly what was granted is revoked."""

    target: str
    account: str
    entitlement: Entitlement

    @cached_property
    def key(self) -> str:
        """Return ``target/digest``: the part before the slash is the lane by which the worker's threads are
        shared."""
        return f"{self.target}/{self.entitlement.digest_for(self.account)}"

    def under(self, target: str) -> Hold:
        """Return the same access under another name of the target."""
        return replace(self, target=target, entitlement=replace(self.entitlement, target=target))


@dataclass(frozen=True, kw_only=True)
class System:
    """One target system. ``id`` is its own identity, which a copy shares with its original (a cluster
    identifier, an account id). ``instance`` distinguishes a running server from its copies; empty if the kind
    has none. Two targets with equal ids and equal instances are one running system."""

    id: str
    instance: str = ""


@dataclass(frozen=True, kw_only=True)
class Position:
    """A mark of how far a system's own history has come. A system that was restored, or failed over, goes on
    in another ``timeline``, or further back in the same one."""

    timeline: str
    at: int


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The target's own identification of what is made for a hold, known before it is made.

    ``system`` is the ``System.id`` it was made at. ``facts`` are the kind's own: object ids, an idempotency
    key, a moment of the server's; never a secret. ``moved_from`` is the system that a person said this one
    replaces (an upgrade, a restore): then the target looks by object id *and* by name, and what it finds
    counts as ours, no matter who granted it according to the target.
    """

    system: str
    facts: Mapping[str, str] = field(default_factory=dict)
    moved_from: str | None = None


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """The system that answers as ``target`` instead of the ``earlier`` ones, by their ``System.id``. It may
    be the same one, upgraded or restored; ``by`` is the person who said so, None if nobody has."""

    target: str
    earlier: tuple[str, ...]
    system: str
    by: str | None = None

    @cached_property
    def digest(self) -> str:
        """Return the digest that a button carries, to name the replacement that it showed."""
        return digest(self.target, self.earlier, self.system)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One look at a hold. ``grantor`` is the one who gave what is THEIRS, in the target's words.

    ``receipts`` are those that still name something, access or a session, as they are to be kept from now on:
    the target may have added facts that it needs at the next look. Anything that is OURS or USELESS is named
    by at least one of them, even if the caller had none. ``sessions`` counts open sessions that may still use
    the access. ``confirmed`` is False while a standby that the target waits for has not confirmed that it is
    gone. ``why`` says in words why something ELSEWHERE, UNKNOWN or still open is not gone, and what to do.
    """

    presence: Presence
    system: System | None = None
    grantor: str | None = None
    receipts: tuple[Receipt, ...] = ()
    sessions: int = 0
    confirmed: bool = True
    why: str | None = None
    sessions_kept: bool = False
    """The target says that sessions which used the access were left open."""
    position: Position | None = None
    """The target's position when it was looked at; None if the kind has none."""

    @property
    def gone(self) -> bool:
        """Return whether nothing of ours is left. Access that somebody else granted may remain."""
        nothing_of_ours = self.presence in (Presence.NONE, Presence.THEIRS)
        return nothing_of_ours and not self.receipts and not self.sessions and self.confirmed


@dataclass(frozen=True, kw_only=True)
class Witness:
    """Proof that access of ours was there: it was seen after our last call on its hold had been answered, and
    no claim on the hold was taken over or left open since."""

    at: datetime
    system: System | None = None
    position: Position | None = None


class Absence(StrEnum):
    """The reason why access of ours is not there, as far as it can be known: somebody took it (HAND), the
    target went back (TARGET), the ledger may have lost that we revoked it (LEDGER), or none of these can be
    established (UNKNOWN)."""

    HAND = "hand"
    TARGET = "target"
    LEDGER = "ledger"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Access of ours that a look did not show at ``since``, in ``system`` at ``position``. ``cause`` is known
    after a second look. ``asked`` is the alert that asks people about it."""

    since: datetime
    system: System | None = None
    position: Position | None = None
    cause: Absence | None = None
    asked: str | None = None


@dataclass(frozen=True, kw_only=True)
class HoldRecord(Document, kind="hold"):
    """The progress of a hold.

    ``baseline`` is what the target showed before we first granted; None while the hold is empty. ``receipts``
    identify what was made, oldest first; one is dropped only when what it names was seen to be gone. A hold
    that was granted by an older version has none. ``given_until`` is the end that was last sent to the
    target, if the target keeps ends itself. ``failures`` counts failed attempts in a row.
    """

    hold: Hold
    phase: Phase = Phase.EMPTY
    baseline: Presence | None = None
    receipts: tuple[Receipt, ...] = ()
    given_until: datetime | None = None
    seen_at: datetime | None = None
    failures: int = 0
    failing_since: datetime | None = None
    last_error: str | None = None
    look_again: bool = False
    """A claim on this hold was once taken over: its former owner may still act late, so look once more."""
    wished_by: str | None = None
    """Somebody wants it tried now, and waits for the result."""
    by_hand: bool = False
    """Somebody says they removed it by hand: if revoking fails, what the target shows counts."""
    witness: Witness | None = None
    missing: Missing | None = None
    elsewhere: str | None = None
    """The id of the system that answered the last try, if it is not the one that the receipts name."""
    losses: int = 0
    """The count of ``ports.Losses`` when the access was last seen."""

    @property
    def untouchable(self) -> bool:
        """Return whether the access was there before us, or may have been, so that it is not ours to
        revoke."""
        return self.baseline in (Presence.THEIRS, Presence.UNKNOWN)

    @property
    def replacement(self) -> Replacement | None:
        """Return the replacement that people can be asked about, if another system answers."""
        earlier = tuple(sorted({each.system for each in self.receipts} - {self.elsewhere or ""}))
        if self.elsewhere is None or not earlier:
            return None
        return Replacement(target=self.hold.target, earlier=earlier, system=self.elsewhere)


def backoff(failures: int) -> timedelta:
    """Return the wait after this many failures in a row: 1, 2, 4 … seconds, at most five minutes."""
    return min(timedelta(seconds=2 ** min(max(failures - 1, 0), 9)), LONGEST_BACKOFF)
