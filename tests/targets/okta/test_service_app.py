"""A service app signs what Okta asks for, keeps its access token while it is good, and shows no key."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Hold, Presence
from bot.doubles.okta import Org, Served
from bot.http import HttpAnswer, HttpRequest, send
from bot.ports.deadline import Deadline
from bot.targets.okta import service_app
from bot.targets.okta.build import CLEARING_SCOPE, SCOPES
from bot.targets.okta.directory import Directory
from bot.targets.okta.service_app import App, ServiceApp
from bot.targets.okta.target import Okta
from tests.targets.okta.stage import CLIENT, KEY_ID, as_an_app, key_pair, made_from

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OURS = App(client_id=CLIENT, private_key=key_pair()[0], key_id=KEY_ID, scopes=SCOPES)


def soon(seconds: float = 5) -> Deadline:
    return Deadline.after(seconds)


class Clock:
    """One clock for the org and for us, moved by hand."""

    def __init__(self, org: Org) -> None:
        self.now = NOW
        org.clock = lambda: self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def pass_time(self, **how: float) -> None:
        self.now += timedelta(**how)


@pytest.fixture
def clock(org: Org) -> Clock:
    return Clock(org)


@pytest.fixture
def app(served: Served, clock: Clock) -> ServiceApp:
    return ServiceApp("okta", served.url, OURS, now=lambda: clock.now, clock=clock.seconds)


@pytest.fixture
def through(app: ServiceApp, served: Served) -> Okta:
    return Okta("okta", Directory("okta", served.url, app))


@pytest.fixture
def forms(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Record the forms that are sent to the token endpoint."""
    found: list[bytes] = []

    def recording(request: HttpRequest, what: str, deadline: Deadline) -> HttpAnswer:
        found.append(request.body)
        return send(request, what, deadline)

    monkeypatch.setattr(service_app, "send", recording)
    return found


def fetched(org: Org) -> int:
    return sum(each == "POST /oauth2/v1/token" for each in org.calls)


def test_an_assertion_says_who_asks_whom_and_is_valid_once_and_shortly(
    app: ServiceApp, served: Served, forms: list[bytes]
) -> None:
    for _ in range(2):
        header = app.authorization(soon())
        app.forget(header)

    read = [dict(pair.split("=") for pair in form.decode().split("&")) for form in forms]
    assert {name: value for name, value in read[0].items() if name != "client_assertion"} == {
        "grant_type": "client_credentials",
        "scope": "okta.groups.manage+okta.groups.read+okta.users.read",
        "client_assertion_type": "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
    }
    heads, claims = zip(*(map(_part, form["client_assertion"].split(".")[:2]) for form in read), strict=True)
    assert heads[0] == {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
    ids = [each.pop("jti") for each in claims]
    assert len(set(ids)) == 2
    assert claims[0] == {
        "iss": CLIENT,
        "sub": CLIENT,
        "aud": f"{served.url}/oauth2/v1/token",
        "iat": int(NOW.timestamp()) - 30,
        "exp": int(NOW.timestamp()) + 300,
    }


def test_an_access_token_is_kept_and_renewed_before_its_end(
    through: Okta, org: Org, clock: Clock, hold: Hold
) -> None:
    for _ in range(3):
        assert through.has(hold, [], soon()).presence is Presence.NONE
    assert fetched(org) == 1

    clock.pass_time(minutes=49)
    through.has(hold, [], soon())
    assert fetched(org) == 1
    clock.pass_time(minutes=2)
    through.has(hold, [], soon())
    assert fetched(org) == 2
    [first, _] = org.access.tokens.values()
    assert clock.now < first.ends, "it was renewed before its end"


def test_a_token_that_ended_early_is_replaced_and_asked_with_once_more(
    through: Okta, org: Org, clock: Clock, hold: Hold
) -> None:
    through.has(hold, [], soon())
    org.access.tokens.clear()

    assert through.has(hold, [], soon()).presence is Presence.NONE
    assert fetched(org) == 2


def test_a_new_token_that_is_not_accepted_either_is_a_failure(
    through: Okta, org: Org, clock: Clock, hold: Hold
) -> None:
    org.access.tokens = Forgetful()
    with pytest.raises(PermanentFailure, match="401: Invalid token provided: check that the service app"):
        through.has(hold, [], soon())
    assert fetched(org) == 2


def test_many_threads_fetch_one_token(app: ServiceApp, org: Org) -> None:
    with ThreadPoolExecutor(8) as threads:
        headers = set(threads.map(lambda _: app.authorization(soon()), range(8)))
    assert len(headers) == fetched(org) == 1


def test_a_thread_waits_no_longer_than_its_own_deadline(app: ServiceApp, org: Org) -> None:
    org.faults.slow = 3600
    with ThreadPoolExecutor() as threads:
        first = threads.submit(app.authorization, soon(1))
        while not org.calls:
            time.sleep(0.01)
        began = soon(1)
        with pytest.raises(TemporaryFailure, match="in time"):
            app.authorization(soon(0.2))
        assert began.seconds_left() > 0.4
        with pytest.raises(TemporaryFailure, match="in time"):
            first.result()


def no_client(org: Org) -> None:
    org.access.apps.clear()


def another_key(org: Org) -> None:
    org.access.apps[CLIENT].public_key = key_pair("another")[1]


def fewer_scopes(org: Org) -> None:
    org.access.apps[CLIENT].scopes = frozenset(["okta.users.read"])


def wants_proof(org: Org) -> None:
    org.access.apps[CLIENT].dpop = True


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            no_client,
            r"401: Invalid value for 'client_id' parameter.: check client_id, private_key and key_id",
        ),
        (
            another_key,
            "signature is invalid.: check client_id, private_key and key_id, and this machine's clock",
        ),
        (
            fewer_scopes,
            "400: One or more scopes .* grant the service app the scopes okta.groups.manage, okta.g",
        ),
        (wants_proof, r"wants proof of possession \(DPoP\) from the service app: switch off Require"),
    ],
)
def test_what_is_wrong_with_the_app_is_said(
    through: Okta, org: Org, hold: Hold, change: Callable[[Org], None], says: str
) -> None:
    change(org)
    with pytest.raises(PermanentFailure, match=says):
        through.prepare(hold, soon())


