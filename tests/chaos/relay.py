"""A TCP relay: an address that leads to one server now, and to another one later."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

CHUNK = 65_536
CONNECTS_WITHIN = 5.0


class Relay:
    """A relay that listens on a port of its own until it is closed. ``port`` returns the server's port, and
    is called for each connection."""

    def __init__(self, port: Callable[[], int]) -> None:
        self._leads_to = port
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._listen, name=f"relay {self.port}", daemon=True).start()

    def lead_to(self, port: Callable[[], int]) -> None:
        """Connect callers there from now on, and cut off those who are connected."""
        with self._lock:
            self._leads_to = port
            for each in self._open:
                _shut(each)

    def close(self) -> None:
        _shut(self._server)
        self._server.close()
        self.lead_to(self._leads_to)

    def _listen(self) -> None:
        while True:
            try:
                caller, _ = self._server.accept()
            except OSError:  # it was closed
                return
            threading.Thread(target=self._connect, args=(caller,), daemon=True).start()

    def _connect(self, caller: socket.socket) -> None:
        with caller, suppress(OSError):
            with self._lock:
                self._open.add(caller)
                port = self._leads_to()
            with socket.create_connection(("127.0.0.1", port), CONNECTS_WITHIN) as server:
                server.settimeout(None)
                back = threading.Thread(target=_pump, args=(server, caller), daemon=True)
                back.start()
                _pump(caller, server)
                back.join()
        with self._lock:
            self._open.discard(caller)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until either side ends, then end both."""
    with suppress(OSError):
        while chunk := source.recv(CHUNK):
            sink.sendall(chunk)
    _shut(source)
    _shut(sink)


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
