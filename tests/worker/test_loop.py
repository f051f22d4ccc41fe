"""The worker's loop: how threads are assigned, how claims are kept, and what follows from failures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from math import inf

import pytest
from structlog.testing import capture_logs

from bot.core.errors import Conflict, PermanentFailure, TemporaryFailure
from bot.ports.changes import OLDEST_FIRST, Change, Claim, Claims, Committed, Done, Due, Order, Snapshot
from bot.ports.deadline import Deadline
from bot.ports.documents import Key
from bot.ports.ledger import CLAIM_SECONDS
from bot.testing.cast import NINE
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.polling import until
from bot.usecases.job import Job
from bot.worker import loop
from bot.worker.admission import RESERVED, SLACK, World
from bot.worker.loop import Worker

LONG_ENOUGH = 10.0


class Bell(MemoryLedger):
    """A ledger that wakes waiting workers, can be unreachable, and remembers what was renewed."""

    def __init__(self) -> None:
        super().__init__(NINE)
        self.rung = threading.Event()
        self.away = False
        self.refused = 0
        self.asked = 0
        self.note_renewal: list[str] = []

    def claim(
        self,
        limit: int,
        share: int,
        busy: Mapping[str, int],
        kinds: Collection[str] = (),
        besides: Collection[str] = (),
        order: Order = OLDEST_FIRST,
    ) -> Claims:
        self._answer()
        self.asked += 1
        return super().claim(limit, share, busy, kinds, besides, order)

    def commit(self, change: Change) -> Committed:
        self._answer()
        receipt = super().commit(change)
        self.rung.set()
        return receipt

    def read(self, keys: Iterable[Key] = (), follow: Iterable[str] = ()) -> Snapshot:
        self._answer()
        return super().read(keys, follow)

    def renew(self, claims: Collection[Claim]) -> frozenset[str]:
        self._answer()
        kept = super().renew(claims)
        self.note_renewal += sorted(kept)
        return kept

    def wait(self, seconds: float) -> None:
        self._answer()
        self.rung.wait(seconds)
        self.rung.clear()

    def owe(self, *members: str) -> None:
        self.commit(Change(due=tuple(Due(member=each, at=self.now) for each in members)))

    def _answer(self) -> None:
        if self.away:
            self.refused += 1
            raise TemporaryFailure("the call to Redis failed")


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Bell:
    monkeypatch.setattr(loop, "RENEW_EVERY", 0.01)
    monkeypatch.setattr(loop, "REDIS_AWAY_PAUSE", 0.01)
    monkeypatch.setattr(loop, "SLEEP_AT_MOST", 0.05)
    return Bell()


@contextmanager
def running(it: Worker) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=it.run)
    thread.start()
    try:
        yield thread
    finally:
        it.stop()
        thread.join(LONG_ENOUGH)
        assert not thread.is_alive()


class Gate:
    """A duty that waits until it is let through."""

    def __init__(self, ledger: Bell) -> None:
        self.ledger = ledger
        self.open = threading.Event()
        self.inside: list[Job] = []
        self.most: dict[str, int] = {}
        self.done: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, job: Job) -> None:
        with self._lock:
            self.inside.append(job)
            lane = job.claim.lane
            here = sum(each.claim.lane == lane for each in self.inside)
            self.most[lane] = max(self.most.get(lane, 0), here)
        self.open.wait(LONG_ENOUGH)
        with self._lock:
            self.inside.remove(job)
            self.done.append(job.claim.member)
        self.ledger.commit(Change(done=Done(claim=job.claim)))


def closes(ledger: Bell, seen: list[Claim]) -> Callable[[Job], None]:
    def duty(job: Job) -> None:
        seen.append(job.claim)
        ledger.commit(Change(done=Done(claim=job.claim)))

    return duty


def owed(ledger: Bell, after: timedelta) -> list[Claim]:
    """Claim all that is due that long after nine."""
    ledger.now = NINE + after
    return list(ledger.claim(100, 100, {}).claims)


# ------------------------------------------------------------------------------------------ threads


TWO = World(targets=frozenset({"db", "other"}))


class Calls:
    """Batches and a duty for targets and sources that answer at once, unless they hang."""

    def __init__(self, ledger: Bell) -> None:
        self.ledger = ledger
        self.hanging: set[str] = set()
        self.let_go = threading.Event()
        self.inside: list[Job] = []
        self.done: list[str] = []
        self._lock = threading.Lock()

    def do(self, jobs: Sequence[Job], *, hurry: bool) -> list[Job]:
        for job in jobs:
            self(job)
        return []

    def __call__(self, job: Job) -> None:
        job.call()
        with self._lock:
            self.inside.append(job)
        if job.claim.id.partition("/")[0] in self.hanging:
            self.let_go.wait(LONG_ENOUGH)
        with self._lock:
            self.inside.remove(job)
            self.done.append(job.claim.member)
        self.ledger.commit(Change(done=Done(claim=job.claim)))

    def asked(self, name: str) -> list[Job]:
        """Return the calls that are waiting for this one to answer."""
        with self._lock:
            return [job for job in self.inside if job.claim.id.partition("/")[0] == name]

    def waits(self, lane: str) -> float:
        return inf

    def pressing(self, lane: str) -> bool:
        return True

    def behind(self) -> list[Job]:
        return []

    def catch_up(self) -> None:
        """Do nothing: nothing is left for later."""


def answered(ledger: Bell, calls: Calls, name: str, kind: str = "hold") -> None:
    """Let it answer one call, so that it is trusted."""
    ledger.owe(f"{kind}:{name}/first" if kind == "hold" else f"{kind}:{name}")
    until(lambda: calls.done and not calls.inside)
    calls.done.clear()


def rounds(ledger: Bell, count: int = 3) -> None:
    """Wait until the worker has asked for more work that many times."""
    before = ledger.asked
    until(lambda: ledger.asked >= before + 2 * count)


def test_what_hangs_has_its_share_of_the_threads_and_leaves_all_others_theirs(ledger: Bell) -> None:
    calls, quick = Calls(ledger), list[Claim]()
    duties = {"card": closes(ledger, quick), "seal": closes(ledger, quick), "alarm": closes(ledger, quick)}
    duties |= {"roster": calls}
    world = World(targets=frozenset({"slow", "slower", "third"}), sources=frozenset({"pager"}), wished=16)
    it = Worker(ledger, ledger, duties, {"hold": calls}, lambda: None, lambda: world)
    with running(it):
        for name in ("slow", "slower"):
            answered(ledger, calls, name)
        calls.hanging |= {"slow", "slower"}
        ledger.owe(*(f"hold:{name}/{number}" for name in ("slow", "slower") for number in range(50)))
        until(lambda: len(calls.inside) == 16 - world.least + 2)
        ledger.owe("hold:third/1", "card:1", "seal:1", "alarm:1", "roster:pager")
        until(lambda: len(quick) == 3 and len(calls.done) == 2)
        assert sorted(calls.done) == ["hold:third/1", "roster:pager"]
        assert len(calls.asked("slow")) + len(calls.asked("slower")) == 16 - world.least + 2
        calls.hanging.clear()
        calls.let_go.set()


def test_a_policy_that_needs_more_threads_than_were_asked_for_is_complained_of_once(ledger: Bell) -> None:
    world = [TWO]
    it = Worker(ledger, ledger, {}, {}, lambda: None, lambda: world[0])
    with capture_logs() as logged, running(it):
        rounds(ledger)
        assert logged == []
        world[0] = replace(TWO, wished=TWO.least - 1)
        until(lambda: logged != [])
        rounds(ledger)
    [complaint] = logged
    assert (complaint["log_level"], "WORKER_THREADS" in complaint["mistakes"]) == ("critical", True)


def test_what_was_not_asked_for_a_while_shows_first_with_one_call_that_it_answers(
    ledger: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(ledger)
    calls.hanging.add("db")
    ledger.owe(*(f"hold:db/{number}" for number in range(50)))
    with running(Worker(ledger, ledger, {}, {"hold": calls}, lambda: None, lambda: TWO)):
        until(lambda: calls.asked("db"))
        rounds(ledger)
        assert len(calls.asked("db")) == 1
        calls.hanging.clear()
        calls.let_go.set()
        until(lambda: len(calls.done) == 50)
        calls.let_go.clear()
        calls.hanging.add("db")
        monkeypatch.setattr(loop, "TRUSTED_FOR", 0.0)
        ledger.owe(*(f"hold:db/{number}" for number in range(50)))
        until(lambda: calls.asked("db"))
        rounds(ledger)
        assert len(calls.asked("db")) == 1
        calls.let_go.set()


def test_after_a_call_that_met_its_deadline_there_is_one_thread_until_a_call_is_answered(
    ledger: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "TRUSTED_FOR", LONG_ENOUGH)
    calls = Calls(ledger)
    with running(Worker(ledger, ledger, {}, {"hold": calls}, lambda: None, lambda: TWO)):
        answered(ledger, calls, "db")
        calls.hanging.add("db")
        ledger.owe("hold:db/1")
        until(lambda: calls.asked("db"))
        met_its_deadline(calls.asked("db")[0])
        ledger.owe(*(f"hold:db/{number}" for number in range(2, 9)))
        rounds(ledger)
        assert len(calls.asked("db")) == 1
        waited_for, calls.let_go = calls.let_go, threading.Event()
        waited_for.set()
        until(lambda: calls.done and calls.asked("db"))
        rounds(ledger)
        assert len(calls.asked("db")) == 1
        calls.hanging.clear()
        calls.let_go.set()
        until(lambda: len(calls.done) == 8)


def met_its_deadline(job: Job) -> None:
    job._call = (0.0, Deadline(1.0))


def test_a_call_that_ignores_its_deadline_is_replaced_once(ledger: Bell) -> None:
    calls = Calls(ledger)
    calls.hanging.add("db")
    with running(Worker(ledger, ledger, {}, {"hold": calls}, lambda: None, lambda: TWO)):
        for number in (1, 2):
            ledger.owe(f"hold:db/{number}")
            until(lambda number=number: len(calls.asked("db")) == number)  # type: ignore[misc]  # of this round
            job = calls.asked("db")[-1]
            job.deadline = Deadline.after(-CLAIM_SECONDS - 1)
            met_its_deadline(job)
        ledger.owe(*(f"hold:db/{number}" for number in range(3, 9)), "hold:other/1")
        until(lambda: "hold:other/1" in calls.done)
        rounds(ledger)
        assert len(calls.asked("db")) == 2
        calls.hanging.clear()
        calls.let_go.set()
        until(lambda: len(calls.done) == 9)


def test_what_a_target_is_waited_for_besides_its_holds_has_no_thread_beyond_its_own(ledger: Bell) -> None:
    calls = Calls(ledger)
    calls.hanging.add("db")
    ledger.owe("hold:db/1")
    with running(Worker(ledger, ledger, {"sweep": calls}, {"hold": calls}, lambda: None, lambda: TWO)):
        until(lambda: calls.asked("db"))
        ledger.owe("sweep:db", "sweep:other")
        until(lambda: calls.done)
        rounds(ledger)
        assert [job.claim.member for job in calls.inside] == ["hold:db/1"]
        assert calls.done == ["sweep:other"]
        calls.hanging.clear()
        calls.let_go.set()
        until(lambda: not calls.inside)
        ledger.advance(1)
        until(lambda: "sweep:db" in calls.done)


def test_a_note_is_told_between_any_two_of_very_many_cards(ledger: Bell) -> None:
    told: list[str] = []

    def tell(job: Job) -> None:
        if job.claim.member == "card:010":
            ledger.advance(1)
            ledger.owe("note:1")
        told.append(job.claim.member)
        ledger.commit(Change(done=Done(claim=job.claim)))

    ledger.owe(*(f"card:{number:03}" for number in range(200)))
    with running(Worker(ledger, ledger, {"card": tell, "note": tell})):
        until(lambda: len(told) == 201)
    assert told.index("note:1") < told.index("card:010") + 2 * RESERVED[SLACK]


def test_what_left_the_policy_while_it_is_held_there_has_a_thread_too(ledger: Bell) -> None:
    calls = Calls(ledger)
    ledger.owe("hold:gone/1", "hold:gone/2")
    with running(Worker(ledger, ledger, {}, {"hold": calls}, lambda: None, World)):
        until(lambda: len(calls.done) == 2)


def test_a_worker_whose_threads_are_all_in_use_gives_signs_of_life(ledger: Bell) -> None:
    calls = Calls(ledger)
    calls.hanging |= {"db", "other"}
    world = replace(TWO, wished=TWO.least)
    ledger.owe(*(f"hold:{name}/{number}" for name in ("db", "other") for number in range(9)))
    with running(Worker(ledger, ledger, {}, {"hold": calls}, lambda: None, lambda: world)):
        until(lambda: len(calls.inside) == 2)
        ledger.advance(3600)
        until(lambda: ledger.condition().beat == ledger.now)
        calls.hanging.clear()
        calls.let_go.set()
        until(lambda: len(calls.done) >= 18)


class Lots:
    """Batches that wait to be let through, and leave what they are told to leave. If told to, they write
    nothing down until later."""

    def __init__(self, ledger: Bell, *leaving: str) -> None:
        self.ledger = ledger
        self.leaving = leaving
        self.open = threading.Event()
        self.lots: list[list[str]] = []
        self.raising: Exception | None = None
        self.waiting = inf
        self.unwritten: list[Job] = []
        self.press = True

    def do(self, jobs: Sequence[Job], *, hurry: bool) -> list[Job]:
        self.lots.append([job.claim.member for job in jobs])
        self.open.wait(LONG_ENOUGH)
        if self.raising:
            raise self.raising
        done = [job for job in jobs if job.claim.member not in self.leaving]
        self.unwritten += done
        if not hurry:
            self.catch_up()
        return [job for job in jobs if job not in done]

    def waits(self, lane: str) -> float:
        return self.waiting

    def pressing(self, lane: str) -> bool:
        return self.press

    def behind(self) -> list[Job]:
        return list(self.unwritten)

    def catch_up(self) -> None:
        while self.unwritten:
            self.ledger.commit(Change(done=Done(claim=self.unwritten.pop().claim)))


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every dependency known to answer."""
    monkeypatch.setattr(loop, "WITHIN", Everything())


class Everything:
    def __contains__(self, name: str) -> bool:
        return True


def for_lots(ledger: Bell, duties: Mapping[str, loop.Duty], lots: Lots, share: int) -> Worker:
    world = replace(TWO, wished=share + TWO.least)
    worker = Worker(ledger, ledger, duties, {"hold": lots}, lambda: None, lambda: world)
    worker.share = share
    return worker


@pytest.mark.usefixtures("trusting")
def test_many_of_a_target_are_done_together_on_no_more_threads_than_its_share(ledger: Bell) -> None:
    lots, alone, quick = Lots(ledger, "hold:db/7"), list[Claim](), list[Claim]()
    ledger.owe(*(f"hold:db/{number}" for number in range(10)), "card:1")
    duties = {"hold": closes(ledger, alone), "card": closes(ledger, quick)}
    with running(for_lots(ledger, duties, lots, share=2)):
        until(lambda: len(lots.lots) == 2 and len(quick) == 1)
        assert [len(lot) for lot in lots.lots] == [5, 5]
        ledger.owe("hold:other/1", "card:2")
        until(lambda: len(lots.lots) == 3 and len(quick) == 2)
        ledger.owe("hold:db/11")
        rounds(ledger)
        assert len(lots.lots) == 3
        lots.open.set()
        until(lambda: sum(map(len, lots.lots)) == 12 and alone)
    assert [claim.member for claim in alone] == ["hold:db/7"]
    assert owed(ledger, timedelta(days=1)) == []