def test_a_clock_that_is_wrong_is_said(served: Served, clock: Clock) -> None:
    late = ServiceApp("okta", served.url, OURS, now=lambda: clock.now - timedelta(hours=1))
    with pytest.raises(PermanentFailure, match=r"expired .*this machine's clock"):
        late.authorization(soon())
    little = ServiceApp("okta", served.url, OURS, now=lambda: clock.now + timedelta(seconds=20))
    assert little.authorization(soon())


def test_a_limit_on_tokens_is_kept(through: Okta, app: ServiceApp, org: Org, clock: Clock) -> None:
    org.faults = replace(org.faults, limited=1, limit_seconds=20)
    with pytest.raises(TemporaryFailure) as raised:
        app.authorization(soon())
    assert raised.value.retry_after == 21


def test_a_token_of_another_type_is_refused(
    app: ServiceApp, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    org.faults.body = b'{"token_type": "DPoP", "expires_in": 3600, "access_token": "x"}'
    with pytest.raises(PermanentFailure, match="DPoP"):
        app.authorization(soon())
    org.faults.body = b'{"token_type": "Bearer", "expires_in": 3600, "access_token": "x\\n y"}'
    with pytest.raises(TemporaryFailure, match="did not answer as Okta does: access_token"):
        app.authorization(soon())


def test_clearing_sessions_needs_one_more_scope(served: Served, org: Org, hold: Hold) -> None:
    org.access.apps[CLIENT].scopes = frozenset(SCOPES)
    made_from(served.url, **as_an_app()).prepare(hold, soon())
    with pytest.raises(PermanentFailure, match=f"scopes .*{CLEARING_SCOPE}"):
        made_from(served.url, **as_an_app(sessions="clear")).prepare(hold, soon())


def test_a_key_without_an_id_and_on_one_line_is_enough(served: Served, hold: Hold) -> None:
    one_line = key_pair()[0].replace("\n", "\\n")
    assert made_from(served.url, **as_an_app(private_key=one_line, key_id=None)).prepare(hold, soon())


def elliptic() -> str:
    made = ec.generate_private_key(ec.SECP256R1())
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


@pytest.mark.parametrize(
    "key", [elliptic(), "-----BEGIN PRIVATE KEY-----\nsesame\n-----END PRIVATE KEY-----"]
)
def test_a_key_that_is_not_one_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(
        PermanentFailure, match="orders-db: private_key is not an unencrypted RSA key"
    ) as raised:
        made_from("https://example.okta.com", **as_an_app(private_key=key))
    seen: BaseException | None = raised.value
    while seen:
        assert key.splitlines()[1] not in f"{seen!r}"
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def test_no_message_shows_what_was_signed_or_received(
    through: Okta, app: ServiceApp, org: Org, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = app.authorization(soon()).removeprefix("Bearer ")
    assert token not in app.hide(f"you sent {token}")
    assert "sesame" not in repr(replace(OURS, private_key="sesame"))

    sent: list[str] = []

    def parrot(request: HttpRequest, what: str, deadline: Deadline) -> HttpAnswer:
        sent.append(request.body.decode().partition("client_assertion=")[2].partition("&")[0])
        body = json.dumps({"error": "invalid_client", "error_description": f"odd: {sent[-1]}"})
        return HttpAnswer(status=401, headers={}, body=body.encode())

    monkeypatch.setattr(service_app, "send", parrot)
    app.forget(f"Bearer {token}")
    with pytest.raises(PermanentFailure, match="odd: …") as raised:
        through.prepare(hold, soon())
    assert sent[0] not in str(raised.value)


class Forgetful(dict[str, Any]):
    """Access tokens that the org forgets at once."""

    def __setitem__(self, key: str, value: Any) -> None:
        pass


def _part(encoded: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(encoded + "=="))
