"""Any ledger keeps documents, leases, indexes and the audit as its port promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.core.errors import Conflict
from bot.core.grants import Grant, State
from bot.core.people import Person
from bot.ports.changes import Change, Entry, Lease, LeaseMove, Snapshot
from bot.ports.documents import Key
from tests.ledger.conftest import AnyLedger
from tests.ledger.people import ADA, ADAS_KEY, LONG_AGO, SOME_DAY, ask, grant_key


def start(grant: str, until: datetime | None = SOME_DAY) -> Lease:
    return Lease(grant=grant, how=LeaseMove.START, until=until)


def move(grant: str, until: datetime | None) -> Lease:
    return Lease(grant=grant, how=LeaseMove.MOVE, until=until)


def drop(grant: str) -> Lease:
    return Lease(grant=grant, how=LeaseMove.DROP)


def leases(ledger: AnyLedger, *grants: str) -> Mapping[str, datetime | None]:
    return ledger.read([grant_key(each) for each in grants]).leases


# ---------------------------------------------------------------------------------------- documents


def test_adas_ask_is_read_as_it_was_written_and_with_its_version(ledger: AnyLedger) -> None:
    ledger.commit(Change(put={grant_key(): ask(), ADAS_KEY: ADA}))
    seen = ledger.read([grant_key(), ADAS_KEY])
    assert seen.find(Grant, "g1") == ask()
    assert seen.find(Person, "U02ADA") == ADA
    assert seen.versions[grant_key()] == seen.versions[ADAS_KEY] > 0


def test_what_is_not_there_has_version_zero(ledger: AnyLedger) -> None:
    seen = ledger.read([grant_key("nowhere")])
    assert seen.documents == {}
    assert seen.versions == {grant_key("nowhere"): 0}


def test_a_document_without_a_name_of_its_own(ledger: AnyLedger) -> None:
    only = Key("policy-text")
    assert ledger.read([only]).versions == {only: 0}


def test_a_name_may_hold_colons_braces_and_words_of_any_language(ledger: AnyLedger) -> None:
    odd = 'shift:{prod}:"Ådá"\n東京'
    ledger.commit(Change(put={grant_key(odd): ask(odd)}, leases=(start(odd),)))
    seen = ledger.read([grant_key(odd)])
    assert seen.find(Grant, odd) == ask(odd)
    assert odd in seen.leases


def test_two_approvers_who_saw_the_same_ask_collide(ledger: AnyLedger) -> None:
    ledger.commit(Change(put={grant_key(): ask()}))
    bobs_view, daves_view = ledger.read([grant_key()]), ledger.read([grant_key()])
    ledger.commit(Change(rests_on=(bobs_view,), put={grant_key(): ask(state=State.DENIED)}))
    with pytest.raises(Conflict, match="grant:g1 has changed"):
        ledger.commit(Change(rests_on=(daves_view,), put={grant_key(): ask(state=State.APPROVED)}))
    assert ledger.read([grant_key()]).find(Grant, "g1") == ask(state=State.DENIED)


def test_two_who_create_the_same_document_collide(ledger: AnyLedger) -> None:
    nothing_there = ledger.read([grant_key()])
    ledger.commit(Change(rests_on=(nothing_there,), put={grant_key(): ask()}))
    with pytest.raises(Conflict):
        ledger.commit(Change(rests_on=(nothing_there,), put={grant_key(): ask(reason="me too")}))


def test_a_decision_rests_on_documents_it_does_not_write(ledger: AnyLedger) -> None:
    ledger.commit(Change(put={ADAS_KEY: ADA}))
    seen = ledger.read([ADAS_KEY])
    ledger.commit(Change(put={ADAS_KEY: replace(ADA, deactivated=True)}))
    with pytest.raises(Conflict):
        ledger.commit(Change(rests_on=(seen,), put={grant_key(): ask()}))
    assert ledger.read([grant_key()]).find(Grant, "g1") is None


def test_two_views_of_one_document_that_differ_are_a_conflict(ledger: AnyLedger) -> None:
    before = ledger.read([grant_key()])
    ledger.commit(Change(put={grant_key(): ask()}))
    after = ledger.read([grant_key()])
    with pytest.raises(Conflict):
        ledger.commit(Change(rests_on=(before, after), put={ADAS_KEY: ADA}))
    with pytest.raises(Conflict):
        ledger.commit(Change(rests_on=(after, before), put={ADAS_KEY: ADA}))


def test_a_document_that_was_deleted_and_came_back_is_another_one(ledger: AnyLedger) -> None:
    ledger.commit(Change(put={grant_key(): ask()}))
    first = ledger.read([grant_key()])
    ledger.commit(Change(put={grant_key(): None}))
    assert ledger.read([grant_key()]).versions == {grant_key(): 0}
    ledger.commit(Change(put={grant_key(): ask()}))
    with pytest.raises(Conflict):
        ledger.commit(Change(rests_on=(first,), put={grant_key(): ask(reason="late")}))


def test_ensure_writes_only_where_nothing_is(ledger: AnyLedger) -> None:
    ledger.commit(Change(ensure={grant_key(): ask(), ADAS_KEY: ADA}))
    first = ledger.read([grant_key()])
    ledger.commit(Change(ensure={grant_key(): ask(reason="another")}))
    again = ledger.read([grant_key()])
    assert again.find(Grant, "g1") == ask()
    assert again.versions == first.versions


# ------------------------------------------------------------------------------------------- leases


def test_a_lease_has_its_end_or_none_and_is_told_for_grants_only(ledger: AnyLedger) -> None:
    ledger.commit(Change(leases=(start("g1"), start("g2", None))))
    assert leases(ledger, "g1", "g2", "g3") == {"g1": SOME_DAY, "g2": None}
    assert ledger.read([Key("group", "g1"), Key("seat", "g1")]).leases == {}


def test_a_lease_ends_on_the_millisecond_before_what_was_said_at_the_latest(ledger: AnyLedger) -> None:
    ledger.commit(Change(leases=(start("g1", SOME_DAY + timedelta(microseconds=1999)),)))
    assert leases(ledger, "g1") == {"g1": SOME_DAY + timedelta(milliseconds=1)}


def test_a_lease_whose_end_is_past_is_not_there(ledger: AnyLedger) -> None:
    ledger.commit(Change(leases=(start("g1", LONG_AGO), start("g2"))))
    ledger.commit(Change(leases=(start("g2", LONG_AGO),)))
    assert leases(ledger, "g1", "g2") == {}


def test_a_lease_is_moved_both_ways_and_dropped(ledger: AnyLedger) -> None:
    sooner = SOME_DAY - timedelta(days=1)
    ledger.commit(Change(leases=(start("g1"), start("g2"), start("g3"))))
    ledger.commit(Change(leases=(move("g1", sooner), move("g2", None), drop("g3"))))
    assert leases(ledger, "g1", "g2", "g3") == {"g1": sooner, "g2": None}
    ledger.commit(Change(leases=(move("g2", SOME_DAY), move("g1", LONG_AGO))))
    assert leases(ledger, "g1", "g2") == {"g2": SOME_DAY}


def test_what_has_ended_stays_ended(ledger: AnyLedger) -> None:
    with pytest.raises(Conflict, match="lease of g1 is gone"):
        ledger.commit(Change(leases=(move("g1", SOME_DAY),), put={grant_key(): ask()}))
    seen = ledger.read([grant_key()])
    assert seen.leases == {}
    assert seen.documents == {}


def test_a_change_may_need_a_lease_or_its_absence(ledger: AnyLedger) -> None:
    ledger.commit(Change(leases=(start("g1"), start("g2", None))))
    ledger.commit(Change(needs=("g1", "g2"), without=("g3",), put={ADAS_KEY: ADA}))
    with pytest.raises(Conflict, match="lease of g3 is gone"):
        ledger.commit(Change(needs=("g1", "g3")))
    with pytest.raises(Conflict, match="lease of g2 is there"):
        ledger.commit(Change(without=("g3", "g2")))


# ------------------------------------------------------------------------------------------ indexes


def test_following_an_index_reads_its_grants_and_their_leases(ledger: AnyLedger) -> None:
    ledger.commit(
        Change(
            put={grant_key("g2"): ask("g2"), grant_key("g1"): ask("g1")},
            index={("open", "g2"): True, ("open", "g1"): True, ("open", "lost"): True, ("ada", "g1"): True},
            leases=(start("g1"),),
        )
    )
    seen = ledger.read([ADAS_KEY, grant_key("g2")], follow=["open", "ada", "nothing"])
    assert [each.id for each in seen.all(Grant)] == ["g2", "g1"]
    assert set(seen.versions) == {ADAS_KEY, grant_key("g1"), grant_key("g2"), grant_key("lost")}
    assert seen.versions[grant_key("lost")] == 0
    assert seen.leases == {"g1": SOME_DAY}


def test_the_grants_of_an_index_come_in_the_order_of_their_names(ledger: AnyLedger) -> None:
    names = ["g3", "g1", "g20", "g2"]
    ledger.commit(Change(index={("open", name): True for name in names}))
    assert [key.id for key in ledger.read(follow=["open"]).versions] == ["g1", "g2", "g20", "g3"]


def test_a_grant_leaves_an_index(ledger: AnyLedger) -> None:
    ledger.commit(Change(put={grant_key(): ask()}, index={("open", "g1"): True}))
    ledger.commit(Change(index={("open", "g1"): False, ("open", "g9"): False}))
    assert ledger.read(follow=["open"]).versions == {}


# ------------------------------------------------------------------------------ operations and audit


def test_a_click_that_is_delivered_twice_counts_once(ledger: AnyLedger) -> None:
    seen = ledger.read([grant_key()])
    click = Change(
        rests_on=(seen,),
        put={grant_key(): ask()},
        audit=(Entry(what="asked", grant="g1"),),
        op="click-1",
        answer="g1",
    )
    first = ledger.commit(click)
    assert (first.again, first.answer) == (False, "g1")
    again = ledger.commit(replace(click, answer="g2"))
    assert (again.again, again.answer) == (True, "g1")
    assert len(ledger.entries()) == 1
    with pytest.raises(Conflict):
        ledger.commit(replace(click, op="click-2"))


def test_an_operation_that_was_refused_can_be_done_later(ledger: AnyLedger) -> None:
    with pytest.raises(Conflict):
        ledger.commit(Change(needs=("g1",), op="click-1"))
    ledger.commit(Change(leases=(start("g1"),)))
    assert not ledger.commit(Change(needs=("g1",), op="click-1")).again


def test_the_audit_is_read_in_order_from_wherever_one_stopped(ledger: AnyLedger) -> None:
    wrote = [Entry(what=f"step {n}", grant="g1", by="U03BOB", facts={"n": n}) for n in range(5)]
    ledger.commit(Change(audit=tuple(wrote[:3])))
    ledger.commit(Change(audit=tuple(wrote[3:])))
    first = ledger.entries(count=2)
    rest = ledger.entries(after=first[-1][0])
    assert [entry for _, _, entry in (*first, *rest)] == wrote
    assert ledger.entries(after=rest[-1][0]) == []
    assert abs(first[0][1] - ledger.read().now) < timedelta(minutes=1)


def test_all_times_come_from_the_ledger_and_tick_in_milliseconds(ledger: AnyLedger) -> None:
    wrote = ledger.commit(Change()).now
    read: Snapshot = ledger.read()
    assert wrote <= read.now
    assert read.now.microsecond % 1000 == 0
    assert read.now.utcoffset() == timedelta()
