"""A server as a child process: started until it answers, reliably ended, never left behind."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import BinaryIO, ClassVar, Self

from bot.core.errors import Misconfigured
from bot.sandbox.stack.child import Account, Child, lock_directory, start_child
from bot.testing.localhost import free_port, is_free

STARTS_WITHIN = 30.0
STOPS_WITHIN = 10.0
TRIES = 3
LAST_LINES = 12
POLL = 0.01
PROC = Path("/proc")


class ServerProcess(ABC):
    """A server. Use it as a context manager, or ``start`` and ``stop`` it; it may be started again on its
    data.

    It ends with this process, however that ends: on Linux at once; elsewhere the next start on the same data
    ends it first. One process at a time may use a data directory.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    """The signal for an orderly end."""
    death_signal: ClassVar[signal.Signals]
    """The signal for a certain end when no process is left to supervise it."""

    def __init__(self, data: Path, port: int = 0) -> None:
        self.data = data.absolute()
        self._port_given = port
        self._port = port
        self._process: Child | None = None
        self._lock: BinaryIO | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        return self._port

    @property
    def pid(self) -> int | None:
        """Return the pid of the running server; None if there is none."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def log(self) -> Path:
        return self.data / "log"

    def start(self) -> None:
        """Start it, and return when it answers. Raise Misconfigured, with the server's last words, if it does
        not."""
        if self.pid:
            return
        self._forget()
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = lock_directory(
            self.data,
            f"{self.name}: another process is using {self.data}; end it, or name another directory",
        )
        try:
            self._end_orphan()
            self._prepare()
            self._start_by(time.monotonic() + STARTS_WITHIN)
        except BaseException:
            self.stop()
            raise
        atexit.register(self.stop)

    def stop(self) -> None:
        """End it in an orderly way; kill it if that takes too long. Does nothing if no server runs."""
        if process := self._process:
            end(process, self.stop_signal, STOPS_WITHIN)
        self._forget()

    def kill(self) -> None:
        """Kill it as a crash would, without any warning."""
        if process := self._process:
            process.kill()
            process.wait()
        self._forget()

    @abstractmethod
    def _prepare(self) -> None:
        """Make what the server needs before it starts, unless it exists already."""

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    @property
    @abstractmethod
    def _home(self) -> Path:
        """Return the directory that only this server has, named in its command line."""

    @property
    @abstractmethod
    def _pid_file(self) -> Path:
        """Return the file that the server itself writes, with its pid on the first line."""

    def _account(self) -> Account:
        return os.getuid(), os.getgid()

    def _start_by(self, deadline: float) -> None:
        """Try to start until the deadline: the port may be taken again, and the remains of a dead server may
        need a moment."""
        begins = self.log.stat().st_size if self.log.exists() else 0
        for _ in range(TRIES):
            if not self._port or not (self._port_given or is_free(self._port)):
                self._port = free_port()
            self._process = process = self._launch(self._command(), self.death_signal)
            while process.poll() is None:
                if self._answers():
                    return
                if time.monotonic() > deadline:
                    end(process, self.death_signal, STOPS_WITHIN)
                time.sleep(POLL)
            if time.monotonic() > deadline:
                break
        raise Misconfigured(f"{self.name} did not start:\n{self._last_words(begins)}")

    def _launch(self, command: list[str], death_signal: signal.Signals) -> Child:
        return start_child(command, self.log, death_signal, account=self._account())

    def _last_words(self, begins: int = 0) -> str:
        with self.log.open("rb") as log:
            log.seek(begins)
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
        return "\n".join(lines[-LAST_LINES:]) or "it said nothing"

    def _end_orphan(self) -> None:
        """End a server whose parent is gone (we have its lock), and remove a pid file that is wrong."""
        if not self._pid_file.exists():
            return
        first = self._pid_file.read_text("utf-8", "replace").partition("\n")[0].strip()
        pid = int(first) if first.isdecimal() else 0
        for sign in (self.death_signal, signal.SIGKILL):
            if not is_command(pid, self._home):
                break
            os.kill(pid, sign)
            until = time.monotonic() + STOPS_WITHIN
            while is_command(pid, self._home) and time.monotonic() < until:
                time.sleep(POLL)
        self._pid_file.unlink(missing_ok=True)

    def _forget(self) -> None:
        atexit.unregister(self.stop)
        self._process = None
        if self._lock:
            self._lock.close()
            self._lock = None


def end(process: Child, sign: signal.Signals, within: float) -> None:
    process.send_signal(sign)
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def is_command(pid: int, directory: Path) -> bool:
    """Return whether the process exists and was started on that directory."""
    if pid <= 0:
        return False
    if PROC.exists():
        try:
            arguments = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return os.fsencode(directory) in arguments
    listed = subprocess.run(  # noqa: S603 -- a number in a fixed command
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False
    )
    return os.fsencode(directory) in listed.stdout