@pytest.mark.usefixtures("trusting")
def test_in_a_flood_nothing_else_has_more_threads_than_its_own(
    ledger: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "FLOOD_FOR", LONG_ENOUGH)
    lots, gate, quick = Lots(ledger), Gate(ledger), list[Claim]()
    ledger.owe(*(f"hold:db/{number}" for number in range(97)), *(f"card:{number}" for number in range(9)))
    it = for_lots(ledger, {"card": gate, "seal": closes(ledger, quick)}, lots, share=3)
    with running(it):
        until(lambda: len(gate.inside) == RESERVED[SLACK])
        rounds(ledger)
        assert gate.most == {"card": RESERVED[SLACK]}
        assert [len(lot) for lot in lots.lots] == [32, 32, 32]
        ledger.owe("seal:audit")
        until(lambda: quick)
        it._flood = Deadline.after(0)
        until(lambda: gate.most["card"] > RESERVED[SLACK])
        lots.open.set()
        gate.open.set()
        until(lambda: len(gate.done) == 9 and sum(map(len, lots.lots)) == 97)


@pytest.mark.usefixtures("trusting")
def test_very_much_that_can_wait_is_no_flood(ledger: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "FLOOD_FOR", LONG_ENOUGH)
    lots = Lots(ledger)
    lots.press = False
    lots.open.set()
    ledger.owe(*(f"hold:db/{number}" for number in range(200)))
    it = for_lots(ledger, {}, lots, share=2)
    with running(it):
        until(lambda: sum(map(len, lots.lots)) == 200)
        assert max(map(len, lots.lots)) >= 32
        assert not it._in_flood


