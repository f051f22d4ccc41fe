"""The JSON Schema accepts and rejects what `rotakey check` does, as far as a schema can."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from bot.config import schema
from bot.core import durations
from tests.config.files import FULL, SANDBOX, resource_text, said

VALIDATOR = Draft202012Validator(schema())


def fits(text: str) -> bool:
    return bool(VALIDATOR.is_valid(yaml.safe_load(text)))


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["title"] == "access.yaml"
    assert "'null'" not in str(schema())


def test_good_files_fit() -> None:
    assert fits(FULL)
    assert fits(SANDBOX.read_text())
    assert fits(resource_text("approvers: [slack/dba]").replace("{kind: p", "{every: '${EVERY}', kind: p", 1))
    assert fits(resource_text("on_shift: pagerduty/PX", "reason: optional"))


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("people:", "peple:"),
        ('"${BILLS_DB_URL}"', '"postgresql://bills.example.com/bills"'),
        ("max: 12h", "max: '${MAX}'"),
        ('"#db-access"', '"${CHANNEL}"'),
        ("max: 12h", "max: 12"),
        ("max: 12h", "max: 12 o'clock"),
        ("kind: pagerduty", "kind: pagerdury"),
        ("{target: orders-db, role: orders_rw}", "{target: orders-db}"),
        ("sessions: keep", "sessions: stay"),
        ("slack/dba, U02BOB", "slack/DBA"),
        ("slack/dba, U02BOB", "everyone"),
        ("in_group: slack/sre", "on_incident: x"),
        ("one_holder: true", "one_holder: 1"),
        ("approvals: 2", "approvals: 0"),
        ("levels: [1, 2]", "levels: []"),
        ("mode: enforce", "mode: sometimes"),
        ("share: 10%", "share: 0%"),
        ("share: 10%", "share: 10"),
        ("every: 5m", "every: 300"),
        ('"#db-access"', "db-access"),
        ('{file: /var/lib/rotakey/anchor, channel: "#audit"}', "{}"),
        ("/var/lib/rotakey/anchor", "lib/anchor"),
    ],
)
def test_what_the_check_refuses_does_not_fit(good: str, bad: str) -> None:
    text = FULL.replace(good, bad, 1)
    assert text != FULL
    assert said(text)
    assert not fits(text)


def test_each_key_of_a_resource_says_what_it_is_for() -> None:
    properties = schema()["$defs"]["ResourceShape"]["properties"]
    assert {name for name, each in properties.items() if "description" not in each} == set()
    assert properties["lapse_after"]["default"] == "1h"
    assert properties["lapse_after"]["description"].endswith(" From 1m to 7d.")
    assert (properties["hidden"]["default"], properties["who_may_ask"]["default"]) == (False, ["everyone"])


LENGTH: dict[str, Any] = schema()["$defs"]["ResourceShape"]["properties"]["lapse_after"]


@given(st.integers(min_value=1, max_value=durations.ABSURD))
def test_every_length_has_a_writing_that_fits(seconds: int) -> None:
    assert re.search(LENGTH["pattern"], durations.brief(seconds))


UNITS = st.lists(
    st.tuples(st.integers(0, 99), st.sampled_from("wdhmsxH"), st.sampled_from(["", " "])), max_size=4
)


@given(UNITS)
def test_what_fits_is_a_length_unless_it_is_none_at_all(parts: list[tuple[int, str, str]]) -> None:
    text = "".join(f"{count}{unit}{space}" for count, unit, space in parts)
    if re.search(LENGTH["pattern"], text) and any(count for count, _, _ in parts):
        assert isinstance(durations.parse(text), int)
