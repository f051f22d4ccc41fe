"""Old audit entries are dropped only up to a seal that is stored exactly as it was made."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis import Redis

from bot.core.audit.chain import GENESIS, Seal, Sealed, seal_of, text_of
from bot.core.errors import Conflict, TemporaryFailure
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Drop, Entry
from bot.testing.valkey import Valkey
from tests.ledger.conftest import AnyLedger
from tests.ledger.people import NINE
from tests.ledger.test_refusing import user


def sealed(ledger: AnyLedger, number: int, previous: str = GENESIS, after: str = "") -> Seal:
    """Commit two entries and the seal over them."""
    ledger.commit(Change(audit=(Entry(what="asked", grant=f"g{number}"), Entry(what="approved"))))
    seal = seal_of(ledger.written_entries(after), number=number, previous=previous, at=NINE)
    ledger.commit(Change(seal=seal))
    return seal


@pytest.fixture
def seals(ledger: AnyLedger) -> list[Seal]:
    one = sealed(ledger, 1)
    two = sealed(ledger, 2, one.head, one.last)
    return [one, two, replace(two, number=3)]


def drop(seal: Seal) -> Drop:
    return Drop(seal=Sealed(number=seal.number, text=text_of(seal)), last=seal.last)


def test_all_up_to_a_seal_is_dropped_and_the_rest_stays(ledger: AnyLedger, seals: list[Seal]) -> None:
    one, two, three = seals
    kept = ledger.written_entries(one.last)
    ledger.commit(Change(seal=three, drop=drop(one), audit=(Entry(what="dropped"),)))
    assert [each.number for each in ledger.seals()] == [2, 3]
    assert ledger.written_entries()[:2] == kept
    assert [entry.what for _, _, entry in ledger.entries()] == ["asked", "approved", "dropped"]
    assert ledger.written_entries()[-1].name > two.last


def test_all_may_be_dropped_and_names_go_on(ledger: AnyLedger, seals: list[Seal]) -> None:
    ledger.commit(Change(seal=seals[2], drop=drop(seals[1])))
    assert ledger.written_entries() == []
    ledger.commit(Change(audit=(Entry(what="later"),)))
    assert ledger.written_entries()[0].name > seals[1].last


def test_nothing_is_dropped_up_to_a_seal_that_is_not_as_it_was(ledger: AnyLedger, seals: list[Seal]) -> None:
    one, two, three = seals
    entries, before = ledger.written_entries(), ledger.seals()
    changed = replace(one, at=two.at.replace(hour=10))
    for change in (
        Change(seal=three, drop=drop(changed)),
        Change(seal=replace(three, number=8), drop=drop(replace(one, number=7))),
        Change(drop=drop(one)),
    ):
        with pytest.raises(Conflict, match=r"seal [17](-0)? is not as it was"):
            ledger.commit(change)
    assert (ledger.written_entries(), ledger.seals()) == (entries, before)


def test_a_user_of_redis_who_may_not_drop_writes_no_seal_either(
    client: Redis, server: Valkey, workspace: str
) -> None:
    with user(client, server, workspace) as (theirs, may):
        ledger = RedisLedger(theirs, workspace)
        one = sealed(ledger, 1)
        may("-xtrim")
        with pytest.raises(TemporaryFailure, match="this user of Redis may not XTRIM"):
            ledger.commit(Change(seal=replace(one, number=2), drop=drop(one)))
        assert [each.number for each in ledger.seals()] == [1]


def test_while_the_audit_cannot_be_written_nothing_is_dropped(
    client: Redis, server: Valkey, workspace: str
) -> None:
    """Although other writes that free memory still work."""
    with user(client, server, workspace) as (theirs, may):
        ledger = RedisLedger(theirs, workspace)
        one = sealed(ledger, 1)
        may("-xadd")
        entry = Entry(what="dropped")
        with pytest.raises(TemporaryFailure, match="may not XADD"):
            ledger.commit(Change(seal=replace(one, number=2), drop=drop(one), audit=(entry,), frees=True))
        assert [each.number for each in ledger.seals()] == [1]
        assert len(ledger.written_entries()) == 2