@pytest.mark.usefixtures("trusting")
def test_in_a_flood_claims_are_kept_of_what_is_not_written_down_yet(
    ledger: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "FLOOD_FOR", LONG_ENOUGH)
    lots, quick = Lots(ledger), list[Claim]()
    lots.open.set()
    ledger.owe(*(f"hold:db/{number}" for number in range(64)))
    it = for_lots(ledger, {"card": closes(ledger, quick)}, lots, share=2)
    with running(it):
        until(lambda: len(lots.behind()) == 64 and it.idle)
        first = ledger.note_renewal.count("hold:db/0")
        until(lambda: ledger.note_renewal.count("hold:db/0") > first + 10)
        ledger.owe("card:1")
        until(lambda: quick)
        assert len(lots.behind()) == 64
        it._flood = Deadline.after(0)
        until(lambda: not lots.behind())
    assert owed(ledger, timedelta(days=1)) == []


@pytest.mark.usefixtures("trusting")
def test_what_was_not_written_down_is_when_the_worker_stops(
    ledger: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "FLOOD_FOR", LONG_ENOUGH)
    lots = Lots(ledger)
    lots.open.set()
    ledger.owe(*(f"hold:db/{number}" for number in range(64)))
    with running(for_lots(ledger, {}, lots, share=2)):
        until(lambda: len(lots.behind()) == 64)
    assert lots.behind() == []
    assert owed(ledger, timedelta(days=1)) == []


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(("waiting", "sizes"), [(0, [48, 48]), (loop.WORKS_FOR, [32, 32, 32])])
def test_a_lane_has_no_more_threads_than_there_is_waiting_to_do(
    ledger: Bell, waiting: float, sizes: list[int]
) -> None:
    lots = Lots(ledger)
    lots.waiting = waiting
    ledger.owe(*(f"hold:db/{number}" for number in range(96)))
    with running(for_lots(ledger, {}, lots, share=4)):
        until(lambda: sum(map(len, lots.lots)) == 96)
        ledger.owe("hold:db/97")
        rounds(ledger)
        assert [len(lot) for lot in lots.lots] == sizes
        lots.open.set()
        until(lambda: not lots.behind() and sum(map(len, lots.lots)) == 97)


