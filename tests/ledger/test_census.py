"""Any ledger lists all that is held, page by page, and claims jobs by name."""

from __future__ import annotations

import pytest
from redis import Redis

from bot.core.catalog import Entitlement
from bot.core.errors import TemporaryFailure
from bot.core.holds import Hold, HoldRecord
from bot.core.reasons import Why, because
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import PAGE, RedisLedger
from bot.ports.changes import Change, Done
from bot.ports.documents import Key, Note
from tests.ledger.conftest import AnyLedger
from tests.ledger.people import LONG_AGO, SOME_DAY, due

MANY = 3 * PAGE


def record(account: str) -> HoldRecord:
    role = Entitlement(target="orders-db", what=(("role", "orders_rw"),))
    return HoldRecord(hold=Hold(target="orders-db", account=account, entitlement=role))


def test_all_grants_of_an_index_come_in_pages(ledger: AnyLedger) -> None:
    everybody = {f"g{n}" for n in range(MANY)}
    ledger.commit(Change(index={("open", each): True for each in everybody} | {("ada", "g1"): True}))
    assert {each for page in ledger.grants("open") for each in page} == everybody
    assert [list(page) for page in ledger.grants("ada")] == [["g1"]]
    assert [each for page in ledger.grants("nobody") for each in page] == []


def test_what_stays_is_on_one_of_the_pages_whatever_comes_and_goes_between_them(ledger: AnyLedger) -> None:
    stays = {f"g{n}" for n in range(MANY)}
    comes, goes = ({f"{each}{n}" for n in range(MANY)} for each in ("comes", "goes"))
    ledger.commit(Change(index={("open", each): True for each in stays | goes}))
    found, after = ledger.page_of_grants("open", 0)
    every = [*found]
    assert 0 < len(found) < 2 * PAGE
    ledger.commit(Change(index={("open", each): each in comes for each in comes | goes}))
    while after:
        found, after = ledger.page_of_grants("open", after)
        every += found
    assert stays <= set(every)
    assert ledger.page_of_grants("nothing", 0) == ([], 0)


def test_documents_come_in_pages_too(ledger: AnyLedger) -> None:
    put = {Key("hold", f"db/{n}"): record(f"ada{n}") for n in range(MANY)}
    ledger.commit(Change(put=put))
    ledger.commit(Change(put={Key("note", "n1"): Note(id="n1", channel="C1", reason=because(Why.EVERYONE))}))
    found, after = ledger.page_of_documents(HoldRecord, 0)
    every = [*found]
    while after:
        found, after = ledger.page_of_documents(HoldRecord, after)
        every += found
    assert set(every) == {key.id for key in put}


def test_pages_are_bounded_also_where_redis_gives_more(redis_ledger: RedisLedger) -> None:
    redis_ledger.commit(Change(index={("open", str(n)): True for n in range(PAGE)}))
    assert max(len(page) for page in redis_ledger.grants("open")) <= PAGE


def test_all_hold_records_are_found_and_nothing_else(
    ledger: AnyLedger, beneath: Redis | None, workspace: str
) -> None:
    ledger.commit(Change(put={Key("hold", f"db/{n}"): record(f"ada{n}") for n in range(10)}))
    ledger.commit(Change(index={("hold:db/9", "g1"): True}, due=(due("hold:db/11"),)))
    if beneath is not None:
        stranger = RedisLedger(beneath, workspace + "x")
        stranger.commit(Change(put={Key("hold", "db/10"): record("dan")}))
    assert {each for page in ledger.holds() for each in page} == {f"db/{n}" for n in range(10)}
    assert [each for page in ledger.documents(Note) for each in page] == []
    ledger.commit(Change(put={Key("note", "n1"): Note(id="n1", channel="C1", reason=because(Why.EVERYONE))}))
    assert [each for page in ledger.documents(Note) for each in page] == ["n1"]


def test_the_hold_records_of_one_target_are_found(ledger: AnyLedger) -> None:
    keys = {f"{target}/{n}" for target in ("db", "db2", "prod-db") for n in range(3)}
    ledger.commit(Change(put={Key("hold", key): record(key) for key in keys}))
    found = {each for page in ledger.holds("db") for each in page}
    assert found == {"db/0", "db/1", "db/2"}
    assert [each for page in ledger.holds("nowhere") for each in page] == []


