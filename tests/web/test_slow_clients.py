"""The web server as a process copes with clients that are slow, silent, endless, numerous, or talk
nonsense."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bot.testing.localhost import free_port
from bot.testing.polling import until
from bot.web.server import LARGEST_BODY, LARGEST_HEAD, MOST_CONNECTIONS
from tests.web.test_serving import asked

SERVER = """
import sys
from flask import request
from bot.web import create
from bot.web.server import serve

site = create(None, lambda: None)
site.add_url_rule("/echo", "echo", lambda: request.get_data(), methods=["POST"])
site.add_url_rule("/much", "much", lambda: b"x" * 150_000)
serve(site, "127.0.0.1", int(sys.argv[1]), on_open=lambda: None, on_close=lambda: None)
"""
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
ECHO = b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
WELL = (200, b"ok\n")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    chosen = free_port()
    process = started(chosen, tmp_path_factory.mktemp("home"))
    until(lambda: asked(chosen, "/healthz") == WELL)
    yield chosen
    process.terminate()
    _, complaints = process.communicate()
    assert (process.returncode, complaints) == (0, b""), "nothing that clients do is an error of ours"


def started(port: int, home: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SERVER, str(port)]
    return subprocess.Popen(command, env={**os.environ, "HOME": str(home)}, stderr=subprocess.PIPE)


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connected(clients: ExitStack, port: int, *sent: bytes) -> socket.socket:
    client = clients.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
    for piece in sent:
        client.sendall(piece)
    return client


def all_of(client: socket.socket) -> bytes:
    """Return all bytes until the other side closes the connection."""
    found = b""
    while piece := client.recv(65_536):
        found += piece
    return found


def status_of(client: socket.socket) -> int:
    return int(client.recv(12).removeprefix(b"HTTP/1.").split()[1])


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"P",
        b"POST /slack/events HTTP/1.1\r\nX-Slack-Signature: v0=",
        b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\npayl",
        b"POST /slack/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_many_who_never_finish_what_they_say_hold_nobody_up(
    port: int, clients: ExitStack, begun: bytes
) -> None:
    for _ in range(40):
        connected(clients, port, begun)
    assert [asked(port, "/healthz") for _ in range(3)] == [WELL] * 3


def test_many_who_never_hear_the_answer_out_hold_nobody_up(port: int, clients: ExitStack) -> None:
    for _ in range(40):
        client = connected(clients, port)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.sendall(b"GET /much HTTP/1.0\r\n\r\n")
    assert [asked(port, "/healthz") for _ in range(3)] == [WELL] * 3


def test_a_flood_of_connections_makes_room_for_who_comes(port: int, clients: ExitStack) -> None:
    first = connected(clients, port)
    kept = connected(clients, port, GET)
    answer = b""
    while not answer.endswith(b"ok\n"):
        answer += kept.recv(4_096)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    for _ in range(MOST_CONNECTIONS + 50):
        connected(clients, port)
    assert asked(port, "/healthz") == WELL
    assert all_of(kept) == b""
    assert all_of(first) == b""


def test_letter_by_letter_in_one_piece_and_one_after_the_other(port: int, clients: ExitStack) -> None:
    slow = connected(clients, port, *(bytes([each]) for each in ECHO + b"Content-Length: 3\r\n\r\nabc"))
    assert all_of(slow).endswith(b"\r\n\r\nabc")
    last = GET.replace(b"Host", b"Connection: close\r\nHost")
    both = connected(clients, port, GET + last[:20], last[20:])
    assert all_of(both).count(b"HTTP/1.1 200 OK") == 2


def test_in_chunks_and_once_told_to_go_on(port: int, clients: ExitStack) -> None:
    chunked = connected(clients, port, ECHO + CHUNKED + b"3\r\nabc\r", b"\n0\r\n\r\n")
    assert all_of(chunked).endswith(b"abc")
    polite = connected(clients, port, ECHO + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert polite.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    polite.sendall(b"abc")
    assert all_of(polite).endswith(b"abc")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ([ECHO + b"Content-Length: %d\r\n\r\n" % (LARGEST_BODY + 1)], 413),
        ([ECHO + CHUNKED + b"%x\r\n" % (LARGEST_BODY + 1), b"x" * (LARGEST_BODY + 1)], 413),
        ([ECHO + b"A: " + b"a" * LARGEST_HEAD + b"\r\n"], 431),
    ],
)
def test_too_much(port: int, clients: ExitStack, sent: list[bytes], status: int) -> None:
    assert status_of(connected(clients, port, *sent)) == status


def test_as_much_as_allowed(port: int, clients: ExitStack) -> None:
    head = ECHO + b"Content-Length: %d\r\n\r\n" % LARGEST_BODY
    assert all_of(connected(clients, port, head, b"x" * LARGEST_BODY)).endswith(b"x" * LARGEST_BODY)


@pytest.mark.parametrize(
    "sent",
    [
        b"x\r\n\r\n",
        b"get / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\nA\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded: 7\r\n\r\n",
        ECHO + b"Content-Length : 3\r\n\r\n",
        ECHO + b"Content-Length: -1\r\n\r\n",
        ECHO + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        ECHO + CHUNKED + b"zz\r\n",
        ECHO + CHUNKED + b"3\r\nabcd\r\n",
    ],
)
def test_nonsense_is_a_bad_request(port: int, clients: ExitStack, sent: bytes) -> None:
    assert status_of(connected(clients, port, sent)) == 400


def test_it_does_not_say_which_server_it_is(port: int, clients: ExitStack) -> None:
    for sent in (GET.replace(b"1.1", b"1.0"), b"x\r\n\r\n"):
        answer = all_of(connected(clients, port, sent)).lower()
        assert b"\r\nserver:" not in answer
        assert b"waitress" not in answer


def test_who_hangs_up_half_is_answered(port: int, clients: ExitStack) -> None:
    client = connected(clients, port, GET)
    client.shutdown(socket.SHUT_WR)
    assert all_of(client).endswith(b"ok\n")


def test_on_sigterm_nobody_who_is_slow_is_waited_for(clients: ExitStack, tmp_path: Path) -> None:
    port = free_port()
    process = started(port, tmp_path)
    until(lambda: asked(port, "/healthz") == WELL)
    for begun in (b"", b"POST / HTTP/1.1\r\n", GET):
        connected(clients, port, begun)
    process.send_signal(signal.SIGTERM)
    _, complaints = process.communicate(timeout=30)
    assert (process.returncode, complaints) == (0, b"")
