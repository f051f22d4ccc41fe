"""Ada asks, Bob approves: the documents that the ledger's tests use."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.core.grants import Grant, Origin, State
from bot.core.people import Person
from bot.ports.changes import Change, Due, Entry, Lease, LeaseMove
from bot.ports.documents import Key

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
SOME_DAY = datetime(2101, 1, 1, tzinfo=UTC)


def ask(name: str = "g1", *, reason: str = "orders are stuck", state: State = State.ASKED) -> Grant:
    return Grant(
        id=name,
        person="U02ADA",
        resource="prod-db",
        origin=Origin.ASKED,
        state=state,
        asked_at=NINE,
        length=3600,
        reason=reason,
        policy="1a2b",
    )


def grant_key(name: str = "g1") -> Key:
    return Key.of(Grant, name)


ADA = Person(id="U02ADA", team="T1", name="Ada", email="ada@example.com", email_confirmed=True, read_at=NINE)
ADAS_KEY = Key.of(Person, ADA.id)


def due(member: str, at: datetime = LONG_AGO) -> Due:
    return Due(member=member, at=at)


APPROVAL = Change(
    put={grant_key("g1"): ask("g1"), ADAS_KEY: ADA},
    leases=(Lease(grant="g1", how=LeaseMove.START, until=SOME_DAY), Lease(grant="g2", how=LeaseMove.START)),
    index={("open", "g1"): True},
    due=(due("hold:db/1"), due("card:g1"), due("ask:g1", SOME_DAY)),
    audit=(Entry(what="approved", grant="g1"),),
    op="click-1",
    answer="g1",
)
