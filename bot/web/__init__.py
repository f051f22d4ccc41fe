"""The web server: Slack's requests, health, readiness and metrics."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask, Response, request
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]  # it has no types
from prometheus_client import CONTENT_TYPE_LATEST, Histogram, generate_latest
from slack_bolt import App
from slack_bolt.adapter.flask.handler import to_flask_response
from slack_bolt.request import BoltRequest
from werkzeug.exceptions import RequestEntityTooLarge

from bot.slack.incoming.payloads import from_http
from bot.web.arriving import LARGEST_BODY
from bot.web.waiting import MOST_CONNECTIONS, Waiting

THREADS = 8
"""More threads would only wait for each other: an answer is a millisecond of work, and Slack sends few at
once."""
FINISH_WITHIN = 10
"""Seconds that requests under way still have after SIGTERM."""

Ready = Callable[[], str | None]
"""A function that returns None if all is well, otherwise what is not."""

_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_SIGNED = ("X-Slack-Signature", "X-Slack-Request-Timestamp")
"""The only headers that Bolt is given. It obeys others that nobody has signed."""
_answered = Histogram("rotakey_slack_answer_seconds", "Time to answer a request of Slack's", ["status"])


def create(bolt_app: App | None, ready: Ready) -> Flask:
    """Make the Flask application. ``bolt_app`` None: Slack is heard by Socket Mode, and its requests are not
    accepted over HTTP."""
    site = Flask("rotakey", static_folder=None)
    site.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    site.add_url_rule("/healthz", view_func=_healthz)
    site.add_url_rule("/readyz", view_func=lambda: _readyz(ready), endpoint="readyz")
    site.add_url_rule("/metrics", view_func=_metrics)
    if bolt_app is not None:
        site.add_url_rule(
            "/slack/events",
            view_func=lambda: _from_slack(bolt_app),
            endpoint="slack",
            methods=["POST"],
            provide_automatic_options=False,
        )
    return site


def run(
    load: Callable[[], Flask],
    host: str,
    port: int,
    started: Callable[[], None] | None = None,
    stopping: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM. ``load``, ``started`` and ``stopping`` run in the process that answers, which is a
    child of this one: open connections there. Does not return."""
    options: dict[str, Any] = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "worker_class": Waiting,
        "workers": 1,
        "threads": THREADS,
        "worker_connections": MOST_CONNECTIONS + 100,
        "keepalive": 75,
        "graceful_timeout": FINISH_WITHIN,
        "loglevel": "warning",
        "accesslog": None,
        "control_socket_disable": True,
        "proc_name": "rotakey web",
    }
    if started is not None:
        options["post_worker_init"] = lambda _worker: started()
    if stopping is not None:
        options["worker_exit"] = lambda _server, _worker: stopping()
    _Gunicorn(load, options).run()


class _Gunicorn(BaseApplication):  # type: ignore[misc]  # it has no types
    def __init__(self, load: Callable[[], Flask], options: dict[str, Any]) -> None:
        self._load = load
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._load()


# --------------------------------------------------------------------------------------------- answers


def _healthz() -> Response:
    return Response("ok\n", mimetype="text/plain")


def _readyz(ready: Ready) -> Response:
    reason = ready()
    return Response(f"{reason or 'ready'}\n", status=503 if reason else 200, mimetype="text/plain")


def _metrics() -> Response:
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


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
        return _turned_away(f"{unsigned[0]} is missing: only what Slack has signed is taken", 401)
    if not _TIMESTAMP.fullmatch(request.headers.get("X-Slack-Request-Timestamp", "")):
        return _turned_away("X-Slack-Request-Timestamp is no number")
    try:
        body = request.get_data().decode("utf-8")
    except RequestEntityTooLarge:
        return _turned_away("the body is too large", 413)
    except UnicodeDecodeError:
        return _turned_away("the body is not UTF-8")
    return _for_bolt(body)


def _for_bolt(body: str) -> BoltRequest:
    """Make the request for Bolt from what we have read, and what was signed. Bolt itself reads a command that
    contains the word *payload* as empty."""
    headers: dict[str, str | Sequence[str]] = {n: request.headers[n] for n in _SIGNED if n in request.headers}
    made = BoltRequest(body=from_http(body, request.content_type or ""), headers=headers, mode="socket_mode")
    made.raw_body, made.mode = body, "http"
    return made


def _turned_away(why: str, status: int = 400) -> Response:
    return Response(f"{why}\n", status=status, mimetype="text/plain")
