"""The bot's own processes, started as in production and ended with the sandbox."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from bot.core.errors import Misconfigured
from bot.sandbox.stack.server_process import LAUNCH

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "VIRTUAL_ENV")
"""The only variables of this shell that the bot sees: no real token slips into the sandbox."""

STOPS_WITHIN = 30.0
ROOT = Path(__file__).parents[3]


def _launch_command(death_signal: signal.Signals) -> list[str]:
    """Return the command that ends, on Linux, with the thread that starts it: start it from one that lives as
    long as we do."""
    account = f"{os.getuid()}:{os.getgid()}"
    return [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), str(int(death_signal)), account]


class BotProcess:
    """A process of ``rotakey <command>`` with an environment of its own. Its output goes to ``log``."""

    module: ClassVar[str] = "bot"
    death_signal: ClassVar[signal.Signals] = signal.SIGTERM
    """The signal it gets when we end without warning."""

    def __init__(self, command: str, *arguments: str, environ: Mapping[str, str], log: Path) -> None:
        self.command = command
        self.arguments = arguments
        self.environ = environ
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        program = [sys.executable, "-m", self.module, self.command, *self.arguments]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and our own module
                [*_launch_command(self.death_signal), *program],
                env={**kept, **self.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def code(self) -> int | None:
        """Return its exit code; None while it runs, and before it was started."""
        return self._process.poll() if self._process else None

    def must_be_running(self) -> None:
        """Raise Misconfigured, with its last words, if it has ended."""
        code = self._running().poll()
        if code is not None:
            last = self.log.read_text("utf-8", "replace").strip().splitlines()[-5:]
            raise Misconfigured(f"rotakey {self.command} ended with {code}:\n" + "\n".join(last))

    def wait(self, seconds: float) -> int | None:
        """Return its exit code, as soon as it has ended; None if that takes longer."""
        with suppress(subprocess.TimeoutExpired):
            self._running().wait(seconds)
        return self.code

    def tell_to_stop(self) -> None:
        """Tell it to stop, without waiting for it; ``stop`` waits."""
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def stop(self) -> None:
        """Stop it as an orderly shutdown does; kill it if it takes too long."""
        process = self._process
        if process is None:
            return
        self.tell_to_stop()
        try:
            process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """Kill it and everything it started at once, as a crash would."""
        process = self._running()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise Misconfigured(f"rotakey {self.command} has not been started")
        return self._process
