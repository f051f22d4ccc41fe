"""The web server as a process: it starts, answers, finishes what it began, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic

import pytest

SERVER = """
import sys, threading
from pathlib import Path
from flask import Flask
from bot.web import create, run

home = Path(sys.argv[2])

def load() -> Flask:
    site = create(None, lambda: None)
    go_on = threading.Event()
    site.add_url_rule("/slow", "slow", lambda: (home.joinpath("begun").touch(), go_on.wait(1.0)) and "done")
    return site

def note(name: str):
    return lambda: home.joinpath(name).touch()

run(load, "127.0.0.1", int(sys.argv[1]), started=note("started"), stopping=note("stopped"))
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def process(port: int, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "HOME": str(tmp_path)}
    environment.pop("XDG_RUNTIME_DIR", None)
    command = [sys.executable, "-c", SERVER, str(port), str(tmp_path)]
    started = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    yield started
    if started.poll() is None:
        started.kill()
    started.communicate()


def asked(port: int, path: str) -> tuple[int, bytes] | None:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def until_answered(port: int, path: str, seconds: float = 20.0) -> tuple[int, bytes] | None:
    deadline, pause = monotonic() + seconds, threading.Event()
    while monotonic() < deadline:
        answer = asked(port, path)
        if answer:
            return answer
        pause.wait(0.05)
    return None


def test_on_sigterm_it_finishes_what_it_began_and_leaves_nothing_behind(
    process: subprocess.Popen[bytes], port: int, tmp_path: Path
) -> None:
    assert until_answered(port, "/healthz") == (200, b"ok\n")
    assert tmp_path.joinpath("started").exists()
    answers: list[tuple[int, bytes] | None] = []
    slow = threading.Thread(target=lambda: answers.append(asked(port, "/slow")))
    slow.start()
    pause = threading.Event()
    while not tmp_path.joinpath("begun").exists():
        pause.wait(0.01)
    process.send_signal(signal.SIGTERM)
    slow.join()
    _, complaints = process.communicate(timeout=30)
    assert answers == [(200, b"done")]
    assert (process.returncode, complaints) == (0, b"")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["begun", "started", "stopped"]
