"""Faults, one after the other, drawn from a seed, each on a part that runs."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import structlog

from tests.chaos import scenario
from tests.chaos.administrator import Administrator, AdministratorSettings
from tests.chaos.deployment import BotPart, Deployment, Part, ServerPart
from tests.chaos.failpoints import KILL, LOSE, OF_WEB, ON_THE_WAY, SLEEP, Execution, Order

WRONG = "answered wrongly"
"""The pager shows nobody, or nobody at some level, though somebody is on call."""
log = structlog.get_logger(__name__)
POLL = 0.02
PATIENCE = 6.0
"""Seconds that an order waits for the process to come to its step."""
LONGEST_AWAY = 3.0
NOTICED_WITHIN = 0.3
"""Seconds until PostgreSQL has ended all others because one of its processes was killed."""
SHORT, OVER_CLAIM, OVER_TWO = (0.2, 3.0), (5.5, 9.0), (10.5, 13.0)
AT_ONCE = 3
BETWEEN_RESTS = 12
"""The number of faults from one rest to the next."""
RECOVERS = 6.0
"""Seconds after its end for which a fault may have effects: a claim of 5 seconds has to run out."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault, until its part was started again or went on."""

    what: str
    part: str
    start: float
    end: float

    def overlaps(self, since: float, until: float) -> bool:
        """Return whether it may have had effects at some moment between the two."""
        return self.start <= until and since <= self.end + RECOVERS


