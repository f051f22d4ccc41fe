"""The one loop: claim what is due, do it on threads, write the outcome. Any number may run at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

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
"""Things that one thread does together at most, where there is a way to do them so."""
BESIDES = 1
"""Threads for all else while very many things are due that are done together."""
PRESSED_FOR = 0.25
"""Seconds for which many things that were due at once have precedence."""
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
Together = Callable[[Sequence[Turn]], Sequence[Turn]]


class Worker:
    """``duties`` has what to do for each kind of due thing. A duty closes its claim itself; what it
    raises is logged, and the thing is due again later: TemporaryFailure and PermanentFailure with
    growing pauses, and so is anything unforeseen. ``together`` does many of a kind in one go, and answers
    those that are left for the kind's duty. ``nothing_owed`` is called when the due set is empty."""

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
        self._pressed = Deadline.after(0)
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
        finally:
            self._finished.set()
        for thread in side:
            thread.join(timeout=2 * SLEEP_AT_MOST)

    def _round(self, pool: ThreadPoolExecutor) -> float:
        """Claim and start what is due; answers how long there is nothing to claim, at most a second."""
        try:
            if self.together:
                self._begin_together(pool)
            return self._begin_others(pool)
        except TemporaryFailure as failure:
            log.warning("redis is away", error=str(failure))
            return REDIS_AWAY_PAUSE

    def _begin_together(self, pool: ThreadPoolExecutor) -> None:
        """Claim what can be done together, in lots as even as can be."""
        tasks, free = self._load()
        if free <= 0:
            return
        asked_at = Deadline.after(0)
        busy = {lane: count * TOGETHER for lane, count in tasks.items()}
        most = free * TOGETHER
        found = self.ledger.claim(most, self.share * TOGETHER, busy, tuple(self.together))
        lanes: dict[str, list[Turn]] = {}
        for turn in self._turns(found, asked_at):
            lanes.setdefault(turn.claim.lane, []).append(turn)
        for lane, turns in lanes.items():
            threads = max(min(self.share - tasks[lane], free // len(lanes)), 1)
            size = -(-len(turns) // threads)
            for first in range(0, len(turns), size):
                self._begin(pool, turns[first : first + size])
        if len(found.claims) >= min(most, self.share * TOGETHER) // 2:
            self._pressed = Deadline.after(PRESSED_FOR)

    def _begin_others(self, pool: ThreadPoolExecutor) -> float:
        tasks, free = self._load()
        if not self._pressed.passed:
            others = (count for lane, count in tasks.items() if lane.partition(":")[0] not in self.together)
            free = min(free, BESIDES - sum(others))
        if free <= 0:
            return SLEEP_AT_MOST
        asked_at = Deadline.after(0)
        found = self.ledger.claim(free, self.share, tasks)
        for turn in self._turns(found, asked_at):
            self._begin(pool, [turn])
        if found.next_at is None and not found.claims and not tasks:
            self.nothing_owed()
        if len(found.claims) == free or found.next_at is None:
            return SLEEP_AT_MOST
        return min(max((found.next_at - found.now).total_seconds(), 0.0), SLEEP_AT_MOST)

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
            left = way(turns)
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
                turns = [turn for turn in self._running if not turn.deadline.passed]
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


def _pause(claim: Claim) -> timedelta:
    most = BACKOFF_AT_MOST.get(claim.kind, LONGEST_PAUSE)
    return min(backoff(claim.tries + 1), timedelta(seconds=most))
