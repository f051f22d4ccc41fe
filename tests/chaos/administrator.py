"""What an administrator does behind the bot's back, and what becomes of the servers it depends on: they hang,
move, and change places."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from tests.chaos.database import ByHand, Database
from tests.chaos.deployment import BotPart, Deployment
from tests.chaos.store import Happened

POLL = 0.02
ACTS_EVERY = 6
"""So many times less often than a fault an administrator does something."""
LONGEST_STALE = 40.0
CUT_OFF = (0.1, 1.5)
"""Seconds for which Redis writes what its copy does not hear of, before it dies."""
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
    "lost writes",
    "policies",
    "security",
)
"""What can be left out of a round: an administrator takes an access away; the bot gets another login, and the
one before is dropped before the workers have the new one, or afterwards, or never, in which case the new one
may act for it; commits wait for a standby; a target gets another address by a policy that one worker has not
seen, and the old address leads to another server; the copy of Redis changes places with its original; it
takes the place of one that dies with what was written last; the policy changes; and security people stop
somebody, or all rules."""

Fault = Callable[[random.Random], None]


@dataclass(frozen=True, kw_only=True)
class Acts:
    """``pace``: seconds between faults, of which acts are a few. ``longest_hang``: seconds, 0 if no target
    hangs. ``without``: what is left out, of DRAWN."""

    pace: float
    longest_hang: float = 0.0
    without: frozenset[str] = frozenset()


class Administrator:
    """``hang_targets`` and ``act`` go on until it is ``over``. ``survive`` carries an act out, whatever it
    raises; ``note`` is told what was done, to which part, and since when."""

    def __init__(
        self,
        deployment: Deployment,
        rng: random.Random,
        terms: Acts,
        over: threading.Event,
        survive: Callable[[Fault, random.Random], None],
        note: Callable[[str, str, float], None],
    ) -> None:
        self._deployment = deployment
        self._rng_of_hangs, self._rng_of_acts = random.Random(rng.random()), random.Random(rng.random())
        self._pace, self._longest_hang, self._without = terms.pace, terms.longest_hang, terms.without
        self._over, self._survive, self._note = over, survive, note
        self.by_hand: list[ByHand] = []
        self.lost: list[Happened] = []

    def hang_targets(self) -> None:
        """One target at a time does not answer, for much longer than anything else is away."""
        rng = self._rng_of_hangs
        while self._longest_hang and not self._over.wait(rng.uniform(1, 3) * self._longest_hang):
            part = self._deployment.targets[rng.choice(list(self._deployment.targets))]
            with part.lock:
                start = time.time()
                part.pause(rng.uniform(0.4, 1) * self._longest_hang, self._over)
                self._note("hung", part.name, start)

    def act(self) -> None:
        """One thing after the other, each in its turn."""
        acts = {
            "revoked by hand": self._revoked_by_hand,
            "login dropped": self._login_dropped,
            "login dropped later": self._login_dropped_later,
            "login kept": self._login_kept,
            "standby": self._standby_away,
            "moved": self._moved,
            "failed over": self._failed_over,
            "lost writes": self._writes_lost,
        }
        wanted = [act for what, act in acts.items() if what not in self._without]
        while wanted:
            for act in self._rng_of_acts.sample(wanted, len(wanted)):
                if self._over.wait(self._rng_of_acts.expovariate(1 / (ACTS_EVERY * self._pace))):
                    return
                self._survive(act, random.Random(self._rng_of_acts.random()))

    def _revoked_by_hand(self, rng: random.Random) -> None:
        database = self._deployment.databases[rng.choice(list(self._deployment.databases))]
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
        target = rng.choice(list(self._deployment.targets))
        part = self._deployment.targets[target]
        with part.lock:
            start = time.time()
            rotate(self._deployment.databases[target])
            self._note(what, part.name, start)

    def _drop(self, database: Database, logins: list[str]) -> None:
        for each in logins:
            self.by_hand += database.drop_login(each)

    def _restart_workers(self, database: Database, rng: random.Random) -> None:
        """One after the other, with the login that is in use now."""
        for part in self._deployment.bots:
            part.process.environ = {**part.process.environ, **database.environ}
        for part in self._deployment.workers:
            with part.lock:
                if part.pid is not None:
                    part.process.stop()
                self._over.wait(rng.uniform(0, 1))
                part.start()

    def _failed_over(self, _: random.Random) -> None:
        """Nothing is lost by it."""
        primary, copy = self._deployment.store, self._deployment.copy
        with primary.lock, copy.lock:
            start = time.time()
            if primary.pid and copy.pid and self._deployment.redises.change_places():
                self._note("failed over", primary.name, start)

    def _writes_lost(self, rng: random.Random) -> None:
        primary, copy = self._deployment.store, self._deployment.copy
        with primary.lock, copy.lock:
            start = time.time()
            if not (primary.pid and copy.pid):
                return
            lost = self._deployment.redises.die_cut_off(lambda: time.sleep(rng.uniform(*CUT_OFF)))
            if lost is not None:
                self.lost += lost
                primary.start()
                self._note("killed with what it wrote last", primary.name, start)
        self._wait_for(self._deployment.apply_policy)  # as people do who hear that Redis has an older one

    def _moved(self, rng: random.Random) -> None:
        target, other = rng.sample(list(self._deployment.targets), 2)
        stale = rng.choice(self._deployment.workers)
        with stale.lock:
            if not stale.works():  # it might still put the policy in force that it was started with
                return
            start, go_on = time.time(), threading.Event()
            sleeping = threading.Thread(target=stale.pause, args=(LONGEST_STALE, go_on), daemon=True)
            sleeping.start()
            try:
                self._move(self._deployment.databases[target], self._deployment.databases[other], stale)
            finally:
                go_on.set()
                sleeping.join()
            self._note("moved", f"postgres-{target}", start)

    def _move(self, database: Database, other: Database, stale: BotPart) -> None:
        """All but one process read the new policy."""
        time.sleep(5 * POLL)  # it is asleep by now
        database.move()
        self._deployment.write_policy()
        self._wait_for(self._deployment.apply_policy)
        for part in self._deployment.bots:
            if part is not stale:
                with part.lock:
                    if part.pid is not None:
                        part.kill()
                    part.start()
                if part in self._deployment.webs:  # one of them is always there
                    self._wait_for(part.process.is_ready)
        if self._wait_for(self._deployment.in_force):
            with suppress(psycopg.Error):  # the other server is away
                database.mislead(other)

    def _wait_for(self, look: Callable[[], bool]) -> bool:
        """Whether it came to be, soon enough for who sleeps meanwhile."""
        deadline = time.monotonic() + LONGEST_STALE / 4
        while not look() and time.monotonic() < deadline and not self._over.is_set():
            time.sleep(POLL)
        return look()

    def _standby_away(self, rng: random.Random) -> None:
        target = rng.choice(list(self._deployment.targets))
        part, database = self._deployment.targets[target], self._deployment.databases[target]
        with part.lock:
            start = time.time()
            database.wait_for_a_standby(wait=True)
            self._over.wait(rng.uniform(*STANDBY_AWAY))
            database.wait_for_a_standby(wait=False)
            self._note("no standby", part.name, start)
