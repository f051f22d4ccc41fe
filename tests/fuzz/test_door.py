"""A request that Slack has not signed within minutes is rejected at the door, whatever it contains."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.doubles.slack.delivery import signature
from tests.fuzz import junk
from tests.fuzz.place import FORM, JSON, FuzzedPlace, fuzzed_place, signed
from tests.fuzz.rounds import thrown
from tests.fuzz.shapes import command
from tests.slack.conftest import SIGNING_SECRET

KINDS = (
    FORM,
    JSON,
    f"{JSON}; charset=utf-8",
    "text/plain",
    "multipart/form-data; boundary=x",
    "",
    ";",
    "a/b/c",
    "é",
)
ASK = urlencode(command("request prod-db 2h because x")).encode()

headers = st.dictionaries(
    st.sampled_from(
        [
            *(
                "X-Slack-Signature",
                "X-Slack-Request-Timestamp",
                "X-Slack-Retry-Num",
                "Content-Encoding",
                "Host",
            ),
            *("X-Slack-Bolt-Lazy-Only", "X-Slack-Bolt-Lazy-Function-Name", "X-Forwarded-For", "Cookie", "X"),
        ]
    ),
    st.one_of(
        st.sampled_from(
            ["", "0", "1", "-1", "9" * 12, "9" * 40, "v0=", "v0=00", "v1=x", "nan", "1e9", "१२३", "gzip"]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20),
    ),
    max_size=4,
)
bodies = st.one_of(
    st.binary(min_size=1, max_size=60),
    st.sampled_from(
        [ASK, b"payload=" + b"[" * 5_000, b"{" * 5_000, b"[" * 90_000, b"%" * 999, b"a=&" * 2_000, b'"' * 99]
    ),
    junk.broken.map(lambda text: b"payload=" + text.encode("utf-8", "surrogatepass")),
    junk.broken.map(lambda text: text.encode("utf-16", "surrogatepass")),
)


@pytest.fixture(scope="module")
def place() -> Iterator[FuzzedPlace]:
    with fuzzed_place() as made:
        yield made


@thrown(few=200, share=0.04, body=bodies, kind=st.sampled_from(KINDS), others=headers)
def test_what_anybody_sends(place: FuzzedPlace, body: bytes, kind: str, others: dict[str, str]) -> None:
    before = place.written()
    with capture_logs() as logs:
        answer = place.client.post("/slack/events", data=body, headers={**others, "Content-Type": kind})
    assert answer.status_code in (400, 401)
    assert (place.written(), logs) == (before, [])


@thrown(few=200, share=0.04, body=bodies, kind=st.sampled_from(KINDS))
def test_what_is_signed_and_nothing_of_slacks(place: FuzzedPlace, body: bytes, kind: str) -> None:
    before = place.written()
    with capture_logs():
        answer = place.sends(body, {"Content-Type": kind})
    assert answer.status_code in (400, 404) or body == ASK
    assert place.written() == before or body == ASK
    place.as_it_was()


@thrown(
    few=100,
    share=0.02,
    late=st.one_of(st.integers(301, 10**9), st.integers(-(10**9), -301)),
    secret=st.just(SIGNING_SECRET),
)
def test_what_is_signed_at_another_time(place: FuzzedPlace, late: int, secret: str) -> None:
    before = place.written()
    assert place.sends(ASK, late=late, secret=secret).status_code in (400, 401)
    assert place.written() == before


@thrown(
    few=100, share=0.02, change=st.tuples(st.integers(0, len(ASK) - 1), st.integers(1, 255)), secret=st.text()
)
def test_what_is_signed_and_then_changed(place: FuzzedPlace, change: tuple[int, int], secret: str) -> None:
    at, by = change
    changed = ASK[:at] + bytes([ASK[at] ^ by]) + ASK[at + 1 :]
    before = place.written()
    given = {"Content-Type": FORM, **signed(ASK)}
    assert place.client.post("/slack/events", data=changed, headers=given).status_code in (400, 401)
    if secret != SIGNING_SECRET:
        forged = given | {"X-Slack-Signature": signature(secret, given["X-Slack-Request-Timestamp"], ASK)}
        assert place.client.post("/slack/events", data=ASK, headers=forged).status_code == 401
    assert place.written() == before
