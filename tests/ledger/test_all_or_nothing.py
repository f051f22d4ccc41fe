"""A change is written completely or not at all, and records are kept for as long as they are needed."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from bot.core.errors import Conflict, Misconfigured
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Committed, Done, Entry, Lease, LeaseMove
from tests.ledger.conftest import AnyLedger
from tests.ledger.keyspace import everything
from tests.ledger.people import ADA, ADAS_KEY, APPROVAL, LONG_AGO, SOME_DAY, ask, due, grant_key


@pytest.mark.parametrize(
    "reason",
    [
        {"needs": ("nowhere",)},
        {"without": ("g2",)},
        {"rests_on": "stale"},
        {
            "leases": (
                Lease(grant="g2", how=LeaseMove.DROP),
                Lease(grant="nowhere", how=LeaseMove.MOVE, until=SOME_DAY),
            )
        },
        {"done": "lost"},
    ],
    ids=lambda reason: next(iter(reason)),
)
def test_a_refused_change_leaves_no_trace(
    redis_ledger: RedisLedger, client: Redis, workspace: str, reason: dict[str, Any]
) -> None:
    nothing = redis_ledger.read([grant_key("g1")])
    redis_ledger.commit(APPROVAL)
    claim, other = redis_ledger.claim(2, 9, {}).claims
    redis_ledger.commit(Change(done=Done(claim=claim)))
    asked = {"stale": (nothing,), "lost": Done(claim=claim)}
    why = {name: asked[value] if isinstance(value, str) else value for name, value in reason.items()}
    before = everything(client, workspace)
    late = Change(
        put={grant_key("g1"): None, grant_key("g9"): ask("g9")},
        ensure={grant_key("g8"): ask("g8")},
        index={("open", "g9"): True, ("open", "g1"): False},
        due=(due("hold:db/9"), due(other.member)),
        audit=(Entry(what="approved"),),
        op="click-2",
    )
    with pytest.raises(Conflict):
        redis_ledger.commit(Change(**{**vars(late), **why}))
    assert everything(client, workspace) == before
    redis_ledger.commit(late)
    assert everything(client, workspace) != before


def test_what_could_not_be_written_as_json_leaves_no_trace(
    redis_ledger: RedisLedger, client: Redis, workspace: str
) -> None:
    broken = Entry(what="approved", facts={"by": object()})
    with pytest.raises(Exception, match="Unable to serialize"):
        redis_ledger.commit(replace(APPROVAL, audit=(broken,)))
    assert everything(client, workspace) == {}


def test_when_all_is_done_nothing_is_kept_about_what_was_due(
    redis_ledger: RedisLedger, client: Redis, workspace: str
) -> None:
    redis_ledger.commit(Change(due=(due("card:a"), due("card:b"))))
    for _ in range(2):
        for claim in redis_ledger.claim(9, 9, {}).claims:
            redis_ledger.commit(Change(done=Done(claim=claim, next_at=LONG_AGO, failed=True)))
    for claim in redis_ledger.claim(9, 9, {}).claims:
        redis_ledger.commit(Change(done=Done(claim=claim)))
    left = {name.rsplit(":", 1)[-1] for name in everything(client, workspace) if ":op:" not in name}
    assert left <= {"counter", "lanes", "nudge", "beat", "schema"}


def test_only_leases_and_operations_have_a_ttl(
    redis_ledger: RedisLedger, client: Redis, workspace: str
) -> None:
    redis_ledger.commit(APPROVAL)
    redis_ledger.claim(1, 9, {})
    names = list(everything(client, workspace))
    fleeting = {name.split(":", 2)[2] for name in names if client.ttl(name) != -1}
    sent = {name for name in fleeting if name.startswith("op:once:")}
    assert fleeting - sent == {"lease:g1", "op:click-1"}
    assert len(sent) == 1
    assert 0 < client.ttl(f"rotakey:{{{workspace}}}:op:click-1") <= 15 * 60


def test_the_clock_is_that_of_redis(redis_ledger: RedisLedger, client: Redis) -> None:
    (seconds, micros), now, (later_seconds, later_micros) = (
        client.time(),
        redis_ledger.read().now,
        client.time(),
    )
    moment = now.timestamp()
    assert seconds + micros / 1e6 - 0.001 <= moment <= later_seconds + later_micros / 1e6


def test_a_lease_is_never_seen_at_its_end_or_later(redis_ledger: RedisLedger) -> None:
    end = redis_ledger.read().now + timedelta(milliseconds=15)
    redis_ledger.commit(Change(leases=(Lease(grant="g1", how=LeaseMove.START, until=end),)))
    while "g1" in (seen := redis_ledger.read([grant_key("g1")])).leases:
        assert seen.now < end
    assert seen.now >= end


def test_a_large_counter_is_written_in_full(redis_ledger: RedisLedger, client: Redis, workspace: str) -> None:
    client.set(f"rotakey:{{{workspace}}}:counter", 2**52)
    redis_ledger.commit(APPROVAL)
    seen = redis_ledger.read([grant_key("g1")])
    assert seen.versions == {grant_key("g1"): 2**52 + 1}
    claim, *_ = redis_ledger.claim(1, 9, {}).claims
    assert (claim.generation, claim.fence) == (2**52 + 1, 2**52 + 2)
    redis_ledger.commit(Change(rests_on=(seen,), done=Done(claim=claim)))


def test_workspaces_do_not_see_each_other(client: Redis) -> None:
    one, other = (RedisLedger(client, uuid.uuid4().hex) for _ in range(2))
    one.commit(APPROVAL)
    assert other.read([ADAS_KEY], follow=["open"]).documents == {}
    assert other.claim(9, 9, {}).claims == ()
    assert not other.commit(APPROVAL).again


@pytest.mark.parametrize("name", ["", "a}b", "{", "two words", "a:b"])
def test_a_workspace_that_would_not_lie_in_one_slot_is_refused(client: Redis, name: str) -> None:
    with pytest.raises(Misconfigured, match="workspace"):
        RedisLedger(client, name)


def test_an_index_that_has_others_in_it_by_now_is_a_conflict(ledger: AnyLedger) -> None:
    ledger.commit(Change(index={("hold:a", "g1"): True}))
    ledger.commit(Change(members={"hold:a": ("g1",), "hold:b": ()}))
    for others in ((), ("g2",), ("g1", "g2")):
        with pytest.raises(Conflict, match="index hold:a has changed"):
            ledger.commit(Change(members={"hold:a": others}))


def test_of_several_commits_at_once_each_stands_for_itself(ledger: AnyLedger) -> None:
    before = ledger.read({ADAS_KEY})
    first, second, third = ledger.commit_all(
        (
            Change(rests_on=(before,), put={ADAS_KEY: ADA}),
            Change(rests_on=(before,), put={grant_key("g1"): ask("g1")}),
            Change(put={grant_key("g2"): ask("g2")}),
        )
    )
    assert isinstance(second, Conflict)
    assert isinstance(first, Committed)
    assert isinstance(third, Committed)
    snaps = ledger.read_all(((key,), ()) for key in (grant_key("g2"), ADAS_KEY, grant_key("g1")))
    assert [set(each.documents) for each in snaps] == [{grant_key("g2")}, {ADAS_KEY}, set()]
    assert [list(each.versions.values()) for each in snaps] == [[third.version], [first.version], [0]]
