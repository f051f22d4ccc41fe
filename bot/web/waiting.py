"""A gunicorn worker whose threads only handle requests that have arrived whole, so slow clients cost no
thread."""

from __future__ import annotations

import errno
import socket
import struct
import time
from concurrent.futures import Future
from selectors import EVENT_READ
from typing import Any

from gunicorn.http import get_parser  # type: ignore[import-untyped]  # it has no types
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from bot.web.arriving import Arrived, Arriving

ARRIVES_WITHIN = 10.0
"""Seconds in which a request has to arrive, counted from its first moment."""
STOPS_WITHIN = 2.0
"""The same, once no new connections are accepted."""
MOST_CONNECTIONS = 400
"""The most connections; if there are more, the one that has been quiet, or arriving, for longest makes
room."""
MOST_BYTES = 32_000_000
"""The most bytes of all arriving requests together."""

ANSWER_FITS = 262_144
"""Bytes that may wait for a client that does not read, so that no thread waits for it."""
_AT_MOST = struct.pack("ll", 5, 0)
"""Seconds that a thread waits for a client if it has to."""
_READ = 65_536
_TOO_MUCH = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class _Coming:
    """A connection on which a request is arriving, or is expected."""

    def __init__(self, conn: TConn) -> None:
        self.conn = conn
        self.request = Arriving()
        self.bytes = 0
        self.until = time.monotonic() + ARRIVES_WITHIN


class Waiting(ThreadWorker):  # type: ignore[misc]  # it has no types
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._coming: dict[socket.socket, _Coming] = {}
        self._bytes = 0

    def accept(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._make_room()
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ANSWER_FITS)
        for way in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, way, _AT_MOST)
        conn = TConn(self.cfg, sock, address, listener.getsockname())
        conn.parser, conn.initialized = get_parser(self.cfg, sock, address), True
        self._await(conn)
        if self.nr_conns > MOST_CONNECTIONS:
            self._make_room()

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Wait for a request on a connection that was kept open and is used again."""
        if conn not in self.keepalived_conns:
            return
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._await(conn)

    def finish_request(self, conn: TConn, fs: Future[bool]) -> None:
        """Await the rest of the next request if a part of it came with this one: it has to arrive wholly,
        too. A connection is closed without waiting for the client to do so: nothing it has sent is unread."""
        kept = not fs.cancelled() and fs.exception() is None and fs.result()
        left = conn.parser.unreader.take_buffered() if kept else b""
        if left:
            self._await(conn, left)
        elif kept:
            super().finish_request(conn, fs)
        else:
            self._close(conn)

    def murder_pending(self) -> None:
        """Close overdue connections. Called every second, and after every event."""
        latest = time.monotonic() + (ARRIVES_WITHIN if self.alive else STOPS_WITHIN)
        for coming in list(self._coming.values()):
            coming.until = min(coming.until, latest)
            if coming.until <= time.monotonic() or not (self.alive or coming.request.data):
                self._drop(coming)

    def _await(self, conn: TConn, begun: bytes = b"") -> None:
        conn.sock.setblocking(False)
        coming = self._coming[conn.sock] = _Coming(conn)
        self.poller.register(conn.sock, EVENT_READ, self._read)
        if begun:
            self._judge(coming, begun)

    def _read(self, sock: socket.socket) -> None:
        coming = self._coming.get(sock)
        if coming is None:  # dropped by an event of the same moment
            return
        try:
            data = sock.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            self._judge(coming, data)
        else:
            self._drop(coming)

    def _judge(self, coming: _Coming, data: bytes) -> None:
        self._bytes += len(data)
        coming.bytes += len(data)
        arrived = coming.request.add(data)
        if arrived is Arrived.WHOLE:
            self._hand_over(coming)
        elif arrived is Arrived.TOO_MUCH:
            _say(coming.conn.sock, _TOO_MUCH)
            self._drop(coming)
        elif coming.request.awaits_permission:
            _say(coming.conn.sock, _GO_ON)
        elif self._bytes > MOST_BYTES:
            self._drop(next(iter(self._coming.values())))

    def _hand_over(self, coming: _Coming) -> None:
        self._forget(coming)
        conn = coming.conn
        conn.parser.unreader.unread(bytes(coming.request.data))
        conn.data_ready = True
        self.enqueue_req(conn)

    def _make_room(self) -> None:
        if self.keepalived_conns:
            idle = self.keepalived_conns.popleft()
            self.poller.unregister(idle.sock)
            self._close(idle)
        elif self._coming:
            self._drop(next(iter(self._coming.values())))

    def _drop(self, coming: _Coming) -> None:
        self._forget(coming)
        self._close(coming.conn)

    def _forget(self, coming: _Coming) -> None:
        self.poller.unregister(coming.conn.sock)
        del self._coming[coming.conn.sock]
        self._bytes -= coming.bytes

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()


def _say(sock: socket.socket, answer: bytes) -> None:
    try:
        sock.send(answer)
    except OSError:
        return
