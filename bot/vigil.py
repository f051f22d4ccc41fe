"""Looking every few seconds whether Redis is still the one it was, also where nothing is due in it now."""

from __future__ import annotations

import threading
import time
from typing import Protocol

import structlog

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.ports import Key, Ledger, PolicyInForce
from bot.usecases.restore import Watch

log = structlog.get_logger(__name__)

EVERY = 5.0


class Follows(Protocol):
    """The policy that this process follows."""

    @property
    def security_channel(self) -> str | None: ...

    def enact(self, ledger: Ledger) -> None: ...


def begin(watch: Watch, ledger: Ledger, policy: Follows) -> None:
    """On a thread of its own, as long as the process lives."""

    def keep() -> None:
        while True:
            time.sleep(EVERY)
            try:
                round_of(watch, ledger, policy)
            except Exception:  # whatever is met, the next look may see what matters
                log.exception("unforeseen")

    threading.Thread(target=keep, name="vigil", daemon=True).start()


def round_of(watch: Watch, ledger: Ledger, policy: Follows) -> None:
    """One look. A Redis that came back empty is put to work again: so what is owed from now on is done, and
    strays are found. It gives nothing, for a Restore is there by then."""
    try:
        look(watch, policy.security_channel)
        if ledger.read({Key.of(PolicyInForce)}).find(PolicyInForce) is None:
            policy.enact(ledger)
    except TemporaryFailure as failure:
        log.warning("cannot look whether redis is the one it was", error=str(failure))


def look(watch: Watch, channel: str | None) -> None:
    """Raises TemporaryFailure where Redis does not answer."""
    try:
        restore = watch.look(channel)
    except PermanentFailure as failure:
        log.critical("cannot compare redis with what it was", error=str(failure))
        return
    if restore:
        log.critical("redis came back older", had=restore.anchored, found=restore.found)
