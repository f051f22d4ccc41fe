"""The sandbox's page, and the JSON it lives on: what Slack shows somebody, and what is really true."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request, send_from_directory
from werkzeug.exceptions import BadRequest, HTTPException

from bot.doubles.slack.model import ImpossibleError, Reply
from bot.doubles.slack.workspace import Workspace
from bot.sandbox.page.observer import Observer
from bot.sandbox.page.pager_controls import PagerControls

Json = dict[str, Any]
Pressed = tuple[str, str | None, Any]

PAGE = Path(__file__).parent / "static"

HOLD = 0.4
"""Seconds a poll waits for something new; roles and leases are read again after it."""

POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def page_routes(workspace: Workspace, pager: PagerControls, observer: Observer) -> Blueprint:
    """Serve the page at `/`. Only JSON is accepted, so no other site's page can post here."""
    it = _Page(workspace=workspace, pager=pager, observer=observer, latest=_Latest(workspace))
    routes = Blueprint("page", __name__)
    routes.add_url_rule("/", "index", lambda: send_from_directory(PAGE, "index.html"))
    routes.add_url_rule("/page/<path:name>", "file", lambda name: send_from_directory(PAGE, name))
    routes.add_url_rule("/sandbox/state", "state", it.state)
    gestures: dict[str, Callable[[], Json]] = {
        "command": it.type_command,
        "click": it.click,
        "view": it.answer_view,
        "home": it.open_home,
        "faults": it.break_slack,
        "pager": it.move_shift,
    }
    for name, gesture in gestures.items():
        routes.add_url_rule(f"/sandbox/{name}", name, gesture, methods=["POST"])

    @routes.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> tuple[Json, int]:
        return {"ok": False, "error": error.description or error.name}, error.code or 500

    @routes.errorhandler(ImpossibleError)
    def explain(error: ImpossibleError) -> Json:
        return {"ok": False, "error": str(error)}

    @routes.after_request
    def add_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        if response.is_json:
            response.headers["Cache-Control"] = "no-store"
        return response

    return routes


@dataclass(frozen=True, kw_only=True)
class _Page:
    workspace: Workspace
    pager: PagerControls
    observer: Observer
    latest: "_Latest"

    def state(self) -> Json:
        me = request.args.get("me", "")
        since = request.args.get("since", type=int)
        if since is not None:
            self.workspace.wait_for_change(since, HOLD)
        seen = self.workspace.state(me)
        return {
            **seen,
            "latest": self.latest(seen),
            "pager": self.pager.state(),
            "targets": self.observer.targets(),
            "leases": self.observer.leases(),
            "resources": self.observer.resources(),
            "clock": self.observer.clock(),
        }

    def type_command(self) -> Json:
        body = _body()
        name, _, text = _text(body, "text").strip().partition(" ")
        if not name.startswith("/"):
            raise ImpossibleError("Only commands work here. Type / to see them.")
        self.workspace.type_command(_text(body, "me"), _text(body, "channel"), name, text.strip())
        return {"ok": True}

    def click(self) -> Json:
        body = _body()
        me = _text(body, "me")
        what: Pressed = (_text(body, "action_id"), body.get("block_id"), body.get("value"))
        if body.get("home"):
            return _result(self.workspace.click_home(me, *what))
        if body.get("view"):
            self._require_open(me, body["view"])
            return _result(self.workspace.click_view(me, *what))
        return _result(self.workspace.click(me, _text(body, "channel"), _text(body, "ts"), *what))

    def answer_view(self) -> Json:
        body = _body()
        me = _text(body, "me")
        self._require_open(me, body.get("view_id"))
        if body.get("close"):
            return _result(self.workspace.close_view(me))
        return _result(self.workspace.submit_view(me, body.get("values")))

    def open_home(self) -> Json:
        return _result(self.workspace.open_home(_text(_body(), "me")))

    def break_slack(self) -> Json:
        body = _body()
        faults = self.workspace.faults
        if "down" in body:
            faults.down = bool(body["down"])
        if "twice" in body:
            faults.twice = bool(body["twice"])
        if "slow" in body:
            faults.slow = _number(body, "slow")
        if "limited" in body:
            faults.limited = int(_number(body, "limited"))
        return {"ok": True}

    def move_shift(self) -> Json:
        body = _body()
        match _text(body, "do"):
            case "hand_over":
                self.pager.hand_over(_text(body, "schedule"), _text(body, "to"))
            case "start_shift":
                minutes = _number(body, "minutes")
                self.pager.start_shift(_text(body, "schedule"), _text(body, "who"), minutes)
            case "end_shift":
                self.pager.end_shift(_text(body, "schedule"))
            case "down":
                self.pager.down = bool(body.get("down"))
            case other:
                raise BadRequest(f"the pager cannot {other}")
        return {"ok": True}

    def _require_open(self, me: str, view_id: object) -> None:
        """Raise unless this view is still on top: a modal that has changed must not get what was meant for
        another."""
        on_top = self.workspace.state(me)["view"]
        if on_top is None or on_top["id"] != view_id:
            raise ImpossibleError("That dialog is no longer open.")


class _Latest:
    """The last message that somebody else wrote, by person and channel: it makes a channel unread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._known: tuple[int, Json] = (-1, {})

    def __call__(self, seen: Json) -> Json:
        version, latest = self._known
        if version == seen["version"]:
            return latest
        latest = {}
        for person in (each["id"] for each in seen["people"]):
            others = {
                channel["id"]: [
                    each["ts"]
                    for each in channel["messages"]
                    if each["user"] != person and not each["command"]
                ]
                for channel in self._workspace.state(person)["channels"]
            }
            latest[person] = {channel: max(ts) for channel, ts in others.items() if ts}
        self._known = (seen["version"], latest)
        return latest


def _body() -> Json:
    body = request.get_json()
    if not isinstance(body, dict):
        raise BadRequest("a JSON object is expected")
    return body


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{name} is missing")
    return value


def _number(body: Json, name: str) -> float:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise BadRequest(f"{name} must be a number, not negative")
    return value


def _result(reply: Reply) -> Json:
    return {"ok": False, "error": reply.error} if reply.error else {"ok": True}
