"""The part of Okta's API that is used: users, groups, their members, and the rules that fill them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

from pydantic import TypeAdapter
from requests.utils import parse_header_links

from bot.core.errors import PermanentFailure
from bot.http import HttpAnswer, HttpRequest, send
from bot.ports.deadline import Deadline
from bot.targets.okta.answers import (
    NOT_FOUND,
    Group,
    OrgSaid,
    Right,
    Rule,
    User,
    code_of,
    failure_from,
    read,
)
from bot.targets.okta.credentials import Credential
from bot.upstream import host_now, short_retries

PAGE = 100
"""The entries of a page: a user may have a long profile, and an answer has a limit."""
RULES_PAGE = 200
NOBODY_BY_PATH = frozenset({"", ".", "..", "me"})
"""Names that mean something else in a path: me is the account of the token itself."""

READ_USERS = Right(do="read users", remedy="give its admin role okta.users.read")
READ_GROUPS = Right(
    do="read this group and its members", remedy="give its admin role okta.groups.read for this group"
)
READ_RULES = Right(do="read group rules", remedy="give it the role Read-only Administrator too")
MANAGE_MEMBERS = Right(
    do="change the members of this group",
    remedy="give its admin role okta.groups.members.manage for this group, and"
    " okta.users.groupMembership.manage",
)
CLEAR_SESSIONS = Right(
    do="clear sessions",
    remedy="give its admin role okta.users.lifecycle.clearSessions, or write sessions: keep",
)

T = TypeVar("T")
_ORG, _USER, _GROUP = TypeAdapter(OrgSaid), TypeAdapter(User), TypeAdapter(Group)
_USERS, _GROUPS, _RULES = TypeAdapter(list[User]), TypeAdapter(list[Group]), TypeAdapter(list[Rule])


class Directory:
    """An org. Every method raises TemporaryFailure or PermanentFailure by the deadline. Ids are Okta's."""

    def __init__(
        self, name: str, url: str, credential: Credential, now: Callable[[], datetime] = host_now
    ) -> None:
        self._name = name
        self._url = url
        self._credential = credential
        self._now = now

    def org(self, deadline: Deadline) -> str:
        """Return the id of the org that answers. No right is needed, and no credential is sent."""
        answer = self._ask("GET", "/.well-known/okta-organization", None, deadline)
        if answer is None:
            raise PermanentFailure(f"{self._name}: there is no Okta org at its url: correct it")
        return read(_ORG, answer, self._name).id

    def user(self, login: str, deadline: Deadline) -> User | None:
        """Return the user with this very login, in upper or lower case; None if there is none."""
        if login in NOBODY_BY_PATH or "/" in login:
            return None
        answer = self._ask("GET", f"/api/v1/users/{quote(login, safe='')}", READ_USERS, deadline)
        if answer is None:
            return None
        found = read(_USER, answer, self._name)
        return found if found.login.casefold() == login.casefold() else None  # Okta also takes short names

    def groups_named(self, name: str, deadline: Deadline) -> list[Group]:
        """Return the groups that have this name now. The search may lag, so each is read again."""
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        query = urlencode({"search": f'profile.name eq "{escaped}"', "limit": PAGE})
        found = self._every(_GROUPS, f"/api/v1/groups?{query}", READ_GROUPS, deadline) or []
        fresh = (self.group(each.id, deadline) for each in found if each.name == name)
        return [each for each in fresh if each is not None and each.name == name]

    def group(self, group: str, deadline: Deadline) -> Group | None:
        answer = self._ask("GET", f"/api/v1/groups/{group}", READ_GROUPS, deadline)
        return None if answer is None else read(_GROUP, answer, self._name)

    def is_member(self, user: str, group: str, deadline: Deadline) -> bool:
        """Return whether a user is in a group. A credential that sees only some users or groups could miss
        it, so a user who is not shown must not be among the members either, and a group that is not shown has
        to be visible, or gone."""
        found = self._every(_GROUPS, f"/api/v1/users/{user}/groups", READ_USERS, deadline)
        if found is None:
            return any(each.id == user for each in self.members(group, deadline))
        if any(each.id == group for each in found):
            return True
        self.group(group, deadline)
        return False

    def members(self, group: str, deadline: Deadline) -> Sequence[User]:
        return self._every(_USERS, f"/api/v1/groups/{group}/users?limit={PAGE}", READ_GROUPS, deadline) or []

    def active_rules(self, group: str, deadline: Deadline) -> list[Rule]:
        """Return the active rules that put people into a group."""
        path = f"/api/v1/groups/rules?limit={RULES_PAGE}"
        found = self._every(_RULES, path, READ_RULES, deadline)
        if found is None:
            raise PermanentFailure(f"{self._name} does not show its group rules: {READ_RULES.remedy}")
        return [each for each in found if each.status == "ACTIVE" and group in each.groups]

    def add(self, group: str, user: str, not_after: Deadline) -> bool:
        """Put a user into a group, or leave them there. Return False if either does not exist."""
        path = f"/api/v1/groups/{group}/users/{user}"
        return self._ask("PUT", path, MANAGE_MEMBERS, not_after) is not None

    def remove(self, group: str, user: str, deadline: Deadline) -> None:
        """Remove a user from a group; no matter if they are not in it, or if either does not exist. If an
        active rule fills the group, it never adds them again."""
        self._ask("DELETE", f"/api/v1/groups/{group}/users/{user}", MANAGE_MEMBERS, deadline)

    def clear_sessions(self, user: str, deadline: Deadline) -> None:
        """End a user's Okta sessions, and revoke the tokens that Okta issued for them. Devices that they
        let Okta remember stay remembered."""
        query = urlencode({"oauthTokens": "true", "forgetDevices": "false"})
        self._ask("DELETE", f"/api/v1/users/{user}/sessions?{query}", CLEAR_SESSIONS, deadline)

    def _every(
        self, kind: TypeAdapter[list[T]], path: str, right: Right, deadline: Deadline
    ) -> list[T] | None:
        """Return the entries of all pages; None if Okta says that there is no such thing."""
        found: list[T] = []
        while path:
            answer = self._ask("GET", path, right, deadline)
            if answer is None:
                return None
            page: list[T] = read(kind, answer, self._name)
            found += page
            path = _next_page(answer)
        return found

    def _ask(self, method: str, path: str, right: Right | None, deadline: Deadline) -> HttpAnswer | None:
        """Return a success; None if Okta itself says that there is no such thing. Everything here may be done
        twice."""
        return short_retries(lambda: self._once(method, path, right, deadline), deadline)

    def _once(self, method: str, path: str, right: Right | None, deadline: Deadline) -> HttpAnswer | None:
        answer = self._send(method, path, right, deadline)
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer
        if answer.status == HTTPStatus.NOT_FOUND and code_of(answer) == NOT_FOUND:
            return None
        failure = failure_from(answer, self._name, self._credential.hide, self._now)
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
            raise PermanentFailure(f"{failure}: redirects are not followed; correct the url")
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise PermanentFailure(f"{failure}: {self._credential.advice}")
        if answer.status == HTTPStatus.FORBIDDEN and right:
            raise PermanentFailure(f"{failure}: it may not {right.do}: {right.remedy}; see docs/okta.md")
        raise failure

    def _send(self, method: str, path: str, right: Right | None, deadline: Deadline) -> HttpAnswer:
        """Send it once, and once more with a new access token if the one that was kept is not accepted."""
        headers = {"Accept": "application/json", "User-Agent": "rotakey"}
        for may_renew in (True, False):
            if right:
                headers["Authorization"] = self._credential.authorization(deadline)
            request = HttpRequest(method=method, url=self._url + path, headers=headers)
            answer = send(request, self._name, deadline)
            refused = right and answer.status == HTTPStatus.UNAUTHORIZED
            if not (refused and may_renew and self._credential.forget(headers["Authorization"])):
                break
        return answer


def _next_page(answer: HttpAnswer) -> str:
    """Return the path of the next page, empty if there is none. Its host is not believed, so that nobody
    else is sent the credential."""
    for each in parse_header_links(answer.headers.get("link", "")):
        if each.get("rel") == "next":
            parts = urlsplit(each.get("url", ""))
            return f"{parts.path}?{parts.query}"
    return ""