def test_a_redis_that_hangs_in_a_lot_is_waited_for_a_few_times_and_not_once_for_each(ledger: Bell) -> None:
    """Each wait takes seconds, and delays a worker that was told to stop."""
    lots = Lots(ledger)
    lots.raising = TemporaryFailure("the call to Redis failed")
    ledger.owe(*(f"hold:db/{number}" for number in range(32)))
    it = Worker(ledger, ledger, {}, {"hold": lots})
    with running(it):
        until(lambda: lots.lots)
        it.stop()
        ledger.wait = lambda seconds: None  # type: ignore[method-assign]  # it hangs in that, too
        ledger.renew = lambda claims: frozenset()  # type: ignore[method-assign]  # and in that
        ledger.refused, ledger.away = 0, True
        lots.open.set()
        until(lambda: it.idle)
    assert len(lots.lots[0]) == 32
    assert ledger.refused <= 2


def test_what_may_be_claimed_by_another_by_now_is_left_to_it(ledger: Bell) -> None:
    lots, seen = Lots(ledger, *(f"hold:db/{number}" for number in range(9))), list[Job]()

    def slow(job: Job) -> None:
        seen.append(job)
        for task in it._tasks:
            for other in task.jobs:
                other.fence = Deadline.after(-1)
        ledger.away = True

    ledger.owe(*lots.leaving)
    it = Worker(ledger, ledger, {"hold": slow}, {"hold": lots})
    ledger.renew = lambda claims: frozenset()  # type: ignore[method-assign]  # it hangs in that
    with running(it):
        until(lambda: lots.lots)
        lots.open.set()
        until(lambda: seen and it.idle)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("failure", "alone"), [(TemporaryFailure("down"), 0), (ZeroDivisionError("a fault of ours"), 2)]
)
def test_what_fails_together_is_tried_again_and_what_nobody_foresaw_is_done_one_by_one(
    ledger: Bell, failure: Exception, alone: int
) -> None:
    lots, seen = Lots(ledger), list[Claim]()
    lots.raising = failure
    lots.open.set()
    ledger.owe("hold:db/1", "hold:db/2")
    with running(Worker(ledger, ledger, {"hold": closes(ledger, seen)}, {"hold": lots})):
        until(lambda: lots.lots)
        until(lambda: len(seen) == alone)
    assert len(lots.lots) == 1
    assert [claim.tries for claim in owed(ledger, timedelta(seconds=1))] == [1] * (2 - alone)


