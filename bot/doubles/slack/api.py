"""The Web API's front door: arguments, token, scopes, faults, and the log of calls."""

import json
from collections import deque
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request

from bot.doubles.slack.app import App
from bot.doubles.slack.chat import Chat, refuse
from bot.doubles.slack.conversations import Conversations, require_scope
from bot.doubles.slack.directory import Directory
from bot.doubles.slack.faults import Faults
from bot.doubles.slack.memory import Memory
from bot.doubles.slack.methods import Method, methods_of, web_method
from bot.doubles.slack.model import Call, Json, SlackError
from bot.doubles.slack.views import Views

if TYPE_CHECKING:
    from collections.abc import Callable

SCOPES = {
    "chat.postMessage": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "users.info": "users:read",
    "users.list": "users:read",
    "users.lookupByEmail": "users:read.email",
    "usergroups.list": "usergroups:read",
    "usergroups.users.list": "usergroups:read",
}
REQUIRED = {
    "chat.postMessage": ("channel",),
    "chat.postEphemeral": ("channel", "user"),
    "chat.update": ("channel", "ts"),
    "chat.delete": ("channel", "ts"),
    "conversations.info": ("channel",),
    "conversations.members": ("channel",),
    "users.info": ("user",),
    "users.lookupByEmail": ("email",),
    "usergroups.users.list": ("usergroup",),
    "views.open": ("trigger_id", "view"),
    "views.push": ("trigger_id", "view"),
    "views.update": ("view",),
    "views.publish": ("user_id", "view"),
}
# Slack reads the arguments of these from the query or a form, and ignores a JSON body.
NOT_FROM_JSON = frozenset(
    {
        "conversations.info",
        "conversations.members",
        "users.conversations",
        "users.info",
        "users.list",
        "users.lookupByEmail",
        "usergroups.list",
        "usergroups.users.list",
    }
)
MOST_CALLS_KEPT = 50_000


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer. `hang_up`: the connection is closed instead of answering."""

    status: int
    body: Json
    hang_up: bool = False


class Api:
    def __init__(
        self,
        app: App,
        memory: Memory,
        faults: Faults,
        views: Views,
        open_socket: "Callable[[], str]",
    ) -> None:
        self._app = app
        self._memory = memory
        self._faults = faults
        self._stopped = Event()
        conversations = Conversations(memory, app)
        chat, directory = Chat(memory, app, conversations, faults), Directory(memory, app)
        self._methods: dict[str, Method] = {"apps.connections.open": lambda _args: {"url": open_socket()}}
        for each in (self, conversations, chat, directory, views):
            self._methods |= methods_of(each)
        self.calls: deque[Call] = deque(maxlen=MOST_CALLS_KEPT)

    @property
    def methods(self) -> frozenset[str]:
        return frozenset(self._methods)

    def stop(self) -> None:
        self._stopped.set()

    def answer(self, method: str, request: Request) -> Answer:
        if self._faults.refusing:
            return self._log(method, {}, Answer(status=0, body={}, hang_up=True))
        if self._faults.slow:
            self._stopped.wait(self._faults.slow)
        if self._faults.down:
            return self._log(method, {}, Answer(status=503, body={}))
        if self._faults.take_one("limited"):
            return self._log(method, {}, _rate_limit_answer())
        args: Json = {}
        try:
            args = arguments(method, request)
            answer = Answer(status=200, body={"ok": True, **self._call(method, args, request)})
        except SlackError as error:
            answer = Answer(status=200, body={"ok": False, "error": error.error, **error.details})
            if error.error == "ratelimited":
                answer = _rate_limit_answer()
        if self._faults.take_one("lost_replies"):
            answer = Answer(status=0, body=answer.body, hang_up=True)
        return self._log(method, args, answer)

    def _call(self, method: str, args: Json, request: Request) -> Json:
        known = self._methods.get(method)
        if known is None:
            raise SlackError("unknown_method", req_method=method)

        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        token = str(args.pop("token", "")) or (bearer.strip() if scheme.lower() == "bearer" else "")
        if not token:
            raise SlackError("not_authed")
        if token not in {self._app.bot_token, self._app.app_token}:
            raise SlackError("invalid_auth")
        for_the_app = method == "apps.connections.open"
        if token != (self._app.app_token if for_the_app else self._app.bot_token):
            raise SlackError("not_allowed_token_type")
        if method in SCOPES:
            require_scope(self._app, SCOPES[method])

        missing = [name for name in REQUIRED.get(method, ()) if args.get(name) in (None, "")]
        if missing:
            refuse("invalid_arguments", [f"missing required field: {name}" for name in missing])
        return known(args)

    @web_method("auth.test")
    def _auth_test(self, _args: Json) -> Json:
        app = self._app
        return {
            "url": f"https://{app.team.domain}.slack.com/",
            "team": app.team.name,
            "user": app.name,
            "team_id": app.team.id,
            "user_id": app.user_id,
            "bot_id": app.bot_id,
            "is_enterprise_install": False,
        }

    def _log(self, method: str, args: Json, answer: Answer) -> Answer:
        call = Call(
            method=method,
            args=args,
            at=self._memory.clock(),
            status=answer.status,
            answer=answer.body,
        )
        self.calls.append(call)
        return answer


def arguments(method: str, request: Request) -> Json:
    """Read the arguments from the query, and from a form or JSON body."""
    args: Json = {**request.args.to_dict(), **request.form.to_dict()}
    if request.mimetype != "application/json" or method in NOT_FROM_JSON:
        return args
    try:
        body = json.loads(request.get_data() or b"{}")
    except ValueError:
        raise SlackError("invalid_json") from None
    if not isinstance(body, dict):
        raise SlackError("json_not_object")
    return args | body


def _rate_limit_answer() -> Answer:
    return Answer(status=429, body={"ok": False, "error": "ratelimited"})
