"""The audit as a chain: SHA-256 from entry to entry, closed by seals, so that no change goes unseen.

    previous head ──► entry ──► entry ──► … ──► seal: head ──► entry ──► …

An entry goes into the chain as it is stored, byte for byte: nothing depends on encoding it a second time.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

GENESIS = "0" * 64
"""The head before the first seal."""

FORM = 1
MARK = 8
"""Letters of an entry's digest that its seal keeps, to show which entry was touched; the head proves it."""

NUMBERS_END = 1 << 64
"""The limit above every number that a seal can have."""

_HEAD = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"([0-9]{1,20})-([0-9]{1,20})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = 253_402_300_799_999
"""The last millisecond that a date can have."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """An audit entry as it is stored: its name in the audit, its time, and its JSON text."""

    name: str
    at: datetime
    text: str


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A seal as it is stored: the number it has there, and its JSON text."""

    number: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """The reason why a chain goes on although a later seal of it was lost: somebody accepted a restore.
    ``seal`` and ``head`` are the newest seal that is known to have been there."""

    by: str
    why: str
    seal: int
    head: str


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """The reason why a chain does not start at seal 1: what was older was dropped, up to and including the
    seal of this number and head, made at ``at``."""

    seal: int
    head: str
    at: str


@dataclass(frozen=True, kw_only=True)
class Seal:
    """The entries after those of the previous seal, up to ``last``, closed by a unique head.

    ``links`` is the last link of the chain over the entries; ``key`` names the key of the ``signature``,
    which is over the head. A seal with an ``accepted`` restore, or that says where the chain ``begins``, has
    no entries.
    """

    number: int
    first: str
    last: str
    count: int
    previous: str
    links: str
    marks: str
    at: datetime
    head: str
    key: str | None = None
    signature: str | None = None
    accepted: Acceptance | None = None
    begins: Beginning | None = None


def place(name: str) -> tuple[int, int]:
    """Return the sort key of an entry of this name. Raise ValueError if it is not the name of an entry."""
    found = _NAME.fullmatch(name)
    if not found:
        raise ValueError(f"{name[:40]!r} is not the name of an audit entry")
    return int(found[1]), int(found[2])


def moment_of(name: str) -> datetime:
    """Return the time in the name of an entry. Raise ValueError if it is not the name of an entry."""
    return from_ms(place(name)[0])


def from_ms(ms: int) -> datetime:
    """Return a time that Redis gives in milliseconds. Times beyond the last date become the last date."""
    return _EPOCH + timedelta(milliseconds=min(ms, LAST_MS))


def before_all(name: str) -> tuple[int, int]:
    """Return the same key as ``place``; the empty name sorts before all entries."""
    return place(name) if name else (-1, -1)


# --------------------------------------------------------------------------------------------- making


def seal_of(
    entries: Sequence[Written], *, number: int, previous: str, at: datetime, key: str | None = None
) -> Seal:
    """Make the seal over these entries; it is not signed yet."""
    return _with_head(
        Seal(
            number=number,
            first=entries[0].name,
            last=entries[-1].name,
            count=len(entries),
            previous=previous,
            links=last_link(previous, entries),
            marks="".join(map(mark_of, entries)),
            at=at,
            head="",
            key=key,
        )
    )


def acceptance_seal(
    accepted: Acceptance, *, number: int, last: str, previous: str, at: datetime, key: str | None = None
) -> Seal:
    """Make the seal that goes on from ``previous``, the ledger's own head, after a restore was accepted."""
    empty = _without_entries(number=number, last=last, previous=previous, at=at, key=key)
    return _with_head(replace(empty, accepted=accepted))


def beginning_seal(
    begins: Beginning, *, number: int, last: str, previous: str, at: datetime, key: str | None = None
) -> Seal:
    """Make the seal after ``previous`` that says from where on the audit is kept."""
    empty = _without_entries(number=number, last=last, previous=previous, at=at, key=key)
    return _with_head(replace(empty, begins=begins))


def _without_entries(*, number: int, last: str, previous: str, at: datetime, key: str | None) -> Seal:
    return Seal(
        number=number,
        first="",
        last=last,
        count=0,
        previous=previous,
        links=last_link(previous, ()),
        marks="",
        at=at,
        head="",
        key=key,
    )


def signed_seal(seal: Seal, signature: bytes) -> Seal:
    return replace(seal, signature=urlsafe_b64encode(signature).decode())


def signature_of(seal: Seal) -> bytes:
    """Return the signature; empty if there is none or it cannot be decoded."""
    try:
        return urlsafe_b64decode(seal.signature or "")
    except ValueError:
        return b""


