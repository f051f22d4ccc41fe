"""Signatures, checked against the library that the authors of Standard Webhooks publish."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from bot.signatures import SigningKey

SECRET = "whsec_b3BlbiBzZXNhbWUgb3BlbiBzZXNhbWUgb3BlbiBzZXNhbWU="
OTHER = "whsec_c2VzYW1lIG9wZW4gc2VzYW1lIG9wZW4gc2VzYW1lIG9wZW4="
BODY = b'{"verb": "has", "account": "\xc3\xa5da"}'


def now() -> datetime:
    return datetime.now(UTC)


def objection(headers: dict[str, str], at: datetime | None = None, body: bytes = BODY) -> str | None:
    return SigningKey(SECRET).objection(headers, "m1", body, at or now())


def test_the_library_accepts_what_we_sign() -> None:
    Webhook(SECRET).verify(BODY, SigningKey(SECRET).headers("m1", now(), BODY))


def test_we_accept_what_the_library_signs() -> None:
    at = now()
    signature = Webhook(SECRET).sign("m1", at, BODY.decode())
    stamp = str(int(at.timestamp()))
    several = f"v1,bm90IHRoaXMgb25l v1a,bm90IHRoaXMgb25l {signature}"
    for each in (signature, several):
        headers = {"webhook-id": "m1", "webhook-timestamp": stamp, "webhook-signature": each}
        assert objection(headers) is None


def test_a_secret_may_be_written_without_its_prefix() -> None:
    bare = SigningKey(SECRET.removeprefix("whsec_"))
    assert objection(bare.headers("m1", now(), BODY)) is None


@pytest.mark.parametrize(
    ("secret", "message_id", "body", "says"),
    [
        (OTHER, "m1", BODY, "signed with another secret"),
        (SECRET, "m1", BODY + b" ", "signed with another secret"),
        (SECRET, "m2", BODY, "not the request's"),
    ],
)
def test_another_message_is_not_signed_by_it(secret: str, message_id: str, body: bytes, says: str) -> None:
    assert says in (objection(SigningKey(secret).headers(message_id, now(), body)) or "")


@pytest.mark.parametrize("off", [-301, 302])
def test_an_old_or_a_future_time_is_refused(off: int) -> None:
    headers = SigningKey(SECRET).headers("m1", now() + timedelta(seconds=off), BODY)
    assert "5 minutes off" in (objection(headers) or "")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("webhook-signature", None, "no webhook-signature"),
        ("webhook-signature", "", "another secret"),
        ("webhook-signature", "v1,\u00e5\ud800", "another secret"),
        ("webhook-id", None, "not the request's"),
        ("webhook-timestamp", None, "not a time"),
        ("webhook-timestamp", "-1", "not a time"),
        ("webhook-timestamp", "1e9", "not a time"),
        ("webhook-timestamp", "\u0661", "not a time"),
        ("webhook-timestamp", "9" * 4_000, "not a time"),
    ],
)
def test_a_malformed_header_is_an_objection(name: str, value: str | None, says: str) -> None:
    headers = SigningKey(SECRET).headers("m1", now(), BODY)
    changed = (
        {**headers, name: value} if value is not None else {k: v for k, v in headers.items() if k != name}
    )
    assert says in (objection({k: str(v) for k, v in changed.items()}) or "")


@pytest.mark.parametrize(
    "secret",
    [
        *("", "whsec_", "sesame", "whsec_sesame!", "whsec_\u00e5"),
        *(f"whsec_{base64.b64encode(bytes(size)).decode()}" for size in (23, 65)),
    ],
)
def test_a_weak_or_malformed_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes") as raised:
        SigningKey(secret)
    assert not secret.removeprefix("whsec_") or secret not in str(raised.value)
