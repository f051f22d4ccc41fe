"""The bot's own processes, started as in production and ended with the sandbox."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from bot.core.errors import Misconfigured
from bot.sandbox.stack.child import Child, start_child
from bot.testing.localhost import answers

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "VIRTUAL_ENV")
"""The only variables of this shell that the bot sees: no real token slips into the sandbox."""

STOPS_WITHIN = 30.0
LAST_LINES = 5
ROOT = Path(__file__).parents[3]


class BotProcess:
    """A process of ``rotakey <command>`` with an environment of its own. Its output goes to ``log``.

    ``module`` is run with the command instead of ``bot``. ``death_signal`` is what it gets when we end
    without warning.
    """

    def __init__(
        self,
        command: str,
        *arguments: str,
        environ: Mapping[str, str],
        log: Path,
        module: str = "bot",
        death_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.command = command
        self.arguments = arguments
        self.environ = environ
        self.log = log
        self.module = module
        self.death_signal = death_signal
        self._process: Child | None = None
        self._log_begins = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._log_begins = self.log.stat().st_size if self.log.exists() else 0
        self._process = start_child(
            [sys.executable, "-m", self.module, self.command, *self.arguments],
            self.log,
            self.death_signal,
            environ={**kept, **self.environ, "PYTHONPATH": str(ROOT)},
        )

    @property
    def pid(self) -> int:
        return self._child().pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def code(self) -> int | None:
        """Return its exit code; None while it runs, and before it was started."""
        return self._process.poll() if self._process else None

    @property
    def url(self) -> str | None:
        """Return the address where it listens; None if it listens nowhere."""
        port = self.environ.get("PORT" if self.command == "web" else "WORKER_PORT")
        return port and f"http://127.0.0.1:{port}"

    def is_ready(self) -> bool:
        """Return whether it says so at its address. One without an address is ready while it runs."""
        return self.running if self.url is None else answers(f"{self.url}/readyz", 2)

    def output(self) -> str:
        """Return what it has written since it was started."""
        with self.log.open("rb") as log:
            log.seek(self._log_begins)
            return log.read().decode("utf-8", "replace")

    def must_be_running(self) -> None:
        """Raise Misconfigured, with its last words, if it has ended."""
        code = self._child().poll()
        if code is not None:
            last = self.output().strip().splitlines()[-LAST_LINES:]
            raise Misconfigured(f"rotakey {self.command} ended with {code}:\n" + "\n".join(last))

    def wait(self, seconds: float) -> int | None:
        """Return its exit code, as soon as it has ended; None if that takes longer."""
        with suppress(subprocess.TimeoutExpired):
            self._child().wait(seconds)
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
        process = self._child()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _child(self) -> Child:
        if self._process is None:
            raise Misconfigured(f"rotakey {self.command} has not been started")
        return self._process
