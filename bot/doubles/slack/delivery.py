"""Delivery of commands, interactions and events to the bot: signed over HTTP, or by socket."""

import hashlib
import hmac
import http.client
import json
import threading
import time
import urllib.parse
from collections.abc import Callable
from contextlib import closing
from typing import Literal

from bot.doubles.slack.app import App
from bot.doubles.slack.faults import Faults
from bot.doubles.slack.model import Json, Reply

Kind = Literal["slash_commands", "interactive", "events_api"]

TIMED_OUT = "operation_timeout"
FAILED = "dispatch_failed"

SocketSend = Callable[[Kind, Json, Json], Reply | None]


class Delivery:
    """The delivery. `by_socket` answers None while no socket is connected; then `events_url` is used."""

    def __init__(self, app: App, faults: Faults, clock: Callable[[], float], by_socket: SocketSend) -> None:
        self._app = app
        self._faults = faults
        self._clock = clock
        self._by_socket = by_socket
        self._closed = threading.Event()
        self.events_url: str | None = None

    def send(self, kind: Kind, payload: Json) -> Reply:
        """Deliver once; the bot has three seconds."""
        if not self._faults.twice:
            return self._send_once(kind, payload)
        again = threading.Thread(target=self._send_once, args=(kind, payload), daemon=True)
        again.start()
        reply = self._send_once(kind, payload)
        again.join()
        return reply

    def send_event(self, payload: Json) -> Reply:
        """Make the first attempt; an event that fails is sent again up to three times, in the background."""
        reply = self.send("events_api", payload)
        if not reply.ok and not self._closed.is_set():
            threading.Thread(target=self._retry, args=(payload, reply), daemon=True).start()
        return reply

    def close(self) -> None:
        self._closed.set()

    def _retry(self, payload: Json, reply: Reply) -> None:
        for number, pause in enumerate(self._faults.retry_pauses, start=1):
            if reply.ok or self._closed.wait(pause):
                return
            reason = "http_timeout" if reply.error == TIMED_OUT else "http_error"
            retry: Json = {"retry_attempt": number, "retry_reason": reason}
            reply = self._send_once("events_api", payload, retry)

    def _send_once(self, kind: Kind, payload: Json, retry: Json | None = None) -> Reply:
        by_socket = self._by_socket(kind, payload, retry or {})
        if by_socket is not None:
            return by_socket
        if self.events_url is None:
            return Reply(status=0, seconds=0.0, error=FAILED)
        return self._post(self.events_url, kind, payload, retry or {})

    def _post(self, url: str, kind: Kind, payload: Json, retry: Json) -> Reply:
        body, content_type = encode(kind, payload)
        secret = "not-the-secret" if self._faults.forged else self._app.signing_secret
        when = str(int(self._clock() - self._faults.late_by))
        headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": when,
            "X-Slack-Signature": signature(secret, when, body),
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "Accept": "application/json,*/*",
        }
        if retry:
            headers["X-Slack-Retry-Num"] = str(retry["retry_attempt"])
            headers["X-Slack-Retry-Reason"] = retry["retry_reason"]

        parts = urllib.parse.urlsplit(url)
        connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        began, patience = time.monotonic(), self._faults.patience
        try:
            with closing(connect(parts.hostname or "", parts.port, timeout=patience)) as connection:
                connection.request("POST", parts.path or "/", body, headers)
                response = connection.getresponse()
                said = response.read()
        except TimeoutError:
            return Reply(status=0, seconds=time.monotonic() - began, error=TIMED_OUT)
        except (OSError, http.client.HTTPException):
            return Reply(status=0, seconds=time.monotonic() - began, error=FAILED)

        took = time.monotonic() - began
        error = TIMED_OUT if took > patience else "" if 200 <= response.status < 300 else FAILED
        answered = _body(said, response.headers.get_content_type())
        return Reply(status=response.status, seconds=took, body=answered, error=error)


def signature(secret: str, when: str, body: bytes) -> str:
    base = b"v0:" + when.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def encode(kind: Kind, payload: Json) -> tuple[bytes, str]:
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urllib.parse.urlencode(fields).encode(), "application/x-www-form-urlencoded"


def _body(content: bytes, content_type: str) -> Json | str:
    text = content.decode("utf-8", "replace")
    if content_type == "application/json" and text.strip():
        try:
            parsed = json.loads(text)
        except ValueError:
            return text
        return parsed if isinstance(parsed, dict) else text
    return text
