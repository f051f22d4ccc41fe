"""One of rotakey's own processes with failpoints at each step: ``python -m tests.chaos.process worker``.

Nothing in the product knows of them: the ledger's, the target's and the messenger's methods are wrapped here
at the class. CHAOS_FAILPOINTS is the folder with the orders, CHAOS_BREAK a design that is known to lose.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as NoAnswer

from bot.cli import main as rotakey
from bot.core.holds import HoldRecord, Phase
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change
from bot.ports.documents import Card, Key
from bot.sandbox.stack.launch import PR_SET_PDEATHSIG
from bot.slack.api.messenger import SlackMessenger
from bot.targets.postgres.target import Postgres
from bot.usecases.access import batches, hands, outcomes, reconcile, survey
from tests.chaos import broken
from tests.chaos.failpoints import KILL, LOSE, VERBS, Execution, Failpoints, Order
from tests.chaos.wrapping import wrap

PAUSER = Path(__file__).with_name("pauser.py")
LOST_WITHIN = 5.0
LOOK_EVERY = timedelta(seconds=4)


class Hooks:
    """The failpoints, around the methods that are steps."""

    def __init__(self, failpoints: Failpoints) -> None:
        self._failpoints = failpoints
        self._losing = threading.local()

    def install(self) -> None:
        for verb in VERBS:
            wrap(Postgres, verb, self._around(lambda *_, verb=verb, **__: (verb,)))
        wrap(SlackMessenger, "show", self._around(lambda *_, **__: ("show",)))
        wrap(RedisLedger, "commit_all", self._around(lambda _, changes: _commits(changes)))
        wrap(RedisLedger, "claim", self._claim)
        wrap(Redis, "parse_response", self._parse_response)

    def _around(self, steps_of: Callable[..., Iterable[str]]) -> Callable[..., Any]:
        def around(call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
            steps = tuple(steps_of(*arguments, **more))
            for step in steps:
                self._hit(f"before {step}")
            answer = call(*arguments, **more)
            for step in steps:
                self._hit(f"after {step}")
            return answer

        return around

    def _claim(self, call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        found = call(*arguments, **more)
        if found.claims:
            self._hit("after claim")
        return found

    def _hit(self, step: str) -> None:
        order = self._failpoints.hit(step)
        if order is None:
            return
        if order.do == LOSE:
            self._losing.order = order
            return
        self._failpoints.record(Execution(order=order, at=time.time(), pid=os.getpid()))
        if order.do == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()
        else:
            _stop_for(order.seconds)

    def _parse_response(
        self, call: Callable[..., Any], client: Redis, connection: Any, command: str, **more: Any
    ) -> Any:
        """Read the reply, unless this thread is to lose it: then wait until it is there and Valkey was
        killed, and raise as if it had never come."""
        order: Order | None = getattr(self._losing, "order", None)
        if order is None or command != "EVALSHA":
            return call(client, connection, command, **more)
        self._losing.order = None
        connection.can_read(timeout=1)
        self._failpoints.record(Execution(order=order, at=time.time(), pid=os.getpid()))
        give_up = time.monotonic() + LOST_WITHIN
        while not self._failpoints.is_reply_lost() and time.monotonic() < give_up:
            time.sleep(0.005)
        connection.disconnect()
        raise NoAnswer("the reply was lost")


def _commits(changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        yield from (f"commit of {name}" for name in _names(change))


def _names(change: Change) -> Iterator[str]:
    """Yield what the change writes: several things if many holds are ended together."""
    if change.op is not None:
        yield "action"
        return
    if any(entry.what == "ending" and entry.by is None for entry in change.audit):
        yield "ending"
    for key, record in change.put.items():
        if isinstance(record, HoldRecord):
            yield _name_of(record, closes=change.done is not None)
        elif key == Key.of(HoldRecord, key.id):
            yield "gone"
    closes_card = change.done is not None and change.done.claim.kind == "card"
    if closes_card or any(isinstance(each, Card) for each in change.put.values()):
        yield "card"


def _name_of(record: HoldRecord, *, closes: bool) -> str:
    if record.failures or record.failing_since:  # waiting for a standby is not a failure, and is due again
        return "failed"
    if not closes:
        return "giving" if record.phase is Phase.GIVING else "taking"
    return "gone" if record.phase is Phase.EMPTY else "given"


def _stop_for(seconds: float) -> None:
    """Stop the whole process, not this thread alone; a child lets it go on."""
    command = [sys.executable, "-I", "-S", str(PAUSER), str(seconds), str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as pauser:
        pauser.wait()


def _end_with_parent() -> None:
    """Let the web server's children end, too, even if they are stopped at that moment."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _look_often() -> None:
    """Look at the targets every few seconds, so that a round sees what an administrator took away."""
    looks = [(module, "LOOK_EVERY") for module in (outcomes, reconcile, batches, hands)]
    for module, name in (*looks, (hands, "WAITS"), (survey, "CHECKED_EVERY")):
        if not hasattr(module, name):
            raise AttributeError(f"{module.__name__} has no {name}")
        vars(module)[name] = LOOK_EVERY


def main() -> None:
    os.register_at_fork(after_in_child=_end_with_parent)
    if design := os.environ.get("CHAOS_BREAK"):
        broken.DESIGNS[design]()
    _look_often()
    Hooks(Failpoints(Path(os.environ["CHAOS_FAILPOINTS"]))).install()
    rotakey()


if __name__ == "__main__":
    main()
