"""A server for a double, on a port of 127.0.0.1."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

POLL = 0.02


class Serving:
    """A running server of an app, until it is closed. ``hurry`` is what calls wait for that are answered
    slowly: when it closes, they are answered at once."""

    def __init__(self, app: WSGIApplication, hurry: threading.Event, name: str, port: int = 0) -> None:
        self._hurry = hurry
        self._server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL,), name=name, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._hurry.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Quiet(WSGIRequestHandler):
    """A handler that logs no line per request, and leaves the Date to the app: a double has its own clock."""

    def send_response(self, code: int, message: str | None = None) -> None:
        self.send_response_only(code, message)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass
