"""Calls to other services: short retries, deadlines, and how their failures are translated."""

import threading
from contextvars import ContextVar

import pytest

from bot import upstream
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.ports.deadline import Deadline
from bot.upstream import LEAST_SECONDS, from_status, short_retries, time_left, wait_asked_for, within


class Elsewhere:
    """A service that fails as told, call by call, and then says hello."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "hello"


def busy(retry_after: float | None = None) -> TemporaryFailure:
    return TemporaryFailure("busy", retry_after=retry_after)


def test_two_bad_moments_are_not_told() -> None:
    elsewhere = Elsewhere(busy(), busy())
    assert short_retries(elsewhere, Deadline.after(20)) == "hello"
    assert elsewhere.calls == 3


def test_the_third_failure_is_told_as_it_was() -> None:
    third = busy()
    elsewhere = Elsewhere(busy(), busy(), third)
    with pytest.raises(TemporaryFailure) as caught:
        short_retries(elsewhere, Deadline.after(20))
    assert caught.value is third
    assert elsewhere.calls == 3


@pytest.mark.parametrize("failure", [PermanentFailure("no"), ValueError("a mistake of ours")])
def test_what_no_retry_can_help_is_not_tried_again(failure: Exception) -> None:
    elsewhere = Elsewhere(failure)
    with pytest.raises(type(failure)):
        short_retries(elsewhere, Deadline.after(20))
    assert elsewhere.calls == 1


@pytest.mark.parametrize(("asked", "deadline"), [(1.0, 0.5), (6.0, 60.0)])
def test_a_wait_that_does_not_fit_the_deadline_or_5_s_is_left_to_the_caller(
    asked: float, deadline: float
) -> None:
    elsewhere = Elsewhere(busy(asked))
    with pytest.raises(TemporaryFailure) as caught:
        short_retries(elsewhere, Deadline.after(deadline))
    assert caught.value.retry_after == asked
    assert elsewhere.calls == 1


def test_just_before_the_deadline_nothing_is_tried_that_would_hide_the_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upstream, "_jitter", lambda _: 0.0)
    deadline, calls = Deadline.after(0.3), []

    def busy_for_long() -> str:
        calls.append(1)
        while deadline.seconds_left() > LEAST_SECONDS * 0.9:
            pass
        raise busy()

    with pytest.raises(TemporaryFailure, match="busy"):
        short_retries(busy_for_long, deadline)
    assert len(calls) == 1


def test_a_wait_that_fits_is_kept() -> None:
    elsewhere = Elsewhere(busy(0.2))
    allowed = Deadline.after(0.2)
    assert short_retries(elsewhere, Deadline.after(20)) == "hello"
    assert allowed.is_over


def test_a_call_that_hangs_is_left_at_the_deadline() -> None:
    released = threading.Event()
    try:
        with pytest.raises(TemporaryFailure, match="the moon did not answer in time"):
            within(Deadline.after(0.1), "the moon", released.wait)
    finally:
        released.set()


def test_a_deadline_that_is_past_makes_no_call() -> None:
    elsewhere = Elsewhere()
    with pytest.raises(TemporaryFailure, match="the moon did not answer in time"):
        within(Deadline.after(0), "the moon", elsewhere)
    assert elsewhere.calls == 0


def test_the_answer_and_the_failure_come_through_from_the_other_thread() -> None:
    assert within(Deadline.after(20), "the moon", Elsewhere()) == "hello"
    with pytest.raises(PermanentFailure, match="no moon"):
        within(Deadline.after(20), "the moon", Elsewhere(PermanentFailure("no moon")))


def test_the_call_knows_what_its_caller_was_about() -> None:
    grant: ContextVar[str] = ContextVar("grant")
    grant.set("k3f9")
    assert within(Deadline.after(20), "the moon", grant.get) == "k3f9"


def test_time_left_is_never_a_timeout_of_zero() -> None:
    assert 0 < time_left(Deadline.after(20), "the moon") <= 20
    with pytest.raises(TemporaryFailure):
        time_left(Deadline.after(0), "the moon")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_passes_by_itself_is_temporary(status: int) -> None:
    failure = from_status(status, "the moon", retry_after=7)
    assert isinstance(failure, TemporaryFailure)
    assert (str(failure), failure.retry_after) == (f"the moon answered {status}", 7)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_what_does_not_is_permanent(status: int) -> None:
    assert isinstance(from_status(status, "the moon"), PermanentFailure)


def test_a_refusal_names_the_setting_to_look_at() -> None:
    assert (
        str(from_status(401, "the moon", setting="MOON_TOKEN")) == "the moon answered 401: check MOON_TOKEN"
    )
    assert str(from_status(404, "the moon", setting="MOON_TOKEN")) == "the moon answered 404"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"ratelimit-reset": "2.5"}, 2.5),
        ({"retry-after": "Sat, 21 Nov 2026 09:54:01 GMT", "ratelimit-reset": "3"}, 3),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_the_wait_asked_for(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_asked_for(headers, "retry-after", "ratelimit-reset") == seconds
