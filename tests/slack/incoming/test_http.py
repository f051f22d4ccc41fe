"""The web server answers Slack, a load balancer, and anyone else who sends requests."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot.doubles.slack import Server, Workspace
from bot.slack.incoming.listeners import SlackSettings, build
from bot.web import create
from tests.slack.conftest import BOT_TOKEN, SIGNING_SECRET
from tests.slack.rig import Rig, rig
from tests.slack.scenes import ADA

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
MINE = {"command": "/access", "text": "mine", "user_id": ADA, "team_id": "T0ROTAKEY", "trigger_id": "1.2"}


@pytest.fixture
def it(workspace: Workspace, server: Server) -> Iterator[Rig]:
    with rig(workspace, server) as made:
        yield made


@pytest.fixture
def web(it: Rig) -> FlaskClient:
    return it.site.test_client()


def sent(
    web: FlaskClient, body: bytes, kind: str = FORM, when: str | None = None, secret: str = SIGNING_SECRET
) -> TestResponse:
    at = str(int(time.time())) if when is None else when
    base = b"v0:" + at.encode() + b":" + body
    signature = "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": signature, "Content-Type": kind}
    return web.post("/slack/events", data=body, headers=headers)


def test_a_command(web: FlaskClient) -> None:
    answer = sent(web, urlencode(MINE).encode())
    assert answer.status_code == 200
    assert answer.get_json()["text"] == "You have no access right now, and no open requests."


def test_slack_asks_whether_the_address_is_ours(web: FlaskClient) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "c1"}).encode()
    assert sent(web, body, JSON).get_json() == {"challenge": "c1"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", JSON),
        (b"[]", JSON),
        (b"", JSON),
        (b"payload={", FORM),
        (b"payload=[]", FORM),
        (b"payload=" + b"[" * 100_000, FORM),
        (b"\xff\xfe", FORM),
        (b'{"team": 7}', JSON),
        (b'{"authorizations": 7}', JSON),
        (b'payload={"user": {"id": 1}, "team": [1]}', FORM),
    ],
)
def test_what_is_no_request_of_slacks_is_never_a_500(web: FlaskClient, body: bytes, kind: str) -> None:
    assert sent(web, body, kind).status_code in (400, 401, 404)
    assert sent(web, body, kind, secret="wrong").status_code in (400, 401)


@pytest.mark.parametrize("when", ["", "yesterday", "-1", "1e9", "١٢٣", "9" * 13, " 1700000000"])
def test_a_timestamp_that_is_none(web: FlaskClient, when: str) -> None:
    if when.isascii():
        assert sent(web, urlencode(MINE).encode(), when=when).status_code == 400


def test_an_old_timestamp_and_a_wrong_signature(web: FlaskClient) -> None:
    body = urlencode(MINE).encode()
    assert sent(web, body, when=str(int(time.time()) - 400)).status_code == 401
    assert sent(web, body, secret="wrong").status_code == 401


SIGNED = {"X-Slack-Request-Timestamp": "1700000000", "X-Slack-Signature": "v0=abc"}


@pytest.mark.parametrize("there", [{}, *({name: SIGNED[name]} for name in SIGNED)])
@pytest.mark.parametrize("body", [b"", b"{", urlencode(MINE).encode(), b"\xff\xfe", b"payload=["])
def test_what_nobody_has_signed_is_unauthorized_whatever_is_in_it(
    web: FlaskClient, there: dict[str, str], body: bytes
) -> None:
    answer = web.post("/slack/events", data=body, headers=there)
    missing = "X-Slack-Request-Timestamp" if "X-Slack-Signature" in there else "X-Slack-Signature"
    said = f"{missing} is missing: only requests signed by Slack are accepted\n"
    assert (answer.status_code, answer.text) == (401, said)


def test_the_shortcut_for_certificates_opens_nothing(web: FlaskClient) -> None:
    body = urlencode(MINE | {"ssl_check": "1"}).encode()
    assert sent(web, body, secret="wrong").status_code == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"])
def test_only_post(web: FlaskClient, method: str) -> None:
    assert web.open("/slack/events", method=method).status_code == 405


def test_elsewhere_there_is_nothing(web: FlaskClient) -> None:
    assert web.post("/").status_code == 404
    assert web.get("/static/x").status_code == 404


def test_health_and_metrics(web: FlaskClient) -> None:
    assert web.get("/healthz").data == b"ok\n"
    sent(web, urlencode(MINE).encode())
    assert b'rotakey_slack_answer_seconds_count{status="200"}' in web.get("/metrics").data


def test_ready_or_why_not() -> None:
    reasons: list[str | None] = ["Redis does not answer", None]
    web = create(None, lambda: reasons.pop(0)).test_client()
    first, then = web.get("/readyz"), web.get("/readyz")
    assert (first.status_code, first.data) == (503, b"Redis does not answer\n")
    assert (then.status_code, then.data) == (200, b"ready\n")


def test_in_socket_mode_nothing_comes_by_http(it: Rig) -> None:
    assert create(None, lambda: None).test_client().post("/slack/events").status_code == 404
    settings = SlackSettings(token=BOT_TOKEN)
    web = create(build(it.context, settings), lambda: None).test_client()
    assert sent(web, urlencode(MINE).encode(), secret="").status_code == 401


def test_secrets_are_not_shown() -> None:
    assert "xoxb" not in repr(SlackSettings(token=BOT_TOKEN, signing_secret=SIGNING_SECRET))
    assert SIGNING_SECRET not in repr(SlackSettings(token=BOT_TOKEN, signing_secret=SIGNING_SECRET))


def test_a_refused_signature_is_not_logged(
    workspace: Workspace,
    server: Server,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    with rig(workspace, server) as it:
        sent(it.site.test_client(), urlencode(MINE | {"text": "top secret"}).encode(), secret="wrong")
    shown = capsys.readouterr()
    assert "secret" not in caplog.text + shown.out + shown.err


def test_what_slack_sends_and_nobody_here_listens_to(web: FlaskClient) -> None:
    event = {"type": "event_callback", "team_id": "T0ROTAKEY", "event": {"type": "team_join"}}
    assert sent(web, json.dumps(event).encode(), JSON).status_code == 200
    shortcut = {"type": "shortcut", "callback_id": "x", "user": {"id": ADA}}
    assert sent(web, urlencode({"payload": json.dumps(shortcut)}).encode()).status_code == 404


def test_a_field_that_is_there_twice(web: FlaskClient) -> None:
    assert sent(web, urlencode(MINE).encode() + b"&user_id=U02BOB").status_code == 400


def test_headers_that_nobody_has_signed_change_nothing(web: FlaskClient) -> None:
    body = urlencode(MINE).encode()
    at = str(int(time.time()))
    signature = hmac.new(
        SIGNING_SECRET.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256
    ).hexdigest()
    signed = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={signature}", "Content-Type": FORM}
    lazy = {"X-Slack-Bolt-Lazy-Only": "1", "X-Slack-Bolt-Lazy-Function-Name": "listener"}
    answer = web.post("/slack/events", data=body, headers=signed | lazy)
    assert answer.get_json()["text"] == "You have no access right now, and no open requests."
