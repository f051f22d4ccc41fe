"""Revokes everything that is past its end, from outside: it relies neither on running workers nor on a
complete due set.

What is owed is found from the grants and the hold records themselves. Nothing is ever granted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol, TypeVar

from bot.core.errors import PermanentFailure
from bot.core.grants import LIVE, SETTLED, Grant
from bot.core.holds import Hold, HoldRecord, Phase, backoff
from bot.ports.changes import Change, Done, Due, Entry, Snapshot
from bot.ports.documents import Key, Swept
from bot.ports.ledger import Census, Ledger, Queue
from bot.ports.target import Target
from bot.usecases.access.outcomes import hold_name
from bot.usecases.access.reconcile import Reconciliation
from bot.usecases.access.views import look, too_late
from bot.usecases.job import Job

T = TypeVar("T")

BY = "rotakey sweep"
AT_ONCE = 200
"""Documents that are read, and holds that are made due, in one call."""
MOST_NAMED = 50
"""Holds named in one audit entry."""


class HeldLedger(Ledger, Queue, Census, Protocol):
    """The ledger with the lists of all that is held."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """A hold past its end. ``trouble`` is why it is still there, and ``pause`` how long it is left alone
    after a failure. If it is gone, ``how`` says what became of it."""

    hold: Hold
    since: datetime
    grants: tuple[str, ...] = ()
    """The grants that it was held for, as far as they are known."""
    how: str = ""
    trouble: str = "not attempted yet"
    pause: timedelta = timedelta()

    @property
    def still_there(self) -> bool:
        return not self.how


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The holds past their end. ``past`` has, by their keys, those that may be there although no live grant
    stands behind them. ``unreadable`` are grants and holds of which that cannot be known."""

    past: Mapping[str, Past]
    unreadable: tuple[Key, ...] = ()


def survey(ledger: HeldLedger) -> Survey:
    """Read all open grants and all hold records, a page at a time, and return what is past its end."""
    found, live, unreadable = _by_grants(ledger)
    for page in _read(ledger, HoldRecord, ledger.holds()):
        unreadable += _unreadable(page)
        for record in page.all(HoldRecord):
            if record.phase is not Phase.EMPTY or record.look_again:
                since = record.failing_since or record.seen_at or page.now
                found.setdefault(record.hold.key, Past(hold=record.hold, since=since))
    past = {key: each for key, each in found.items() if key not in live}
    return Survey(past=past, unreadable=tuple(unreadable))


def past_of(ledger: HeldLedger) -> dict[str, Past]:
    """Return, by their keys, the holds that are past their end according to the open grants."""
    found, live, _ = _by_grants(ledger)
    return {key: each for key, each in found.items() if key not in live}


def _by_grants(ledger: HeldLedger) -> tuple[dict[str, Past], set[str], list[Key]]:
    """Return the holds of grants that are over, the keys of the holds of live ones, and what cannot be
    read."""
    found: dict[str, Past] = {}
    live: set[str] = set()
    unreadable: list[Key] = []
    for page in _read(ledger, Grant, ledger.grants("open")):
        unreadable += _unreadable(page)
        for grant in page.all(Grant):
            if _lives(grant, page):
                live.update(grant.holds)
                continue
            since = min(grant.until or page.now, page.now)
            for hold in grant.gives:
                if grant.holds[hold.key] not in SETTLED:
                    found[hold.key] = Past(hold=hold, since=since, grants=(grant.id,))
    return found, live, unreadable


def _unreadable(page: Snapshot) -> list[Key]:
    return [key for key, version in page.versions.items() if version and key not in page.documents]


def arm(ledger: Ledger, past: Collection[Past]) -> None:
    """Make these holds due now, whatever became of the due set."""
    for page in _pages(past):
        due = tuple(Due.hold(each.hold.key, at=each.since) for each in page)
        ledger.commit(Change(due=due, frees=True))


def out_of_reach(target: Callable[[str], Target], past: Past) -> str | None:
    """Return why its target cannot be used here at all, or None. That is not counted as a failure of the
    target."""
    try:
        target(past.hold.target)
    except PermanentFailure as failure:
        return str(failure)
    return None


def take_back(ledger: Ledger, target: Callable[[str], Target], job: Job, past: Past) -> Past:
    """Bring one claimed hold as far as it can be brought now, and return how it stands. If a live grant
    stands behind the hold, hand it back to the workers as it was."""
    before = look(ledger, past.hold.key)
    revoked = Reconciliation(ledger, target, job).run(revoke_only=True)
    if not revoked:
        ledger.commit(Change(done=Done(claim=job.claim, next_at=job.claim.owed_at), frees=True))
    now = looked_at(ledger, past)
    if now.still_there or before is None:
        return now
    if not revoked:
        how = "in use by a live grant again"
    elif before.record.untouchable:
        how = "left, because the person had it before"
    elif before.record.phase is Phase.EMPTY:
        how = "never granted"
    else:
        how = how_it_ended(ledger, past)
    return replace(now, how=how)


def looked_at(ledger: Ledger, past: Past) -> Past:
    """Return the hold as it stands by now."""
    view = look(ledger, past.hold.key)
    if view is None or any(_lives(grant, view.snap) for grant in view.live):
        return replace(past, how="handled by a worker")
    if view.record.phase is Phase.EMPTY and not view.over and not view.ending:
        return replace(past, how="handled by a worker")
    if not view.record.failures:
        return past
    return replace(past, trouble=view.record.last_error or "", pause=backoff(view.record.failures))


def write_down(ledger: Ledger, swept: Collection[Past]) -> None:
    """Commit that a sweep was here, and what came of it."""
    left = [f"{hold_name(each.hold)}: {each.trouble}" for each in swept if each.still_there]
    done = [f"{hold_name(each.hold)}: {each.how}" for each in swept if not each.still_there]
    facts = {"done": done[:MOST_NAMED], "left": left[:MOST_NAMED], "counts": [len(done), len(left)]}
    here = Swept(at=ledger.read().now, left=len(left))
    audit = (Entry(what="swept", by=BY, facts=facts),) if swept else ()
    ledger.commit(Change(put={Key.of(Swept): here}, audit=audit, frees=True))


def how_it_ended(ledger: Ledger, past: Past) -> str:
    """Return in words what became of a hold of which nothing of ours is left."""
    grants = ledger.read(Key.of(Grant, each) for each in past.grants).all(Grant)
    left_by = next((grant.left_by for grant in grants if grant.left_by), None)
    return f"revoked, but they still have it from {left_by}" if left_by else "revoked"


def _lives(grant: Grant, snap: Snapshot) -> bool:
    return grant.state in LIVE and snap.live(grant) and not too_late(grant, snap.now)


def _read(
    ledger: Ledger, shape: type[Grant] | type[HoldRecord], ids: Iterable[Iterable[str]]
) -> Iterator[Snapshot]:
    for found in ids:
        for page in _pages(found):
            yield ledger.read(Key.of(shape, each) for each in page)


def _pages(every: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(every)
    while page := list(islice(rest, AT_ONCE)):
        yield page
