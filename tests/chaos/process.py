"""One of rotakey's own processes with a trapdoor under each step: ``python -m tests.chaos.process worker``.

Nothing in the product knows of it: the ledger's, the target's and the messenger's methods are wrapped here
at the class. CHAOS_POST is the folder where the orders lie, CHAOS_BREAK a design that is known to lose.
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
from typing import Any, NoReturn

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
from tests.chaos.steps import KILL, LOSE, SLEEP, VERBS, Obeyed, Order, Post
from tests.chaos.wrapping import wrap

PAUSER = Path(__file__).with_name("pauser.py")
LOST_WITHIN = 5.0
LOOK_EVERY = timedelta(seconds=4)


class Trapdoors:
    def __init__(self, post: Post) -> None:
        self._post = post
        self._losing = threading.local()

    def lay(self) -> None:
        for verb in VERBS:
            wrap(Postgres, verb, self._around(lambda *_, verb=verb, **__: (verb,)))
        wrap(SlackMessenger, "show", self._around(lambda *_, **__: ("show",)))
        wrap(RedisLedger, "commit_all", self._around(lambda _, changes: _commits(changes)))
        wrap(RedisLedger, "claim", self._after_claim)
        wrap(Redis, "parse_response", self._hearing)

    def _around(self, named: Callable[..., Iterable[str]]) -> Callable[..., Any]:
        def trapped(call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
            steps = tuple(named(*arguments, **more))
            for step in steps:
                self._come_by(f"before {step}")
            answer = call(*arguments, **more)
            for step in steps:
                self._come_by(f"after {step}")
            return answer

        return trapped

    def _after_claim(self, call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        found = call(*arguments, **more)
        if found.claims:
            self._come_by("after claim")
        return found

    def _come_by(self, step: str) -> None:
        order = self._post.come_by(step)
        if order is None:
            return
        if order.do == LOSE:
            self._losing.order = order
            return
        self._post.obey(Obeyed(order=order, at=time.time(), pid=os.getpid()))
        if order.do == KILL:
            _die()
        if order.do == SLEEP:
            _sleep(order.seconds)

    def _hearing(
        self, call: Callable[..., Any], client: Redis, connection: Any, command: str, **more: Any
    ) -> Any:
        """Whoever is to lose a reply waits until it is there, has Valkey killed, and has heard nothing."""
        order: Order | None = getattr(self._losing, "order", None)
        if order is None or command != "EVALSHA":
            return call(client, connection, command, **more)
        self._losing.order = None
        connection.can_read(timeout=1)
        self._post.obey(Obeyed(order=order, at=time.time(), pid=os.getpid()))
        give_up = time.monotonic() + LOST_WITHIN
        while not self._post.is_lost() and time.monotonic() < give_up:
            time.sleep(0.005)
        connection.disconnect()
        raise NoAnswer("the reply was lost")


def _commits(changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        yield from (f"commit of {name}" for name in _names(change))


def _names(change: Change) -> Iterator[str]:
    """What it writes: more than one thing where many are ended together."""
    if change.op is not None:
        yield "deed"
        return
    if any(entry.what == "ending" and entry.by is None for entry in change.audit):
        yield "ending"
    for key, record in change.put.items():
        if isinstance(record, HoldRecord):
            yield _of_hold(record, closes=change.done is not None)
        elif key == Key.of(HoldRecord, key.id):
            yield "gone"
    if any(isinstance(each, Card) for each in change.put.values()) or _closes(change, "card"):
        yield "card"


def _of_hold(record: HoldRecord, *, closes: bool) -> str:
    if record.failures or record.failing_since:  # to wait for a standby is no failure, and is due again
        return "failed"
    if not closes:
        return "giving" if record.phase is Phase.GIVING else "taking"
    return "gone" if record.phase is Phase.EMPTY else "given"


def _closes(change: Change, kind: str) -> bool:
    return change.done is not None and change.done.claim.kind == kind


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()
    raise AssertionError("nobody outlives this")


def _sleep(seconds: float) -> None:
    """All of this process stops, not this thread alone; a child of ours sees to it that we go on."""
    command = [sys.executable, "-I", "-S", str(PAUSER), str(seconds), str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as pauser:
        pauser.wait()


def _end_with_parent() -> None:
    """The web server's child as well, though it may be stopped just then."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _look_often() -> None:
    """What an administrator took away is to be seen within a round, not within ten minutes."""
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
    Trapdoors(Post(Path(os.environ["CHAOS_POST"]))).lay()
    rotakey()


if __name__ == "__main__":
    main()
