"""``rotakey`` with databases that do nothing: ``python -m tests.bench.load_worker worker``.

Each grant and revocation is appended to the CallLog in the file that BENCH_CALLS names, and the holders are
read from it. HangingTargets beside it answer no call; others answer after BENCH_ANSWERS_AFTER seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from bot.cli import main as rotakey
from bot.core.catalog import Entitlement
from bot.core.errors import TemporaryFailure
from bot.core.holds import Hold, Presence, Receipt, Seen, System
from bot.ports.deadline import Deadline
from bot.ports.target import Abilities, Holder, Holders, Target
from bot.settings import TargetSettings
from bot.wiring import adapters
from tests.bench.calls import GRANT, REVOKE, CallLog, HangingTargets


class NoopTarget:
    """A Target. ``has`` says that everybody has what is not among the last ``remembered`` things that this
    process revoked."""

    abilities = Abilities(marks=True, keeps_end=False, ends_sessions=True)

    def __init__(
        self,
        name: str,
        calls: CallLog,
        remembered: int = 2_000,
        hanging: HangingTargets | None = None,
        answers_after: float = 0,
    ) -> None:
        self._name, self._calls, self._hanging = name, calls, hanging
        self._system = System(id=name, instance=name)
        self._answers_after = answers_after
        self._revoked: dict[str, None] = {}
        self._remembered = remembered

    def prepare(self, hold: Hold, not_after: Deadline) -> Receipt:
        self._answer(not_after)
        return Receipt(system=self._system.id)

    def grant(
        self, hold: Hold, receipts: Sequence[Receipt], until: datetime | None, not_after: Deadline
    ) -> Receipt:
        self._answer(not_after)
        self._calls.append(GRANT, hold)
        self._revoked.pop(hold.key, None)
        return receipts[-1]

    def ready(self, hold: Hold, deadline: Deadline) -> None:
        self._answer(deadline)

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        self._answer(deadline)
        self._calls.append(REVOKE, hold)
        self._revoked[hold.key] = None
        with suppress(StopIteration, KeyError, RuntimeError):  # other threads forget some, too
            while len(self._revoked) > self._remembered:
                del self._revoked[next(iter(self._revoked))]

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        self._answer(deadline)
        if hold.key in self._revoked:
            return Seen(presence=Presence.NONE, system=self._system)
        kept = tuple(receipts) or (Receipt(system=self._system.id),)
        return Seen(presence=Presence.OURS, system=self._system, receipts=kept)

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:
        self._answer(deadline)
        accounts = self._calls.holders(entitlement)
        found = tuple(Holder(account=each, presence=Presence.OURS) for each in accounts)
        return Holders(holders=found, system=self._system)

    def _answer(self, deadline: Deadline) -> None:
        if self._hanging and self._name in self._hanging:
            time.sleep(deadline.seconds_left())
            raise TemporaryFailure(f"{self._name} does not answer")
        if self._answers_after:
            time.sleep(self._answers_after)


def main() -> None:
    path = Path(os.environ["BENCH_CALLS"])
    calls, hanging = CallLog(path), HangingTargets(path)
    answers_after = float(os.environ.get("BENCH_ANSWERS_AFTER", "0"))

    def noop(name: str, _: TargetSettings) -> Target:
        return NoopTarget(name, calls, hanging=hanging, answers_after=answers_after)

    adapters.build_target = noop  # type: ignore[assignment, attr-defined]  # the databases do nothing here
    rotakey()


if __name__ == "__main__":
    main()
