"""Calls to PagerDuty: pdpyras, by a deadline, its errors turned into ours."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar, cast

from pydantic import BaseModel, ValidationError
from requests import Response
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, Timeout

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.oncall.pagerduty.answers import Refusal
from bot.ports.deadline import Deadline
from bot.upstream import from_status, short_retries, time_left, too_late, wait_asked_for

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", 'The package "pdpyras" is deprecated', UserWarning)
    import pdpyras

TOKEN_SETTING = "PAGERDUTY_TOKEN, or what access.yaml names as its token"  # noqa: S105 -- where it is set
URL_SETTING = "PAGERDUTY_API_URL, or what access.yaml names as its api_url"

EARLY_ACCESS = {"Accept": "application/json", "X-Early-Access": "flexible-schedules-early-access"}
"""The headers that the API of shift-based schedules requires."""

Params = Mapping[str, object]
Answer = TypeVar("Answer", bound=BaseModel)


class Calls:
    """The calls of one reading, in a session of their own: a session of requests is for one thread only."""

    def __init__(self, name: str, token: str, api_url: str, deadline: Deadline) -> None:
        self.name = name
        self._deadline = deadline
        self._session = session = pdpyras.APISession(token)
        session.url = api_url
        session.log = logging.Logger("pdpyras", logging.CRITICAL)  # our errors say what it would log
        session.headers["Content-Type"] = "application/json"  # PagerDuty wants it even on a GET
        session.max_network_attempts = 0
        session.max_http_attempts = -1
        session.retry = {429: 1}  # together with -1: not even once; without it: for ever

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def get(self, shape: type[Answer], path: str, params: Params) -> Answer:
        return cast("Answer", self.find(shape, path, params, absent=()))

    def find(
        self, shape: type[Answer], path: str, params: Params, absent: Sequence[int] = (404,)
    ) -> Answer | None:
        """Read one answer. Return None if PagerDuty itself (not a proxy, not a wrong address) answers a
        status of ``absent``."""
        what = f"{self.name}: GET {path}"

        def once() -> Answer | None:
            response = self._send(path, params, what)
            if response.status_code in absent:
                with suppress(ValidationError):
                    Refusal.model_validate_json(response.content)
                    return None
            if not response.ok:
                asked = wait_asked_for(response.headers, "retry-after", "ratelimit-reset")
                raise from_status(response.status_code, what, retry_after=asked, setting=TOKEN_SETTING)
            try:
                return shape.model_validate_json(response.content)
            except ValidationError as error:
                wrong = error.errors(include_url=False, include_input=False, include_context=False)[0]
                where = ".".join(str(each) for each in wrong["loc"]) or "its answer"
                raise TemporaryFailure(f"{what}: {where}: {wrong['msg']}") from None

        return short_retries(once, self._deadline)

    def _send(self, path: str, params: Params, what: str) -> Response:
        self._session.timeout = time_left(self._deadline, what)
        headers = EARLY_ACCESS if path.startswith("/v3/") else {}
        try:
            return cast("Response", self._session.get(path, params=params, headers=headers))
        except pdpyras.PDHTTPError as error:
            return cast("Response", error.response)
        except pdpyras.PDClientError as error:
            cause = error.__cause__
            if isinstance(cause, Timeout):
                raise too_late(what) from cause
            if isinstance(cause, InvalidSchema | InvalidURL | MissingSchema):
                raise PermanentFailure(
                    f"{what}: the address is not a valid URL: check {URL_SETTING}"
                ) from cause
            raise TemporaryFailure(f"{what}: no answer: {type(cause).__name__}") from cause
