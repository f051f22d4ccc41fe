"""Seeing to it that what should be owed is owed, whatever became of the due set.

A grant that is not finished owes that its holds are looked at, that its ask is decided, and that its person
is known. Nothing that is lost from the due set is lost for longer than until the next look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice

from bot.core.errors import TemporaryFailure
from bot.core.grants import Grant, State
from bot.core.holds import HoldRecord, Phase
from bot.ports import Census, Change, Done, Due, Entry, Key, Ledger, Snapshot
from bot.usecases.enact import standing_duties
from bot.usecases.office import Office
from bot.usecases.turn import Turn

EVERY = timedelta(minutes=15)
AT_ONCE = 200
MOST_NAMED = 20
"""In an audit entry."""


def look_through(ledger: Ledger, census: Census, turn: Turn) -> None:
    """Owe now what is not owed and should be, and look again in a while (``owed:all``)."""
    for members in _owing(ledger, census):
        missing = census.unowed(members)
        if missing:
            _owe(ledger, missing)
    now = ledger.read().now
    ledger.commit(Change(done=Done(claim=turn.claim, next_at=now + EVERY)))


def begin_anew(office: Office) -> None:
    """Nothing at all is owed, which is never so while a policy is in force: owe all that it needs. The look
    at everything is one of these."""
    try:
        catalog = office.catalog()
    except TemporaryFailure:
        return
    _owe(office.ledger, standing_duties(catalog))


def _owe(ledger: Ledger, members: Iterable[str]) -> None:
    lost = sorted(members)
    now = ledger.read().now
    entry = Entry(what="owed again", facts={"count": len(lost), "members": lost[:MOST_NAMED]})
    due = tuple(Due(member=each, at=now) for each in lost)
    ledger.commit(Change(due=due, audit=(entry,), frees=True))


def _owing(ledger: Ledger, census: Census) -> Iterator[set[str]]:
    for ids in _pages(census.grants("open")):
        snap = ledger.read(Key.of(Grant, each) for each in ids)
        yield {member for grant in snap.all(Grant) for member in _of_grant(grant)}
    for ids in _pages(census.holds()):
        yield set(_of_records(ledger.read(Key.of(HoldRecord, each) for each in ids)))


def _of_grant(grant: Grant) -> Iterator[str]:
    if grant.open:
        yield f"people:{grant.person}"
        yield from (f"hold:{hold.key}" for hold in grant.gives)
    if grant.state is State.ASKED:
        yield f"ask:{grant.id}"


def _of_records(snap: Snapshot) -> Iterator[str]:
    for record in snap.all(HoldRecord):
        if record.phase is not Phase.EMPTY:
            yield f"hold:{record.hold.key}"


def _pages(found: Iterable[Iterable[str]]) -> Iterator[list[str]]:
    rest = (each for page in found for each in page)
    while page := list(islice(rest, AT_ONCE)):
        yield page
