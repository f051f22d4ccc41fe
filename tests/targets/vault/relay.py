"""A proxy in front of OpenBao that loses, delays, limits and changes answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import requests
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server

Call = tuple[str, str]


@dataclass
class Faults:
    """The faults. ``loses``: it is done, but the answer is lost. ``changes`` gets the status and the body,
    and returns others."""

    loses: Callable[[Call], bool] = lambda _: False
    silent: Callable[[Call], bool] = lambda _: False
    before: Callable[[Call], object] = lambda _: None
    changes: Callable[[Call, int, Any], tuple[int, Any] | tuple[int, Any, dict[str, str]]] | None = None
    hurry: threading.Event = field(default_factory=threading.Event)


class Relay:
    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.faults = Faults()
        self.calls: list[Call] = []
        self.heard: list[tuple[Call, dict[str, str]]] = []
        self._server = make_server(
            "127.0.0.1", 0, Request.application(self._answer), threaded=True, request_handler=_Quiet
        )
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.hurry.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, request: Request) -> Response:
        call = (request.method, request.path.removeprefix("/v1/"))
        self.calls.append(call)
        self.heard.append((call, dict(request.headers.to_wsgi_list())))
        if self.faults.silent(call):
            self.faults.hurry.wait(60)
            return Response("", 503)
        self.faults.before(call)
        headers = {name: value for name, value in request.headers if name.startswith("X-Vault")}
        answer = requests.request(
            request.method,
            f"{self.upstream}{request.full_path.rstrip('?')}",
            data=request.get_data(),
            headers=headers,
            timeout=10,
        )
        if self.faults.loses(call):
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return Response("", 502)
        if self.faults.changes:
            body = json.loads(answer.content) if answer.content else None
            status, changed, *more = self.faults.changes(call, answer.status_code, body)
            text = changed if isinstance(changed, str) else json.dumps(changed) if changed is not None else ""
            return Response(text, status, more[0] if more else {}, content_type="application/json")
        return Response(answer.content, answer.status_code, content_type="application/json")


class _Quiet(WSGIRequestHandler):
    """A handler that logs no line per request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass
