"""The simulated Okta, and our calls to it, conform to Okta's own OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from flask import Flask, Response, request
from openapi_core import Config, OpenAPI
from openapi_core.contrib.werkzeug import WerkzeugOpenAPIRequest, WerkzeugOpenAPIResponse

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Hold
from bot.doubles.okta import Org, Served, app
from bot.ports.deadline import Deadline
from bot.targets.okta.build import CLEARING_SCOPE, SCOPES
from tests.paths import SPECS
from tests.targets.okta.stage import GROUP, TOKEN, as_an_app, login, made_from, peopled

SPEC = SPECS / "okta-users-groups-subset.json"
UNTIL = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
OTHERS = ("/.well-known/", "/oauth2/")
"""Paths that the document leaves out."""

pytestmark = pytest.mark.skipif(
    not SPEC.exists(), reason="Okta's OpenAPI document (shared/specs) is not beside the repository"
)


class Witness:
    """A reader of every call and answer that remembers what the document forbids."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = OpenAPI.from_dict(document, config=Config(spec_validator_cls=None))
        self.found: list[str] = []
        self.seen: list[str] = []

    def __call__(self, response: Response) -> Response:
        if request.path.startswith(OTHERS):
            return response
        asked, answered = WerkzeugOpenAPIRequest(request), WerkzeugOpenAPIResponse(response)
        self.seen.append(f"{request.method} {request.path} {response.status_code}")
        checks: tuple[Callable[[], object], ...] = (
            lambda: self._document.validate_request(asked),
            lambda: self._document.validate_response(asked, answered),
        )
        self.found += [f"{self.seen[-1]}: {each}" for check in checks for each in _wrong(check)]
        return response


def _wrong(check: Callable[[], object]) -> list[str]:
    """Return what the check found, innermost first."""
    try:
        check()
    except Exception as error:  # noqa: BLE001 -- openapi-core's errors share no narrower root
        causes: list[BaseException] = [error]
        while causes[0].__cause__:
            causes.insert(0, causes[0].__cause__)
        details = [each for cause in causes for each in getattr(cause, "schema_errors", ())]
        return [f"{list(each.absolute_path)}: {each.message}" for each in details] or [str(causes[0])]
    return []


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SPEC.read_text())
    document["servers"] = [{"url": "/"}]
    said = {
        "description": "",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for path in document["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and "responses" in operation:
                operation["responses"].setdefault("401", said)  # it is left out everywhere
                operation["responses"].get("204", {}).pop("content", None)  # it is empty, and means none
    return document


@pytest.fixture(scope="module")
def module_witness(document: dict[str, Any]) -> Witness:
    return Witness(document)


@pytest.fixture
def witness(module_witness: Witness) -> Witness:
    module_witness.found, module_witness.seen = [], []
    return module_witness


@pytest.fixture
def org() -> Org:
    org = peopled()
    org.add_by_hand(login("bob"), GROUP)
    return org


@pytest.fixture
def served(org: Org, witness: Witness) -> Iterator[Served]:
    whole: Flask = app(org)
    whole.after_request(witness)
    with Served(org, whole) as served:
        yield served


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("/api/v1/users/{bob}", {}, 200),
        ("/api/v1/users/nobody@example.com", {}, 404),
        ("/api/v1/users/{bob}/groups", {}, 200),
        ("/api/v1/users/00uNobody/groups", {}, 404),
        ("/api/v1/groups", {"search": 'profile.name eq "prod-oncall"', "limit": 100}, 200),
        ("/api/v1/groups/{group}", {}, 200),
        ("/api/v1/groups/00gNone", {}, 404),
        ("/api/v1/groups/{group}/users", {"limit": 1}, 200),
        ("/api/v1/groups/00gNone/users", {}, 404),
        ("/api/v1/groups/rules", {"limit": 200}, 200),
    ],
)
def test_what_it_answers_is_what_the_document_says(
    served: Served, witness: Witness, org: Org, path: str, asked: dict[str, Any], status: int
) -> None:
    path = path.format(bob=org.user(login("bob")).id, group=org.group(GROUP).id)
    assert _call(served, path, asked).status_code == status
    assert witness.seen == [f"GET {path} {status}"]
    assert witness.found == []


