"""Socket Mode: websockets over which the bot listens, instead of HTTP."""

import json
import queue
import random
import secrets
import socket
import threading
import time
import uuid

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from bot.doubles.slack.delivery import TIMED_OUT, Kind
from bot.doubles.slack.faults import Faults
from bot.doubles.slack.model import Json, Reply, SlackError

MOST_CONNECTIONS = 10


class Sockets:
    """The bot's websockets. The listening socket is opened with the first `apps.connections.open`."""

    def __init__(self, app_id: str, faults: Faults) -> None:
        self._app_id = app_id
        self._faults = faults
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._tickets: set[str] = set()
        self._connected: list[ServerConnection] = []
        self._waiting: dict[str, queue.SimpleQueue[Json]] = {}

    @property
    def connections(self) -> int:
        return len(self._connected)

    def open(self) -> str:
        """Return a URL that lets one connection in."""
        with self._lock:
            if self._server is None:
                self._server = serve(self._converse, "127.0.0.1", 0, compression=None)
                self._server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                serving = threading.Thread(target=self._server.serve_forever, name="socket-mode", daemon=True)
                serving.start()
            ticket = secrets.token_urlsafe(12)
            self._tickets.add(ticket)
            host, port = self._server.socket.getsockname()[:2]
        return f"ws://{host}:{port}/link/?ticket={ticket}&app_id={self._app_id}"

    def send(self, kind: Kind, payload: Json, retry: Json) -> Reply | None:
        """Send an envelope to one of the connections, at random, and return the reply; None without any
        connection."""
        with self._lock:
            connection = random.choice(self._connected) if self._connected else None  # noqa: S311 -- as Slack spreads them, no secret
            acks: queue.SimpleQueue[Json] = queue.SimpleQueue()
            envelope_id = str(uuid.uuid4())
            self._waiting[envelope_id] = acks
        envelope: Json = {
            "type": kind,
            "envelope_id": envelope_id,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            envelope |= {"retry_attempt": 0, "retry_reason": "", **retry}
        began = time.monotonic()
        try:
            if connection is None:
                return None
            connection.send(json.dumps(envelope))
            ack = acks.get(timeout=self._faults.patience)
        except (ConnectionClosed, queue.Empty):
            return Reply(status=0, seconds=time.monotonic() - began, error=TIMED_OUT)
        finally:
            with self._lock:
                self._waiting.pop(envelope_id, None)
        return Reply(status=200, seconds=time.monotonic() - began, body=ack.get("payload") or "")

    def refresh(self) -> None:
        """End every connection as Slack does every few hours."""
        with self._lock:
            connected, self._connected = self._connected, []
        for connection in connected:
            connection.send(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))
            connection.close()

    def close(self) -> None:
        with self._lock:
            server, connected = self._server, list(self._connected)
            self._server = None
        for connection in connected:
            connection.close()
        if server:
            server.shutdown()

    def _converse(self, connection: ServerConnection) -> None:
        try:
            self._admit(connection)
        except SlackError as refused:
            connection.send(json.dumps({"type": "disconnect", "reason": refused.error}))
            return
        try:
            for said in connection:
                try:
                    ack = json.loads(said)
                except ValueError:
                    continue
                with self._lock:
                    acks = self._waiting.get(str(ack.get("envelope_id")))
                if acks:
                    acks.put(ack)
        except ConnectionClosed:
            pass
        finally:
            with self._lock:
                self._connected = [each for each in self._connected if each is not connection]

    def _admit(self, connection: ServerConnection) -> None:
        path = connection.request.path if connection.request else ""
        with self._lock:
            ticket = path.partition("ticket=")[2].partition("&")[0]
            if ticket not in self._tickets:
                raise SlackError("link_disabled")
            self._tickets.remove(ticket)
            if len(self._connected) >= MOST_CONNECTIONS:
                raise SlackError("too_many_websockets")
            hello = {
                "type": "hello",
                "num_connections": len(self._connected) + 1,
                "connection_info": {"app_id": self._app_id},
                "debug_info": {"host": "applink", "approximate_connection_time": 18060},
            }
            connection.send(json.dumps(hello))
            self._connected.append(connection)
