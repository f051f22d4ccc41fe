"""The one loop: claim what is due, do it on threads, write the outcome. Any number may run at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

import structlog
from prometheus_client import Counter as Metric
from prometheus_client import Gauge, Histogram

from bot.core.errors import Conflict, PermanentFailure, TemporaryFailure
from bot.core.holds import backoff
from bot.ports import Change, Claim, Claims, Deadline, Done, Ledger
from bot.usecases.turn import CALL_SECONDS, Turn

log = structlog.get_logger(__name__)

THREADS = 16
SHARE = 8
TOGETHER = 32
"""Things that are done together, for each thread of a lane's share."""
WORKS_FOR = 0.0005
"""Seconds of our own work on one of many things that are done together, about."""
BESIDES = 1
"""Threads for all else while very many things are due that are done together."""
PRESSED_FOR = 0.25
"""Seconds for which many things that were due at once have precedence."""
HURRY_AT_MOST = 5.0
"""Seconds for which all else waits, also the writing down of what was done."""
SLEEP_AT_MOST = 1.0
RENEW_EVERY = 1.0
REDIS_AWAY_PAUSE = 0.5
LONGEST_PAUSE = 300
UNKNOWN_PAUSE = timedelta(minutes=5)
BACKOFF_AT_MOST = {
    "card": 10,
    "alert": 10,
    "note": 10,
    "home": 10,
    "roster": 60,
    "workspace": 10,
    "groups": 30,
    "people": 30,
    "seal": 30,
}
"""Seconds; five minutes for all else. Messages held back by an outage go out soon after its end."""

NOBODYS_FAULT = ("conflict", "handed back")

TURNS = Metric("rotakey_turns_total", "Due things done, by kind and outcome", ["kind", "outcome"])
LAG = Histogram("rotakey_due_lag_seconds", "From when a thing was owed to when it was begun", ["kind"])
RUNNING = Gauge("rotakey_running", "Due things being done now")

Duty = Callable[[Turn], None]


class Together(Protocol):
    """Does many due things of a kind in one go. Threads share it."""

    def do(self, turns: Sequence[Turn], *, hurry: bool) -> Sequence[Turn]:
        """Answers those that are left for the kind's duty. In a ``hurry`` it may leave it for later to write
        down what was done."""
        ...

    def waits(self, lane: str) -> float:
        """Seconds for which one of them waits for others, about: as last seen."""
        ...

    def behind(self) -> Sequence[Turn]:
        """Those that are done, and not written down yet. Their claims are kept."""
        ...

    def catch_up(self) -> None:
        """Write all of that down."""
        ...


