"""The later outcome of ops that a process could not confirm while Redis was silent, reported to the
person."""

from __future__ import annotations

import threading
import time

import structlog

from bot.core.errors import TemporaryFailure
from bot.ports.deadline import Deadline
from bot.ports.ledger import Ledger
from bot.usecases.confirm import find_out

MOST = 100
"""The most ops remembered at the same time; for any beyond that only the cards show the outcome."""
REMEMBERED_FOR = 600.0
ASKED_EVERY = 1.0
"""Seconds between two tries. Redis knows an op for 15 minutes, so nothing can be found out after that."""

log = structlog.get_logger(__name__)


class Afterwards:
    """The unconfirmed ops of one process, forgotten when it ends. Threads may share it."""

    def __init__(self, ledger: Ledger, every: float = ASKED_EVERY) -> None:
        self._ledger = ledger
        self._every = every
        self._left: dict[str, tuple[str, Deadline]] = {}
        self._asking = False
        self._lock = threading.Lock()

    def remember(self, op: str, person: str) -> bool:
        """Tell the person what became of the op as soon as Redis answers. Return False if too many are
        already remembered."""

        def keep_asking() -> None:
            while True:
                time.sleep(self._every)
                self.find_out()
                with self._lock:
                    if not self._left:
                        self._asking = False
                        return

        with self._lock:
            if len(self._left) >= MOST:
                log.warning("too much to find out afterwards", op=op)
                return False
            self._left[op] = (person, Deadline.after(REMEMBERED_FOR))
            if not self._asking:
                threading.Thread(target=keep_asking, name="afterwards", daemon=True).start()
                self._asking = True
            return True

    def find_out(self) -> int:
        """Try once to find out about all of them. Return how many are left."""
        with self._lock:
            left = dict(self._left)
        for op, (person, until) in left.items():
            if not until.is_over:
                try:
                    find_out(self._ledger, op, person)
                except TemporaryFailure as failure:
                    log.info("not confirmed yet", op=op, error=str(failure))
                    break
                except Exception:  # the others must not wait for this one
                    log.exception("what became of an op cannot be found out", op=op)
            with self._lock:
                self._left.pop(op, None)
        with self._lock:
            return len(self._left)
