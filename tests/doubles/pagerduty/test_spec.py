"""The simulated PagerDuty, and our calls to it, conform to PagerDuty's own OpenAPI document."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from flask import Flask, Response, request
from openapi_core import Config, OpenAPI
from openapi_core.contrib.werkzeug import WerkzeugOpenAPIRequest, WerkzeugOpenAPIResponse

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.doubles.pagerduty import Pager, Policy, Served, app
from bot.doubles.pagerduty.faults import HTML
from bot.oncall.pagerduty.source import PagerDuty
from bot.ports.deadline import Deadline
from tests.paths import SPECS

SPEC = SPECS / "pagerduty-openapi.json"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TOKEN = "u+Zq8Kw3Jx7Vx9"
NULLS = {"start", "end", "schedule"}
"""Of an on-call: the document says in words that they may be null, and does not declare it; likewise
of the end of a rendered entry."""

pytestmark = pytest.mark.skipif(
    not SPEC.exists(), reason="PagerDuty's OpenAPI document (shared/specs) is not beside the repository"
)


class Witness:
    """A reader of every call and answer that remembers what the document forbids."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._plain = _loaded(document)
        self._including = _loaded(_with_full_users(document))
        self.found: list[str] = []
        self.seen: list[str] = []

    def __call__(self, response: Response) -> Response:
        asked, answered = WerkzeugOpenAPIRequest(request), WerkzeugOpenAPIResponse(response)
        document = self._including if request.args.get("include[]") == "users" else self._plain
        self.seen.append(f"{request.method} {request.path} {response.status_code}")
        self.found += [
            f"{self.seen[-1]}: {each}" for each in _wrong(lambda: document.validate_request(asked))
        ]
        self.found += [
            f"{self.seen[-1]}: {each}" for each in _wrong(lambda: document.validate_response(asked, answered))
        ]
        return response


def _wrong(check: Callable[[], object]) -> list[str]:
    """Return what the check found, innermost first, without the nulls that are allowed."""
    try:
        check()
    except Exception as error:  # noqa: BLE001 -- openapi-core's errors share no narrower root
        causes: list[BaseException] = [error]
        while causes[0].__cause__:
            causes.insert(0, causes[0].__cause__)
        details = [each for cause in causes for each in getattr(cause, "schema_errors", ())]
        told = [f"{list(each.absolute_path)}: {each.message}" for each in details if not _allowed(each)]
        return told if details else [str(causes[0])]
    return []


def _allowed(error: Any) -> bool:
    path = list(error.absolute_path)
    if path[0] == "overrides" and "read-only" in error.message:
        return True  # its own example of a new override writes the user's id too
    if path[-3:-2] == ["rendered_schedule_entries"] and path[-1] == "end":
        return error.instance is None
    return len(path) == 3 and path[0] == "oncalls" and path[2] in NULLS and error.instance is None


def _loaded(document: dict[str, Any]) -> OpenAPI:
    return OpenAPI.from_dict(document, config=Config(spec_validator_cls=None))


