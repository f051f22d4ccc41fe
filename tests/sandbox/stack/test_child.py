"""A child process ends with us, and not with the thread that asked for it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from bot.core.errors import Misconfigured
from bot.sandbox.stack.child import Child, lock_directory, start_child

WAITS = [sys.executable, "-c", "print('waiting', flush=True); import time; time.sleep(60)"]


def start_and_see(log: Path, children: list[Child]) -> None:
    children.append(start_child(WAITS, log, signal.SIGKILL))
    until = time.monotonic() + 20
    while "waiting" not in log.read_text() and time.monotonic() < until:
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_a_child_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    children: list[Child] = []
    thread = threading.Thread(target=start_and_see, args=(tmp_path / "log", children))
    thread.start()
    thread.join()
    [child] = children
    try:
        with suppress(subprocess.TimeoutExpired):
            child.wait(0.2)
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_a_directory_is_locked_until_its_lock_is_closed(tmp_path: Path) -> None:
    with lock_directory(tmp_path, "it is in use"), pytest.raises(Misconfigured, match="it is in use"):
        lock_directory(tmp_path, "it is in use")
    lock_directory(tmp_path, "it is in use").close()