def test_what_waited_too_long_for_those_before_it_is_handed_back(ledger: Bell) -> None:
    lots, seen = Lots(ledger, "hold:db/1", "hold:db/2"), list[Claim]()
    ledger.owe("hold:db/1", "hold:db/2")

    def slow(job: Job) -> None:
        for task in it._tasks:
            for other in task.jobs:
                other.deadline = Deadline.after(1)
        closes(ledger, seen)(job)

    it = Worker(ledger, ledger, {"hold": slow}, {"hold": lots})
    with running(it):
        until(lambda: lots.lots)
        lots.open.set()
        until(lambda: len(seen) == 2)
    assert lots.lots[0] == ["hold:db/1", "hold:db/2"]
    assert lots.lots[1] == [seen[1].member]
    assert seen[1].tries == 0


def test_what_is_newly_owed_is_done_at_once(ledger: Bell) -> None:
    seen: list[Claim] = []
    with running(Worker(ledger, ledger, {"card": closes(ledger, seen)})):
        ledger.owe("card:1")
        until(lambda: len(seen) == 1)
        ledger.owe("card:2")
        until(lambda: len(seen) == 2)
    assert owed(ledger, timedelta(days=1)) == []


# ------------------------------------------------------------------------------------------- claims


def test_a_claim_is_renewed_for_as_long_as_its_duty_has_time(ledger: Bell) -> None:
    gate = Gate(ledger)
    ledger.owe("hold:db/1", "hold:other/2")
    with running(Worker(ledger, ledger, {"hold": gate})):
        until(lambda: len(gate.inside) == 2)
        fences = [job.fence.at for job in gate.inside]
        until(lambda: all(job.fence.at > fence for job, fence in zip(gate.inside, fences, strict=True)))
        first, second = (job.claim.member for job in gate.inside)
        gate.inside[0].deadline = Deadline.after(0)
        renewed_often(ledger, second)
        before = ledger.note_renewal.count(first)
        renewed_often(ledger, second)
        assert ledger.note_renewal.count(first) == before
        gate.open.set()
    assert sorted(gate.done) == ["hold:db/1", "hold:other/2"]


