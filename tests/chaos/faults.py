"""What goes wrong, and when: one fault after the other, drawn from a seed, each on a part that is whole."""

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
from tests.chaos.administrator import Acts, Administrator
from tests.chaos.deployment import BotPart, Deployment, Part, ServerPart
from tests.chaos.steps import KILL, LOSE, OF_WEB, ON_THE_WAY, SLEEP, Obeyed, Order

WRONG = "answered wrongly"
"""What the pager does if it shows nobody, or nobody at some level, though somebody is on call."""
log = structlog.get_logger(__name__)
POLL = 0.02
PATIENCE = 6.0
"""So long an order waits for somebody to come by its step."""
LONGEST_AWAY = 3.0
NOTICED_WITHIN = 0.3
"""Seconds until PostgreSQL has ended all others because one of its processes was killed."""
SHORT, OVER_CLAIM, OVER_TWO = (0.2, 3.0), (5.5, 9.0), (10.5, 13.0)
AT_ONCE = 3
BETWEEN_RESTS = 12
"""After so many faults nothing goes wrong for a while."""
RECOVERS = 6.0
"""After its end a fault may still be felt: a claim of 5 seconds has to run out."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``end``: started again, or going on."""

    what: str
    part: str
    start: float
    end: float

    def felt(self, since: float, until: float) -> bool:
        return self.start <= until and since <= self.end + RECOVERS


