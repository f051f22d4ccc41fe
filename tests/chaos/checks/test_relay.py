"""A relay leads to another server from one moment on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.chaos.relay import Relay

Serve = Callable[[bytes], Callable[[], int]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that answer everybody with the same word."""
    servers: list[socket.socket] = []

    def start(word: bytes) -> Callable[[], int]:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        threading.Thread(target=answer, args=(server, word), daemon=True).start()
        port: int = server.getsockname()[1]
        return lambda: port

    yield start
    for each in servers:
        each.shutdown(socket.SHUT_RDWR)
        each.close()


def answer(server: socket.socket, word: bytes) -> None:
    while True:
        try:
            caller, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(caller, word), daemon=True).start()


def _answer(caller: socket.socket, word: bytes) -> None:
    with caller:
        while caller.recv(100):
            caller.sendall(word)


def ask(connection: socket.socket) -> bytes:
    connection.sendall(b"who is there?")
    return connection.recv(100)


def test_it_leads_to_one_server_and_then_to_another(serve: Serve) -> None:
    with closing(Relay(serve(b"orders"))) as relay:
        address = ("127.0.0.1", relay.port)
        with socket.create_connection(address, 5) as before, socket.create_connection(address, 5) as other:
            assert [ask(before), ask(other), ask(before)] == [b"orders"] * 3
            relay.lead_to(serve(b"billing"))
            assert before.recv(100) == b"", "it was cut off"
        with socket.create_connection(address, 5) as after:
            assert ask(after) == b"billing"


def test_a_server_that_is_away_hangs_up(serve: Serve) -> None:
    with closing(Relay(serve(b"orders"))) as relay:
        relay.lead_to(lambda: 1)
        with socket.create_connection(("127.0.0.1", relay.port), 5) as caller:
            assert caller.recv(100) == b""


def test_it_accepts_nobody_after_it_is_closed(serve: Serve) -> None:
    relay = Relay(serve(b"orders"))
    with socket.create_connection(("127.0.0.1", relay.port), 5) as caller:
        assert ask(caller) == b"orders"
        relay.close()
        assert caller.recv(100) == b""
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", relay.port), 5)
