"""A watch over Redis that does not depend on the due set: whether it is still the same one, and what it has
lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, PolicyInForce, Restore
from bot.ports.ledger import Ledger
from bot.usecases.audit.rollback import RollbackGuard

log = structlog.get_logger(__name__)

EVERY = 1.0
"""Seconds between two looks. Access whose end Redis has forgotten may be granted for that long, at
most."""
PATIENCE = 10
"""Looks in a row that may fail while Redis answers otherwise; then it is logged, and the worker goes on."""
OWED_EVERY = 10.0
"""Seconds after which a lost job that should always be due is made due again."""


class Follows(Protocol):
    """The policy that this process follows."""

    @property
    def security_channel(self) -> str | None: ...

    def enact(self, ledger: Ledger) -> None: ...


class Watchdog:
    """The watch of one worker. It logs each finding once. ``keep_owed`` makes due again what was lost from
    the due set."""

    def __init__(
        self,
        guard: RollbackGuard,
        ledger: Ledger,
        policy: Follows,
        keep_owed: Callable[[], None] = lambda: None,
    ) -> None:
        self.guard = guard
        self.ledger = ledger
        self.policy = policy
        self.keep_owed = keep_owed
        self._pause = Deadline.after(0)
        self._logged: Restore | str | None = None
        self._late: str | None = None
        self._failed = 0

    def begin(self) -> None:
        """Start the watch on a thread of its own, for as long as the process lives."""

        def watch() -> None:
            while True:
                time.sleep(EVERY)
                try:
                    self.go_round()
                except Exception:  # the next look may still see what matters
                    log.exception("unforeseen")

        threading.Thread(target=watch, name="watchdog", daemon=True).start()

    def look(self) -> None:
        """Look once, and log what is new. Raise TemporaryFailure if Redis does not answer, and nothing else:
        a worker begins with a look, and must go on to revoke."""
        try:
            seen: Restore | str | None = self.guard.look(self.policy.security_channel)
        except PermanentFailure as failure:
            seen = str(failure)
        except TemporaryFailure as failure:
            self._failed += 1
            if self._failed < PATIENCE:
                raise
            self.ledger.read()
            seen = str(failure)
        except Exception as error:  # the worker revokes, whatever Redis contains
            seen = repr(error)
            if seen != self._logged:
                log.exception("unforeseen")
        else:
            self._failed = 0
        if seen == self._logged:
            return
        self._logged = seen
        if isinstance(seen, Restore):
            event = "redis failed over" if seen.failover else "redis came back older"
            log.critical(event, had=seen.anchored, found=seen.found)
        elif seen:
            log.critical("redis not compared with the anchor", error=seen)

    def put_in_force(self) -> None:
        """Put this worker's policy in force. If that cannot be written, the next round tries again; revoking
        goes on meanwhile."""
        late = None
        try:
            self.policy.enact(self.ledger)
        except TemporaryFailure as failure:
            late = str(failure)
        if late and late != self._late:
            log.critical("own policy not in force yet", error=late)
        self._late = late

    def go_round(self) -> None:
        """Put a Redis that came back empty to work again, so that what becomes due from now on is done and
        strays are found. Nothing is granted by this: a Restore is there by then."""
        try:
            self.look()
            if self._late or self.ledger.read({Key.of(PolicyInForce)}).find(PolicyInForce) is None:
                self.put_in_force()
            if self._pause.is_over:
                self.keep_owed()
                self._pause = Deadline.after(OWED_EVERY)
        except TemporaryFailure:  # the worker's loop reports that Redis is away
            return
