"""The web application: Slack's requests, health, readiness and metrics."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from flask import Flask, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.registry import Collector
from slack_bolt import App
from slack_bolt.adapter.flask.handler import to_flask_response
from slack_bolt.request import BoltRequest

from bot.slack.incoming.payloads import from_http
from bot.web.server import LARGEST_BODY

Ready = Callable[[], str | None]
"""A function that returns None if all is well, otherwise what is not."""

_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_SIGNED = ("X-Slack-Signature", "X-Slack-Request-Timestamp")
"""The only headers that Bolt is given. It obeys others that nobody has signed."""
_answered = Histogram("rotakey_slack_answer_seconds", "Seconds to answer a request from Slack", ["status"])


def create(bolt_app: App | None, ready: Ready, gauges: Collector | None = None) -> Flask:
    """Make the Flask application. ``bolt_app`` None: Slack is heard by Socket Mode, and its requests are not
    accepted over HTTP. ``gauges`` are shown besides the counts of this process."""
    registry = CollectorRegistry()
    if gauges is not None:
        registry.register(gauges)
    site = Flask("rotakey", static_folder=None)
    site.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    site.add_url_rule("/healthz", view_func=_healthz)
    site.add_url_rule("/readyz", view_func=lambda: _readyz(ready), endpoint="readyz")
    site.add_url_rule("/metrics", view_func=lambda: _metrics(registry), endpoint="metrics")
    if bolt_app is not None:
        site.add_url_rule(
            "/slack/events",
            view_func=lambda: _from_slack(bolt_app),
            endpoint="slack",
            methods=["POST"],
            provide_automatic_options=False,
        )
    return site


# --------------------------------------------------------------------------------------------- answers


def _healthz() -> Response:
    return Response("ok\n", mimetype="text/plain")


def _readyz(ready: Ready) -> Response:
    reason = ready()
    return Response(f"{reason or 'ready'}\n", status=503 if reason else 200, mimetype="text/plain")


def _metrics(gauges: CollectorRegistry) -> Response:
    return Response(generate_latest() + generate_latest(gauges), content_type=CONTENT_TYPE_LATEST)


def _from_slack(bolt_app: App) -> Response:
    began, status = time.perf_counter(), "500"
    try:
        heard = _read_request()
        answer = heard if isinstance(heard, Response) else to_flask_response(bolt_app.dispatch(heard))
        status = str(answer.status_code)
    finally:
        _answered.labels(status).observe(time.perf_counter() - began)
    return answer


def _read_request() -> BoltRequest | Response:
    """Return the request for Bolt, which checks the signature, or the answer that rejects it before that."""
    unsigned = [name for name in _SIGNED if name not in request.headers]
    if unsigned:
        return _turned_away(f"{unsigned[0]} is missing: only requests signed by Slack are accepted", 401)
    if not _TIMESTAMP.fullmatch(request.headers.get("X-Slack-Request-Timestamp", "")):
        return _turned_away("X-Slack-Request-Timestamp is not a number")
    try:
        body = request.get_data().decode("utf-8")
    except UnicodeDecodeError:
        return _turned_away("the body is not UTF-8")
    # we read the body ourselves, because Bolt reads a command that contains the word *payload* as empty
    headers: dict[str, str | Sequence[str]] = {n: request.headers[n] for n in _SIGNED if n in request.headers}
    made = BoltRequest(body=from_http(body, request.content_type or ""), headers=headers, mode="socket_mode")
    made.raw_body, made.mode = body, "http"
    return made


def _turned_away(why: str, status: int = 400) -> Response:
    return Response(f"{why}\n", status=status, mimetype="text/plain")