def last_link(previous: str, entries: Iterable[Written]) -> str:
    """Return the last link of the chain that begins after the head ``previous``."""
    link = bytes.fromhex(previous)
    for each in entries:
        link = hashlib.sha256(link + digest_of(each)).digest()
    return link.hex()


def digest_of(entry: Written) -> bytes:
    """Return the SHA-256 of an entry as it is stored. Names and times contain no line breaks, so no two
    entries have the same bytes. A text that is not valid UTF-8 keeps its bytes."""
    stored = f"{entry.name}\n{moment(entry.at)}\n{entry.text}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(stored).digest()


def mark_of(entry: Written) -> str:
    return urlsafe_b64encode(digest_of(entry)[: MARK * 3 // 4]).decode()


def head_of(seal: Seal) -> str:
    """Compute the head: it covers every field of the seal except the head itself and the signature."""
    return hashlib.sha256(b"rotakey seal\n" + _json(_seal_fields(seal)).encode()).hexdigest()


def _with_head(seal: Seal) -> Seal:
    return replace(seal, head=head_of(seal))


# ---------------------------------------------------------------------------------- writing and reading


def text_of(seal: Seal) -> str:
    return _json({**_seal_fields(seal), "head": seal.head, "signature": seal.signature})


def read_seal(text: str) -> Seal:
    """Read a seal from its JSON text. Raise ValueError if the text is not a valid seal."""
    try:
        found = json.loads(text)
        if found.pop("form") != FORM:
            raise ValueError("it was made by another version of Rotakey")
        accepted, begins = found.pop("accepted"), found.pop("begins", None)
        seal = Seal(
            **{**found, "at": read_moment(found["at"])},
            accepted=Acceptance(**accepted) if accepted else None,
            begins=Beginning(**begins) if begins else None,
        )
        _expect_sound(seal)
    except (AttributeError, KeyError, RecursionError, TypeError) as error:
        raise ValueError("it lacks a field, or has one that does not belong there") from error
    return seal


def sound_seal(each: Sealed) -> Seal:
    """Return the seal that is stored under this number. Raise ValueError if it cannot be read or was
    changed."""
    seal = read_seal(each.text)
    if seal.number != each.number or seal.head != head_of(seal):
        raise ValueError(f"seal {each.number} was changed after it was made")
    return seal


def broken_link(seal: Seal, number: int, head: str) -> str | None:
    """Return why a seal cannot be the one after the seal of this number and head; None if it can."""
    expected = max(number, seal.accepted.seal if seal.accepted else 0) + 1
    if seal.number != expected:
        return gap(expected, seal.number)
    if seal.previous != head:
        return f"seal {seal.number} was not made after {f'seal {number}' if number else 'the beginning'}"
    return None


def gap(expected: int, number: int) -> str:
    several = f"seals {expected} to {number - 1} are" if number > expected + 1 else f"seal {expected} is"
    return f"{several} missing before seal {number}"


def _expect_sound(seal: Seal) -> None:
    """Raise ValueError or TypeError if a field has a value that later code could not handle."""
    for name in (seal.first, seal.last):
        before_all(name)
    if not all(_HEAD.fullmatch(each) for each in (seal.previous, seal.links, seal.head)):
        raise ValueError("it has an invalid digest")
    named = [each for each in (seal.accepted, seal.begins) if each]
    if not all(_HEAD.fullmatch(each.head) for each in named):
        raise ValueError("it has an invalid digest")
    if seal.begins:
        read_moment(seal.begins.at)
    numbers = (seal.number, seal.count, *(each.seal for each in named))
    texts = (seal.key, seal.signature)
    if not all(each is None or (isinstance(each, str) and each.isascii()) for each in texts):
        raise ValueError("its key or its signature is not ASCII text")
    if (
        not all(type(each) is int and 0 <= each < NUMBERS_END for each in numbers)
        or len(seal.marks) != seal.count * MARK
    ):
        raise ValueError("it has a number that does not fit")


def moment(at: datetime) -> str:
    """Format a time as it is written in the chain: UTC, with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_moment(text: str) -> datetime:
    """Read a time of the chain. Raise ValueError if the text is not a time with its zone."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is not a date") from error


def _seal_fields(seal: Seal) -> dict[str, object]:
    said = {"form": FORM, **asdict(seal), "at": moment(seal.at)}
    del said["head"], said["signature"]
    if seal.begins is None:  # the form of seals from before there were beginnings
        del said["begins"]
    return said


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