def _with_full_users(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with what ``include[]`` adds to an answer, which it leaves out."""
    changed = copy.deepcopy(document)
    user = {"$ref": "#/components/schemas/User"}
    changed["components"]["schemas"]["Oncall"]["properties"]["user"] = user
    return changed


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SPEC.read_text())
    document["servers"] = [{"url": "/"}]
    listed = document["paths"]["/schedules/{id}/overrides"]["get"]["responses"]
    listed["200"] = listed["201"]  # nothing was created: 201 is a mistake in the document
    return document


@pytest.fixture(scope="module")
def module_witness(document: dict[str, Any]) -> Witness:
    return Witness(document)


@pytest.fixture
def witness(module_witness: Witness) -> Witness:
    module_witness.found, module_witness.seen = [], []
    return module_witness


@pytest.fixture
def pager() -> Pager:
    pager = Pager(TOKEN, clock=lambda: NOW)
    pager.add_user("PADA", "Ada", "ada@example.com", "U02ADA")
    pager.add_user("PBOB", "Bob", "bob@example.com", "U02BOB")
    pager.add_schedule("PDBPRIM", "Orders database, primary")
    pager.add_shift("PDBPRIM", "PADA", None, NOW + 8 * HOUR)
    pager.add_shift("PDBPRIM", "PBOB", NOW + 8 * HOUR, None)
    pager.override("PDBPRIM", "PBOB", NOW + HOUR, NOW + 2 * HOUR)
    pager.add_direct("PBOB", Policy(id="E9", name="Managers"))
    pager.add_schedule("PNEW", "Orders, shift based", shift_based=True)
    pager.add_rotation("PNEW", ["PADA", "PBOB"], NOW, turn=HOUR)
    pager.override("PNEW", "PBOB", NOW, NOW + HOUR)
    return pager


@pytest.fixture
def served(pager: Pager, witness: Witness) -> Iterator[Served]:
    whole: Flask = app(pager)
    whole.after_request(witness)
    with Served(pager, whole) as served:
        yield served


WINDOW = {"since": "2026-03-01T09:00:00Z", "until": "2026-03-04T09:00:00Z"}
BOB = {"id": "PBOB", "type": "user_reference"}


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("/oncalls", {}, 200),
        ("/oncalls", {**WINDOW, "schedule_ids[]": ["PDBPRIM", "PNEW", "null"], "total": "true"}, 200),
        ("/oncalls", {**WINDOW, "include[]": "users", "earliest": "true"}, 200),
        ("/oncalls", {**WINDOW, "limit": 2, "offset": 1}, 200),
        ("/oncalls", {"offset": 10_000}, 400),
        ("/users", {"query": "ada"}, 200),
        ("/users/PADA", {}, 200),
        ("/users/PNONE", {}, 404),
        ("/schedules", {"query": "orders"}, 200),
        ("/schedules/PDBPRIM", {}, 200),
        ("/schedules/PDBPRIM", {**WINDOW, "overflow": "true"}, 200),
        ("/schedules/PDBPRIM", WINDOW, 200),
        ("/schedules/PNONE", WINDOW, 404),
        ("/schedules/PDBPRIM/users", WINDOW, 200),
        ("/schedules/PDBPRIM/overrides", WINDOW, 200),
        ("/v3/schedules/PNEW", {}, 200),
        ("/v3/schedules/PNEW", {**WINDOW, "include[]": "final_schedule"}, 200),
        ("/v3/schedules/PNONE", {}, 404),
    ],
)
def test_what_it_answers_is_what_the_document_says(
    served: Served, witness: Witness, path: str, asked: dict[str, Any], status: int
) -> None:
    assert _call(served, "GET", path, asked).status_code == status
    assert witness.seen == [f"GET {path} {status}"]
    assert witness.found == []


def test_overrides_are_made_and_ended_as_the_document_says(served: Served, witness: Witness) -> None:
    wanted = {"start": "2026-03-03T09:00:00Z", "end": "2026-03-03T10:00:00Z", "user": BOB}
    backwards = {**wanted, "end": "2026-03-03T08:00:00Z"}
    path = "/schedules/PDBPRIM/overrides"
    made = _call(served, "POST", path, body={"overrides": [wanted, backwards]})
    _call(served, "DELETE", f"{path}/{made.json()[0]['override']['id']}")
    assert witness.seen == [f"POST {path} 201", f"DELETE {path}/Q0000003 204"]
    assert witness.found == []


def test_its_refusals_are_what_the_document_says(served: Served, witness: Witness, pager: Pager) -> None:
    _call(served, "GET", "/oncalls", token="wrong")
    pager.faults.limited = 1
    _call(served, "GET", "/oncalls")
    assert witness.seen == ["GET /oncalls 401", "GET /oncalls 429"]
    assert witness.found == []


def test_how_we_call_it_is_what_the_document_asks_for(served: Served, witness: Witness, pager: Pager) -> None:
    pagerduty = PagerDuty("pagerduty", TOKEN, served.url)
    window = (NOW - 24 * HOUR, NOW + 14 * 24 * HOUR, Deadline.after(20))
    assert len(pagerduty.shifts(["PDBPRIM", "PNEW"], *window)["PNEW"]) > 100
    assert pagerduty.confirm("PNEW", *window)
    pager.remove_schedule("PNEW")
    assert pagerduty.confirm("PNEW", *window) is None
    pager.add_schedule("PDBSEC")
    pager.add_shift("PDBSEC", "PADA", NOW, NOW + HOUR)
    assert pagerduty.shifts(["PDBSEC"], *window)["PDBSEC"]
    assert pagerduty.confirm("PDBSEC", *window)
    assert {each.rpartition(" ")[0] for each in witness.seen} >= {
        "GET /oncalls",
        "GET /users/PADA",
        "GET /schedules/PNEW",
        "GET /v3/schedules/PNEW",
    }
    assert witness.found == []


@pytest.mark.parametrize("fault", [{"body": HTML}, {"body": {"error": "odd"}, "status": 418}])
def test_the_witness_sees_what_is_wrong(
    served: Served, witness: Witness, pager: Pager, fault: dict[str, Any]
) -> None:
    pager.faults.answer(times=3, **fault)
    with pytest.raises((TemporaryFailure, PermanentFailure)):
        PagerDuty("pagerduty", TOKEN, served.url).shifts(["P1"], NOW, NOW + HOUR, Deadline.after(20))
    assert witness.found


def test_the_witness_lets_no_other_null_pass(served: Served, witness: Witness, pager: Pager) -> None:
    row = _call(served, "GET", "/oncalls").json()["oncalls"][0]
    pager.faults.answer(
        {"oncalls": [{**row, "user": None, "end": None}], "limit": 25, "offset": 0, "more": False}
    )
    _call(served, "GET", "/oncalls")
    assert {each.partition("[")[2].partition("]")[0] for each in witness.found} == {"'oncalls', 0, 'user'"}


def _call(
    served: Served,
    method: str,
    path: str,
    asked: dict[str, Any] | None = None,
    body: object = None,
    token: str = TOKEN,
) -> requests.Response:
    headers = {
        "Authorization": f"Token token={token}",
        "Accept": "application/vnd.pagerduty+json;version=2",
        "Content-Type": "application/json",
    }
    with requests.request(
        method, served.url + path, params=asked, json=body, headers=headers, timeout=20
    ) as answer:
        return answer
