"""What goes wrong, and when: one fault after the other, drawn from a seed, each on a part that is whole."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Self

import psycopg
import structlog

from chaos.database import ByHand, Database
from chaos.house import BotPart, House, Part, ServerPart
from chaos.steps import KILL, LOSE, OF_WEB, ON_THE_WAY, SLEEP, Obeyed, Order

log = structlog.get_logger(__name__)
POLL = 0.02
PATIENCE = 6.0
"""So long an order waits for somebody to come by its step."""
LONGEST_AWAY = 3.0
SHORT, OVER_CLAIM, OVER_TWO = (0.2, 3.0), (5.5, 9.0), (10.5, 13.0)
AT_ONCE = 3
BETWEEN_RESTS = 12
"""After so many faults nothing goes wrong for a while."""
ACTS_EVERY = 4
"""So many times less often than a fault an administrator does something."""
LONGEST_STALE = 40.0
STANDBY_AWAY = (1.0, 12.0)
"""Seconds for which nobody answers as a standby."""
DRAWN = (
    "revoked by hand",
    "login dropped",
    "login dropped later",
    "login kept",
    "standby",
    "moved",
    "failed over",
)
"""What can be left out of a round: an administrator takes an access away; the bot gets another login, and the
one before is dropped before the workers have the new one, or afterwards, or never, in which case the new one
may act for it; commits wait for a standby; a target gets another address by a policy that one worker has not
seen, and the old address leads to another server; and the copy of Redis changes places with its original."""
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

    def __init__(self, house: House, rng: random.Random, *, pace: float, rest: float) -> None:
        self.house = house
        self.only_workers = False
        """Only kill workers at their named steps."""
        self.without: frozenset[str] = frozenset()
        self.longest_hang = 0.0
        self.by_hand: list[ByHand] = []
        self._rng = rng
        self._rng_of_hangs, self._rng_of_acts = random.Random(rng.random()), random.Random(rng.random())
        self._pace = pace
        self._rest = rest
        self._over = threading.Event()
        self._gone = threading.Event()
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="fault")
        self._threads = [
            threading.Thread(target=each, name=each.__name__, daemon=True)
            for each in (self._direct, self._hang, self._administer, self._watch)
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
        for part in (*self.house.servers, *self.house.bots):
            with part.lock:
                part.start()
        for database in self.house.databases.values():
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
        if self.only_workers:
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
        self._order(rng.choice(self.house.workers), Order(step=step, do=do, seconds=pause))

    def _killed_at_a_step(self, rng: random.Random) -> None:
        self._order(rng.choice(self.house.workers), Order(step=self._least_met(rng), do=KILL))

    def _lost_reply(self, rng: random.Random) -> None:
        web = rng.random() < 0.4
        part = rng.choice(self.house.webs if web else self.house.workers)
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
        self._killed(rng.choice(self.house.bots), rng)

    def _killed_server(self, rng: random.Random) -> None:
        self._killed(self._some_server(rng), rng)

    def _some_server(self, rng: random.Random) -> ServerPart:
        """Valkey as often as a target; one that hangs now is left alone."""
        free = [each for each in self.house.targets.values() if not each.lock.locked()]
        stores = [self.house.store, self.house.store, self.house.copy]
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
        target = rng.choice(list(self.house.targets))
        postgres = self.house.targets[target]
        with postgres.lock:
            if pids := self.house.backends(target):
                start = time.time()
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(pids), signal.SIGKILL)
                self._noted("killed a backend", postgres.name, start)

    def _paused(self, rng: random.Random) -> None:
        part: Part = rng.choice([*self.house.bots, self._some_server(rng), self._some_server(rng)])
        with part.lock:
            start = time.time()
            part.pause(rng.uniform(*rng.choice((SHORT, OVER_CLAIM, OVER_TWO))))
            self._noted("paused", part.name, start)

    def _slack_away(self, rng: random.Random) -> None:
        start, faults = time.time(), self.house.slack.faults
        if rng.random() < 0.5:
            faults.lost_replies = rng.randint(1, 3)
        else:
            faults.down = True
            self._over.wait(rng.uniform(0.5, 4))
            faults.down = False
        self._noted("away", "slack", start)

    def _pager_away(self, rng: random.Random) -> None:
        start, faults = time.time(), self.house.pager.faults
        faults.down = True
        self._over.wait(rng.uniform(0.5, 5))
        faults.down = False
        self._noted("away", "pager", start)

    def _delivered_twice(self, rng: random.Random) -> None:
        start, faults = time.time(), self.house.slack.faults
        faults.twice = True
        self._over.wait(rng.uniform(1, 5))
        faults.twice = False
        self._noted("delivered twice", "slack", start)

    # ------------------------------------------------------------------------- what an administrator does

    def _hang(self) -> None:
        """One target at a time does not answer, for much longer than anything else is away."""
        rng = self._rng_of_hangs
        while self.longest_hang and not self._over.wait(rng.uniform(1, 3) * self.longest_hang):
            part = self.house.targets[rng.choice(list(self.house.targets))]
            with part.lock:
                start = time.time()
                part.pause(rng.uniform(0.4, 1) * self.longest_hang, self._over)
                self._noted("hung", part.name, start)

    def _administer(self) -> None:
        """One thing after the other, each in its turn."""
        acts = {
            "revoked by hand": self._revoked_by_hand,
            "login dropped": self._login_dropped,
            "login dropped later": self._login_dropped_later,
            "login kept": self._login_kept,
            "standby": self._standby_away,
            "moved": self._moved,
            "failed over": self._failed_over,
        }
        wanted = [act for what, act in acts.items() if what not in self.without]
        while wanted and not self.only_workers:
            for act in self._rng_of_acts.sample(wanted, len(wanted)):
                if self._over.wait(self._rng_of_acts.expovariate(1 / (ACTS_EVERY * self._pace))):
                    return
                self._survive(act, random.Random(self._rng_of_acts.random()))

    def _revoked_by_hand(self, rng: random.Random) -> None:
        database = self.house.databases[rng.choice(list(self.house.databases))]
        with suppress(psycopg.Error):  # it does not answer just now
            self.by_hand += database.revoke(rng)

    def _login_dropped(self, rng: random.Random) -> None:
        def rotate(database: Database) -> None:
            before = list(database.logins)
            database.new_login(heir=False)
            self._drop(database, before)
            self._restart_workers(database, rng)

        self._rotated("login dropped", rotate, rng)

    def _login_dropped_later(self, rng: random.Random) -> None:
        """Once no worker uses it any more."""

        def rotate(database: Database) -> None:
            before = list(database.logins)
            database.new_login(heir=True)
            self._restart_workers(database, rng)
            self._drop(database, before)

        self._rotated("login dropped later", rotate, rng)

    def _login_kept(self, rng: random.Random) -> None:
        def rotate(database: Database) -> None:
            database.new_login(heir=True)
            self._restart_workers(database, rng)

        self._rotated("login kept", rotate, rng)

    def _rotated(self, what: str, rotate: Callable[[Database], None], rng: random.Random) -> None:
        target = rng.choice(list(self.house.targets))
        part = self.house.targets[target]
        with part.lock:
            start = time.time()
            rotate(self.house.databases[target])
            self._noted(what, part.name, start)

    def _drop(self, database: Database, logins: list[str]) -> None:
        for each in logins:
            self.by_hand += database.drop_login(each)

    def _restart_workers(self, database: Database, rng: random.Random) -> None:
        """One after the other, with the login that is in use now."""
        for part in self.house.bots:
            part.process.environ = {**part.process.environ, **database.environ}
        for part in self.house.workers:
            with part.lock:
                if part.pid is not None:
                    part.process.stop()
                self._over.wait(rng.uniform(0, 1))
                part.start()

    def _failed_over(self, _: random.Random) -> None:
        """Nothing is lost by it."""
        primary, copy = self.house.store, self.house.copy
        with primary.lock, copy.lock:
            start = time.time()
            if primary.pid and copy.pid and self.house.redises.change_places():
                self._noted("failed over", primary.name, start)

    def _moved(self, rng: random.Random) -> None:
        target, other = rng.sample(list(self.house.targets), 2)
        stale = rng.choice(self.house.workers)
        with stale.lock:
            if not stale.works():  # it might still put the policy in force that it was started with
                return
            start, go_on = time.time(), threading.Event()
            sleeping = self._pool.submit(stale.pause, LONGEST_STALE, go_on)
            try:
                self._move(self.house.databases[target], self.house.databases[other], stale)
            finally:
                go_on.set()
                sleeping.result()
            self._noted("moved", f"postgres-{target}", start)

    def _move(self, database: Database, other: Database, stale: BotPart) -> None:
        """All but one process read the new policy."""
        time.sleep(5 * POLL)  # it is asleep by now
        database.move()
        self.house.write_policy()
        for part in self.house.bots:
            if part is not stale:
                with part.lock:
                    if part.pid is not None:
                        part.kill()
                    part.start()
                if part in self.house.webs:  # one of them is always there
                    self._wait_for(partial(self.house.answers, part))
        if self._wait_for(self.house.in_force):
            with suppress(psycopg.Error):  # the other server is away
                database.mislead(other)

    def _wait_for(self, look: Callable[[], bool]) -> bool:
        """Whether it came to be, soon enough for who sleeps meanwhile."""
        deadline = time.monotonic() + LONGEST_STALE / 4
        while not look() and time.monotonic() < deadline and not self._over.is_set():
            time.sleep(POLL)
        return look()

    def _standby_away(self, rng: random.Random) -> None:
        target = rng.choice(list(self.house.targets))
        part, database = self.house.targets[target], self.house.databases[target]
        with part.lock:
            start = time.time()
            database.wait_for_a_standby(wait=True)
            self._over.wait(rng.uniform(*STANDBY_AWAY))
            database.wait_for_a_standby(wait=False)
            self._noted("no standby", part.name, start)

    def _noted(self, what: str, part: str, start: float) -> None:
        with self._lock:
            self.faults.append(Fault(what=what, part=part, start=start, end=time.time()))

    # ------------------------------------------------------------------------------------- the watch

    def _watch(self) -> None:
        """Whoever obeyed an order is seen to: the dead are started again."""
        while not self._gone.wait(POLL):
            for part in self.house.bots:
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
        valkey = self.house.store
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
