"""``rotakey worker`` whose databases do nothing and take no time: ``python -m bench.load_worker DEEDS``.

Each give and take appends a line to the file DEEDS. Who holds something is what all its lines tell.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.deeds import Deeds
from bot import config, wiring
from bot.cli.settings import log_as_json, settings
from bot.core.catalog import Entitlement
from bot.core.holds import Hold, Presence
from bot.kinds import PostgresSettings
from bot.ports import Abilities, Deadline, Holder, Target


class NoopTarget:
    """Implements Target. To a single look everybody has what is not among the last that this process took."""

    abilities = Abilities(marks=True, keeps_end=False, ends_sessions=True)

    def __init__(self, name: str, deeds: Deeds, remembered: int = 2_000) -> None:
        self._name, self._deeds = name, deeds
        self._taken: dict[str, None] = {}
        self._remembered = remembered

    def give(self, hold: Hold, until: datetime | None, not_after: Deadline) -> None:
        self._deeds.append("give", self._name, hold.account)
        self._taken.pop(hold.key, None)

    def take(self, hold: Hold, deadline: Deadline) -> None:
        self._deeds.append("take", self._name, hold.account)
        self._taken[hold.key] = None
        with suppress(StopIteration, KeyError, RuntimeError):  # other threads forget some, too
            while len(self._taken) > self._remembered:
                del self._taken[next(iter(self._taken))]

    def has(self, hold: Hold, deadline: Deadline) -> Presence:
        return Presence.NONE if hold.key in self._taken else Presence.OURS

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> tuple[Holder, ...]:
        return tuple(Holder(account=each, presence=Presence.OURS) for each in self._deeds.holders(self._name))


def main(path: Path) -> None:
    log_as_json()
    deeds = Deeds(path)

    def noop(name: str, *_: Any) -> Target:
        return NoopTarget(name, deeds)

    wiring.TARGETS = {PostgresSettings: noop}
    wiring.work(*settings(config.WORKER), os.environ, "127.0.0.1")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
