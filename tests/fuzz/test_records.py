"""A record read from the ledger is as it was written, or is reported as unreadable."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from bot.core.document import Document
from bot.core.errors import PermanentFailure
from bot.ledger.codec import decode, decode_entry, encode, encode_entry
from bot.ports.changes import Entry
from bot.ports.documents import Key, shapes
from tests.fuzz import junk
from tests.fuzz.edits import Edit, edited, edits
from tests.fuzz.rounds import thrown

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
moments = st.datetimes(timezones=st.just(UTC))
facts = st.dictionaries(texts, st.one_of(texts, st.integers(-(2**62), 2**62)), max_size=3)
PLAIN: Mapping[object, st.SearchStrategy[Any]] = {
    str: texts,
    int: st.integers(-(2**62), 2**62),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    datetime: moments,
    type(None): st.none(),
}


def anything_of(shape: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for values of a type that documents are made of."""
    if shape in PLAIN:
        return PLAIN[shape]
    of = get_args(shape)
    if get_origin(shape) is tuple:
        each = [anything_of(part) for part in of if part is not Ellipsis]
        return st.lists(each[0], max_size=2).map(tuple) if Ellipsis in of else st.tuples(*each)
    if get_origin(shape) is Mapping:
        return st.dictionaries(anything_of(of[0]), anything_of(of[1]), max_size=2)
    if of:
        return st.one_of(*map(anything_of, of))
    if issubclass(shape, Enum):
        return st.sampled_from(shape)
    hints = get_type_hints(shape)
    return st.builds(shape, **{each.name: anything_of(hints[each.name]) for each in fields(shape)})


kinds = st.sampled_from(sorted(shapes()))
documents = st.one_of(*(st.tuples(st.just(kind), anything_of(shapes()[kind])) for kind in sorted(shapes())))

entries = st.builds(
    Entry,
    what=texts,
    grant=st.none() | texts,
    by=st.none() | texts,
    facts=st.dictionaries(
        texts,
        st.one_of(texts, st.integers(), st.booleans(), st.none(), st.lists(texts, max_size=2), facts),
        max_size=4,
    ),
)


@thrown(few=200, share=0.1, made=documents)
def test_what_was_written_is_read_back(made: tuple[str, Document]) -> None:
    kind, document = made
    assert decode(Key(kind, "x"), encode(document)) == document


@thrown(few=80, share=0.03, entry=entries)
def test_an_entry_is_read_back(entry: Entry) -> None:
    text = encode_entry(entry)
    assert encode_entry(decode_entry("1-1", text)) == text


@thrown(few=300, share=0.15, made=documents, changes=edits)
def test_what_somebody_changed(made: tuple[str, Document], changes: list[Edit]) -> None:
    kind, document = made
    judge(Key(kind, "x"), json.dumps(edited(json.loads(encode(document)), changes)))


@thrown(
    few=100,
    share=0.05,
    kind=kinds,
    text=st.one_of(junk.broken, junk.values.map(json.dumps), junk.deep.map(json.dumps)),
)
def test_what_nobody_wrote(kind: str, text: str) -> None:
    read = text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")  # as Redis gives it
    judge(Key(kind, "x"), read)
    encode_entry(decode_entry("1-1", read))


MOMENT = re.compile(r'"\d{4}-\d\d-\d\dT[^"]*"')
ODD_MOMENTS = (
    *(
        '"2026-03-02T09:00:00"',
        '"2026-03-02"',
        '"2026-03-02 09:00"',
        '"2026-03-02T09:00:00+05:00"',
        "1700000000",
    ),
    *(
        '"1700000000.5"',
        '"9999-12-31T23:59:59-23:59"',
        '"0001-01-01T00:00:00+23:59"',
        "-1",
        "1e300",
        "null",
        '""',
    ),
)


@thrown(few=100, share=0.03, made=documents, odd=st.sampled_from(ODD_MOMENTS))
def test_moments_that_somebody_changed(made: tuple[str, Document], odd: str) -> None:
    kind, document = made
    judge(Key(kind, "x"), MOMENT.sub(odd, encode(document)))


def judge(key: Key, text: str) -> None:
    try:
        found = decode(key, text)
    except PermanentFailure:
        return
    assert isinstance(found, shapes()[key.kind])
    assert all(moment.tzinfo is not None for moment in moments_in(found))
    assert decode(key, encode(found)) == found


def moments_in(value: Any) -> Iterator[datetime]:
    if isinstance(value, datetime):
        yield value
    elif is_dataclass(value):
        for each in fields(value):
            yield from moments_in(getattr(value, each.name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from moments_in(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from moments_in(each)