def test_what_no_open_grant_holds_is_told(ledger: AnyLedger) -> None:
    ledger.commit(Change(index={("hold:db/1", "g1"): True, ("hold:db/2", "g1"): True, ("open", "g1"): True}))
    ledger.commit(Change(index={("hold:db/2", "g1"): False}))
    assert ledger.unheld(("db/1", "db/2", "db/3")) == {"db/2", "db/3"}
    assert ledger.unheld(()) == frozenset()


def test_what_is_named_is_claimed_and_nothing_else(ledger: AnyLedger) -> None:
    ledger.commit(Change(due=(due("hold:db/1", LONG_AGO), due("hold:db/2"), due("hold:db/3"))))
    ledger.commit(Change(due=(due("hold:db/4", SOME_DAY),)))
    named = ("hold:db/4", "hold:db/3", "hold:db/5", "hold:db/2")
    found = ledger.claim_these(named, 9, 9, {})
    assert [each.member for each in found.claims] == ["hold:db/3", "hold:db/2"]
    assert ledger.claim_these(named, 9, 9, {}).claims == ()
    assert ledger.claim_these((), 9, 9, {}).claims == ()
    assert [each.member for each in ledger.claim(9, 9, {}).claims] == ["hold:db/1"]
    ledger.commit(Change(done=Done(claim=found.claims[0])))
    assert ledger.condition().owed == 3


def test_what_is_named_keeps_to_the_limit_and_to_the_share(ledger: AnyLedger) -> None:
    named = ("hold:db/1", "hold:db/2", "hold:db/3", "hold:aws/1", "hold:aws/2")
    ledger.commit(Change(due=tuple(due(each) for each in named)))
    first = ledger.claim_these(named, 3, 2, {"hold:db": 1})
    assert [each.member for each in first.claims] == ["hold:db/1", "hold:aws/1", "hold:aws/2"]
    assert len(ledger.claim_these(named, 1, 9, {}).claims) == 1


def test_who_claims_what_is_named_is_no_worker(ledger: AnyLedger) -> None:
    ledger.claim_these(("hold:db/1",), 1, 1, {})
    ledger.claim_these((), 1, 1, {})
    assert ledger.condition().beat is None


def test_a_redis_that_is_away_is_a_temporary_failure() -> None:
    with connect("unix:///nowhere/socket") as client:
        away = RedisLedger(client)
        with pytest.raises(TemporaryFailure):
            list(away.grants("open"))
        with pytest.raises(TemporaryFailure):
            list(away.holds())
        with pytest.raises(TemporaryFailure):
            away.page_of_grants("open", 0)
        with pytest.raises(TemporaryFailure):
            away.page_of_documents(Note, 0)


def test_what_is_not_owed_is_told(ledger: AnyLedger) -> None:
    ledger.commit(Change(due=(due("hold:db/1"), due("hold:db/2", SOME_DAY), due("card:g1"))))
    ledger.claim(1, 1, {})
    asked = ("hold:db/1", "hold:db/2", "hold:db/3", "card:g1", "card:g2")
    assert ledger.not_due(asked) == {"hold:db/3", "card:g2"}
    assert ledger.not_due(()) == frozenset()


def test_what_is_owed_in_a_lane_that_nobody_knows_counts_as_not_owed(
    redis_ledger: RedisLedger, client: Redis, workspace: str
) -> None:
    redis_ledger.commit(Change(due=(due("hold:db/1", SOME_DAY), due("hold:aws/1"), due("card:g1"))))
    client.srem(f"rotakey:{{{workspace}}}:lanes", "hold:db", "card")
    lost = redis_ledger.not_due(("hold:db/1", "hold:aws/1", "card:g1"))
    assert lost == {"hold:db/1", "card:g1"}
    redis_ledger.commit(Change(due=tuple(due(each) for each in lost)))
    assert len(redis_ledger.claim(9, 9, {}).claims) == 3