def test_a_claim_lost_to_another_is_not_taken_for_renewed(ledger: Bell) -> None:
    gate = Gate(ledger)
    ledger.owe("hold:db/1")
    with running(Worker(ledger, ledger, {"hold": gate})):
        until(lambda: gate.inside)
        with ledger._lock:
            ledger.advance(CLAIM_SECONDS + 1)
            assert [claim.taken_over for claim in ledger.claim(1, 1, {}).claims] == [True]
        ledger.owe("card:1", "hold:other/2")
        until(lambda: len(gate.inside) == 2)
        renewed_often(ledger, "hold:other/2")
        fence = gate.inside[0].fence
        renewed_often(ledger, "hold:other/2")
        assert gate.inside[0].fence == fence
        gate.open.set()


def renewed_often(ledger: Bell, member: str) -> None:
    before = ledger.note_renewal.count(member)
    until(lambda: ledger.note_renewal.count(member) > before + 2)


def test_one_that_hangs_beyond_its_claim_does_not_stop_the_next_from_keeping_its_own(ledger: Bell) -> None:
    gate, hanging = Gate(ledger), threading.Event()
    jobs: list[Job] = []

    def hangs_at_first(job: Job) -> None:
        jobs.append(job)
        if len(jobs) == 1:
            hanging.wait(LONG_ENOUGH)
        else:
            gate(job)

    ledger.owe("hold:db/1", "card:1")
    it = Worker(ledger, ledger, {"hold": hangs_at_first, "card": gate})
    with running(it):
        until(lambda: jobs and gate.inside)
        jobs[0].deadline = Deadline.after(0)
        renewed_often(ledger, "card:1")
        with ledger._lock:
            ledger.advance(CLAIM_SECONDS + 1)
            ledger.renew([gate.inside[0].claim])
        until(lambda: len(jobs) == 2)
        assert jobs[1].claim.taken_over
        hanging.set()
        until(lambda: len(it._tasks) == 2)
        renewed_often(ledger, "hold:db/1")
        gate.open.set()


# --------------------------------------------------------------------------------------------- stop


def test_what_is_running_is_finished_and_nothing_more_is_begun(ledger: Bell) -> None:
    gate = Gate(ledger)
    ledger.owe("card:1")
    it = Worker(ledger, ledger, {"card": gate})
    with running(it) as thread:
        until(lambda: gate.inside)
        it.stop()
        ledger.owe("card:2")
        renewed = len(ledger.note_renewal)
        until(lambda: len(ledger.note_renewal) > renewed + 2)
        assert thread.is_alive()
        gate.open.set()
        thread.join(LONG_ENOUGH)
    assert gate.done == ["card:1"]
    assert [claim.member for claim in owed(ledger, timedelta())] == ["card:2"]


def test_a_call_that_never_comes_back_keeps_no_worker_from_ending(
    ledger: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "FINISH_WITHIN", 0.05)
    calls = Calls(ledger)
    calls.hanging.add("db")
    ledger.owe("hold:db/1")
    with running(Worker(ledger, ledger, {}, {"hold": calls}, lambda: None, lambda: TWO)) as thread:
        until(lambda: calls.asked("db"))
    assert not thread.is_alive()
    assert calls.asked("db")
    calls.let_go.set()