class FaultInjector:
    """The source of all faults. A context manager. ``stop`` waits for the faults in progress."""

    def __init__(
        self,
        deployment: Deployment,
        rng: random.Random,
        settings: AdministratorSettings,
        *,
        pace: float,
        rest: float,
    ) -> None:
        self.deployment = deployment
        self.only_kill_at: Sequence[str] = ()
        """If any are named, workers are killed at these steps and nothing else goes wrong."""
        self._rng = rng
        self._pace = pace
        self._rest = rest
        self._over = threading.Event()
        self._closed = threading.Event()
        self.administrator = Administrator(deployment, rng, settings, self._over, self._attempt, self._record)
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="fault")
        self._threads = [
            threading.Thread(target=each, name=each.__name__, daemon=True)
            for each in (
                self._inject,
                self.administrator.hang_targets,
                self.administrator.act,
                self._supervise,
            )
        ]
        self.faults: list[Fault] = []
        self.errors: list[str] = []
        """Processes that ended though nobody had told them to, and errors of the harness."""
        self.executions: Counter[tuple[str, str]] = Counter()
        self._restarting: set[str] = set()
        self._follow_ups: list[Future[None]] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._closed.set()
        for thread in self._threads:
            thread.join()
        self._pool.shutdown()

    def stop(self) -> None:
        """Let nothing more go wrong, and start whatever does not run."""
        self._over.set()
        for thread in self._threads[:-1]:
            thread.join()
        time.sleep(5 * POLL)
        for each in list(self._follow_ups):
            each.result()
        for part in (*self.deployment.servers, *self.deployment.bots):
            with part.lock:
                part.start()
        for database in self.deployment.databases.values():
            database.require_standby(required=False)

    @property
    def kills(self) -> Counter[str]:
        return Counter(each.part.partition("-")[0] for each in self.faults if each.what.startswith("killed"))

    @property
    def steps_reached(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for (step, _), times in self.executions.items():
            found[step] += times
        return found

    # --------------------------------------------------------------------------------- one after another

    def _inject(self) -> None:
        while not self._over.is_set():
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fault") as pool:
                for _ in range(BETWEEN_RESTS):
                    if self._over.wait(self._rng.expovariate(1 / self._pace)):
                        break
                    pool.submit(self._attempt, self._draw_fault(), random.Random(self._rng.random()))
            self._over.wait(self._rest)

    def _attempt(self, fault: Callable[[random.Random], None], rng: random.Random) -> None:
        try:
            if not self._over.is_set():
                fault(rng)
        except Exception as error:  # an error of the harness
            log.exception("a fault went wrong")
            self.errors.append(f"the harness: {error!r}")

    def _draw_fault(self) -> Callable[[random.Random], None]:
        if self.only_kill_at:
            return self._kill_at_step
        kinds: dict[Callable[[random.Random], None], float] = {
            self._stop_at_step: 8,
            self._lose_reply: 1.5,
            self._kill_bot: 3,
            self._kill_server: 2.5,
            self._pause: 3,
            self._kill_backend: 0.7,
            self._break_slack: 0.7,
            self._break_pager: 0.5,
            self._falsify_pager: 1,
            self._deliver_twice: 0.5,
        }
        return self._rng.choices(list(kinds), list(kinds.values()))[0]

    def _rarest_step(self, rng: random.Random) -> str:
        """Draw one of the steps at which a process was stopped least often."""
        reached = self.steps_reached
        least = min(reached[step] for step in ON_THE_WAY)
        return rng.choice([each for each in ON_THE_WAY if reached[each] == least])

    def _stop_at_step(self, rng: random.Random) -> None:
        step = self._rarest_step(rng)
        pause = rng.uniform(*rng.choice((SHORT, OVER_CLAIM, OVER_TWO)))
        do = (
            KILL
            if self.executions[(step, SLEEP)] > self.executions[(step, KILL)] or rng.random() < 0.5
            else SLEEP
        )
        self._give_order(rng.choice(self.deployment.workers), Order(step=step, do=do, seconds=pause))

    def _kill_at_step(self, rng: random.Random) -> None:
        self._give_order(
            rng.choice(self.deployment.workers), Order(step=rng.choice(self.only_kill_at), do=KILL)
        )

    def _lose_reply(self, rng: random.Random) -> None:
        web = rng.random() < 0.4
        part = rng.choice(self.deployment.webs if web else self.deployment.workers)
        steps = OF_WEB if web else ON_THE_WAY
        commits = [step for step in steps if step.startswith("before commit of")]
        self._give_order(part, Order(step=rng.choice(commits), do=LOSE))

    def _give_order(self, part: BotPart, order: Order) -> None:
        """Give one order at a time; ``_supervise`` sees its execution."""
        failpoints = part.failpoints
        with part.order_lock:
            failpoints.arm(order)
            deadline = time.monotonic() + PATIENCE
            while failpoints.is_armed() and time.monotonic() < deadline and not self._over.is_set():
                time.sleep(POLL)
            failpoints.disarm()

    def _kill_bot(self, rng: random.Random) -> None:
        self._kill(rng.choice(self.deployment.bots), rng)

    def _kill_server(self, rng: random.Random) -> None:
        self._kill(self._draw_server(rng), rng)

    def _draw_server(self, rng: random.Random) -> ServerPart:
        """Draw Valkey as often as a target, and no target that hangs."""
        free = [each for each in self.deployment.targets.values() if not each.lock.locked()]
        stores = [self.deployment.primary, self.deployment.primary, self.deployment.replica]
        return rng.choice([rng.choice(stores), rng.choice(free or stores)])

    def _kill(self, part: Part, rng: random.Random) -> None:
        with part.lock:
            if part.pid is None:
                return
            start = time.time()
            part.kill()
            self._over.wait(rng.uniform(0, LONGEST_AWAY))
            part.start()
            self._record("killed", part.name, start)

    def _kill_backend(self, rng: random.Random) -> None:
        """Kill one of PostgreSQL's own processes, upon which it ends all others and recovers."""
        target = rng.choice(list(self.deployment.targets))
        postgres = self.deployment.targets[target]
        with postgres.lock:
            if pids := self.deployment.backends(target):
                start = time.time()
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(pids), signal.SIGKILL)
                time.sleep(NOTICED_WITHIN)
                self.deployment.databases[target].wait_until_back()
                self._record("killed a backend", postgres.name, start)

    def _pause(self, rng: random.Random) -> None:
        part: Part = rng.choice([*self.deployment.bots, self._draw_server(rng), self._draw_server(rng)])
        with part.lock:
            start = time.time()
            part.pause(rng.uniform(*rng.choice((SHORT, OVER_CLAIM, OVER_TWO))))
            self._record("paused", part.name, start)

    def _break_slack(self, rng: random.Random) -> None:
        start, faults = time.time(), self.deployment.slack.faults
        if rng.random() < 0.5:
            faults.lost_replies = rng.randint(1, 3)
        else:
            faults.down = True
            self._over.wait(rng.uniform(0.5, 4))
            faults.down = False
        self._record("away", "slack", start)

    def _break_pager(self, rng: random.Random) -> None:
        start, faults = time.time(), self.deployment.pager.faults
        faults.down = True
        self._over.wait(rng.uniform(0.5, 5))
        faults.down = False
        self._record("away", "pager", start)

    def _falsify_pager(self, rng: random.Random) -> None:
        """Let the pager show nobody, or nobody at one level, and sometimes fail when asked in another way."""
        start, faults = time.time(), self.deployment.pager.faults
        if rng.random() < 0.5:
            faults.unseen = frozenset(scenario.STAND_INS)
        else:
            faults.unseen_levels = frozenset((rng.choice((1, 2)),))
        if rng.random() < 0.4:
            faults.answer({}, status=503, times=rng.randint(1, 4), to="schedule")
        self._over.wait(rng.uniform(1, 6))
        faults.unseen, faults.unseen_levels = frozenset(), frozenset()
        self._record(WRONG, "pager", start)

    def _deliver_twice(self, rng: random.Random) -> None:
        start, faults = time.time(), self.deployment.slack.faults
        faults.twice = True
        self._over.wait(rng.uniform(1, 5))
        faults.twice = False
        self._record("delivered twice", "slack", start)

    def _record(self, what: str, part: str, start: float) -> None:
        with self._lock:
            self.faults.append(Fault(what=what, part=part, start=start, end=time.time()))

    # ------------------------------------------------------------------------------------- supervision

    def _supervise(self) -> None:
        """Follow up each execution of an order, and restart processes that died without one."""
        while not self._closed.wait(POLL):
            for part in self.deployment.bots:
                dead = _is_dead(part)  # before reading executions, which are written before a death
                for each in part.failpoints.new_executions():
                    self.executions[(each.order.step, each.order.do)] += 1
                    if each.order.do == KILL:
                        self._restarting.add(part.name)
                    self._follow_ups.append(self._pool.submit(self._follow_up, part, each))
                if dead and part.name not in self._restarting:
                    self._restart_dead(part)

    def _follow_up(self, part: BotPart, execution: Execution) -> None:
        order, rng = execution.order, random.Random(execution.at)
        if order.do == LOSE:
            self._kill_primary(part, rng)
        elif order.do == KILL:
            self._restart(part, execution, rng)
        else:
            time.sleep(max(execution.at + order.seconds - time.time(), 0))
            self._record(f"paused {order.step}", part.name, execution.at)

    def _kill_primary(self, part: BotPart, rng: random.Random) -> None:
        valkey = self.deployment.primary
        with valkey.lock:
            start = time.time()
            valkey.kill()
            part.failpoints.report_lost_reply()
            self._over.wait(rng.uniform(0, LONGEST_AWAY))
            valkey.start()
            self._record("killed before its reply", valkey.name, start)

    def _restart(self, part: BotPart, execution: Execution, rng: random.Random) -> None:
        with part.lock:
            while part.pid == execution.pid:
                time.sleep(0.005)
            self._over.wait(rng.uniform(0, LONGEST_AWAY))
            part.start()
            self._restarting.discard(part.name)
            self._record(f"killed {execution.order.step}", part.name, execution.at)

    def _restart_dead(self, part: BotPart) -> None:
        with part.lock:
            if part.pid is None:
                self.errors.append(f"{part.name} ended by itself with {part.process.code}")
                part.start()


def _is_dead(part: BotPart) -> bool:
    """Return whether it does not run, though nothing is being done to it."""
    if not part.lock.acquire(blocking=False):
        return False
    try:
        return part.pid is None
    finally:
        part.lock.release()
