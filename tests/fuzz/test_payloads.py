"""Anything signed by Slack is answered as Slack requires, within its limits, and breaks nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import strategies as st
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from bot.doubles.slack.blocks import message_errors, too_long, view_errors, view_too_large
from tests.fuzz import invariants, junk
from tests.fuzz.edits import Edit, edited, edits
from tests.fuzz.place import FORM, JSON, FuzzedPlace, fuzzed_place
from tests.fuzz.rounds import thrown
from tests.fuzz.shapes import PEOPLE, Sent, command, everything, forms
from tests.fuzz.test_grammar import typed
from tests.slack.conftest import EVE, GINA
from tests.slack.scenes import ADA, BOB, CAROL

OURS = re.compile(
    r"<@([UW][A-Z0-9]+)>|<!date\^\d+\^\{date_short_pretty\} at \{time\}\|[^<>]*>|<#[CG][A-Z0-9]+>"
)


@pytest.fixture(scope="module")
def place() -> Iterator[FuzzedPlace]:
    with fuzzed_place() as made:
        yield made


@thrown(
    few=500,
    share=0.4,
    which=st.integers(0, 100),
    changes=edits,
    doubled=st.lists(
        st.tuples(st.sampled_from(["user_id", "team_id", "payload", "text", "x"]), junk.texts), max_size=2
    ),
)
def test_what_slack_sends_made_wrong(
    place: FuzzedPlace, which: int, changes: list[Edit], doubled: list[tuple[str, str]]
) -> None:
    sent = every(place)[which % len(every(place))]
    body = edited(sent.body, changes)
    who = person_in(body)
    body = triggered(body, place, who)
    place.as_it_was()
    with capture_logs() as logs:
        raw, kind = encoded(sent, body, doubled if len(changes) % 3 == 0 else [])
        answer = place.sends(raw, {"Content-Type": kind})
    assert not [each for each in logs if each["event"] == "listener failed"], logs
    answered_well(answer, body)
    invariants.hold(place.it.ledger)


@thrown(few=250, share=0.15, text=typed, who=st.sampled_from([ADA, BOB, CAROL, EVE, GINA]))
def test_what_is_typed_by_anybody(place: FuzzedPlace, text: str, who: str) -> None:
    body = command(text, who) | {"trigger_id": place.trigger(who)}
    place.as_it_was()
    with capture_logs() as logs:
        answer = place.sends(urlencode(body, errors="replace").encode())
    assert (answer.status_code, logs) == (200, [])
    answered_well(answer, body)
    invariants.hold(place.it.ledger)


@thrown(
    few=150,
    share=0.1,
    resource=st.one_of(st.sampled_from(["prod-db", "vault"]), junk.broken),
    length=st.one_of(st.none(), st.sampled_from(["2h", "1 h", "until end of shift"]), junk.broken),
    reason=st.one_of(st.none(), junk.broken),
    denied=st.booleans(),
)
def test_what_is_filled_in(
    place: FuzzedPlace, resource: str, length: str | None, reason: str | None, denied: bool
) -> None:
    asked, deny, _ = forms(place.cards)
    body = (deny if denied else asked).body
    values = body["view"]["state"]["values"]
    values["reason"]["reason"]["value"] = reason
    if not denied:
        values["length"]["length"]["value"] = length
        values["resource"]["resource"]["selected_option"] = {"value": resource}
    place.as_it_was()
    with capture_logs() as logs:
        answer = place.sends(urlencode({"payload": json.dumps(body)}).encode())
    assert answer.status_code == 200 or [each["event"] for each in logs] == ["not as Slack sends it"]
    answered_well(answer, body)
    invariants.hold(place.it.ledger)


def every(place: FuzzedPlace) -> list[Sent]:
    return everything(place.cards)


def triggered(body: Any, place: FuzzedPlace, who: str) -> Any:
    if isinstance(body, dict) and body.get("trigger_id") == "1.2.abc":
        return body | {"trigger_id": place.trigger(who)}
    return body


def person_in(body: Any) -> str:
    if not isinstance(body, dict):
        return ""
    user = body.get("user")
    found = user.get("id") if isinstance(user, dict) else body.get("user_id")
    return found if isinstance(found, str) else ""


def encoded(sent: Sent, body: Any, doubled: list[tuple[str, str]]) -> tuple[bytes, str]:
    if sent.kind == "events_api":
        return json.dumps(body).encode(), JSON
    fields: list[tuple[Any, Any]]
    if sent.kind == "interactive":
        fields = [("payload", json.dumps(body))]
    elif isinstance(body, dict):
        fields = [
            (key, value if isinstance(value, str) else json.dumps(value)) for key, value in body.items()
        ]
    else:
        fields = [("text", str(body))]
    pairs = [*fields, *doubled]
    return urlencode([(_whole(str(k)), _whole(v)) for k, v in pairs]).encode(), FORM


def _whole(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def answered_well(answer: TestResponse, body: Any) -> None:
    """Check that the answer is as Slack requires. 503 is allowed only if the person could not be told
    otherwise."""
    told = answer.get_data(as_text=True)
    clicked = isinstance(body, dict) and body.get("type") == "block_actions"
    assert answer.status_code in ((200, 400, 404, 413, 503) if clicked else (200, 400, 404, 413)), told
    if answer.status_code != 200 or not told:
        return
    said = json.loads(told)
    assert isinstance(said, dict)
    if "challenge" in said:
        return
    if "view" in said:
        assert said["response_action"] in ("push", "update")
        assert view_errors(said["view"], "modal") == []
        assert not view_too_large(said["view"])
    elif "errors" in said:
        assert said["response_action"] == "errors"
        assert set(said["errors"]) <= {"resource", "length", "reason"}
        assert all(0 < len(each) < 500 for each in said["errors"].values())
    else:
        assert message_errors(said["blocks"]) == []
        assert not too_long(said["blocks"])
        assert 0 < len(said["text"]) < 4_000
    unmarked(said, person_in(body))


def unmarked(said: Any, who: str) -> None:
    """Check that nothing is in angle brackets except what we write ourselves."""
    for text in strings(said):
        for person in OURS.finditer(text):
            assert person[1] in (None, who, *PEOPLE), text
        assert "<" not in OURS.sub("", text), text


def strings(said: Any) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, dict):
        for key, each in said.items():
            if key not in ("initial_value", "value"):
                yield from strings(each)
    elif isinstance(said, list):
        for each in said:
            yield from strings(each)