# ------------------------------------------------------------------------------------------ failing


@pytest.mark.parametrize(
    ("kind", "failure", "tries", "pause"),
    [
        ("hold", TemporaryFailure("down"), 0, 1),
        ("hold", TemporaryFailure("down"), 3, 8),
        ("hold", TemporaryFailure("down"), 30, 300),
        ("hold", TemporaryFailure("slow down", retry_after=20), 0, 20),
        ("hold", TemporaryFailure("go away", retry_after=1e9), 0, 300),
        ("card", TemporaryFailure("down"), 30, 10),
        ("hold", PermanentFailure("no such role"), 0, 1),
        ("hold", ZeroDivisionError("a fault of ours"), 0, 1),
        ("hold", Conflict("somebody was faster"), 30, 0),
    ],
)
def test_what_fails_is_owed_again_after_a_growing_pause(
    ledger: Bell, kind: str, failure: Exception, tries: int, pause: int
) -> None:
    member = f"{kind}:1"
    ledger.owe(member)
    for _ in range(tries):
        claim = ledger.claim(1, 1, {}).claims[0]
        ledger.commit(Change(done=Done(claim=claim, next_at=ledger.now, failed=True)))
    happened: list[Claim] = []

    def duty(job: Job) -> None:
        happened.append(job.claim)
        if len(happened) == 1:
            raise failure
        ledger.commit(Change(done=Done(claim=job.claim)))

    with running(Worker(ledger, ledger, {kind: duty})):
        if pause:
            until(lambda: ledger.claim(0, 0, {}).next_at == NINE + timedelta(seconds=pause))
            ledger.advance(pause)
        until(lambda: len(happened) == 2)
    assert happened[1].tries == (0 if isinstance(failure, Conflict) else tries + 1)


def test_what_nobody_knows_how_to_do_is_left_for_who_may(ledger: Bell) -> None:
    ledger.owe("novelty:1")
    with running(Worker(ledger, ledger, {})):
        until(lambda: ledger.claim(0, 0, {}).next_at == NINE + timedelta(minutes=5))
    assert [claim.tries for claim in owed(ledger, timedelta(minutes=5))] == [1]


def test_redis_being_away_is_waited_out(ledger: Bell) -> None:
    seen: list[Claim] = []
    ledger.owe("card:1")
    ledger.away = True
    with running(Worker(ledger, ledger, {"card": closes(ledger, seen)})) as thread:
        until(lambda: ledger.refused > 5)
        assert thread.is_alive()
        assert seen == []
        ledger.away = False
        until(lambda: len(seen) == 1)


def test_a_due_set_with_nothing_in_it_is_told(ledger: Bell) -> None:
    told = threading.Event()
    with running(Worker(ledger, ledger, {}, None, told.set)):
        until(told.is_set)
    told.clear()
    ledger.owe("card:later")
    ledger.commit(Change(due=(Due(member="card:later", at=NINE + timedelta(days=1)),)))
    ledger.claim(1, 1, {})
    with running(Worker(ledger, ledger, {}, None, told.set)):
        until(lambda: ledger.condition().beat is not None)
    assert not told.is_set()


def test_what_could_not_be_given_back_is_claimed_again_when_its_claim_runs_out(ledger: Bell) -> None:
    happened: list[Claim] = []

    def duty(job: Job) -> None:
        happened.append(job.claim)
        ledger.away = len(happened) == 1
        if ledger.away:
            raise TemporaryFailure("down")
        ledger.commit(Change(done=Done(claim=job.claim)))

    ledger.owe("card:1")
    with running(Worker(ledger, ledger, {"card": duty})):
        until(lambda: ledger.refused > 5)
        ledger.away = False
        ledger.advance(CLAIM_SECONDS + 1)
        until(lambda: len(happened) == 2)
    assert happened[1].taken_over
