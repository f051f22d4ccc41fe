"""The web server: waitress, which reads a request whole before a thread gets it, so that slow clients cost no
thread."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server

from bot.core.errors import Misconfigured

LARGEST_HEAD = 32_768
LARGEST_BODY = 1_000_000
THREADS = 8
"""More threads would only wait for each other: an answer is a millisecond of work, and Slack sends few at
once."""
MOST_CONNECTIONS = 200
"""If there are more, the one that has been quiet for longest is closed. While a request arrives, at most
half a megabyte of it is in memory; the rest is in a temporary file."""
IDLE_SECONDS = 75
"""Longer than proxies keep a connection open, so that none of them uses one that is just being closed."""
FINISH_WITHIN = 10.0
"""Seconds that requests under way still have once the server is stopped."""


class Server:
    """A server that listens from the moment it is made. ``variable`` names the one that gave the port."""

    def __init__(self, site: Flask, host: str, port: int, variable: str) -> None:
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns of each request that waits
        self._listener = _listen(host, port, variable)
        self._map: dict[int, Any] = {}
        self._stopping = False
        self._server: Any = create_server(
            site,
            map=self._map,
            sockets=[self._listener],
            threads=THREADS,
            connection_limit=MOST_CONNECTIONS + 100,  # from there on it would accept no more
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=5,
            max_request_header_size=LARGEST_HEAD,
            max_request_body_size=LARGEST_BODY + 1,  # waitress refuses this many
            backlog=1024,
            clear_untrusted_proxy_headers=True,
            ident="",
            log_socket_errors=False,
        )

    def run(self) -> None:
        """Answer until ``stop`` is called, then finish the requests that have arrived."""
        while not self._stopping:
            self._turn()
            connections = self._connections()
            quiet = [each for each in connections if not each.requests]
            if len(connections) > MOST_CONNECTIONS and quiet:
                min(quiet, key=lambda each: each.last_activity).handle_close()
        self._server.del_channel()
        self._listener.close()
        until = time.monotonic() + FINISH_WITHIN
        while time.monotonic() < until and any(
            each.requests or each.total_outbufs_len for each in self._connections()
        ):
            self._turn()
        self._server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map)

    def stop(self) -> None:
        """Stop accepting connections. A signal handler may call this: it waits for no lock."""
        self._stopping = True
        self._server.pull_trigger()

    def _turn(self) -> None:
        wasyncore.loop(timeout=1.0, use_poll=True, map=self._map, count=1)

    def _connections(self) -> list[HTTPChannel]:
        return [each for each in self._map.values() if isinstance(each, HTTPChannel)]


def serve(
    site: Flask, host: str, port: int, *, on_open: Callable[[], None], on_close: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT. ``on_open`` is called once the server listens, ``on_close`` once all
    requests are answered. Raise Misconfigured if it cannot listen there."""
    server = Server(site, host, port, "PORT")
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: server.stop())
    on_open()
    server.run()
    on_close()


def serve_in_background(site: Flask, host: str, port: int, variable: str) -> None:
    """Serve from a thread, as long as the process lives. Raise Misconfigured if it cannot listen there."""
    server = Server(site, host, port, variable)
    threading.Thread(target=server.run, name="health", daemon=True).start()


def _listen(host: str, port: int, variable: str) -> socket.socket:
    """Return a socket that listens; one for all IPv6 addresses also takes IPv4."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((host, port), family=family, dualstack_ipv6=both)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address, in brackets
        raise Misconfigured(
            f"{variable}={port}: cannot listen on {host}: {reason}; stop the process that listens there,"
            f" or choose another {variable} or --host"
        ) from error
