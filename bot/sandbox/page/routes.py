"""The sandbox's page, and the JSON it lives on: what Slack shows somebody, and what is really true."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from flask import Blueprint, Response, request, send_from_directory
from werkzeug.exceptions import BadRequest, HTTPException

from bot.doubles.slack.model import ImpossibleError

Json = dict[str, Any]
Pressed = tuple[str, str | None, Any]

PAGE = Path(__file__).parent / "static"

HOLD = 0.4
"""Seconds a poll waits for something new; roles and leases are read again after it."""

POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class Faults(Protocol):
    """The faults that Slack can have. Setting a field breaks or mends it at once."""

    down: bool
    slow: float
    limited: int
    twice: bool


class Answer(Protocol):
    """The bot's answer to a gesture; `error` is empty if all went well."""

    @property
    def error(self) -> str: ...


class Workspace(Protocol):
    """The Slack of the page. Gestures raise ImpossibleError if Slack's own window would not offer them."""

    @property
    def faults(self) -> Faults: ...

    def state(self, me: str) -> Json: ...

    def wait_for_change(self, version: int, seconds: float) -> int: ...

    def type_command(self, user: str, channel: str, command: str, text: str = "") -> object:
        """Type a command. Any failure is shown in the channel, to the person who typed."""

    def click(
        self,
        user: str,
        channel: str,
        ts: str,
        action_id: str,
        block_id: str | None = None,
        value: Any = None,
    ) -> Answer: ...

    def click_home(
        self, user: str, action_id: str, block_id: str | None = None, value: Any = None
    ) -> Answer: ...

    def click_view(
        self, user: str, action_id: str, block_id: str | None = None, value: Any = None
    ) -> Answer: ...

    def submit_view(self, user: str, values: Json | None = None) -> Answer: ...

    def close_view(self, user: str) -> Answer: ...

    def open_home(self, user: str) -> Answer: ...


class Pager(Protocol):
    """The pager of the page. People are named by their Slack ids. Anything that cannot be done raises
    ImpossibleError."""

    down: bool

    def state(self) -> Json:
        """Return `{"down", "schedules": [{"id", "name", "now": [shift], "next": [shift]}]}`; a shift is
        `{"user", "name", "level", "start", "end", "override"}` in seconds since the epoch."""

    def hand_over(self, schedule: str, to: str) -> None:
        """Give `to` the rest of the shift that runs now."""

    def start_shift(self, schedule: str, who: str, minutes: float) -> None: ...

    def end_shift(self, schedule: str) -> None: ...


class Observer(Protocol):
    """A look at the target and the ledger from outside the bot. Never raises: a failure is reported in the
    answer."""

    def clock(self) -> float:
        """Return the seconds since the epoch, by the clock that ends leases."""

    def database(self) -> Json:
        """Return `{"name", "at", "roles": [{"role", "members": [{"account", "grantor"}]}], "sessions":
        [{"account", "count"}], "error": None or a text}`."""

    def leases(self) -> list[Json]:
        """Return `{"grant", "person", "resource", "until"}` for each lease; one whose `until` is None has no
        end."""

    def resources(self) -> list[Json]:
        """Return what the policy in force lets people request: `{"name", "title"}` each."""


def page_routes(workspace: Workspace, pager: Pager, observer: Observer) -> Blueprint:
    """Serve the page at `/`. Only JSON is accepted, so no other site's page can post here."""
    it = _Page(workspace=workspace, pager=pager, observer=observer, latest=_Latest(workspace))
    routes = Blueprint("page", __name__)
    routes.add_url_rule("/", "index", _index)
    routes.add_url_rule("/page/<path:name>", "file", _file)
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
    routes.register_error_handler(HTTPException, _error)
    routes.register_error_handler(ImpossibleError, _impossible)
    routes.after_request(_with_headers)
    return routes


@dataclass(frozen=True, kw_only=True)
class _Page:
    workspace: Workspace
    pager: Pager
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
            "database": self.observer.database(),
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
        if version != seen["version"]:
            everybody = [each["id"] for each in seen["people"]]
            latest = {person: _last_words(self._workspace.state(person), person) for person in everybody}
            self._known = (seen["version"], latest)
        return latest


def _last_words(seen: Json, person: str) -> Json:
    heard = {
        channel["id"]: [
            each["ts"] for each in channel["messages"] if each["user"] != person and not each["command"]
        ]
        for channel in seen["channels"]
    }
    return {channel: max(ts) for channel, ts in heard.items() if ts}


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


def _result(answer: Answer) -> Json:
    return {"ok": False, "error": answer.error} if answer.error else {"ok": True}


def _index() -> Response:
    return send_from_directory(PAGE, "index.html")


def _file(name: str) -> Response:
    return send_from_directory(PAGE, name)


def _error(error: HTTPException) -> tuple[Json, int]:
    return {"ok": False, "error": error.description or error.name}, error.code or 500


def _impossible(error: ImpossibleError) -> Json:
    return {"ok": False, "error": str(error)}


def _with_headers(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if response.is_json:
        response.headers["Cache-Control"] = "no-store"
    return response