class Director:
    """Use it as a context manager. ``stop`` lets what is under way come to its end."""

    def __init__(
        self, deployment: Deployment, rng: random.Random, acts: Acts, *, pace: float, rest: float
    ) -> None:
        self.deployment = deployment
        self.only_kill_at: Sequence[str] = ()
        """Kill workers at these steps, and do nothing else, if any are named."""
        self._rng = rng
        self._pace = pace
        self._rest = rest
        self._over = threading.Event()
        self._gone = threading.Event()
        self.administrator = Administrator(deployment, rng, acts, self._over, self._survive, self._noted)
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="fault")
        self._threads = [
            threading.Thread(target=each, name=each.__name__, daemon=True)
            for each in (self._direct, self.administrator.hang_targets, self.administrator.act, self._watch)
        ]
        self.faults: list[Fault] = []
        self.died: list[str] = []
        """Processes that ended though nobody had told them to."""
        self.obeyed: Counter[tuple[str, str]] = Counter()
        self._raising: set[str] = set()
        self._seen_to: list[Future[None]] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._gone.set()
        for thread in self._threads:
            thread.join()
        self._pool.shutdown()

    def stop(self) -> None:
        """Nothing more goes wrong, and everything runs."""
        self._over.set()
        for thread in self._threads[:-1]:
            thread.join()
        time.sleep(5 * POLL)
        for each in list(self._seen_to):
            each.result()
        for part in (*self.deployment.servers, *self.deployment.bots):
            with part.lock:
                part.start()
        for database in self.deployment.databases.values():
            database.wait_for_a_standby(wait=False)

    @property
    def kills(self) -> Counter[str]:
        return Counter(each.part.partition("-")[0] for each in self.faults if each.what.startswith("killed"))

    @property
    def steps_met(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for (step, _), times in self.obeyed.items():
            found[step] += times
        return found

    # --------------------------------------------------------------------------------- one after another

    def _direct(self) -> None:
        while not self._over.is_set():
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fault") as pool:
                for _ in range(BETWEEN_RESTS):
                    if self._over.wait(self._rng.expovariate(1 / self._pace)):
                        break
                    pool.submit(self._survive, self._drawn(), random.Random(self._rng.random()))
            self._over.wait(self._rest)

    def _survive(self, fault: Callable[[random.Random], None], rng: random.Random) -> None:
        try:
            if not self._over.is_set():
                fault(rng)
        except Exception as error:  # what goes wrong in here is a fault of the harness
            log.exception("a fault went wrong")
            self.died.append(f"the harness: {error!r}")

    def _drawn(self) -> Callable[[random.Random], None]:
        if self.only_kill_at:
            return self._killed_at_a_step
        kinds: dict[Callable[[random.Random], None], float] = {
            self._at_a_step: 8,
            self._lost_reply: 1.5,
            self._killed_bot: 3,
            self._killed_server: 2.5,
            self._paused: 3,
            self._killed_backend: 0.7,
            self._slack_away: 0.7,
            self._pager_away: 0.5,
            self._pager_wrong: 1,
            self._delivered_twice: 0.5,
        }
        return self._rng.choices(list(kinds), list(kinds.values()))[0]

    def _least_met(self, rng: random.Random) -> str:
        """So that in time each is."""
        met = self.steps_met
        least = min(met[step] for step in ON_THE_WAY)
        return rng.choice([each for each in ON_THE_WAY if met[each] == least])

    def _at_a_step(self, rng: random.Random) -> None:
        step = self._least_met(rng)
        pause = rng.uniform(*rng.choice((SHORT, OVER_CLAIM, OVER_TWO)))
        do = KILL if self.obeyed[(step, SLEEP)] > self.obeyed[(step, KILL)] or rng.random() < 0.5 else SLEEP
        self._order(rng.choice(self.deployment.workers), Order(step=step, do=do, seconds=pause))

    def _killed_at_a_step(self, rng: random.Random) -> None:
        self._order(rng.choice(self.deployment.workers), Order(step=rng.choice(self.only_kill_at), do=KILL))

    def _lost_reply(self, rng: random.Random) -> None:
        web = rng.random() < 0.4
        part = rng.choice(self.deployment.webs if web else self.deployment.workers)
        steps = OF_WEB if web else ON_THE_WAY
        commits = [step for step in steps if step.startswith("before commit of")]
        self._order(part, Order(step=rng.choice(commits), do=LOSE))

    def _order(self, part: BotPart, order: Order) -> None:
        """One at a time. What comes of it is seen by the watch."""
        post = part.post
        with part.ordered:
            post.give(order)
            deadline = time.monotonic() + PATIENCE
            while post.waiting() and time.monotonic() < deadline and not self._over.is_set():
                time.sleep(POLL)
            post.withdraw()

    def _killed_bot(self, rng: random.Random) -> None:
        self._killed(rng.choice(self.deployment.bots), rng)

    def _killed_server(self, rng: random.Random) -> None:
        self._killed(self._some_server(rng), rng)

    def _some_server(self, rng: random.Random) -> ServerPart:
        """Valkey as often as a target; one that hangs now is left alone."""
        free = [each for each in self.deployment.targets.values() if not each.lock.locked()]
        stores = [self.deployment.store, self.deployment.store, self.deployment.copy]
        return rng.choice([rng.choice(stores), rng.choice(free or stores)])

    def _killed(self, part: Part, rng: random.Random) -> None:
        with part.lock:
            if part.pid is None:
                return
            start = time.time()
            part.kill()
            self._over.wait(rng.uniform(0, LONGEST_AWAY))
            part.start()
            self._noted("killed", part.name, start)

    def _killed_backend(self, rng: random.Random) -> None:
        """One of PostgreSQL's own, at which all of it starts anew."""
        target = rng.choice(list(self.deployment.targets))
        postgres = self.deployment.targets[target]
        with postgres.lock:
            if pids := self.deployment.backends(target):
                start = time.time()
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(pids), signal.SIGKILL)
                time.sleep(NOTICED_WITHIN)
                self.deployment.databases[target].come_back()
                self._noted("killed a backend", postgres.name, start)

    def _paused(self, rng: random.Random) -> None:
        part: Part = rng.choice([*self.deployment.bots, self._some_server(rng), self._some_server(rng)])
        with part.lock:
            start = time.time()
            part.pause(rng.uniform(*rng.choice((SHORT, OVER_CLAIM, OVER_TWO))))
            self._noted("paused", part.name, start)

    def _slack_away(self, rng: random.Random) -> None:
        start, faults = time.time(), self.deployment.slack.faults
        if rng.random() < 0.5:
            faults.lost_replies = rng.randint(1, 3)
        else:
            faults.down = True
            self._over.wait(rng.uniform(0.5, 4))
            faults.down = False
        self._noted("away", "slack", start)

    def _pager_away(self, rng: random.Random) -> None:
        start, faults = time.time(), self.deployment.pager.faults
        faults.down = True
        self._over.wait(rng.uniform(0.5, 5))
        faults.down = False
        self._noted("away", "pager", start)

    def _pager_wrong(self, rng: random.Random) -> None:
        """It shows nobody, or nobody at one level; and sometimes nothing when it is asked another way."""
        start, faults = time.time(), self.deployment.pager.faults
        if rng.random() < 0.5:
            faults.unseen = frozenset(scenario.STAND_INS)
        else:
            faults.unseen_levels = frozenset((rng.choice((1, 2)),))
        if rng.random() < 0.4:
            faults.answer({}, status=503, times=rng.randint(1, 4), to="schedule")
        self._over.wait(rng.uniform(1, 6))
        faults.unseen, faults.unseen_levels = frozenset(), frozenset()
        self._noted(WRONG, "pager", start)

    def _delivered_twice(self, rng: random.Random) -> None:
        start, faults = time.time(), self.deployment.slack.faults
        faults.twice = True
        self._over.wait(rng.uniform(1, 5))
        faults.twice = False
        self._noted("delivered twice", "slack", start)

    def _noted(self, what: str, part: str, start: float) -> None:
        with self._lock:
            self.faults.append(Fault(what=what, part=part, start=start, end=time.time()))

    # ------------------------------------------------------------------------------------- the watch

    def _watch(self) -> None:
        """Whoever obeyed an order is seen to: the dead are started again."""
        while not self._gone.wait(POLL):
            for part in self.deployment.bots:
                dead = _is_dead(part)  # looked at before the news, which were written before a death
                for each in part.post.news():
                    self.obeyed[(each.order.step, each.order.do)] += 1
                    if each.order.do == KILL:
                        self._raising.add(part.name)
                    self._seen_to.append(self._pool.submit(self._see_to, part, each))
                if dead and part.name not in self._raising:
                    self._unexpected(part)

    def _see_to(self, part: BotPart, obeyed: Obeyed) -> None:
        order, rng = obeyed.order, random.Random(obeyed.at)
        if order.do == LOSE:
            self._lose(part, rng)
        elif order.do == KILL:
            self._raise(part, obeyed, rng)
        else:
            time.sleep(max(obeyed.at + order.seconds - time.time(), 0))
            self._noted(f"paused {order.step}", part.name, obeyed.at)

    def _lose(self, part: BotPart, rng: random.Random) -> None:
        valkey = self.deployment.store
        with valkey.lock:
            start = time.time()
            valkey.kill()
            part.post.say_lost()
            self._over.wait(rng.uniform(0, LONGEST_AWAY))
            valkey.start()
            self._noted("killed before its reply", valkey.name, start)

    def _raise(self, part: BotPart, obeyed: Obeyed, rng: random.Random) -> None:
        with part.lock:
            while part.pid == obeyed.pid:
                time.sleep(0.005)
            self._over.wait(rng.uniform(0, LONGEST_AWAY))
            part.start()
            self._raising.discard(part.name)
            self._noted(f"killed {obeyed.order.step}", part.name, obeyed.at)

    def _unexpected(self, part: BotPart) -> None:
        with part.lock:
            if part.pid is None:
                self.died.append(f"{part.name} ended by itself with {part.process.code}")
                part.start()


def _is_dead(part: BotPart) -> bool:
    """Though nobody is having anything done to it."""
    if not part.lock.acquire(blocking=False):
        return False
    try:
        return part.pid is None
    finally:
        part.lock.release()
