"""Scripts whose writes must be on replicas before anything is done that rests on them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import NoScriptError, RedisError

from bot.core.errors import NotCopied
from bot.ledger.connection import translate_errors

COPIED_WITHIN = timedelta(seconds=1)
"""The longest wait for replicas, shorter than one try of a call may take."""

NOT_LONG = timedelta(milliseconds=5)
SILENT_FOR = 5.0
"""Seconds for which no call waits long again after replicas did not answer in time."""

Argument = str | bytes | int | memoryview


class Copied:
    """A runner of scripts together with WAIT, on one connection: ``copies`` replicas have what the script
    wrote once they have everything before it."""

    def __init__(self, client: Redis, keys: Sequence[str], copies: int) -> None:
        self._client = client
        self._keys = tuple(keys)
        self._copies = copies
        self._silent_until = 0.0

    def run(self, script: Script, *arguments: Argument) -> tuple[Any, NotCopied | None]:
        """Return the script's answer, and the error to raise if it wrote anything: too few replicas confirmed
        it in time. Raise TemporaryFailure."""
        with translate_errors(writing=True):
            answer, copies = self._answer(script, *arguments, within=COPIED_WITHIN)
        if isinstance(copies, RedisError):
            return answer, NotCopied(
                f"Redis does not say whether {self._copies} replicas have it ({copies}): nothing is granted"
            )
        if copies < self._copies:
            return answer, NotCopied(
                f"{copies} of {self._copies} Redis replicas have confirmed what is about to be done: nothing"
                " is granted until they all have"
            )
        return answer, None

    def wait_for_replicas(self, mark: Script, primary: str | None) -> bool:
        """Wait until the replicas have everything written before this call, and return whether they do. The
        wait is short if they did not confirm a moment ago. ``mark`` writes something and answers which
        primary that is: if it is not ``primary``, nothing is known of what was written before. Raise
        TemporaryFailure."""
        hurry = time.monotonic() < self._silent_until
        with translate_errors():
            answer, copies = self._answer(mark, within=NOT_LONG if hurry else COPIED_WITHIN)
        enough = isinstance(copies, int) and copies >= self._copies
        if primary is not None and answer != primary:
            return False
        if enough:
            self._silent_until = 0.0
        elif not hurry:  # a wait of 5 ms does not show that a second would be too short
            self._silent_until = time.monotonic() + SILENT_FOR
        return enough

    def _answer(self, script: Script, *arguments: Argument, within: timedelta) -> list[Any]:
        """Run the script and wait. Return its answer, and what WAIT answered, which may be an error."""
        answer, copies = self._run_and_wait("EVALSHA", script.sha, *arguments, within=within)
        if isinstance(answer, NoScriptError):
            answer, copies = self._run_and_wait("EVAL", script.script, *arguments, within=within)
        if isinstance(answer, RedisError):
            raise answer
        return [answer, copies]

    def _run_and_wait(self, verb: str, text: Argument, *arguments: Argument, within: timedelta) -> list[Any]:
        with self._client.pipeline(transaction=False) as pipe:
            pipe.execute_command(verb, text, len(self._keys), *self._keys, *arguments)
            pipe.execute_command("WAIT", self._copies, within // timedelta(milliseconds=1))
            return pipe.execute(raise_on_error=False)