class Worker:
    """``duties`` has what to do for each kind of due thing. A duty closes its claim itself; what it
    raises is logged, and the thing is due again later: TemporaryFailure and PermanentFailure with
    growing pauses, and so is anything unforeseen. ``together`` has a way to do many of a kind in one go.
    ``nothing_owed`` is called when the due set is empty."""

    def __init__(
        self,
        ledger: Ledger,
        duties: Mapping[str, Duty],
        together: Mapping[str, Together] | None = None,
        nothing_owed: Callable[[], None] = lambda: None,
        *,
        threads: int = THREADS,
        share: int = SHARE,
    ) -> None:
        self.ledger = ledger
        self.duties = duties
        self.together = together or {}
        self.nothing_owed = nothing_owed
        self.threads = threads
        self.share = share
        self._running: set[Turn] = set()
        self._tasks: Counter[str] = Counter()
        self._pressed = self._hurry = Deadline.after(0)
        self._caught_up: Future[None] = Future()
        self._caught_up.set_result(None)
        self._lock = threading.Lock()
        self.last_round = time.monotonic()
        """When the loop last came round, with those beside it alive. On this process's monotonic clock."""
        self._told_to_stop = False
        self._finished = threading.Event()
        self._stir = threading.Event()

    def stop(self) -> None:
        """Claim nothing more; what is running is finished. Returns at once, and the loop sees it within a
        second. Safe in a signal handler, because it waits for no lock."""
        self._told_to_stop = True

    def run(self) -> None:
        """Work until ``stop``. Redis being away is waited out."""
        side = [
            threading.Thread(target=each, daemon=True, name=each.__name__)
            for each in (self._listen, self._renew)
        ]
        for thread in side:
            thread.start()
        try:
            with ThreadPoolExecutor(self.threads, thread_name_prefix="turn") as pool:
                while not self._told_to_stop:
                    self._stir.clear()
                    pause = self._round(pool)
                    if all(thread.is_alive() for thread in side):
                        self.last_round = time.monotonic()
                    self._stir.wait(pause)
            self._catch_up()
        finally:
            self._finished.set()
        for thread in side:
            thread.join(timeout=2 * SLEEP_AT_MOST)

    def _round(self, pool: ThreadPoolExecutor) -> float:
        """Claim and start what is due; answers how long there is nothing to claim, at most a second."""
        try:
            pause = self._begin_together(pool) if self.together else SLEEP_AT_MOST
            self._begin_catching_up(pool)
            return min(pause, self._begin_others(pool))
        except TemporaryFailure as failure:
            log.warning("redis is away", error=str(failure))
            return REDIS_AWAY_PAUSE

    def _begin_together(self, pool: ThreadPoolExecutor) -> float:
        """Claim what can be done together, in lots as even as can be."""
        tasks, free = self._load()
        if free <= 0:
            return SLEEP_AT_MOST
        asked_at, most = Deadline.after(0), self.share * TOGETHER
        busy = {lane: most - self._room(lane, tasks) for lane in tasks if self._way(lane)}
        found = self.ledger.claim(free * TOGETHER, most, busy, tuple(self.together))
        lanes: dict[str, list[Turn]] = {}
        for turn in self._turns(found, asked_at):
            lanes.setdefault(turn.claim.lane, []).append(turn)
        for lane, turns in lanes.items():
            threads = max(min(self._width(lane) - tasks[lane], free // len(lanes)), 1)
            size = -(-len(turns) // threads)
            if len(turns) >= max(min(self._room(lane, tasks), free * TOGETHER), TOGETHER):
                self._press()
            for first in range(0, len(turns), size):
                self._begin(pool, turns[first : first + size])
        return _until_next(found, free * TOGETHER)

    def _room(self, lane: str, tasks: Counter[str]) -> int:
        """For so many things more: the fewer threads, the larger their lots."""
        width = self._width(lane)
        return max(width - tasks[lane], 0) * (self.share * TOGETHER // width)

    def _width(self, lane: str) -> int:
        """Threads for one lane: while one works, others may wait. More would only be in each other's way."""
        way = self._way(lane)
        waiting = way.waits(lane) / WORKS_FOR if way else 0
        return int(min(2 + waiting, self.share))

    def _way(self, lane: str) -> Together | None:
        return self.together.get(lane.partition(":")[0])

    def _press(self) -> None:
        """It is a hurry from when it began, and not for long; then all is written down before the next."""
        if self._pressed.passed and not self._behind():
            self._hurry = Deadline.after(HURRY_AT_MOST)
        self._pressed = Deadline.after(PRESSED_FOR)

    @property
    def _hurrying(self) -> bool:
        return not (self._pressed.passed or self._hurry.passed)

    def _begin_catching_up(self, pool: ThreadPoolExecutor) -> None:
        if self._hurrying or not self._caught_up.done():
            return
        if self._behind():
            with suppress(RuntimeError):  # no thread to be had: in the next round, then
                self._caught_up = pool.submit(self._catch_up)

    def _behind(self) -> list[Turn]:
        return [turn for way in self.together.values() for turn in way.behind()]

    def _catch_up(self) -> None:
        for way in self.together.values():
            way.catch_up()

    def _begin_others(self, pool: ThreadPoolExecutor) -> float:
        if self._hurrying:
            return PRESSED_FOR
        tasks, free = self._load()
        if not self._pressed.passed:
            others = (count for lane, count in tasks.items() if lane.partition(":")[0] not in self.together)
            free = min(free, BESIDES - sum(others))
        if free <= 0:
            return SLEEP_AT_MOST
        asked_at = Deadline.after(0)
        found = self.ledger.claim(free, self.share, tasks, besides=tuple(self.together))
        for turn in self._turns(found, asked_at):
            self._begin(pool, [turn])
        if found.next_at is None and not found.claims and not tasks:
            self.nothing_owed()
        return _until_next(found, free)

    def _load(self) -> tuple[Counter[str], int]:
        """Threads that each lane has, and how many are free."""
        with self._lock:
            tasks = self._tasks.copy()
        return tasks, self.threads - tasks.total()

    def _turns(self, found: Claims, asked_at: Deadline) -> list[Turn]:
        for claim in found.claims:
            LAG.labels(claim.kind).observe(max((found.now - claim.owed_at).total_seconds(), 0))
        return [Turn(claim, asked_at) for claim in found.claims]

    def _begin(self, pool: ThreadPoolExecutor, turns: Sequence[Turn]) -> None:
        with self._lock:
            self._running.update(turns)
            self._tasks[turns[0].claim.lane] += 1
        try:
            pool.submit(self._do, turns)
        except RuntimeError:  # no thread to be had: its claim runs out, and somebody else has it
            log.exception("could not begin", member=turns[0].claim.member)
            self._over(turns)

    def _do(self, turns: Sequence[Turn]) -> None:
        RUNNING.inc()
        try:
            for turn in self._done_together(turns):
                TURNS.labels(turn.claim.kind, self._outcome(turn)).inc()
                with self._lock:
                    self._running.discard(turn)
        finally:
            RUNNING.dec()
            self._over(turns)

    def _over(self, turns: Sequence[Turn]) -> None:
        with self._lock:
            self._running.difference_update(turns)
            self._tasks[turns[0].claim.lane] -= 1
        self._stir.set()

    def _done_together(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        """Those that are left to be done one by one."""
        kind = turns[0].claim.kind
        way = self.together.get(kind)
        if way is None:
            return turns
        try:
            left = way.do(turns, hurry=self._hurrying)
        except TemporaryFailure as failure:
            log.warning("will be tried again", member=turns[0].claim.member, error=str(failure))
            for turn in turns:
                self._later(turn.claim, _pause(turn.claim), "temporary")
            return ()
        except Exception:  # one of them may be to blame: each for itself
            log.exception("unforeseen", member=turns[0].claim.member, together=len(turns))
            return turns
        TURNS.labels(kind, "done").inc(len(turns) - len(left))
        return left

    def _outcome(self, turn: Turn) -> str:
        claim = turn.claim
        if turn.deadline.left() < CALL_SECONDS:  # it waited too long for those before it
            return self._later(claim, timedelta(), "handed back")
        duty = self.duties.get(claim.kind)
        if duty is None:
            log.error("nobody knows how to do this", member=claim.member)
            return self._later(claim, UNKNOWN_PAUSE, "unknown")
        try:
            duty(turn)
        except Conflict:
            return self._later(claim, timedelta(), "conflict")
        except TemporaryFailure as failure:
            log.warning("will be tried again", member=claim.member, error=str(failure))
            asked_for = timedelta(seconds=min(failure.retry_after or 0, LONGEST_PAUSE))
            return self._later(claim, max(asked_for, _pause(claim)), "temporary")
        except PermanentFailure as failure:
            log.warning("somebody must look at this", member=claim.member, error=str(failure))
            return self._later(claim, _pause(claim), "permanent")
        except Exception:  # the loop must live through whatever a duty meets
            log.exception("unforeseen", member=claim.member)
            return self._later(claim, _pause(claim), "unforeseen")
        return "done"

    def _later(self, claim: Claim, pause: timedelta, outcome: str) -> str:
        """Give the thing back, due after a pause. Where even that fails, its claim runs out by itself."""
        try:
            now = self.ledger.read(()).now
            done = Done(claim=claim, next_at=now + pause, failed=outcome not in NOBODYS_FAULT)
            self.ledger.commit(Change(done=done, frees=True))
        except (Conflict, TemporaryFailure):
            log.info("left to whoever claims it next", member=claim.member)
        return outcome

    def _listen(self) -> None:
        """Wake the loop when something is newly owed."""
        while not self._told_to_stop:
            try:
                self.ledger.wait(SLEEP_AT_MOST)
            except TemporaryFailure:
                self._finished.wait(REDIS_AWAY_PAUSE)
            self._stir.set()

    def _renew(self) -> None:
        """Keep the claims of what is still being done, each until its own deadline; also while finishing."""
        while not self._finished.wait(RENEW_EVERY):
            with self._lock:
                running = list(self._running)
            turns = [turn for turn in (*running, *self._behind()) if not turn.deadline.passed]
            if not turns:
                continue
            asked_at = Deadline.after(0)
            try:
                kept = self.ledger.renew([turn.claim for turn in turns])
            except TemporaryFailure as failure:
                log.warning("claims were not renewed", error=str(failure))
                continue
            for turn in turns:
                if turn.claim.member in kept:
                    turn.renewed(asked_at)


def _until_next(found: Claims, limit: int) -> float:
    """Seconds until more can be claimed: where ``limit`` was reached, whoever is done says so."""
    if len(found.claims) == limit or found.next_at is None:
        return SLEEP_AT_MOST
    return min(max((found.next_at - found.now).total_seconds(), 0.0), SLEEP_AT_MOST)


def _pause(claim: Claim) -> timedelta:
    most = BACKOFF_AT_MOST.get(claim.kind, LONGEST_PAUSE)
    return min(backoff(claim.tries + 1), timedelta(seconds=most))
