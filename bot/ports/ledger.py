"""The ledger, and what it says of itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bot.core.document import Document
from bot.core.errors import Conflict
from bot.ports.changes import OLDEST_FIRST, Change, Claim, Claims, Committed, Order, Snapshot
from bot.ports.documents import Key


class Ledger(Protocol):
    """Documents, leases, indexes, the due set and the audit, changed together or not at all; see ``Queue``
    for how what is due is claimed.

    Every method raises TemporaryFailure if Redis does not answer.
    """

    def read(self, keys: Iterable[Key] = (), follow: Iterable[str] = ()) -> Snapshot:
        """Read the documents of ``keys`` and of all grants in the indexes ``follow``, as of one moment; for
        each grant read, also its lease."""
        ...

    def read_all(self, wanted: Iterable[tuple[Iterable[Key], Iterable[str]]]) -> Sequence[Snapshot]:
        """Do several reads in one round trip, all as of the same moment."""
        ...

    def commit(self, change: Change) -> Committed:
        """Write all of it or nothing. Raise Conflict if a version, a lease or the claim has changed, and
        Unconfirmed if it was sent and no answer came: committing it again under its op shows what
        happened."""
        ...

    def commit_all(self, changes: Sequence[Change]) -> Sequence[Committed | Conflict]:
        """Commit several changes in one round trip, each of them wholly or not at all."""
        ...

    def wait_for_copies(self) -> bool:
        """Wait until everything written before this call is on as many replicas as this deployment is
        configured for, and return whether it is. Wait at most a second, and less if they did not confirm a
        moment ago."""
        ...


class Queue(Protocol):
    """The due set, as workers divide it among them.

    Every method raises TemporaryFailure if Redis does not answer.
    """

    def claim(
        self,
        limit: int,
        share: int,
        busy: Mapping[str, int],
        kinds: Collection[str] = (),
        besides: Collection[str] = (),
        order: Order = OLDEST_FIRST,
    ) -> Claims:
        """Claim up to ``limit`` due jobs, at most ``share`` per lane including those in ``busy``. ``kinds``
        restricts to those kinds; ``besides`` excludes kinds. A claim lasts CLAIM_SECONDS; after that anybody
        may claim the job. Claiming also shows that a worker is alive."""
        ...

    def renew(self, claims: Collection[Claim]) -> frozenset[str]:
        """Renew those claims that are still ours for CLAIM_SECONDS from now, and return their members; the
        others are left alone."""
        ...

    def wait(self, seconds: float) -> None:
        """Return when something new has become due, or after ``seconds``; may return early."""
        ...


class WorkLedger(Ledger, Queue, Protocol):
    """The ledger of a process that also claims what is due."""


CLAIM_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Owed:
    """A due job that failed ``tries`` times in a row; ``at`` is when it is tried again."""

    member: str
    at: datetime
    tries: int


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """A record that could not be read. Its bytes are kept; ``error`` says what was wrong with them."""

    key: Key
    at: datetime
    error: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Condition:
    """The condition of the ledger. ``beat`` is when any worker last asked for work, None if never. ``oldest``
    is the time since when the oldest unclaimed due job has waited, None if nothing waits. ``open`` and
    ``overdue`` count the grants in the indexes of these names, ``unlogged`` the audit entries about
    revocations that were done but could not be logged yet."""

    now: datetime
    beat: datetime | None
    owed: int
    oldest: datetime | None
    failing: tuple[Owed, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    open: int = 0
    overdue: int = 0
    unlogged: int = 0


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The ids of two Redis servers: the one that was compared last (empty: none yet), and the one that
    accepts writes now (empty: unknown). A server that restarts has another id."""

    last: str
    now: str

    @property
    def is_compared(self) -> bool:
        return bool(self.now) and self.last == self.now


class Primary(Protocol):
    """The Redis server that accepts writes now. All methods raise TemporaryFailure if it does not answer."""

    def server(self) -> str:
        """Return the server's id; empty if it is unknown."""
        ...

    def serving(self) -> Serving | None:
        """Return the ids; None if this deployment requires no copies, because then it does not matter which
        server it is."""
        ...

    def mark_compared(self, with_server: str) -> None:
        """Allow granting again with what this server has, unless yet another one has taken over."""
        ...


class Census(Protocol):
    """Everything that is held, in pages of bounded size, and claims on named jobs: for a process that revokes
    what nobody else revokes. Items that come or go in the meantime may be left out or appear twice."""

    def page_of_grants(self, index: str, cursor: int) -> tuple[Sequence[str], int]:
        """Return some ids of the grants in an index, and the cursor of the next page. It is 0 for the first
        page, and 0 again after the last. A page may be empty."""
        ...

    def page_of_documents(self, shape: type[Document], cursor: int) -> tuple[Sequence[str], int]:
        """Return some ids of the documents of this shape, and a cursor as ``page_of_grants`` does."""
        ...

    def grants(self, index: str) -> Iterator[Sequence[str]]:
        """Yield the ids of the grants in an index, in pages."""
        ...

    def holds(self, target: str = "") -> Iterator[Sequence[str]]:
        """Yield the ids of all hold records, or of those at one target, in pages."""
        ...

    def unheld(self, holds: Collection[str]) -> frozenset[str]:
        """Return those holds behind which there is no open grant."""
        ...

    def documents(self, shape: type[Document]) -> Iterator[Sequence[str]]:
        """Yield the ids of all documents of this shape, in pages."""
        ...

    def not_due(self, members: Collection[str]) -> frozenset[str]:
        """Return those members that are not in the due set."""
        ...

    def owed_too_late(self, longest: Mapping[str, timedelta]) -> frozenset[str]:
        """Return members that are due later than their kind's ``longest`` from now; and members of any kind
        that are claimed but would not be due when the claim expires. Return only some of them if there are
        very many."""
        ...

    def claim_these(
        self, members: Collection[str], limit: int, share: int, busy: Mapping[str, int]
    ) -> Claims:
        """Claim as ``Queue.claim`` does, but only these members; it does not count as a worker's sign of
        life."""
        ...


@dataclass(frozen=True, kw_only=True)
class ServerFacts:
    """The facts about a server of Redis: ``name`` with the version; ``objections`` are what must be changed,
    ``warnings`` what should be or could not be seen, each with what to do. ``replicas`` is the number that is
    connected; None: it does not say."""

    name: str
    objections: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    replicas: int | None = None


class Server(Protocol):
    """The Redis that the ledger is in."""

    def facts(self) -> ServerFacts:
        """Return the facts. Raise TemporaryFailure if it does not answer."""
        ...


class Inspection(Protocol):
    """The view of the ledger for those who watch over it."""

    def condition(self) -> Condition:
        """Return the condition. Raise TemporaryFailure if Redis does not answer."""
        ...
