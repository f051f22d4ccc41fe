"""Snapshots of the ledger, and the changes that are committed to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from bot.core.audit.chain import Seal, Sealed
from bot.core.document import Document
from bot.core.grants import Grant
from bot.core.members import SeatHolder
from bot.ports.documents import D, Key


@dataclass(frozen=True, kw_only=True)
class Seats:
    """The holders of an entitlement that only one may hold. ``members``: the indexes that say so, and the
    grants in them. A commit that grants it rests on these."""

    holders: tuple[SeatHolder, ...]
    members: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Documents as they were at one moment, ``now`` on the ledger's clock. ``versions`` has every key that
    was read, 0 if there is no document. ``leases`` has the live leases of the grants read: the end, None for
    a lease without one. ``compared`` False: another server of Redis has taken over, and may hold leases that
    had already ended; nothing is granted by it until a worker has compared them. ``seats`` are by resource,
    read right after."""

    now: datetime
    documents: Mapping[Key, Document] = field(default_factory=dict)
    versions: Mapping[Key, int] = field(default_factory=dict)
    leases: Mapping[str, datetime | None] = field(default_factory=dict)
    compared: bool = True
    seats: Mapping[str, Seats] = field(default_factory=dict)

    def find(self, shape: type[D], name: str = "") -> D | None:
        found = self.documents.get(Key.of(shape, name))
        return found if isinstance(found, shape) else None

    def all(self, shape: type[D]) -> tuple[D, ...]:
        return tuple(each for each in self.documents.values() if isinstance(each, shape))

    def live(self, grant: Grant) -> bool:
        return grant.id in self.leases


class LeaseMove(StrEnum):
    START = "start"
    MOVE = "move"
    DROP = "drop"


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A move of a grant's lease: START and MOVE set its end (MOVE only if it still exists, else Conflict),
    DROP deletes it."""

    grant: str
    how: LeaseMove
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Due:
    """A due job: ``member`` names it, ``kind:id``, and ``at`` is when it is due."""

    member: str
    at: datetime

    @classmethod
    def hold(cls, hold: str, *, at: datetime) -> Self:
        """Look at a hold, by its key, and grant or revoke."""
        return cls(member=f"hold:{hold}", at=at)

    @classmethod
    def card(cls, grant: str, *, at: datetime) -> Self:
        """Make the messages of a grant or an extension equal to it."""
        return cls(member=f"card:{grant}", at=at)

    @classmethod
    def note(cls, note: str, *, at: datetime) -> Self:
        """Send a message, by its id."""
        return cls(member=f"note:{note}", at=at)

    @classmethod
    def alert(cls, alert: str, *, at: datetime) -> Self:
        """Make the messages of an alert equal to it."""
        return cls(member=f"alert:{alert}", at=at)

    @classmethod
    def alarm(cls, grant: str, *, at: datetime) -> Self:
        """Report that a grant is overdue, or that it is over."""
        return cls(member=f"alarm:{grant}", at=at)

    @classmethod
    def ask(cls, grant: str, *, at: datetime) -> Self:
        """Decide a request that waits."""
        return cls(member=f"ask:{grant}", at=at)

    @classmethod
    def shift(cls, resource: str, *, at: datetime) -> Self:
        """Make the grants of a resource equal to its shifts."""
        return cls(member=f"shift:{resource}", at=at)

    @classmethod
    def people(cls, person: str, *, at: datetime) -> Self:
        """Look a person up in Slack, and judge what they have."""
        return cls(member=f"people:{person}", at=at)

    @classmethod
    def home(cls, person: str, *, at: datetime) -> Self:
        """Publish a person's Home tab."""
        return cls(member=f"home:{person}", at=at)

    @classmethod
    def strays(cls, target: str, *, at: datetime) -> Self:
        """Look for strays at a target."""
        return cls(member=f"sweep:{target}", at=at)

    @classmethod
    def hands(cls, target: str, *, at: datetime) -> Self:
        """Look for access that is missing at a target."""
        return cls(member=f"hands:{target}", at=at)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A worker's right to do one due job. ``tries`` counts failures in a row before this claim;
    ``taken_over``: an earlier claim was never closed."""

    member: str
    generation: int
    fence: int
    owed_at: datetime
    tries: int
    taken_over: bool

    @property
    def kind(self) -> str:
        return self.member.partition(":")[0]

    @property
    def id(self) -> str:
        return self.member.partition(":")[2]

    @property
    def lane(self) -> str:
        """Return the name under which it shares threads: all holds of one target, or all jobs of a kind."""
        before, slash, _ = self.member.partition("/")
        return before if slash else self.kind


@dataclass(frozen=True, kw_only=True)
class Done:
    """The end of a claim: ``next_at`` None removes the member, unless it was armed again in the meantime.
    ``failed`` counts one more failure in a row."""

    claim: Claim
    next_at: datetime | None = None
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An audit entry: what happened, to which grant, by whom, on what facts."""

    what: str
    grant: str | None = None
    by: str | None = None
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Drop:
    """The audit up to and including this seal, which must be stored unchanged, and the entry named ``last``,
    the last one that the seal closed."""

    seal: Sealed
    last: str


