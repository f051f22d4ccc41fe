"""Documents and audit entries as JSON, and back.

Documents of a newer process can be read: fields this one does not know are left out. Those of an older one
can be read too: a field it did not know takes its default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache

from pydantic import TypeAdapter, ValidationError

from bot.core.document import Document
from bot.core.errors import PermanentFailure
from bot.ports.changes import Entry
from bot.ports.documents import Key, shapes

UNREADABLE = "cannot be read"
"""The event of an audit entry that cannot be read."""
MOST_SAID = 300

_NO_ZONE = re.compile(r'"\d{4}-\d\d-\d\d(?:[T ][0-9:.]+)?"')
"""A time without a zone. We write none; one that cannot be compared with the present would stop every
reader."""


def encode(document: Document) -> str:
    """Encode a document. Raise PydanticSerializationError if a field holds something that could not be read
    back (a mapping has to be a dict)."""
    return _documents(document.kind).dump_json(document, warnings="error").decode()


def decode(key: Key, text: str) -> Document:
    """Decode a document. Raise PermanentFailure if the text is not a document of the key's kind."""
    name = f"{key.kind} {key.id}".strip()
    try:
        found = _documents(key.kind).validate_json(text)
    except ValidationError as error:
        raise PermanentFailure(_unreadable(name, error)) from error
    if _NO_ZONE.search(text) and any(moment.tzinfo is None for moment in _moments(found)):
        raise PermanentFailure(_damage(name, "a moment without a time zone"))
    return found


def encode_entry(entry: Entry) -> str:
    """Encode an entry. Facts become what JSON knows: a time becomes its text, a tuple a list."""
    return _entries().dump_json(entry, warnings="error").decode()


def decode_entry(name: str, text: str) -> Entry:
    """Decode an entry. If the text is not a valid one, return an entry that says so and has the text: an
    audit has no holes."""
    try:
        return _entries().validate_json(text)
    except ValidationError as error:
        return Entry(
            what=UNREADABLE,
            facts={"error": _unreadable(f"audit entry {name}", error), "text": printable(text)},
        )


def printable(text: str) -> str:
    r"""Show bytes that are not UTF-8 as ``\xff``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _moments(value: object) -> Iterator[datetime]:
    if isinstance(value, datetime):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _moments(each)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _moments(each)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _moments(getattr(value, field.name))


@cache
def _documents(kind: str) -> TypeAdapter[Document]:
    return TypeAdapter(shapes()[kind])


@cache
def _entries() -> TypeAdapter[Entry]:
    return TypeAdapter(Entry)


def _unreadable(what: str, error: ValidationError) -> str:
    """Describe the error in one line."""
    parts = ((".".join(map(str, each["loc"])), each["msg"]) for each in error.errors())
    faults = "; ".join(": ".join(filter(None, each)) for each in parts)
    return _damage(what, " ".join(faults.split())[:MOST_SAID])


def _damage(what: str, fault: str) -> str:
    return (
        f"{what} in the ledger cannot be read ({fault}): it is damaged, or was written by another version of"
        " Rotakey"
    )
