"""Requests to an HTTPS endpoint of one's own, signed both ways."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urljoin

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.endpoint.target import Endpoint
from bot.endpoint.wire import Question
from bot.http import HttpAnswer, HttpRequest, origin_of, send
from bot.ports.deadline import Deadline
from bot.signatures import SigningKey
from bot.upstream import from_status, host_now, wait_asked_for

LONGEST_WAIT = 5.0
"""The longest pause in seconds between two looks at whether slow work is done, unless it asks for more."""
MOST_WORDS = 300


class Webhook(Endpoint):
    """An endpoint. Implements Target; see ``Endpoint``."""

    def __init__(self, name: str, url: str, secret: str, now: Callable[[], datetime] = host_now) -> None:
        scheme, host, port = origin_of(url)
        digest = hashlib.sha256(url.encode()).hexdigest()[:16]  # a path may be secret
        super().__init__(name, _Signed(name, url, secret, now), f"{scheme}://{host}:{port} {digest}", now)


class _Signed:
    """A Transport."""

    def __init__(self, name: str, url: str, secret: str, now: Callable[[], datetime]) -> None:
        self._name = name
        self._url = url
        self._secret = secret
        self._key = SigningKey(secret)
        self._now = now

    def ask(self, question: Question, deadline: Deadline) -> bytes | None:
        what = f"{self._name} ({question.verb})"
        answer = self._send("POST", self._url, question.id, question.body(), what, deadline)
        if answer.status == HTTPStatus.ACCEPTED:
            answer = self._follow(answer, question.id, what, deadline)
        if answer.status == HTTPStatus.NOT_IMPLEMENTED:
            return None
        if answer.status != HTTPStatus.OK:
            raise self._failure(answer, what)
        objection = self._key.objection(answer.headers, question.id, answer.body, self._now())
        if objection:
            raise PermanentFailure(
                f"{what}: the answer does not count, because {objection}: sign it as docs/webhook.md says,"
                f" with the secret of {self._name}"
            )
        return answer.body

    def _follow(self, accepted: HttpAnswer, message_id: str, what: str, deadline: Deadline) -> HttpAnswer:
        """Look at where the endpoint said that the answer will be, until it is there or the time is up."""
        url, pause, answer = self._status_url(accepted, what), 0.2, accepted
        while answer.status == HTTPStatus.ACCEPTED:
            wait = max(wait_asked_for(answer.headers, "retry-after") or 0.0, pause)
            if wait >= deadline.seconds_left():
                raise TemporaryFailure(f"{what}: it is still working on it", retry_after=wait)
            time.sleep(wait)
            pause = min(pause * 2, LONGEST_WAIT)
            answer = self._send("GET", url, message_id, b"", what, deadline)
        return answer

    def _status_url(self, accepted: HttpAnswer, what: str) -> str:
        found: object = None
        with suppress(ValueError):
            body = json.loads(accepted.body)
            found = body.get("status_url") if isinstance(body, dict) else None
        if not isinstance(found, str):
            raise PermanentFailure(f"{what}: it answered 202 without a status_url: add it")
        try:
            url = urljoin(self._url, found)
            same = origin_of(url) == origin_of(self._url)
        except ValueError:
            same = False
        if not same:
            raise PermanentFailure(f"{what}: its status_url is on another host: only its own is asked")
        return url

    def _send(
        self, method: str, url: str, message_id: str, body: bytes, what: str, deadline: Deadline
    ) -> HttpAnswer:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "rotakey",
            **self._key.headers(message_id, self._now(), body),
        }
        return send(HttpRequest(method=method, url=url, headers=headers, body=body), what, deadline)

    def _failure(self, answer: HttpAnswer, what: str) -> TemporaryFailure | PermanentFailure:
        asked = wait_asked_for(answer.headers, "retry-after")
        setting = f"that it has the same secret as {self._name} here"
        failure = from_status(answer.status, what, retry_after=asked, setting=setting)
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
            return PermanentFailure(f"{failure}: redirects are not followed; correct the url")
        said: object = None
        with suppress(ValueError):
            read = json.loads(answer.body)
            said = read.get("error") if isinstance(read, dict) else None
        if isinstance(said, str) and isinstance(failure, PermanentFailure):
            words = " ".join(said.split()).replace(self._secret, "…")[:MOST_WORDS]
            return PermanentFailure(f"{failure}: {words}" if words else str(failure))
        return failure
