"""Calls to somebody else's API: by a deadline, with short retries, and foreign errors turned into ours."""

from __future__ import annotations

import contextvars
import math
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_random_exponential

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.ports.deadline import Deadline

TRIES = 3
RETRY_SECONDS = 5.0
LEAST_SECONDS = 0.1
"""A try that begins later than this before the deadline would only hide why the previous one failed."""

T = TypeVar("T")

_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_jitter = wait_random_exponential(multiplier=0.2, max=2)


def short_retries(call: Callable[[], T], deadline: Deadline) -> T:
    """Call again on TemporaryFailure: at most 3 tries, none of them begun after 5 s or just before the
    deadline.

    A wait that the other side demanded is kept; if it does not fit, the failure is raised at once. Only for
    calls that may be made twice.
    """

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, TemporaryFailure) else None
        return (asked or 0.0) + _jitter(state)

    retrying = Retrying(
        retry=retry_if_exception_type(TemporaryFailure),
        stop=stop_after_attempt(TRIES)
        | stop_before_delay(min(deadline.seconds_left() - LEAST_SECONDS, RETRY_SECONDS)),
        wait=pause,
        reraise=True,
    )
    return retrying(call)


def within(deadline: Deadline, what: str, call: Callable[[], T]) -> T:
    """Return the call's outcome, or raise TemporaryFailure at the deadline, whatever the call is still
    waiting for.

    Timeouts of sockets begin again with every byte and leave out name resolution; this one does not. A call
    that was given up runs to its end unheard: use it for reading, or for what may be done twice.
    """
    outcome: Future[T] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            outcome.set_result(context.run(call))
        except BaseException as error:  # noqa: BLE001 -- raised again in the thread that waits for it
            outcome.set_exception(error)

    time_left(deadline, what)
    threading.Thread(target=run, name=f"call to {what}", daemon=True).start()
    wait([outcome], timeout=deadline.seconds_left())
    if not outcome.done():
        raise too_late(what)
    return outcome.result()


def time_left(deadline: Deadline, what: str) -> float:
    """Return the seconds for a timeout, more than 0. Raise TemporaryFailure if none are left."""
    seconds = deadline.seconds_left()
    if seconds <= 0:
        raise too_late(what)
    return seconds


def host_now() -> datetime:
    """Return the time by this machine's clock, for what is sent to others."""
    return datetime.now(UTC)  # noqa: TID251 -- a message bears the time of its sender


def too_late(what: str) -> TemporaryFailure:
    return TemporaryFailure(f"{what} did not answer in time")


def from_status(
    status: int, what: str, *, retry_after: float | None = None, setting: str = ""
) -> TemporaryFailure | PermanentFailure:
    """Translate an HTTP status that is not a success. ``setting`` names where the credential is set."""
    answered = f"{what} answered {status}"
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TemporaryFailure(answered, retry_after=retry_after)
    if status in _REFUSED and setting:
        return PermanentFailure(f"{answered}: check {setting}")
    return PermanentFailure(answered)


def wait_asked_for(headers: Mapping[str, str], *names: str) -> float | None:
    """Return the seconds in the first of the named headers that holds a number; None if none does."""
    for name in names:
        try:
            seconds = float(headers.get(name, ""))
        except ValueError:
            continue
        if seconds >= 0 and math.isfinite(seconds):
            return seconds
    return None
