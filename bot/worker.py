"""The one loop: claim what is due, do it on threads, write the outcome. Any number may run at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import structlog
from prometheus_client import Counter as Metric
from prometheus_client import Gauge, Histogram

from bot.core.errors import Conflict, PermanentFailure, TemporaryFailure
from bot.core.holds import backoff
from bot.ports import Change, Claim, Deadline, Done, Ledger
from bot.usecases.turn import Turn

log = structlog.get_logger(__name__)

THREADS = 16
SHARE = 8
SLEEP_AT_MOST = 1.0
RENEW_EVERY = 1.0
REDIS_AWAY_PAUSE = 0.5
LONGEST_PAUSE = 300
UNKNOWN_PAUSE = timedelta(minutes=5)
BACKOFF_AT_MOST = {"card": 10, "note": 10, "home": 10, "roster": 60, "workspace": 10, "groups": 30}
"""Seconds; five minutes for all else. Messages held back by an outage go out soon after its end."""

TURNS = Metric("rotakey_turns_total", "Due things done, by kind and outcome", ["kind", "outcome"])
LAG = Histogram("rotakey_due_lag_seconds", "From when a thing was owed to when it was begun", ["kind"])
RUNNING = Gauge("rotakey_running", "Due things being done now")

Duty = Callable[[Turn], None]


class Worker:
    """``duties`` has what to do for each kind of due thing. A duty closes its claim itself; what it
    raises is logged, and the thing is due again later: TemporaryFailure and PermanentFailure with
    growing pauses, and so is anything unforeseen."""

    def __init__(
        self,
        ledger: Ledger,
        duties: Mapping[str, Duty],
        *,
        threads: int = THREADS,
        share: int = SHARE,
    ) -> None:
        self.ledger = ledger
        self.duties = duties
        self.threads = threads
        self.share = share
        self._running: dict[Claim, Turn] = {}
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
        with self._lock:
            busy = Counter(claim.lane for claim in self._running)
        free = self.threads - busy.total()
        if free <= 0:
            return SLEEP_AT_MOST
        asked_at = Deadline.after(0)
        try:
            found = self.ledger.claim(free, self.share, busy)
        except TemporaryFailure as failure:
            log.warning("redis is away", error=str(failure))
            return REDIS_AWAY_PAUSE
        for claim in found.claims:
            LAG.labels(claim.kind).observe(max((found.now - claim.owed_at).total_seconds(), 0))
            self._begin(pool, Turn(claim, asked_at))
        if len(found.claims) == free or found.next_at is None:
            return SLEEP_AT_MOST
        return min(max((found.next_at - found.now).total_seconds(), 0.0), SLEEP_AT_MOST)

    def _begin(self, pool: ThreadPoolExecutor, turn: Turn) -> None:
        with self._lock:
            self._running[turn.claim] = turn
        try:
            pool.submit(self._do, turn)
        except RuntimeError:  # no thread to be had: its claim runs out, and somebody else has it
            log.exception("could not begin", member=turn.claim.member)
            self._over(turn)

    def _do(self, turn: Turn) -> None:
        RUNNING.inc()
        try:
            outcome = self._outcome(turn)
        finally:
            RUNNING.dec()
            self._over(turn)
        TURNS.labels(turn.claim.kind, outcome).inc()

    def _over(self, turn: Turn) -> None:
        with self._lock:
            self._running.pop(turn.claim, None)
        self._stir.set()

    def _outcome(self, turn: Turn) -> str:
        claim = turn.claim
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
            done = Done(claim=claim, next_at=now + pause, failed=outcome != "conflict")
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
                turns = [turn for turn in self._running.values() if not turn.deadline.passed]
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
