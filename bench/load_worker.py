"""``rotakey worker`` whose databases do nothing and take no time: ``python -m bench.load_worker TAKES``.

Each take appends a line to the file TAKES: when, and whose.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from bot import config, wiring
from bot.cli.settings import log_as_json, settings
from bot.core.catalog import Entitlement
from bot.core.holds import Hold, Presence
from bot.kinds import PostgresSettings
from bot.ports import Abilities, Deadline, Holder, Target


class NoopTarget:
    """Implements Target. Everybody has what is not among the last that this process took."""

    abilities = Abilities(marks=True, keeps_end=False, ends_sessions=True)

    def __init__(self, takes: int, remembered: int = 2_000) -> None:
        self._takes = takes
        self._taken: deque[str] = deque(maxlen=remembered)

    def give(self, hold: Hold, until: datetime | None, not_after: Deadline) -> None:
        with suppress(ValueError):
            self._taken.remove(hold.key)

    def take(self, hold: Hold, deadline: Deadline) -> None:
        os.write(self._takes, f"{time.time():.6f} {hold.account}\n".encode())
        self._taken.append(hold.key)

    def has(self, hold: Hold, deadline: Deadline) -> Presence:
        return Presence.NONE if hold.key in self._taken else Presence.OURS

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> tuple[Holder, ...]:
        return ()


def main(takes: Path) -> None:
    log_as_json()
    file = os.open(takes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def noop(*_: Any) -> Target:
        return NoopTarget(file)

    wiring.TARGETS = {PostgresSettings: noop}
    wiring.work(*settings(config.WORKER), os.environ, "127.0.0.1")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
