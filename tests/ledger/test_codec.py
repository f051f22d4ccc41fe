"""This version reads what it wrote, what an older version wrote, and what a newer one wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticSerializationError

from bot.core.document import Document
from bot.core.errors import PermanentFailure
from bot.core.grants import Grant, Origin, State
from bot.ledger.codec import decode, decode_entry, encode, encode_entry
from bot.ports.changes import Entry
from bot.ports.documents import FormerTarget, Key, PolicyInForce, shapes

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
MOMENTS = st.datetimes(timezones=st.just(UTC))
TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)
ADAS_ASK = Grant(
    id="g1",
    person="U02ADA",
    resource="prod-db",
    origin=Origin.ASKED,
    state=State.ASKED,
    asked_at=NINE,
    length=3600,
    reason="orders are stuck",
    policy="1a2b",
)


def _dictionaries(mapping: Any) -> st.SearchStrategy[dict[Any, Any]]:
    of, to = get_args(mapping)
    return st.dictionaries(st.from_type(of), st.from_type(to), max_size=3)


@pytest.fixture(autouse=True, scope="module")
def _plain_values() -> None:
    st.register_type_strategy(datetime, MOMENTS)
    st.register_type_strategy(str, TEXTS)
    st.register_type_strategy(Mapping, _dictionaries)


@pytest.mark.parametrize("kind", shapes())
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_kind_of_document_comes_back_as_it_was(kind: str, data: st.DataObject) -> None:
    document: Document = data.draw(st.from_type(shapes()[kind]))
    back = decode(Key(kind, "x"), encode(document))
    assert back == document
    assert type(back) is type(document)


def test_a_moment_keeps_its_microseconds_and_its_zone() -> None:
    odd = NINE + timedelta(microseconds=123_457)
    back = decode(Key("grant", "g1"), encode(Grant(**{**vars(ADAS_ASK), "until": odd})))
    assert isinstance(back, Grant)
    assert back.until == odd
    assert back.until.utcoffset() == timedelta()


@pytest.mark.parametrize("moment", ["2026-03-02T09:00:00", "2026-03-02 09:00", "2026-03-02"])
def test_a_moment_without_a_zone_is_told_and_not_compared_with_the_time(moment: str) -> None:
    written = json.loads(encode(ADAS_ASK))
    with pytest.raises(PermanentFailure, match="a moment without a time zone"):
        decode(Key("grant", "g1"), json.dumps(written | {"asked_at": moment}))
    assert decode(Key("grant", "g1"), json.dumps(written | {"reason": moment}))


def test_nor_is_one_that_stands_in_a_mapping() -> None:
    former = FormerTarget(version="v1", address="1a2b", left_at=NINE)
    written = encode(PolicyInForce(version="v2", former={"orders-db": (former,)}))
    with pytest.raises(PermanentFailure, match="a moment without a time zone"):
        decode(Key("policy", ""), written.replace("09:00:00Z", "09:00:00"))


def test_a_field_that_a_newer_process_wrote_is_left_out() -> None:
    written = json.loads(encode(ADAS_ASK)) | {"mood": "curious"}
    assert decode(Key("grant", "g1"), json.dumps(written)) == ADAS_ASK


def test_a_field_that_an_older_process_did_not_write_takes_its_default() -> None:
    written = json.loads(encode(ADAS_ASK))
    del written["rule"], written["votes"], written["holds"]
    assert decode(Key("grant", "g1"), json.dumps(written)) == ADAS_ASK


def test_what_cannot_be_read_calls_a_human_and_names_the_document_and_the_field() -> None:
    written = json.loads(encode(ADAS_ASK)) | {"state": "levitating"}
    with pytest.raises(PermanentFailure, match=r"grant g1 in the ledger cannot be read \(state: "):
        decode(Key("grant", "g1"), json.dumps(written))


def test_what_could_not_be_read_back_is_not_written() -> None:
    with pytest.raises(PydanticSerializationError):
        encode(Grant(**{**vars(ADAS_ASK), "state": "levitating"}))


def test_facts_of_an_audit_entry_become_what_json_knows() -> None:
    entry = Entry(what="approved", grant="g1", by="U03BOB", facts={"at": NINE, "levels": (1, 2), "age_s": 4})
    back = decode_entry("1-0", encode_entry(entry))
    assert back == Entry(
        what="approved",
        grant="g1",
        by="U03BOB",
        facts={"at": "2026-03-02T09:00:00Z", "levels": [1, 2], "age_s": 4},
    )
