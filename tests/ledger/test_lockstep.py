"""The ledger in memory answers exactly like the one in Redis, whatever is done to both."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, multiple, rule, run_state_machine_as_test
from redis import Redis

from bot.core.audit.chain import GENESIS, Seal, Sealed, Written, seal_of, text_of
from bot.core.errors import Conflict
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import (
    Change,
    Claim,
    Claims,
    Committed,
    Done,
    Drop,
    Due,
    Entry,
    Lease,
    LeaseMove,
    Order,
    Room,
    Snapshot,
)
from bot.ports.documents import Key
from bot.ports.ledger import Condition
from bot.testing.memory_ledger import MemoryLedger
from tests.ledger.conftest import AnyLedger
from tests.ledger.people import ADA, ADAS_KEY, LONG_AGO, NINE, SOME_DAY, ask, grant_key

ODD = timedelta(microseconds=1)
GRANTS = st.sampled_from(["g1", "g2", "g3"])
KEYS = st.sampled_from([grant_key("g1"), grant_key("g2"), ADAS_KEY])
INDEXES = st.sampled_from(["open", "ada"])
EVERY_MEMBER = ["hold:db/1", "hold:db/2", "hold:aws/1", "card:g1", "card:g2"]
MEMBERS = st.sampled_from(EVERY_MEMBER)
LANES = st.sampled_from(["hold:db", "hold:aws", "card"])
KINDS_OF_DUE = st.sets(st.sampled_from(["hold", "card"]), max_size=1)
KINDS_OF_ROOMS = st.sampled_from([("hold",), ("card", "note"), ()])
ROOMS = st.lists(
    st.builds(Room, kinds=KINDS_OF_ROOMS, own=st.integers(0, 2), shared=st.integers(0, 2)),
    unique_by=lambda room: room.kinds,
    max_size=3,
)
SERVED = st.lists(LANES, unique=True, max_size=3)
ORDERS = st.builds(Order, rooms=ROOMS.map(tuple), served=SERVED.map(tuple))
MOMENTS = st.sampled_from([LONG_AGO, LONG_AGO + ODD, SOME_DAY - ODD, SOME_DAY, SOME_DAY + timedelta(days=1)])
ASKS = [ask("g1"), ask("g1", reason="still stuck"), ask("g2")]
WRITES = st.sampled_from([(ADAS_KEY, ADA), *((grant_key(each.id), each) for each in ASKS)])


def few(each: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(each, max_size=2).map(tuple)


def sealed(number: int) -> Seal:
    entry = Written(name="1-0", at=LONG_AGO, text="{}")
    return seal_of((entry,), number=number, previous=GENESIS, at=LONG_AGO)


def dropped(number: int) -> Drop:
    """Return a drop of all up to that seal, but of no entry: entries have other names in the two ledgers."""
    return Drop(seal=Sealed(number=number, text=text_of(sealed(number))), last="")


CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "needs": st.just(()) | few(GRANTS),
    "without": st.just(()) | few(GRANTS),
    "members": st.just({}) | st.dictionaries(INDEXES, st.frozensets(GRANTS, max_size=2), max_size=1),
    "put": few(WRITES).map(dict) | st.dictionaries(KEYS, st.none(), max_size=1),
    "ensure": few(WRITES).map(dict),
    "leases": few(
        st.builds(
            Lease,
            grant=GRANTS,
            how=st.sampled_from([LeaseMove.START, LeaseMove.START, LeaseMove.MOVE, LeaseMove.DROP]),
            until=MOMENTS | st.none(),
        )
    ),
    "index": st.dictionaries(st.tuples(INDEXES, GRANTS), st.booleans(), max_size=2),
    "due": few(st.builds(Due, member=MEMBERS, at=MOMENTS)),
    "audit": few(st.builds(Entry, what=st.sampled_from(["asked", "approved"]), grant=GRANTS)),
    "seal": st.none() | st.builds(sealed, st.integers(1, 4)),
    "drop": st.none() | st.none() | st.builds(dropped, st.integers(1, 3)),
    "op": st.none() | st.sampled_from(["click-1", "click-2"]),
    "answer": st.sampled_from(["", "said"]),
    "frees": st.booleans(),
}


class Lockstep(RuleBasedStateMachine):
    """Two ledgers in lockstep. The memory's clock is set to Redis's, so that everything can be compared
    exactly."""

    snapshots: Bundle[Snapshot] = Bundle("snapshots")
    claims: Bundle[Claim] = Bundle("claims")

    def __init__(self, client: Redis) -> None:
        super().__init__()
        self._client, self._workspace = client, (workspace := uuid.uuid4().hex)
        self._redis = {n: RedisLedger(client, workspace, claim_seconds=n) for n in (0, 3600)}
        self._memory = MemoryLedger(NINE)

    @rule(target=snapshots, keys=st.lists(KEYS, max_size=3), follow=st.lists(INDEXES, max_size=2))
    def read(self, keys: Any, follow: Any) -> Any:
        theirs, ours = self._both(lambda ledger: ledger.read(keys, follow))
        assert ours == theirs
        assert list(ours.documents) == list(theirs.documents)
        return theirs

    @rule(rests_on=st.lists(snapshots, max_size=2), change=st.fixed_dictionaries(CHANGES))
    def commit(self, rests_on: Any, change: Any) -> None:
        self._commit(Change(rests_on=tuple(rests_on), **change))

    @rule(change=st.fixed_dictionaries(CHANGES))
    def commit_on_nothing(self, change: Any) -> None:
        self._commit(Change(**{**change, "needs": (), "without": (), "members": {}, "op": None}))

    @rule(claim=claims, next_at=st.none() | MOMENTS, failed=st.booleans(), due=CHANGES["due"])
    def close(self, claim: Claim, next_at: Any, failed: bool, due: Any) -> None:
        self._commit(Change(done=Done(claim=claim, next_at=next_at, failed=failed), due=due))

    @rule(
        target=claims,
        limit=st.integers(0, 4),
        share=st.integers(1, 3),
        busy=st.dictionaries(LANES, st.integers(0, 2)),
        kinds=KINDS_OF_DUE,
        besides=KINDS_OF_DUE,
        order=ORDERS,
        seconds=st.sampled_from([0, 3600]),
    )
    def claim(self, seconds: int, **how: Any) -> Any:
        theirs, ours = self._both(lambda ledger: ledger.claim(**how), seconds)
        assert ours.claims == theirs.claims
        assert near(ours, theirs)
        return multiple(*theirs.claims)

    @rule(target=claims, members=st.sets(MEMBERS, min_size=1), seconds=st.sampled_from([0, 3600]))
    def owe_and_claim(self, members: set[str], seconds: int) -> Any:
        """Claim what was just made due; otherwise hardly anything would ever be claimed."""
        self._owe_long_since(members)
        return self.claim(seconds, limit=4, share=3, busy={})

    @rule(target=claims, limit=st.integers(0, 2), order=ORDERS, seconds=st.sampled_from([0, 3600]))
    def owe_everything_and_claim_in_order(self, limit: int, order: Order, seconds: int) -> Any:
        """Make a lot due: only then does the order of claims matter."""
        self._owe_long_since(EVERY_MEMBER)
        return self.claim(seconds, limit=limit, share=3, busy={}, order=order)

    @rule(claims=st.lists(claims, max_size=3))
    def renew(self, claims: Any) -> None:
        theirs = self._redis[3600].renew(claims)
        self._memory.now = self._redis[3600].read().now
        self._memory.claim_seconds = 3600
        assert self._memory.renew(claims) == theirs

    @rule(key=KEYS, text=st.sampled_from(["{", "[]", '{"state": "levitating"}', "\udcff"]))
    def corrupt(self, key: Key, text: str) -> None:
        name = f"rotakey:{{{self._workspace}}}:doc:{key.kind}:{key.id}"
        if self._client.exists(name):
            self._client.hset(name, "d", text.encode("utf-8", "surrogateescape"))
            self._memory.corrupt(key, text)

    @rule(member=MEMBERS)
    def lose_what_is_due(self, member: str) -> None:
        self._client.zrem(self._named(f"due:{lane_of(member)}"), member)
        self._memory.lose(member)

    @rule(claim=claims, at=MOMENTS)
    def lose_what_is_claimed_and_owe_it_again(self, claim: Claim, at: datetime) -> None:
        self.lose_what_is_due(claim.member)
        self._commit(Change(due=(Due(member=claim.member, at=at),)))
        self.what_is_not_owed()

    @rule(member=MEMBERS)
    def lose_a_claim(self, member: str) -> None:
        self._client.hdel(self._named("claims"), member)
        self._memory.lose_claims(member)

    @rule(member=MEMBERS)
    def lose_a_generation(self, member: str) -> None:
        self._client.hdel(self._named("generations"), member)
        self._memory.lose_generations(member)

    @rule(member=MEMBERS)
    def fail_and_lose_failures(self, member: str) -> None:
        self._owe_long_since([member])
        claimed, _ = self._both(lambda ledger: ledger.claim_these([member], 1, 3, {}))
        for claim in claimed.claims:
            self._commit(Change(done=Done(claim=claim, next_at=LONG_AGO, failed=True)))
        self.condition()
        self.lose_failures(member)
        self.condition()

    @rule(member=MEMBERS)
    def lose_failures(self, member: str) -> None:
        self._client.zrem(self._named("failures"), member)
        self._memory.lose_failures(member)

    @rule(lane=LANES)
    def lose_a_lane(self, lane: str) -> None:
        self._client.srem(self._named("lanes"), lane)
        self._memory.lose_lanes(lane)

    @rule()
    def what_is_not_owed(self) -> None:
        assert self._memory.not_due(EVERY_MEMBER) == self._redis[3600].not_due(EVERY_MEMBER)

    @rule(longest=st.dictionaries(st.sampled_from(["hold", "card"]), st.just(timedelta(minutes=1))))
    def what_is_owed_too_late(self, longest: Any) -> None:
        """Make some claims last an hour, longer than any claim does."""
        theirs, ours = self._both(lambda ledger: ledger.owed_too_late(longest), 0)
        assert ours == theirs

    @rule(target=claims, members=st.lists(MEMBERS, unique=True), limit=st.integers(0, 3))
    def claim_these(self, members: list[str], limit: int) -> Any:
        theirs, ours = self._both(lambda ledger: ledger.claim_these(members, limit, 3, {}))
        assert ours.claims == theirs.claims
        assert near(ours, theirs)
        return multiple(*theirs.claims)

    @rule()
    def condition(self) -> None:
        theirs, ours = self._both(lambda ledger: ledger.condition())
        assert (ours.beat, ours.owed, ours.open) == (theirs.beat, theirs.owed, theirs.open)
        assert alike(ours.oldest, theirs.oldest)
        assert told(ours) == told(theirs)
        assert [(each.member, each.tries) for each in ours.failing] == [
            (each.member, each.tries) for each in theirs.failing
        ]

    @rule(count=st.integers(1, 3))
    def audit(self, count: int) -> None:
        ours, theirs = trail(self._memory, count), trail(self._redis[0], count)
        assert ours == theirs
        assert self._memory.seals(count - 1, count) == self._redis[0].seals(count - 1, count)

    def _named(self, name: str) -> str:
        return f"rotakey:{{{self._workspace}}}:{name}"

    def _owe_long_since(self, members: Collection[str]) -> None:
        self._commit(Change(due=tuple(Due(member=each, at=LONG_AGO) for each in sorted(members))))

    def _commit(self, change: Change) -> None:
        theirs, ours = self._both(lambda ledger: outcome(ledger, change))
        assert ours == theirs

    def _both(self, do: Callable[[AnyLedger], Any], seconds: int = 3600) -> tuple[Any, Any]:
        theirs = do(self._redis[seconds])
        if isinstance(theirs, Snapshot | Committed | Claims | Condition):
            self._memory.now = theirs.now
        self._memory.claim_seconds = seconds
        return theirs, do(self._memory)


def lane_of(member: str) -> str:
    before, slash, _ = member.partition("/")
    return before if slash else member.partition(":")[0]


def outcome(ledger: AnyLedger, change: Change) -> Committed | None:
    try:
        return ledger.commit(change)
    except Conflict:
        return None


def near(one: Claims, other: Claims) -> bool:
    """Return whether both wake at the same time."""
    return alike(one.next_at, other.next_at)


def told(condition: Condition) -> list[tuple[Key, str, str]]:
    return sorted((each.key, each.error, each.text) for each in condition.set_aside)


def alike(one: datetime | None, other: datetime | None) -> bool:
    """Return whether two claims are equal, apart from milliseconds of a renewed claim's end."""
    if one is None or other is None:
        return one is other
    return abs(one - other) < timedelta(seconds=10)


def trail(ledger: AnyLedger, count: int) -> list[Entry]:
    found: list[Entry] = []
    after = ""
    while page := ledger.entries(after, count):
        found.extend(entry for _, _, entry in page)
        after = page[-1][0]
    return found


def test_memory_and_redis_answer_alike(client: Redis) -> None:
    run_state_machine_as_test(
        cast("type[Lockstep]", partial(Lockstep, client)),
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
