"""An administrator who acts without the bot, and changes of the servers that it depends on: they hang, get
another address, and fail over."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from tests.chaos.database import Database, ManualRevocation
from tests.chaos.deployment import BotPart, Deployment
from tests.chaos.store import AuditEntry

POLL = 0.02
ACTS_EVERY = 6
"""The number of faults for each thing that an administrator does."""
LONGEST_STALE = 40.0
CUT_OFF = (0.1, 1.5)
"""Seconds for which Redis writes without its replica, before it dies."""
STANDBY_AWAY = (1.0, 12.0)
"""Seconds for which no standby answers."""
OPTIONAL = (
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
"""The faults that can be left out of a round: an administrator revokes a role; the bot gets another login,
and the one before is dropped before the workers have the new one, or afterwards, or never, in which case the
new one may act for it; commits wait for a standby; a target gets another address by a policy that one worker
has not read, and the old address leads to another server; Redis fails over; it fails over and loses what was
written last; the policy changes; security people ban somebody or freeze all rules."""

Fault = Callable[[random.Random], None]


@dataclass(frozen=True, kw_only=True)
class AdministratorSettings:
    """Settings of a round. ``pace``: seconds between faults, some of which are the administrator's.
    ``longest_hang``: seconds that a target hangs, 0 for never. ``without``: the faults of OPTIONAL that are
    left out."""

    pace: float
    longest_hang: float = 0.0
    without: frozenset[str] = frozenset()


class Administrator:
    """The administrator. ``hang_targets`` and ``act`` go on until it is ``over``. ``attempt`` calls a fault
    and records what it raises; ``record`` gets what was done, to which part, and since when."""

    def __init__(
        self,
        deployment: Deployment,
        rng: random.Random,
        settings: AdministratorSettings,
        over: threading.Event,
        attempt: Callable[[Fault, random.Random], None],
        record: Callable[[str, str, float], None],
    ) -> None:
        self._deployment = deployment
        self._rng_of_hangs, self._rng_of_acts = random.Random(rng.random()), random.Random(rng.random())
        self._pace, self._longest_hang, self._without = settings.pace, settings.longest_hang, settings.without
        self._over, self._attempt, self._record = over, attempt, record
        self.manual_revocations: list[ManualRevocation] = []
        self.lost: list[AuditEntry] = []

    def hang_targets(self) -> None:
        """Let one target at a time not answer, for much longer than anything else is away."""
        rng = self._rng_of_hangs
        while self._longest_hang and not self._over.wait(rng.uniform(1, 3) * self._longest_hang):
            part = self._deployment.targets[rng.choice(list(self._deployment.targets))]
            with part.lock:
                start = time.time()
                part.pause(rng.uniform(0.4, 1) * self._longest_hang, self._over)
                self._record("hung", part.name, start)

    def act(self) -> None:
        """Do all things in turns, in an order that is drawn each time."""
        acts = {
            "revoked by hand": self._revoke_by_hand,
            "login dropped": self._replace_login_drop_first,
            "login dropped later": self._replace_login_drop_later,
            "login kept": self._replace_login_keep,
            "standby": self._remove_standby,
            "moved": self._change_address,
            "failed over": self._fail_over,
            "lost writes": self._lose_writes,
        }
        wanted = [act for what, act in acts.items() if what not in self._without]
        while wanted:
            for act in self._rng_of_acts.sample(wanted, len(wanted)):
                if self._over.wait(self._rng_of_acts.expovariate(1 / (ACTS_EVERY * self._pace))):
                    return
                self._attempt(act, random.Random(self._rng_of_acts.random()))

    def _revoke_by_hand(self, rng: random.Random) -> None:
        database = self._deployment.databases[rng.choice(list(self._deployment.databases))]
        with suppress(psycopg.Error):  # it does not answer now
            self.manual_revocations += database.revoke(rng)

    def _replace_login_drop_first(self, rng: random.Random) -> None:
        def rotate(database: Database) -> None:
            before = list(database.logins)
            database.new_login(heir=False)
            self._drop(database, before)
            self._restart_workers(database, rng)

        self._replace_login("login dropped", rotate, rng)

    def _replace_login_drop_later(self, rng: random.Random) -> None:
        """Drop the login when no worker uses it any more."""

        def rotate(database: Database) -> None:
            before = list(database.logins)
            database.new_login(heir=True)
            self._restart_workers(database, rng)
            self._drop(database, before)

        self._replace_login("login dropped later", rotate, rng)

    def _replace_login_keep(self, rng: random.Random) -> None:
        def rotate(database: Database) -> None:
            database.new_login(heir=True)
            self._restart_workers(database, rng)

        self._replace_login("login kept", rotate, rng)

    def _replace_login(self, what: str, rotate: Callable[[Database], None], rng: random.Random) -> None:
        target = rng.choice(list(self._deployment.targets))
        part = self._deployment.targets[target]
        with part.lock:
            start = time.time()
            rotate(self._deployment.databases[target])
            self._record(what, part.name, start)

    def _drop(self, database: Database, logins: list[str]) -> None:
        for each in logins:
            self.manual_revocations += database.drop_login(each)

    def _restart_workers(self, database: Database, rng: random.Random) -> None:
        """Restart one after the other, with the present login."""
        for part in self._deployment.bots:
            part.process.environ = {**part.process.environ, **database.environ}
        for part in self._deployment.workers:
            with part.lock:
                if part.pid is not None:
                    part.process.stop()
                self._over.wait(rng.uniform(0, 1))
                part.start()

    def _fail_over(self, _: random.Random) -> None:
        """Fail over without losing anything."""
        primary, replica = self._deployment.primary, self._deployment.replica
        with primary.lock, replica.lock:
            start = time.time()
            if primary.pid and replica.pid and self._deployment.store.fail_over():
                self._record("failed over", primary.name, start)

    def _lose_writes(self, rng: random.Random) -> None:
        primary, replica = self._deployment.primary, self._deployment.replica
        with primary.lock, replica.lock:
            start = time.time()
            if not (primary.pid and replica.pid):
                return
            lost = self._deployment.store.fail_over_losing_writes(lambda: time.sleep(rng.uniform(*CUT_OFF)))
            if lost is not None:
                self.lost += lost
                primary.start()
                self._record("killed with what it wrote last", primary.name, start)
        self._wait_for(
            self._deployment.apply_policy
        )  # as people do when they read that Redis has an older one

    def _change_address(self, rng: random.Random) -> None:
        target, other = rng.sample(list(self._deployment.targets), 2)
        stale = rng.choice(self._deployment.workers)
        with stale.lock:
            if not stale.is_working():  # it might still put the policy in force that it was started with
                return
            start, go_on = time.time(), threading.Event()
            sleeping = threading.Thread(target=stale.pause, args=(LONGEST_STALE, go_on), daemon=True)
            sleeping.start()
            try:
                self._apply_new_address(
                    self._deployment.databases[target], self._deployment.databases[other], stale
                )
            finally:
                go_on.set()
                sleeping.join()
            self._record("moved", f"postgres-{target}", start)

    def _apply_new_address(self, database: Database, other: Database, stale: BotPart) -> None:
        """Let all processes but one read a policy with the new address."""
        time.sleep(5 * POLL)  # it is stopped by now
        database.change_address()
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
        if self._wait_for(self._deployment.is_in_force):
            with suppress(psycopg.Error):  # the other server is away
                database.reuse_old_address(other)

    def _wait_for(self, look: Callable[[], bool]) -> bool:
        """Wait while the stale worker is stopped, and return whether the condition became true."""
        deadline = time.monotonic() + LONGEST_STALE / 4
        while not look() and time.monotonic() < deadline and not self._over.is_set():
            time.sleep(POLL)
        return look()

    def _remove_standby(self, rng: random.Random) -> None:
        target = rng.choice(list(self._deployment.targets))
        part, database = self._deployment.targets[target], self._deployment.databases[target]
        with part.lock:
            start = time.time()
            database.require_standby(required=True)
            self._over.wait(rng.uniform(*STANDBY_AWAY))
            database.require_standby(required=False)
            self._record("no standby", part.name, start)
