"""The org over HTTP: a Flask app, and a server for it on a port of 127.0.0.1."""

from __future__ import annotations

import base64
import json
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from email.utils import format_datetime
from functools import wraps
from typing import Any, TypeVar

from flask import Flask, Response, request

from bot.doubles.okta import answers
from bot.doubles.okta.answers import Json, NotGranted, Refusal
from bot.doubles.okta.memory import Group, Org, User
from bot.doubles.okta.tokens import access_token
from bot.doubles.serving import Serving

LIMIT = 600
SEARCH = re.compile(r'profile\.name eq "((?:[^"\\]|\\.)*)"')
T = TypeVar("T")


class Rest:
    """The endpoints, one method each. A call needs a scope if it has an OAuth token, and permissions."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def organization(self) -> Json:
        return answers.organization(self._org.id, _base())

    def token(self) -> Json:
        form = request.form.to_dict()
        return access_token(self._org, form, request.base_url, has_proof="DPoP" in request.headers)

    def user(self, user: str) -> Json:
        self._must("okta.users.read", "okta.users.read")
        return answers.user(self._user(user), _base())

    def user_groups(self, user: str) -> Response:
        self._must("okta.users.read", "okta.users.read")
        found = self._org.groups_of(self._user(user).id)
        return self._page([each for each in found if self._may_see(each.id)], answers.group, 200)

    def groups(self) -> Response:
        self._must("okta.groups.read", "okta.groups.read")
        found = list(self._org.groups.values())
        if (search := request.args.get("search")) is not None:
            asked = SEARCH.fullmatch(search)
            if asked is None:
                raise Refusal(400, "E0000031", "Invalid search criteria.")
            found = self._org.search_groups(re.sub(r"\\(.)", r"\1", asked[1]))
        return self._page([each for each in found if self._may_see(each.id)], answers.group, 10_000)

    def group(self, group: str) -> Json:
        self._must("okta.groups.read", "okta.groups.read")
        return answers.group(self._group(group), _base())

    def members(self, group: str) -> Response:
        self._must("okta.groups.read", "okta.groups.read")
        found = [self._org.users[each] for each in self._org.members[self._group(group).id]]
        return self._page(found, answers.user, 1000)

    def rules(self) -> Response:
        self._must("okta.groups.read", "okta.groups.read")
        return self._page(list(self._org.rules.values()), lambda each, _: answers.rule(each), 50)

    def add_member(self, group: str, user: str) -> str:
        self._org.add_member(*self._membership(group, user))
        return ""

    def remove_member(self, group: str, user: str) -> str:
        self._org.remove_member(*self._membership(group, user))
        return ""

    def clear_sessions(self, user: str) -> str:
        self._must("okta.users.manage", "okta.users.lifecycle.clearSessions")
        self._org.clear_sessions(
            self._user(user).id,
            oauth_tokens=request.args.get("oauthTokens", "false") == "true",
            forget_devices=request.args.get("forgetDevices", "true") == "true",
        )
        return ""

    def _membership(self, group: str, user: str) -> tuple[str, str]:
        needed = ("okta.groups.members.manage", "okta.users.groupMembership.manage")
        self._must("okta.groups.manage", *needed)
        found, member = self._group(group), self._user(user)
        if found.type != "OKTA_GROUP":
            raise answers.no_permission()
        return found.id, member.id

    def _must(self, scope: str, *permissions: str) -> None:
        """Raise Refusal unless the caller may do this."""
        access = self._org.access
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer":
            token = access.tokens.get(secret)
            if token is None or token.ends <= self._org.clock():
                raise answers.invalid_token()
            if scope not in token.scopes:
                raise answers.no_permission()
        elif (scheme, secret) != ("SSWS", access.token):
            raise answers.invalid_token()
        if not set(permissions) <= access.permissions:
            raise answers.no_permission()

    def _may_see(self, group: str) -> bool:
        return self._org.access.groups is None or group in self._org.access.groups

    def _user(self, name: str) -> User:
        found = self._org.find_user(name)
        if found is None:
            raise answers.not_found(name, "User")
        return found

    def _group(self, group: str) -> Group:
        if group not in self._org.groups:
            raise answers.not_found(group, "UserGroup")
        if not self._may_see(group):
            raise answers.no_permission()
        return self._org.groups[group]

    def _page(self, found: Sequence[T], shape: Callable[[T, str], Json], default: int) -> Response:
        """Return a page, with a link to the next one. ``after`` means something only here."""
        limit = min(request.args.get("limit", default, int), self._org.largest_page)
        start = int(base64.urlsafe_b64decode(request.args.get("after", "MA==")))
        page = [shape(each, _base()) for each in found[start : start + limit]]
        response = _json(page, 200)
        response.headers.add("Link", f'<{request.url}>; rel="self"')
        if start + limit < len(found):
            after = base64.urlsafe_b64encode(str(start + limit).encode()).decode()
            path = f"{self._org.links_to or _base()}{request.path}"
            response.headers.add("Link", f'<{path}?after={after}&limit={limit}>; rel="next"')
        return response


def app(org: Org) -> Flask:
    made = Flask("okta")
    rest = Rest(org)
    one, member = "/api/v1/groups/<group>", "/api/v1/groups/<group>/users/<user>"
    for rule, method, view in (
        ("/.well-known/okta-organization", "GET", rest.organization),
        ("/oauth2/v1/token", "POST", rest.token),
        ("/api/v1/users/<user>", "GET", rest.user),
        ("/api/v1/users/<user>/groups", "GET", rest.user_groups),
        ("/api/v1/users/<user>/sessions", "DELETE", rest.clear_sessions),
        ("/api/v1/groups", "GET", rest.groups),
        ("/api/v1/groups/rules", "GET", rest.rules),
        (one, "GET", rest.group),
        (f"{one}/users", "GET", rest.members),
        (member, "PUT", rest.add_member),
        (member, "DELETE", rest.remove_member),
    ):
        made.add_url_rule(rule, view.__name__, _answering(org, view), methods=[method])
    return made


class Served(Serving):
    """A server of the app, until it is closed."""

    def __init__(self, org: Org, whole: Flask, port: int = 0) -> None:
        super().__init__(whole, org.hurry, "okta", port)


def serve(org: Org, port: int = 0) -> Served:
    return Served(org, app(org), port)


def _answering(org: Org, view: Callable[..., Any]) -> Callable[..., Response]:
    """Return the view's answer, or the error for what is wrong with the call or with the org."""

    @wraps(view)
    def answer(**names: str) -> Response:
        with org.moved:
            org.calls.append(f"{request.method} {request.full_path.rstrip('?')}")
            org.credentials.append(request.headers.get("Authorization", ""))
        if org.faults.slow:
            org.hurry.wait(org.faults.slow)
        try:
            made = _odd(org)
            if made is None:
                with org.moved:
                    right = view(**names)
                made = right if isinstance(right, Response) else _json(right, 200 if right else 204)
        except (Refusal, NotGranted) as error:
            made = _json(error.body, error.status, error.headers)
        if request.method in org.faults.loses:
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return _with_limits(org, made)

    return answer