@dataclass(frozen=True, kw_only=True)
class Change:
    """Everything that one commit writes.

    ``rests_on`` must be unchanged: the version of every document in it is checked. ``needs`` and ``without``
    are grants whose lease must exist, or must not. ``members`` are indexes that must have exactly these
    grants in them. ``put`` writes (None deletes); ``ensure`` writes only if nothing is there. ``index`` adds
    (True) or removes (False) a grant id in a named set. ``seal`` is appended after all seals so far, whose
    numbers must be lower. ``drop`` is only allowed with a ``seal``, which says where the audit begins from
    then on. ``op`` makes the commit happen at most once in 15 minutes; repeating it returns its first
    ``answer``. ``frees`` lets a full Redis still take it.

    ``copied`` requires it on as many replicas as this deployment is configured for: if they do not confirm in
    time, it is written all the same, and NotCopied is raised. After a failover it is not written, and
    FailedOver is raised, until this primary has been compared with what had ended. Every change that leads to
    access at a target is ``copied``; one that ends access never is, and waits for nobody (see
    ``Ledger.wait_for_copies``).
    """

    rests_on: tuple[Snapshot, ...] = ()
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    members: Mapping[str, Collection[str]] = field(default_factory=dict)
    put: Mapping[Key, Document | None] = field(default_factory=dict)
    ensure: Mapping[Key, Document] = field(default_factory=dict)
    leases: tuple[Lease, ...] = ()
    index: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    due: tuple[Due, ...] = ()
    done: Done | None = None
    audit: tuple[Entry, ...] = ()
    seal: Seal | None = None
    drop: Drop | None = None
    op: str | None = None
    answer: str = ""
    frees: bool = False
    copied: bool = False

    def plus(self, *others: Change) -> Change:
        """Return all of them as one commit. What closes a claim, answers an op, or seals or drops entries is
        this one's."""
        joined = self
        for other in others:
            joined = replace(
                joined,
                rests_on=(*joined.rests_on, *other.rests_on),
                needs=(*joined.needs, *other.needs),
                without=(*joined.without, *other.without),
                members={**joined.members, **other.members},
                put={**joined.put, **other.put},
                ensure={**joined.ensure, **other.ensure},
                leases=(*joined.leases, *other.leases),
                index={**joined.index, **other.index},
                due=(*joined.due, *other.due),
                audit=(*joined.audit, *other.audit),
                frees=joined.frees or other.frees,
                copied=joined.copied or other.copied,
            )
        return joined


@dataclass(frozen=True, kw_only=True)
class Committed:
    """The result of a commit. ``now`` is when it was written. ``again`` means that the op had been done
    before, with ``answer``. ``version`` is the new version of every document written, 0 if nothing was
    written."""

    now: datetime
    version: int = 0
    again: bool = False
    answer: str = ""


@dataclass(frozen=True, kw_only=True)
class Room:
    """The room in one claim for due jobs of these ``kinds`` together, or of all others if none is named:
    ``own`` may be claimed in any case, and at most ``shared`` of those that all rooms share."""

    kinds: tuple[str, ...]
    own: int
    shared: int


@dataclass(frozen=True, kw_only=True)
class Order:
    """The order of a claim. Jobs that fit into their room's ``own`` do not count towards the claim's limit.
    Lanes that were ``served`` come after all others, the most recent last; apart from that the oldest comes
    first."""

    rooms: tuple[Room, ...] = ()
    served: tuple[str, ...] = ()


OLDEST_FIRST = Order()


@dataclass(frozen=True, kw_only=True)
class Claims:
    """The jobs that were claimed, when the next one is due (None: nothing), and the ledger's now."""

    now: datetime
    claims: tuple[Claim, ...]
    next_at: datetime | None
