"""The pager over HTTP: a Flask blueprint to be mounted beside others, and a server for it alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any

from flask import Blueprint, Flask, Response, request

from bot.doubles.pagerduty.answers import Rejected, not_found
from bot.doubles.pagerduty.memory import Pager, PagerError
from bot.doubles.pagerduty.rest import Rest
from bot.doubles.serving import Serving


def blueprint(pager: Pager) -> Blueprint:
    api = Blueprint("pager", __name__)
    rest = Rest(pager)
    for rule, method, view in (
        ("/oncalls", "GET", rest.oncalls),
        ("/users", "GET", rest.users),
        ("/users/<user>", "GET", rest.user),
        ("/schedules", "GET", rest.schedules),
        ("/schedules/<schedule>", "GET", rest.schedule),
        ("/schedules/<schedule>/users", "GET", rest.schedule_users),
        ("/schedules/<schedule>/overrides", "GET", rest.overrides),
        ("/schedules/<schedule>/overrides", "POST", rest.add_overrides),
        ("/schedules/<schedule>/overrides/<override>", "DELETE", rest.end_override),
        ("/v3/schedules/<schedule>", "GET", rest.shift_based),
    ):
        api.add_url_rule(rule, view.__name__, _answering(pager, view), methods=[method])
    return api


def app(pager: Pager) -> Flask:
    made = Flask("pager")
    made.register_blueprint(blueprint(pager))
    return made


class Served(Serving):
    """A server of an app with the pager in it, on a port of 127.0.0.1, until it is closed."""

    def __init__(self, pager: Pager, whole: Flask, port: int = 0) -> None:
        super().__init__(whole, pager.hurry, "pager", port)


def serve(pager: Pager, port: int = 0) -> Served:
    return Served(pager, app(pager), port)


def _answering(pager: Pager, view: Callable[..., Any]) -> Callable[..., Any]:
    """Return the view's answer, or the error for what is wrong with the call or with the pager."""

    @wraps(view)
    def answer(**names: str) -> Any:
        with pager.moved:
            pager.calls.append(f"{request.method} {request.path}?{request.query_string.decode()}")
        if pager.faults.slow:
            pager.hurry.wait(pager.faults.slow)
        try:
            made = _odd(pager, view.__name__)
            if made is None:
                with pager.moved:
                    right = view(**names)
                body, status = right if isinstance(right, tuple) else (right, 200)
                made = Response(status=status) if body == "" else _json(body, status)
        except Rejected as error:
            made = _json(error.body, error.status, error.headers)
        except PagerError:
            made = _json(not_found().body, 404)
        with pager.moved:
            pager.answered += 1
        return _dripping(pager, made) if pager.faults.drip else made

    return answer


def _odd(pager: Pager, view: str) -> Response | None:
    if pager.faults.down:
        raise Rejected(503, "Service Unavailable", 2000)
    if request.headers.get("Authorization") != f"Token token={pager.token}":
        raise Rejected(401, "Unauthorized", 2006)
    if pager.faults.take_limit():
        limits = {
            "ratelimit-limit": "960",
            "ratelimit-remaining": "0",
            "ratelimit-reset": f"{pager.faults.limit_seconds:g}",
        }
        silent = pager.faults.silent_limits
        raise Rejected(429, "Rate Limit Exceeded", 2020, headers={} if silent else limits)
    odd = pager.faults.take_oddity(view)
    if odd is None:
        return None
    if isinstance(odd.body, str):
        return Response(odd.body, odd.status, dict(odd.headers), content_type="text/html; charset=utf-8")
    return _json(odd.body, odd.status, odd.headers)


def _json(body: object, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, dict(headers or {}), content_type="application/json")


def _dripping(pager: Pager, whole: Response) -> Response:
    """Send the same answer byte by byte."""

    def drops() -> Iterator[bytes]:
        for each in whole.get_data():
            pager.hurry.wait(pager.faults.drip)
            yield bytes([each])

    return Response(drops(), whole.status_code, content_type=whole.content_type)
