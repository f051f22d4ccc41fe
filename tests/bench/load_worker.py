"""``rotakey worker`` whose databases do nothing: ``python -m tests.bench.load_worker DEEDS``.

Each grant and revocation appends a line to the file DEEDS. Who holds something is what all its lines say. A
target that is named in the file DEEDS.hanging answers no call. BENCH_ANSWERS_AFTER: seconds of a call.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from bot import config
from bot.cli.settings import log_as_json, settings
from bot.core.catalog import Entitlement
from bot.core.errors import TemporaryFailure
from bot.core.holds import Hold, Presence, Receipt, Seen, System
from bot.ports.deadline import Deadline
from bot.ports.target import Abilities, Holder, Holders, Target
from bot.settings import TargetSettings
from bot.wiring import adapters, processes
from tests.bench.deeds import Deeds, Hanging


class NoopTarget:
    """Implements Target. To a single look everybody has what is not among the last that this process took."""

    abilities = Abilities(marks=True, keeps_end=False, ends_sessions=True)

    def __init__(
        self,
        name: str,
        deeds: Deeds,
        remembered: int = 2_000,
        hanging: Hanging | None = None,
        answers_after: float = 0,
    ) -> None:
        self._name, self._deeds, self._hanging = name, deeds, hanging
        self._system = System(id=name, instance=name)
        self._answers_after = answers_after
        self._taken: dict[str, None] = {}
        self._remembered = remembered

    def prepare(self, hold: Hold, not_after: Deadline) -> Receipt:
        self._answer(not_after)
        return Receipt(system=self._system.id)

    def grant(
        self, hold: Hold, receipts: Sequence[Receipt], until: datetime | None, not_after: Deadline
    ) -> Receipt:
        self._answer(not_after)
        self._deeds.append("give", hold)
        self._taken.pop(hold.key, None)
        return receipts[-1]

    def ready(self, hold: Hold, deadline: Deadline) -> None:
        self._answer(deadline)

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        self._answer(deadline)
        self._deeds.append("take", hold)
        self._taken[hold.key] = None
        with suppress(StopIteration, KeyError, RuntimeError):  # other threads forget some, too
            while len(self._taken) > self._remembered:
                del self._taken[next(iter(self._taken))]

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        self._answer(deadline)
        if hold.key in self._taken:
            return Seen(presence=Presence.NONE, system=self._system)
        kept = tuple(receipts) or (Receipt(system=self._system.id),)
        return Seen(presence=Presence.OURS, system=self._system, receipts=kept)

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:
        self._answer(deadline)
        accounts = self._deeds.holders(entitlement)
        found = tuple(Holder(account=each, presence=Presence.OURS) for each in accounts)
        return Holders(holders=found, system=self._system)

    def _answer(self, deadline: Deadline) -> None:
        if self._hanging and self._hanging.hangs(self._name):
            time.sleep(deadline.seconds_left())
            raise TemporaryFailure(f"{self._name} does not answer")
        if self._answers_after:
            time.sleep(self._answers_after)


def main(path: Path) -> None:
    log_as_json()
    deeds = Deeds(path)

    hanging = Hanging(path)
    answers_after = float(os.environ.get("BENCH_ANSWERS_AFTER", "0"))

    def noop(name: str, _: TargetSettings) -> Target:
        return NoopTarget(name, deeds, hanging=hanging, answers_after=answers_after)

    adapters.build_target = noop  # type: ignore[assignment, attr-defined]  # the databases do nothing here
    processes.work(*settings(config.WORKER), os.environ, "127.0.0.1")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
