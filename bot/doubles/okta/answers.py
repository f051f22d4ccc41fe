"""The answers of the org's API, in Okta's shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.doubles.okta.memory import Group, Rule, User

Json = dict[str, Any]

SINCE = "2026-01-05T09:00:00.000Z"


class Refusal(Exception):
    """An answer that is an error, in Okta's shape."""

    def __init__(
        self, status: int, code: str, summary: str, headers: Mapping[str, str] | None = None, cause: str = ""
    ) -> None:
        super().__init__(summary)
        self.status = status
        self.headers = headers or {}
        self.body: Json = {
            "errorCode": code,
            "errorSummary": summary,
            "errorLink": code,
            "errorId": "oaeRotaSampleErrorIdent",
            "errorCauses": [{"errorSummary": cause}] if cause else [],
        }


class NotGranted(Exception):
    """An answer of the token endpoint that is an error, in the shape of OAuth 2.0."""

    def __init__(self, status: int, error: str, said: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(said)
        self.status = status
        self.headers = headers or {}
        self.body: Json = {"error": error, "error_description": said}


def not_found(name: str, kind: str) -> Refusal:
    return Refusal(404, "E0000007", f"Not found: Resource not found: {name} ({kind})")


def no_permission() -> Refusal:
    return Refusal(403, "E0000006", "You do not have permission to perform the requested action")


def invalid_token() -> Refusal:
    return Refusal(401, "E0000011", "Invalid token provided")


def organization(org_id: str, url: str) -> Json:
    return {
        "id": org_id,
        "pipeline": "idx",
        "settings": {"analyticsCollectionEnabled": False, "bugReportingEnabled": False, "omEnabled": False},
        "_links": {"organization": {"href": url}},
    }


def user(each: User, url: str) -> Json:
    first = each.login.partition("@")[0]
    return {
        "id": each.id,
        "status": each.status,
        "created": SINCE,
        "activated": SINCE,
        "statusChanged": SINCE,
        "lastLogin": None,
        "lastUpdated": SINCE,
        "passwordChanged": SINCE,
        "type": {"id": "oty1rotasampleusertype"},
        "profile": {
            "firstName": first.title(),
            "lastName": "Example",
            "mobilePhone": None,
            "secondEmail": None,
            "login": each.login,
            "email": f"{first}@example.com",
        },
        "credentials": {"provider": {"type": "OKTA", "name": "OKTA"}},
        "_links": {"self": {"href": f"{url}/api/v1/users/{each.id}"}},
    }


def group(each: Group, url: str) -> Json:
    profile = {"name": each.name, "description": "A group"}
    return {
        "id": each.id,
        "created": SINCE,
        "lastUpdated": SINCE,
        "lastMembershipUpdated": SINCE,
        "objectClass": ["okta:user_group"],
        "type": each.type,
        "profile": profile,
        "_links": {
            "logo": [],
            "users": {"href": f"{url}/api/v1/groups/{each.id}/users"},
            "apps": {"href": f"{url}/api/v1/groups/{each.id}/apps"},
        },
    }


def rule(each: Rule) -> Json:
    return {
        "type": "group_rule",
        "id": each.id,
        "status": each.status,
        "name": each.name,
        "created": SINCE,
        "lastUpdated": SINCE,
        "conditions": {
            "people": {"users": {"exclude": list(each.excluded)}, "groups": {"exclude": []}},
            "expression": {"value": 'user.department=="DBA"', "type": "urn:okta:expression:1.0"},
        },
        "actions": {"assignUserToGroups": {"groupIds": list(each.groups)}},
    }
