"""Child processes that end with this process, and data directories that one process has to itself."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

from bot.core.errors import Misconfigured

LAUNCH = Path(__file__).with_name("launch.py")
Account = tuple[int, int]
Child = subprocess.Popen[bytes]


def start_child(
    command: Sequence[str],
    log: Path,
    death_signal: signal.Signals,
    *,
    account: Account | None = None,
    environ: Mapping[str, str] | None = None,
) -> Child:
    """Start a program with its output in ``log``. On Linux it gets ``death_signal`` when this process ends.

    It has a session of its own, so that Ctrl-C at the terminal does not reach it before we end it. One that
    runs as another ``account`` starts in /, because it may not be able to enter our directory.
    """
    uid, gid = account or (os.getuid(), os.getgid())
    launch = [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), str(int(death_signal))]

    def fork() -> Child:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as output:
            return subprocess.Popen(  # noqa: S603 -- our own launcher, and programs that our callers name
                [*launch, f"{uid}:{gid}", *command],
                cwd="/" if account else None,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    child: Future[Child] = Future()
    _forks().put((child, fork))
    return child.result()


def lock_directory(directory: Path, otherwise: str) -> BinaryIO:
    """Return the file whose lock says that the directory is in use, until it is closed. Raise Misconfigured
    with ``otherwise`` if another process has it."""
    lock = (directory / "lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise Misconfigured(otherwise) from None
    return lock


@cache
def _forks() -> SimpleQueue[tuple[Future[Child], Callable[[], Child]]]:
    """Return the queue of the thread that forks. It stays as long as this process does, because Linux sends
    the death signal when the *thread* that forked ends."""
    queue: SimpleQueue[tuple[Future[Child], Callable[[], Child]]] = SimpleQueue()

    def work() -> None:
        while True:
            child, fork = queue.get()
            try:
                child.set_result(fork())
            except (OSError, ValueError) as error:
                child.set_exception(error)

    threading.Thread(target=work, daemon=True, name="forks").start()
    return queue
