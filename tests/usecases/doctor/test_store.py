"""``rotakey doctor`` reports what is wrong with Redis and the workers, and what to do next."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.errors import TemporaryFailure
from bot.core.grants import Grant
from bot.ports.changes import Change, Done, Due
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, Swept
from bot.ports.ledger import ServerFacts
from bot.testing.cast import ADA, HOUR, NINE
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.story import Story
from bot.usecases.doctor import store, work
from bot.usecases.doctor.findings import Finding, Grade, look_at, not_known, ok, run_checks, wrong

DOWN = TemporaryFailure("orders-db does not answer")
REFUSED = "the call to Redis failed: Connection refused"
ADAS = "orders_rw on orders-db for ada@example.com"


class FakeServer:
    """Implements Server."""

    def __init__(self, facts: ServerFacts | None) -> None:
        self.notes_in = facts

    def facts(self) -> ServerFacts:
        if self.notes_in is None:
            raise TemporaryFailure(REFUSED)
        return self.notes_in


# ------------------------------------------------------------------------------------------- running


def test_the_worst_is_told_first_and_nothing_stops_the_rest() -> None:
    hanging = threading.Event()

    def hangs(_: Deadline) -> list[Finding]:
        hanging.wait(30)
        return []

    def fails(_: Deadline) -> Iterator[Finding]:
        yield ok("pager", "it answers")
        raise TemporaryFailure("Redis is away")

    def broken(_: Deadline) -> list[Finding]:
        raise ZeroDivisionError

    found = run_checks(
        {
            "good": lambda _: [ok("good", "all is well")],
            "slow": hangs,
            "pager": fails,
            "access": fails,
            "odd": broken,
            "bad": lambda _: [look_at("bad", "not quite"), wrong("bad", "not at all")],
        },
        Deadline.after(0.5),
    )
    hanging.set()
    assert found == [
        wrong("bad", "not at all"),
        not_known("slow", "it did not answer in time", "run rotakey doctor again"),
        not_known("pager, access", "Redis is away"),
        not_known("odd", "this is a bug in Rotakey; please report it: ZeroDivisionError()"),
        look_at("bad", "not quite"),
        ok("good", "all is well"),
        ok("pager", "it answers"),
    ]


# --------------------------------------------------------------------------------------------- redis

VALKEY = ServerFacts(name="Valkey 9.1.2", replicas=0)


def redis(story: Story, facts: ServerFacts | None = VALKEY, ahead: float = 0) -> list[Finding]:
    wall = story.now + timedelta(seconds=ahead)
    return list(store.look_at_redis(FakeServer(facts), story.memory, lambda: wall))


def test_a_redis_as_it_should_be(story: Story) -> None:
    [good] = redis(story)
    assert (good.grade, good.what[:23]) == (Grade.OK, "Valkey 9.1.2 writes in ")
    assert good.what.endswith(" ms, clock 0.0 s from ours")
    assert redis(story, replace(VALKEY, replicas=2))[0].what.endswith(", 2 replicas")


def test_a_redis_that_is_away_is_the_first_thing_told(story: Story) -> None:
    assert redis(story, None) == [wrong("redis", REFUSED, "start Redis, or correct REDIS_URL")]


def test_too_few_replicas(story: Story) -> None:
    few = replace(VALKEY, replicas=1)
    found = list(store.look_at_redis(FakeServer(few), story.memory, lambda: story.now, 2))
    assert found[0] == wrong(
        "redis",
        "REDIS_COPIES is 2, but Redis has 1 replica, so nothing is granted",
        "start more replicas, or lower REDIS_COPIES",
    )


def test_what_speaks_against_a_redis_is_wrong_and_what_could_be_better_is_to_be_looked_at(
    story: Story,
) -> None:
    found = redis(story, replace(VALKEY, objections=("it evicts",), warnings=("appendfsync is everysec",)))
    assert found[:2] == [wrong("redis", "it evicts"), look_at("redis", "appendfsync is everysec")]


@pytest.mark.parametrize(
    ("ahead", "grade", "way"),
    [
        (3, Grade.LOOK_AT, "3 s ahead of"),
        (-3, Grade.LOOK_AT, "3 s behind"),
        (61, Grade.WRONG, "61 s ahead of"),
    ],
)
def test_clocks_apart(story: Story, ahead: float, grade: Grade, way: str) -> None:
    found = redis(story, ahead=ahead)[0]
    what = f"this machine's clock is {way} that of Redis, which alone decides when access ends"
    assert found == Finding(about="redis", grade=grade, what=what, do="synchronize both clocks with NTP")


def test_a_redis_that_takes_no_writes(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Change) -> None:
        raise TemporaryFailure("Redis is full")

    monkeypatch.setattr(story.memory, "commit", full)
    assert redis(story) == [
        wrong(
            "redis",
            "it cannot be written to: Redis is full",
            "check its log, its disk and its memory",
        )
    ]


def test_a_slow_write() -> None:
    [slow, _] = store.pace(VALKEY, 0.25, 0)
    assert slow == look_at("redis", "a write takes 250 ms", "check its disk, its load and the network")


# -------------------------------------------------------------------------------------------- worker


def test_a_worker_at_work(story: Story) -> None:
    owed = story.memory.condition().owed
    assert list(work.look_at_worker(story.memory)) == [
        ok("worker", f"a worker asked for work 0s ago; {owed} jobs pending, none late")
    ]


def test_all_workers_are_dead(story: Story) -> None:
    story.memory.advance(11)
    assert list(work.look_at_worker(story.memory)) == [
        wrong(
            "worker",
            "no worker has asked for work for 11s, so nobody gets or loses access",
            "start one with rotakey worker; until then, run rotakey sweep --once",
        )
    ]


def test_there_never_was_a_worker() -> None:
    assert list(work.look_at_worker(MemoryLedger(NINE))) == [
        wrong("worker", "no worker has ever asked for work", "start one with rotakey worker")
    ]


@pytest.mark.parametrize(("waits", "grade"), [(30, Grade.LOOK_AT), (90, Grade.WRONG)])
def test_more_is_owed_than_is_done(waits: int, grade: Grade) -> None:
    ledger = MemoryLedger(NINE)
    ledger.commit(Change(due=(Due(member="card:G1", at=NINE),)))
    ledger.advance(waits)
    ledger.claim(0, 0, {})
    [late] = work.look_at_worker(ledger)
    about = "1m30s" if waits == 90 else "30s"
    assert (late.grade, late.what) == (
        grade,
        f"work has been due for {about} and is not started; 1 job pending",
    )


def test_what_fails_again_and_again_is_named_with_the_reason(story: Story) -> None:
    story.ask(ADA, length="1h")
    story.run_due()
    story.target.failing["revoke"] = DOWN
    story.pass_time(HOUR + 60)
    failed = story.memory.condition().failing[0]
    again = f"{round((failed.at - story.now).total_seconds())}s"
    assert work.failing(
        failed, story.memory.read({Key("hold", failed.member.removeprefix("hold:"))})
    ) == look_at("worker", f"{ADAS} failed {failed.tries} times in a row; next attempt in {again}: {DOWN}")
    [_, found] = work.look_at_worker(story.memory)
    assert found.what.startswith(f"{ADAS} failed ")


def test_what_fails_for_a_reason_that_only_the_log_has() -> None:
    ledger = MemoryLedger(NINE)
    poison(ledger, "card:G1", times=3)
    [_, found] = work.look_at_worker(ledger)
    assert found == look_at(
        "worker",
        "the card of grant G1 failed 3 times in a row; next attempt in 1m",
        "look for card:G1 in the workers' logs",
    )


def test_of_many_that_fail_a_few_are_named() -> None:
    ledger = MemoryLedger(NINE)
    poison(ledger, *(f"card:G{n}" for n in range(9)), times=3)
    found = list(work.look_at_worker(ledger))
    assert len(found) == 1 + 5 + 1
    assert found[-1] == look_at("worker", "and 4 more like these")


def poison(ledger: MemoryLedger, *members: str, times: int) -> None:
    ledger.commit(Change(due=tuple(Due(member=each, at=NINE) for each in members)))
    for n in range(times):
        at = NINE + timedelta(minutes=n == times - 1)
        for claim in ledger.claim(99, 99, {}).claims:
            ledger.commit(Change(done=Done(claim=claim, next_at=at, failed=True)))


def test_a_record_that_cannot_be_read(story: Story) -> None:
    grant = story.ask(ADA).standing.grant.id
    key = Key.of(Grant, grant)
    version, _ = story.memory._documents[key]
    story.memory._documents[key] = (version, "{")
    story.memory.read({key})
    story.memory.advance(60)
    [found] = work.look_at_records(story.memory, "main")
    kept = "its content is kept in the hash rotakey:{main}:aside"
    assert found.what.startswith(f"the record grant:{grant} could not be read 1m ago: ")
    assert (found.grade, found.do) == (
        Grade.WRONG,
        f"check by hand that the access it granted is gone; {kept}",
    )
    story.memory.commit(Change(put={key: None}))
    [found] = work.look_at_records(story.memory, "main")
    assert found.what.endswith("; it is gone by now")
    assert (found.grade, found.do) == (Grade.LOOK_AT, f"{kept}; delete its field once you have checked it")


CRONTAB = "check the crontab that runs it"


def swept(*, minutes: int, left: int = 0) -> Swept:
    return Swept(at=NINE - timedelta(minutes=minutes), left=left)


@pytest.mark.parametrize(
    ("it", "expected"),
    [
        (None, []),
        (swept(minutes=3), [ok("sweep", "rotakey sweep ran 3m ago, and left nothing behind")]),
        (
            swept(minutes=3, left=2),
            [wrong("sweep", "rotakey sweep ran 3m ago, and could not revoke 2 holds past the end")],
        ),
        (
            swept(minutes=26 * 60),
            [look_at("sweep", "rotakey sweep ran 1d2h ago, and has not run since", CRONTAB)],
        ),
    ],
)
def test_sweeps(it: Swept | None, expected: list[Finding]) -> None:
    ledger = MemoryLedger(NINE)
    if it:
        ledger.commit(Change(put={Key.of(Swept): it}))
    assert list(work.look_at_sweep(ledger)) == expected