def _odd(org: Org) -> Response | None:
    faults = org.faults
    if faults.down:
        raise Refusal(faults.down, "E0000009", "Internal Server Error")
    if request.path in faults.not_there:
        return Response("<!doctype html><title>Not here</title>", 404, content_type="text/html")
    if request.path in faults.hidden:
        raise answers.not_found(request.path.rpartition("/")[2], "Resource")
    if faults.body is not None:
        return Response(faults.body, 200, content_type="application/json")
    if faults.limited:
        faults.limited -= 1
        raise Refusal(
            429,
            "E0000047",
            "API call exceeded rate limit due to too many requests.",
            _limits(org, reached=True),
        )
    return None


def _limits(org: Org, *, reached: bool) -> dict[str, str]:
    """Return the headers that name the limit, and when it is over, in seconds since 1970."""
    faults = org.faults
    reset = org.clock().timestamp() + faults.clock_off + (faults.limit_seconds if reached else 60)
    return {
        "x-rate-limit-limit": "0" if reached and faults.concurrent else str(LIMIT),
        "x-rate-limit-remaining": "0" if reached else str(LIMIT - 1),
        "x-rate-limit-reset": str(int(reset)),
    }


def _with_limits(org: Org, response: Response) -> Response:
    for name, value in _limits(org, reached=False).items():
        response.headers.setdefault(name, value)
    at = org.clock() + timedelta(seconds=org.faults.clock_off)
    response.headers["Date"] = format_datetime(at, usegmt=True)
    response.headers["x-okta-request-id"] = "rotaSampleRequestIdentifier"
    return response


def _base() -> str:
    return request.host_url.rstrip("/")


def _json(body: object, status: int, headers: Mapping[str, str] | None = None) -> Response:
    if status == 204:
        return Response(status=204)
    return Response(json.dumps(body), status, dict(headers or {}), content_type="application/json")
