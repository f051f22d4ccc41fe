"""Documents and audit entries as JSON, and back.

What a newer process wrote can be read: fields this one does not know are left out. What an older one
wrote can be read too: a field it did not know takes its default.
"""

from __future__ import annotations

from functools import cache

from pydantic import TypeAdapter, ValidationError

from bot.core.errors import PermanentFailure
from bot.ports import KIND_OF, KINDS, Document, Entry, Key


def encode(document: Document) -> str:
    """Raises PydanticSerializationError where a field holds what could not be read back
    (a mapping has to be a dict)."""
    return _documents(KIND_OF[type(document)]).dump_json(document, warnings="error").decode()


def decode(key: Key, text: str) -> Document:
    """Raises PermanentFailure where the text is no document of the key's kind."""
    try:
        return _documents(key.kind).validate_json(text)
    except ValidationError as error:
        raise PermanentFailure(_unreadable(f"{key.kind} {key.id}".strip(), error)) from error


def encode_entry(entry: Entry) -> str:
    """Facts become what JSON knows: a time becomes its text, a tuple a list."""
    return _entries().dump_json(entry, warnings="error").decode()


def decode_entry(name: str, text: str) -> Entry:
    """Raises PermanentFailure where the text is no audit entry."""
    try:
        return _entries().validate_json(text)
    except ValidationError as error:
        raise PermanentFailure(_unreadable(f"audit entry {name}", error)) from error


@cache
def _documents(kind: str) -> TypeAdapter[Document]:
    return TypeAdapter(KINDS[kind])


@cache
def _entries() -> TypeAdapter[Entry]:
    return TypeAdapter(Entry)


def _unreadable(what: str, error: ValidationError) -> str:
    faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return f"{what} in the ledger cannot be read ({faults}); it was written by another version of Rotakey"
