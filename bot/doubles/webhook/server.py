"""The endpoint over HTTP, on a port of 127.0.0.1. Its signatures are made by the standard's own library."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self

from standardwebhooks import Webhook
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server

from bot.doubles.webhook.memory import Json, Members, Refusal

POLL = 0.02
TOLERANCE = timedelta(minutes=5)


class Served:
    """A server of the endpoint, until it is closed. ``url`` is where it is asked."""

    def __init__(self, members: Members, port: int = 0) -> None:
        self._members = members
        self._waiting: dict[str, tuple[int, Json]] = {}
        self._server = make_server(
            "127.0.0.1", port, Request.application(self._answer), threaded=True, request_handler=_Quiet
        )
        self.url = f"http://127.0.0.1:{self._server.port}/rotakey"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL,), name="endpoint", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Close it. Calls that are being kept waiting are answered at once."""
        self._members.hurry.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self, request: Request) -> Response:
        members, faults = self._members, self._members.faults
        body = request.get_data()
        if faults.slow:
            members.hurry.wait(faults.slow)
        if faults.down:
            return _json(503, {"error": "down"})
        if faults.limited:
            faults.limited -= 1
            return _json(429, {"error": "slow down"}, {"Retry-After": f"{faults.limit_seconds:g}"})
        if not self._is_signed(request, body):
            return _json(401, {"error": "the signature is wrong"})
        if request.method == "GET":
            return self._status(request)
        message: Json = json.loads(body)
        try:
            answer = members.do(message)
        except Refusal as refusal:
            return _json(refusal.status, {"error": refusal.error})
        if message["verb"] in faults.loses:
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return Response("", 502)
        if faults.later:
            self._waiting[message["id"]] = (faults.later, answer)
            return _json(202, {"status_url": faults.status_url or f"/rotakey/status/{message['id']}"})
        return self._sign_answer(answer)

    def _status(self, request: Request) -> Response:
        """Say whether slow work is done."""
        message_id = request.path.rpartition("/")[2]
        if message_id not in self._waiting:
            return _json(404, {"error": "nothing of that id is waiting"})
        left, answer = self._waiting[message_id]
        if left > 1:
            self._waiting[message_id] = (left - 1, answer)
            return _json(202, {})
        return self._sign_answer(self._waiting.pop(message_id)[1])

    def _is_signed(self, request: Request, body: bytes) -> bool:
        try:
            Webhook(self._members.secret).verify(body, dict(request.headers.to_wsgi_list()), json_parse=False)
        except Exception:  # noqa: BLE001 -- the library raises other errors for other malformed signatures
            return False
        return True

    def _sign_answer(self, answer: Json) -> Response:
        members, faults = self._members, self._members.faults
        if faults.answer:
            answer = faults.answer(answer)
        body, at = json.dumps(answer), members.now()
        signature = Webhook(members.secret).sign(answer["id"], at, body)
        headers: Mapping[str, str] = {
            "webhook-id": answer["id"],
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        }
        status, sent = 200, body.encode()
        if faults.raw:
            status, sent, headers = faults.raw(sent, headers)
        if not faults.drip:
            return Response(sent, status, dict(headers), content_type="application/json")

        def drops() -> Iterator[bytes]:
            for each in sent:
                members.hurry.wait(faults.drip)
                yield bytes([each])

        return Response(drops(), status, dict(headers), content_type="application/json")


def _json(status: int, body: Json, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, dict(headers or {}), content_type="application/json")


class _Quiet(WSGIRequestHandler):
    """A handler that logs no line per request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass
