"""A program that grants and revokes: JSON on its standard input, JSON on its output, and an exit code."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.endpoint.target import Endpoint
from bot.endpoint.wire import Question
from bot.ports.deadline import Deadline
from bot.upstream import time_left, too_late

UNSUPPORTED, TRY_LATER = os.EX_UNAVAILABLE, os.EX_TEMPFAIL
MOST_BYTES = 1 << 20
"""The most that a program may write to its output, and to its error output."""
MOST_WORDS = 300
PASSED_ON = ("HOME", "LANG")
PATH = "/usr/local/bin:/usr/bin:/bin"
POLL = 0.01


class Command(Endpoint):
    """A program. Implements Target; see ``Endpoint``. ``folder`` is where it is looked for."""

    def __init__(self, name: str, run: Sequence[str], folder: str) -> None:
        digest = hashlib.sha256(json.dumps(run).encode()).hexdigest()[:16]
        super().__init__(name, _Program(name, run, folder), f"{run[0]} {digest}")


class _Program:
    """A Transport."""

    def __init__(self, name: str, run: Sequence[str], folder: str) -> None:
        self._name = name
        self._run = run
        self._folder = folder

    def ask(self, question: Question, deadline: Deadline) -> bytes | None:
        what = f"{self._name} ({question.verb})"
        program = self._find(what)
        with TemporaryFile() as asked, TemporaryFile() as said, TemporaryFile() as complained:
            asked.write(question.body())
            asked.seek(0)
            time_left(deadline, what)
            try:
                process = subprocess.Popen(  # noqa: S603 -- the name was checked, and no shell is involved
                    [program, *self._run[1:]],
                    stdin=asked,
                    stdout=said,
                    stderr=complained,
                    cwd=program.parent,
                    env={
                        "PATH": PATH,
                        **{each: os.environ[each] for each in PASSED_ON if each in os.environ},
                    },
                    start_new_session=True,
                )
            except OSError as error:
                raise PermanentFailure(
                    f"{what}: {self._run[0]} cannot be started: {error.strerror}; see docs/command.md"
                ) from error
            try:
                _wait(process, (said, complained), what, deadline)
            finally:  # all that it started, and that is still in its process group, ends with it
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            output, errors = _text(said), _text(complained)
        if process.returncode == UNSUPPORTED:
            return None
        if process.returncode == os.EX_OK:
            return output
        raise self._failure(process.returncode, output, errors, what)

    def _find(self, what: str) -> Path:
        """Return the path of the program. Raise PermanentFailure if it cannot be run, or if anybody could
        have put it there."""
        if not self._folder:
            raise PermanentFailure(f"{what}: COMMAND_DIR is not set: set it to the folder of your programs")
        program = Path(self._folder) / self._run[0]
        for each in (program, program.parent):
            try:
                mode = each.stat().st_mode
            except OSError as error:
                raise PermanentFailure(f"{what}: {each} cannot be read: {error.strerror}") from error
            if mode & stat.S_IWOTH:
                raise PermanentFailure(
                    f"{what}: everybody may write to {each}, so it is not run: take that right away with"
                    f" chmod o-w {each}"
                )
        if not (program.is_file() and os.access(program, os.X_OK)):
            raise PermanentFailure(f"{what}: {program} is not a program: make it one with chmod +x {program}")
        return program

    def _failure(
        self, code: int, output: bytes, errors: bytes, what: str
    ) -> TemporaryFailure | PermanentFailure:
        said = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
        with suppress(ValueError):
            answer = json.loads(output)
            if isinstance(answer, dict) and isinstance(answer.get("error"), str):
                said = answer["error"]
        said = " ".join(said.split())[:MOST_WORDS]
        because = f": {said}" if said else ""
        if code < 0:
            return TemporaryFailure(f"{what}: the program was ended by signal {-code}{because}")
        if code == TRY_LATER:
            return TemporaryFailure(f"{what}: the program says to try later{because}")
        return PermanentFailure(f"{what}: the program failed with exit code {code}{because}")


def _wait(
    process: subprocess.Popen[bytes], written: Sequence[IO[bytes]], what: str, deadline: Deadline
) -> None:
    """Wait until the program ends. Raise a failure if it takes too long or writes too much."""
    while process.poll() is None:
        if deadline.is_over:
            raise too_late(what)
        if any(os.fstat(each.fileno()).st_size > MOST_BYTES for each in written):
            raise PermanentFailure(
                f"{what}: the program writes more than {MOST_BYTES} bytes: let it write less"
            )
        time.sleep(min(POLL, deadline.seconds_left()))


def _text(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read(MOST_BYTES + 1)
