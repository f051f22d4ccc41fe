"""The web server as a process starts, answers, finishes what it began, and leaves nothing behind."""

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

import pytest

from bot.core.errors import Misconfigured
from bot.testing.localhost import free_port
from bot.testing.polling import until
from bot.web import create
from bot.web.server import THREADS, Server

SERVER = """
import sys, threading
from pathlib import Path
from bot.web import create
from bot.web.server import serve

home = Path(sys.argv[2])
site, go_on = create(None, lambda: None), threading.Event()
site.add_url_rule("/slow", "slow", lambda: (home.joinpath("begun").touch(), go_on.wait(1.0)) and "done")

def note(name: str):
    return lambda: home.joinpath(name).touch()

serve(site, "127.0.0.1", int(sys.argv[1]), on_open=note("opened"), on_close=note("closed"))
"""
AT_ONCE = 2 * THREADS


@pytest.fixture
def port() -> int:
    return free_port()


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


def asked(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, bytes] | None:
    connection = HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def test_on_sigterm_it_answers_what_has_arrived_and_leaves_nothing_behind(
    process: subprocess.Popen[bytes], port: int, tmp_path: Path
) -> None:
    """This includes requests that wait for a thread."""
    until(lambda: asked(port, "/healthz") == (200, b"ok\n"))
    assert tmp_path.joinpath("opened").exists()
    clients = [HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(AT_ONCE)]
    for path in ("/healthz", "/slow"):
        for each in clients:
            each.request("GET", path)
        if path == "/healthz":
            assert [each.getresponse().read() for each in clients] == [b"ok\n"] * AT_ONCE
    pause = threading.Event()
    while not tmp_path.joinpath("begun").exists():
        pause.wait(0.01)
    process.send_signal(signal.SIGTERM)
    assert [each.getresponse().read() for each in clients] == [b"done"] * AT_ONCE
    _, complaints = process.communicate(timeout=30)
    for each in clients:
        each.close()
    assert (process.returncode, complaints) == (0, b"")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["begun", "closed", "opened"]


def test_on_ctrl_c_it_ends_as_well(process: subprocess.Popen[bytes], port: int, tmp_path: Path) -> None:
    until(lambda: asked(port, "/healthz") == (200, b"ok\n"))
    process.send_signal(signal.SIGINT)
    assert (process.wait(30), tmp_path.joinpath("closed").exists()) == (0, True)


# ------------------------------------------------------------------------------------- where it listens


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("127.0.0.1", "Address already in use"),
        ("192.0.2.1", "Cannot assign requested address"),
        ("nowhere.invalid", "Name or service not known"),
    ],
)
def test_an_address_that_it_cannot_have(port: int, host: str, reason: str) -> None:
    with socket.create_server(("127.0.0.1", port)), pytest.raises(Misconfigured) as stopped:
        Server(create(None, lambda: None), host, port, "PORT")
    assert str(stopped.value) == (
        f"PORT={port}: cannot listen on {host}: {reason}; stop the process that listens there,"
        " or choose another PORT or --host"
    )


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6")
def test_an_ipv6_host(port: int) -> None:
    server = Server(create(None, lambda: None), "::1", port, "PORT")
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert asked(port, "/healthz", "::1") == (200, b"ok\n")
    finally:
        server.stop()
        thread.join()