def test_its_refusals_are_what_the_document_says(served: Served, witness: Witness, org: Org) -> None:
    _call(served, "/api/v1/groups", token="wrong")
    org.faults.limited = 1
    _call(served, "/api/v1/groups")
    org.access.permissions = frozenset()
    _call(served, "/api/v1/groups")
    assert [each.rpartition(" ")[2] for each in witness.seen] == ["401", "429", "403"]
    assert witness.found == []


@pytest.mark.parametrize("credential", [{"token": TOKEN}, as_an_app()], ids=["token", "app"])
def test_how_we_call_it_is_what_the_document_asks_for(
    served: Served, witness: Witness, org: Org, credential: dict[str, Any]
) -> None:
    org.largest_page = 1
    org.add_by_hand(login("carol"), GROUP)
    target = made_from(served.url, sessions="clear", **credential)
    hold = Hold(
        target="orders-db",
        account=login("ada"),
        entitlement=Entitlement(target="orders-db", what=(("group", GROUP),)),
    )
    soon = Deadline.after(20)
    target.ready(hold, soon)
    receipt = target.grant(hold, [target.prepare(hold, soon)], UNTIL, soon)
    assert target.has(hold, [receipt], soon).receipts == (receipt,)
    assert len(target.holders(hold.entitlement, soon).holders) == 3
    target.revoke(hold, [receipt], soon)
    assert target.has(hold, [receipt], soon).gone
    org.remove_user(login("ada"))
    target.revoke(hold, [receipt], soon)

    ids = {org.group(GROUP).id: "G", receipt.facts["user"]: "U"}
    calls = set()
    for each in witness.seen:
        for known, short in ids.items():
            each = each.replace(known, short)  # noqa: PLW2901
        calls.add(each)
    assert calls >= {
        "GET /api/v1/users/ada@example.com 200",
        "GET /api/v1/users/U/groups 200",
        "GET /api/v1/groups 200",
        "GET /api/v1/groups/G 200",
        "GET /api/v1/groups/G/users 200",
        "GET /api/v1/groups/rules 200",
        "PUT /api/v1/groups/G/users/U 204",
        "DELETE /api/v1/groups/G/users/U 204",
        "DELETE /api/v1/groups/G/users/U 404",
        "DELETE /api/v1/users/U/sessions 204",
        "DELETE /api/v1/users/U/sessions 404",
    }
    assert witness.found == []


def test_the_scopes_are_those_that_the_document_names(document: dict[str, Any], org: Org) -> None:
    def scopes(path: str, method: str) -> set[str]:
        ways = document["paths"][path][method]["security"]
        return {scope for way in ways for scope in way.get("oauth2", ())}

    member = "/api/v1/groups/{groupId}/users/{userId}"
    needed = scopes(member, "put") | scopes(member, "delete")
    for path in ("users/{id}", "users/{id}/groups", "groups", "groups/{groupId}", "groups/{groupId}/users"):
        needed |= scopes(f"/api/v1/{path}", "get")
    assert needed | scopes("/api/v1/groups/rules", "get") == set(SCOPES)
    assert scopes("/api/v1/users/{userId}/sessions", "delete") == {CLEARING_SCOPE}


@pytest.mark.parametrize("body", [b"<!doctype html>Please sign in", b'{"id": 7}'])
def test_the_witness_sees_what_is_wrong(served: Served, witness: Witness, org: Org, body: bytes) -> None:
    org.faults.body = body
    _call(served, "/api/v1/groups/00g1")
    with pytest.raises((TemporaryFailure, PermanentFailure)):
        made_from(served.url).holders(
            Entitlement(target="orders-db", what=(("group", GROUP),)), Deadline.after(0.5)
        )
    assert witness.found


def _call(
    served: Served, path: str, asked: dict[str, Any] | None = None, token: str = TOKEN
) -> requests.Response:
    headers = {"Authorization": f"SSWS {token}", "Accept": "application/json"}
    with requests.get(served.url + path, params=asked, headers=headers, timeout=20) as answer:
        return answer
