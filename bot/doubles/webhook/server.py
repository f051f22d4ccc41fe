"""The endpoint over HTTP, on a port of 127.0.0.1. Its signatures are made by the standard's own library."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from datetime import timedelta

from standardwebhooks import Webhook
from werkzeug import Request, Response

from bot.doubles.serving import Serving
from bot.doubles.webhook.memory import Json, Members, Refusal

TOLERANCE = timedelta(minutes=5)


class Served(Serving):
    """A server of the endpoint, until it is closed. ``url`` is where it is asked."""

    def __init__(self, members: Members, port: int = 0) -> None:
        self._members = members
        self._waiting: dict[str, tuple[int, Json]] = {}
        super().__init__(Request.application(self._answer), members.hurry, "endpoint", port)
        self.url += "/rotakey"

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
