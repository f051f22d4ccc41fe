"""A damaged or foreign record stops nobody else, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis
from structlog.testing import capture_logs

from bot.core.errors import PermanentFailure
from bot.core.grants import Grant
from bot.core.people import Person
from bot.ledger.codec import UNREADABLE, decode, decode_entry, encode
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Done, Entry, Lease, LeaseMove
from bot.ports.documents import Key, shapes
from bot.testing.memory_ledger import MemoryLedger
from tests.ledger.conftest import AnyLedger
from tests.ledger.people import ADA, ADAS_KEY, APPROVAL, SOME_DAY, ask, due, grant_key

Corrupt = Callable[[Key, str], None]
G1 = grant_key("g1")


@pytest.fixture
def corrupt(ledger: AnyLedger, beneath: Redis | None, workspace: str) -> Corrupt:
    """Return a function that replaces a document with another text, under the same version."""
    if isinstance(ledger, MemoryLedger):
        return ledger.corrupt
    assert beneath is not None
    return lambda key, text: written(beneath, workspace, key, text.encode())


def place(workspace: str, key: Key) -> str:
    return f"rotakey:{{{workspace}}}:doc:{key.kind}:{key.id}"


def written(client: Redis, workspace: str, key: Key, text: bytes) -> None:
    client.hset(place(workspace, key), "d", text)


def test_it_is_left_out_and_the_others_are_read(ledger: AnyLedger, corrupt: Corrupt) -> None:
    ledger.commit(APPROVAL)
    before = ledger.read([G1, ADAS_KEY], follow=["open"])
    corrupt(G1, '{"id": "g1"')
    seen = ledger.read([G1, ADAS_KEY], follow=["open"])
    assert seen.documents == {ADAS_KEY: ADA}
    assert seen.versions == before.versions
    assert seen.leases == before.leases


def test_its_text_is_kept_when_it_is_overwritten(ledger: AnyLedger, corrupt: Corrupt) -> None:
    ledger.commit(APPROVAL)
    corrupt(G1, '{"id":\n"g1"')
    seen = ledger.read([G1])
    ledger.commit(Change(rests_on=(seen,), put={G1: ask("g1", reason="mended")}))
    assert ledger.read([G1]).find(Grant, "g1") == ask("g1", reason="mended")
    (kept,) = ledger.condition().set_aside
    assert (kept.key, kept.text) == (G1, '{"id":\n"g1"')
    assert seen.now <= kept.at <= ledger.read().now
    assert kept.error.startswith("grant g1 in the ledger cannot be read (Invalid JSON: ")


def test_it_is_kept_once_however_often_it_is_read(ledger: AnyLedger, corrupt: Corrupt) -> None:
    ledger.commit(APPROVAL)
    corrupt(G1, "{")
    for _ in range(3):
        ledger.read([G1])
    assert len(ledger.condition().set_aside) == 1


def test_each_version_that_could_not_be_read_is_kept(ledger: AnyLedger, corrupt: Corrupt) -> None:
    for text in ("{", "[]"):
        ledger.commit(Change(put={G1: ask()}))
        corrupt(G1, text)
        ledger.read([G1])
    assert sorted(each.text for each in ledger.condition().set_aside) == ["[]", "{"]


def test_who_can_read_it_still_does(ledger: AnyLedger, corrupt: Corrupt) -> None:
    """A record that an old process cannot read stays in its place for a newer one."""
    ledger.commit(APPROVAL)
    corrupt(ADAS_KEY, "{}")
    unread = ledger.read([ADAS_KEY])
    corrupt(ADAS_KEY, encode(ADA))
    assert unread.documents == {}
    assert ledger.read([ADAS_KEY]).find(Person, ADA.id) == ADA


def test_what_rested_on_an_unreadable_grant_is_looked_at_now(ledger: AnyLedger, corrupt: Corrupt) -> None:
    ledger.commit(
        Change(
            put={G1: ask("g1"), grant_key("g2"): ask("g2")},
            leases=(Lease(grant="g1", how=LeaseMove.START),),
            index={("hold:db/1", "g1"): True, ("hold:db/2", "g2"): True, ("open", "g1"): True},
            due=(due("hold:db/1", SOME_DAY), due("hold:db/2", SOME_DAY), due("card:g1", SOME_DAY)),
        )
    )
    corrupt(G1, "{")
    ledger.read(follow=["open"])
    assert [each.member for each in ledger.claim(9, 9, {}).claims] == ["hold:db/1"]


def test_what_is_being_done_on_an_unreadable_grant_is_done_again(ledger: AnyLedger, corrupt: Corrupt) -> None:
    ledger.commit(Change(put={G1: ask()}, index={("hold:db/1", "g1"): True}, due=(due("hold:db/1"),)))
    (claim,) = ledger.claim(1, 1, {}).claims
    corrupt(G1, "{")
    ledger.read([G1])
    ledger.commit(Change(done=Done(claim=claim, next_at=SOME_DAY)))
    assert [each.member for each in ledger.claim(9, 9, {}).claims] == ["hold:db/1"]


def test_a_grant_in_an_index_without_a_document_does_no_harm(ledger: AnyLedger, corrupt: Corrupt) -> None:
    ledger.commit(APPROVAL)
    ledger.commit(Change(put={G1: None}))
    seen = ledger.read(follow=["open"])
    assert (seen.documents, seen.versions) == ({}, {G1: 0})


# ---------------------------------------------------------------------------- what Redis may have in it


def test_bytes_that_are_no_text_are_kept_byte_for_byte(
    redis_ledger: RedisLedger, client: Redis, workspace: str
) -> None:
    redis_ledger.commit(APPROVAL)
    written(client, workspace, G1, b'{"id": "\xff\xfe\x00"}')
    assert redis_ledger.read([G1, ADAS_KEY]).documents == {ADAS_KEY: ADA}
    (kept,) = redis_ledger.condition().set_aside
    assert kept.text == '{"id": "\\xff\\xfe\x00"}'
    (raw,) = raw_values(client, f"rotakey:{{{workspace}}}:aside")
    assert raw.endswith(b'\n{"id": "\xff\xfe\x00"}')


def raw_values(client: Redis, name: str) -> list[bytes]:
    found: Any = client.hvals(name)
    return [each.encode("utf-8", "surrogateescape") for each in found]


@pytest.mark.parametrize("version", [None, "", "seven", "-1"])
def test_a_document_without_a_version_is_none(
    redis_ledger: RedisLedger, client: Redis, workspace: str, version: str | None
) -> None:
    redis_ledger.commit(APPROVAL)
    if version is None:
        client.hdel(place(workspace, G1), "v")
    else:
        client.hset(place(workspace, G1), "v", version)
    seen = redis_ledger.read([G1])
    assert (seen.documents, seen.versions) == ({}, {G1: 0})
    assert redis_ledger.condition().set_aside[0].text.startswith('{"id":"g1"')
    redis_ledger.commit(Change(rests_on=(seen,), put={G1: ask()}))
    assert redis_ledger.read([G1]).find(Grant, "g1") == ask()


def test_what_stands_in_the_place_of_a_document_goes_out_of_the_way(
    redis_ledger: RedisLedger, client: Redis, workspace: str
) -> None:
    client.set(place(workspace, G1), "somebody else's")
    client.set(f"rotakey:{{{workspace}}}:index:open", "somebody else's")
    with capture_logs() as logs:
        seen = redis_ledger.read([G1], follow=["open"])
    assert (seen.documents, seen.versions) == ({}, {G1: 0})
    assert [each["log_level"] for each in logs] == ["critical", "critical"]
    redis_ledger.commit(Change(rests_on=(seen,), members={"open": ()}))
    redis_ledger.commit(Change(rests_on=(seen,), put={G1: ask()}, index={("open", "g1"): True}))
    assert redis_ledger.read(follow=["open"]).find(Grant, "g1") == ask()
    kept = [str(name) for name in client.scan_iter(match=f"rotakey:{{{workspace}}}:aside:*", count=1000)]
    assert [client.get(name) for name in kept] == ["somebody else's"] * 2


def test_it_is_told_loudly_and_once(redis_ledger: RedisLedger, client: Redis, workspace: str) -> None:
    redis_ledger.commit(APPROVAL)
    written(client, workspace, G1, b"{")
    with capture_logs() as logs:
        redis_ledger.read([G1])
        redis_ledger.read(follow=["open"])
    assert logs == [
        {
            "event": "record unreadable and set aside",
            "log_level": "critical",
            "key": "grant:g1",
            "error": "grant g1 in the ledger cannot be read (Invalid JSON: EOF while parsing an object at"
            " line 1 column 1): it is damaged, or was written by another version of Rotakey",
        }
    ]


def test_a_member_that_is_no_text_is_claimed_and_closed_like_any_other(
    redis_ledger: RedisLedger, client: Redis, workspace: str
) -> None:
    client.sadd(f"rotakey:{{{workspace}}}:lanes", "card")
    client.zadd(f"rotakey:{{{workspace}}}:due:card", {b"card:\xff": 1})
    (claim,) = redis_ledger.claim(9, 9, {}).claims
    assert redis_ledger.renew([claim]) == {claim.member}
    redis_ledger.commit(Change(done=Done(claim=claim)))
    assert redis_ledger.condition().owed == 0


def test_an_audit_entry_that_cannot_be_read_is_an_entry_that_says_so(
    redis_ledger: RedisLedger, client: Redis, workspace: str
) -> None:
    redis_ledger.commit(Change(audit=(Entry(what="approved"),)))
    client.xadd(f"rotakey:{{{workspace}}}:audit", {"e": b'{"what": \xff'})
    client.xadd(f"rotakey:{{{workspace}}}:audit", {"other": "field"})
    redis_ledger.commit(Change(audit=(Entry(what="given"),)))
    entries = [entry for _, _, entry in redis_ledger.entries()]
    assert [each.what for each in entries] == ["approved", UNREADABLE, UNREADABLE, "given"]
    assert entries[1].facts["text"] == '{"what": \\xff'


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(list(shapes())),
    text=st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)
def test_whatever_stands_there_is_read_or_called_unreadable(kind: str, text: str) -> None:
    with suppress(PermanentFailure):
        decode(Key(kind, "x"), text)
    decode_entry("1-0", text)
