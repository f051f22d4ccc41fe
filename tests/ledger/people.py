"""Ada asks, Bob approves: the documents that the stories of the ledger are told with."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.core.grants import Grant, Origin, State
from bot.core.people import Person
from bot.ports import Due, Key

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
