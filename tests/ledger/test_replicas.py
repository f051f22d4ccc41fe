"""Before access is granted, replicas have what led to it: a failover forgets nothing that was acted on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from redis import Redis

from bot.core.errors import Conflict, NotCopied
from bot.core.grants import Grant, HoldState, State
from bot.ledger import copies
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Due
from bot.testing.cast import ADA, BOB
from bot.testing.slack import dm
from bot.testing.story import Story
from bot.testing.valkeys import Node, replica_set
from tests.ledger.people import ADA as ADAS_RECORD
from tests.ledger.people import ADAS_KEY, APPROVAL, ask, grant_key

UNCONFIRMED = (
    "0 of 1 Redis replicas have confirmed what is about to be done: nothing is granted until they all have"
)
GIVING = replace(APPROVAL, copied=True)
Pair = tuple[Node, Node]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with replica_set() as (primary, replica):
        yield primary, replica


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "COPIED_WITHIN", timedelta(milliseconds=150))


@pytest.fixture
def unconfirmed(pair: Pair) -> Iterator[Pair]:
    """Yield a primary and its replica, which keeps its connection but confirms nothing."""
    pair[1].server.pause()
    yield pair
    pair[1].server.go_on()


@pytest.fixture
def here(pair: Pair) -> Iterator[Redis]:
    with connect(pair[0].url) as client:
        yield client


@pytest.fixture
def copied(here: Redis, workspace: str) -> RedisLedger:
    return RedisLedger(here, workspace, copies=1)


def test_when_it_returns_the_replica_has_it(copied: RedisLedger, pair: Pair, workspace: str) -> None:
    copied.commit(GIVING)
    with pair[1].client() as replica:
        kept = RedisLedger(replica, workspace).read([grant_key("g1")])
    assert kept.find(Grant, "g1") == ask("g1")


def test_where_the_replica_does_not_confirm_it_is_written_and_not_to_be_acted_on(
    copied: RedisLedger, unconfirmed: Pair
) -> None:
    with pytest.raises(NotCopied) as raised:
        copied.commit(GIVING)
    assert str(raised.value) == UNCONFIRMED
    assert copied.read([grant_key("g1")]).find(Grant, "g1") == ask("g1")
    assert [entry.what for _, _, entry in copied.entries()] == ["approved"]


def test_what_was_written_before_counts_as_copied_when_it_is(
    here: Redis, copied: RedisLedger, unconfirmed: Pair, workspace: str
) -> None:
    """The second attempt writes nothing, on a connection that never wrote anything."""
    with pytest.raises(NotCopied):
        copied.commit(GIVING)
    with connect(unconfirmed[0].url) as another, pytest.raises(NotCopied):
        RedisLedger(another, workspace, copies=1).commit(GIVING)
    unconfirmed[1].server.go_on()
    assert copied.commit(GIVING).again


def test_what_is_not_to_be_copied_does_not_wait(copied: RedisLedger, unconfirmed: Pair) -> None:
    copied.commit(replace(APPROVAL, frees=True))


def test_where_no_copies_are_asked_for_nothing_waits(here: Redis, workspace: str, unconfirmed: Pair) -> None:
    RedisLedger(here, workspace).commit(GIVING)


def test_who_lost_to_another_is_told_that_first(copied: RedisLedger, unconfirmed: Pair) -> None:
    before = copied.read([ADAS_KEY])
    copied.commit(Change(put={ADAS_KEY: ADAS_RECORD}))
    with pytest.raises(Conflict):
        copied.commit(Change(rests_on=(before,), copied=True))


def test_one_that_is_to_be_copied_makes_all_of_its_round_trip_wait(
    copied: RedisLedger, unconfirmed: Pair
) -> None:
    with pytest.raises(NotCopied):
        copied.commit_all((Change(put={ADAS_KEY: ADAS_RECORD}), replace(GIVING, op=None)))
    assert len(copied.read([ADAS_KEY, grant_key("g1")]).documents) == 2


def test_a_script_that_redis_forgot_is_sent_again_and_copied(
    here: Redis, copied: RedisLedger, pair: Pair
) -> None:
    here.script_flush()
    copied.commit(GIVING)
    here.script_flush()
    pair[1].server.pause()
    with pytest.raises(NotCopied):
        copied.commit(replace(GIVING, op=None))
    pair[1].server.go_on()


def test_where_redis_may_not_be_asked_nothing_counts_as_copied(
    here: Redis, pair: Pair, workspace: str
) -> None:
    pair[0].ask("ACL", "SETUSER", "bob", "on", ">secret", "~*", "+@all", "-wait")
    url = pair[0].url.replace("//", "//bob:secret@")
    with connect(url) as client, pytest.raises(NotCopied, match="does not say whether 1 replicas have it"):
        RedisLedger(client, workspace, copies=1).commit(GIVING)
    assert RedisLedger(here, workspace).read([grant_key("g1")]).documents


def test_more_copies_than_there_are_replicas_are_never_confirmed(here: Redis, workspace: str) -> None:
    with pytest.raises(NotCopied, match="1 of 2 Redis replicas have confirmed"):
        RedisLedger(here, workspace, copies=2).commit(GIVING)


# ------------------------------------------------------------------------------------ a whole bot


class Bot(Story):
    """A story on a primary with a replica. Nobody can set their clocks."""

    def __init__(self, ledger: RedisLedger) -> None:
        super().__init__(begin=False)
        self.ledger = self.trail = ledger
        self.memory.now = ledger.read().now  # by which facts are said to be fresh
        self.context = self.another_context()
        self.enact(self.policy)
        self.run_due("workspace", "groups")
        self.run_due()

    def try_again(self, grant: str) -> None:
        """Retry now what would otherwise be retried later."""
        now = self.ledger.read().now
        holds = [Due.hold(hold.key, at=now) for hold in self.grant(grant).gives]
        self.ledger.commit(Change(due=tuple(holds)))
        self.run_due()


def test_nothing_is_given_that_a_failover_could_forget_and_taking_back_goes_on(
    copied: RedisLedger, pair: Pair
) -> None:
    story = Bot(copied)
    orders = story.ask(ADA).standing.grant.id
    story.approve(BOB, orders)
    story.run_due()
    assert story.has(ADA)
    pair[1].server.pause()
    migration = story.ask(ADA, "schema-migration", "1h").standing.grant.id
    story.approve(BOB, migration)
    story.run_due()
    assert not story.has(ADA, "migrator")
    waiting = story.grant(migration)
    assert (waiting.state, waiting.trouble) == (State.APPROVED, UNCONFIRMED)
    assert story.messenger.cards_of(migration, "holder")[dm(ADA)].view.grant.trouble == UNCONFIRMED
    story.give_back(ADA, orders)
    story.run_due()
    assert not story.has(ADA)
    assert story.grant(orders).state is State.ENDED
    pair[1].server.go_on()
    story.try_again(migration)
    assert story.has(ADA, "migrator")
    given = story.grant(migration)
    assert (given.state, given.trouble) == (State.ACTIVE, None)
    assert set(given.holds.values()) == {HoldState.GIVEN}
