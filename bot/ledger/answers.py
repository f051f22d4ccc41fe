"""The scripts' answers, turned into the values of the ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.core.audit.chain import Sealed, Written
from bot.core.document import Document
from bot.core.errors import ClaimLost, Conflict, PermanentFailure
from bot.ledger.codec import decode, printable
from bot.ledger.moments import from_ms
from bot.ports.changes import Change, Claim, Claims, Committed, Snapshot
from bot.ports.documents import Key
from bot.ports.ledger import Condition, Owed, SetAside

MOST_TOLD = 100
"""The most failing jobs, and the most records set aside, that are reported: the worst, and the latest."""


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A record that is left out of what was read, because it is not a valid one."""

    key: Key
    version: int
    error: str


def snapshot(
    now: datetime, answer: Sequence[Any], *, compared: bool = True
) -> tuple[Snapshot, list[Unreadable]]:
    rows, leases = answer[:2]
    documents: dict[Key, Document] = {}
    versions: dict[Key, int] = {}
    unreadable = []
    for name, version, text in rows:
        key = Key(*name.split(":", 1))
        versions[key] = int(version)
        if not (versions[key] or text):
            continue
        try:
            documents[key] = readable(key, versions[key], text)
        except PermanentFailure as failure:
            unreadable.append(Unreadable(key=key, version=versions[key], error=str(failure)))
    ends = {grant: None if end == "-1" else moment(end) for grant, end in leases}
    snap = Snapshot(now=now, documents=documents, versions=versions, leases=ends, compared=compared)
    return snap, unreadable


def readable(key: Key, version: int, text: str) -> Document:
    """Return the document. Raise PermanentFailure, in one line, if it is not a document of the key's kind."""
    if not version:
        raise PermanentFailure(f"{key.kind} {key.id} in the ledger has no version")
    return decode(key, text)


def receipt(change: Change, now: datetime, how: str, version: str, said: str) -> Committed | Conflict:
    if how == "conflict":
        lost = change.done is not None and said == f"claim on {change.done.claim.member} is lost"
        return ClaimLost(said) if lost else Conflict(said)
    if how == "again" and change.op is not None:
        return Committed(now=now, again=True, answer=said)
    return Committed(now=now, answer=change.answer, version=int(version))


def claims(answer: Sequence[Any]) -> Claims:
    now, found, next_at = answer
    return Claims(
        now=moment(now),
        claims=tuple(
            Claim(
                member=member,
                generation=int(generation),
                fence=int(fence),
                owed_at=moment(owed_at),
                tries=int(tries),
                taken_over=bool(taken_over),
            )
            for member, generation, fence, owed_at, tries, taken_over in found
        ),
        next_at=moment(next_at) if next_at else None,
    )


def written_entry(name: str, row: Mapping[str, str]) -> Written:
    return Written(name=name, at=moment(name.partition("-")[0]), text=row.get("e", ""))


def sealed_entry(name: str, row: Mapping[str, str]) -> Sealed:
    return Sealed(number=int(name.partition("-")[0]), text=row.get("s", ""))


def condition(answer: Sequence[Any]) -> Condition:
    now, beat, owed, oldest, failing, aside, (still_open, overdue), unlogged = answer
    kept: list[SetAside] = []
    for name, record in zip(aside[::2], aside[1::2], strict=True):
        at, error, text = record.split("\n", 2)
        key = Key(*name.rpartition("@")[0].split(":", 1))
        kept.append(SetAside(key=key, at=moment(at), error=error, text=printable(text)))
    kept.sort(key=lambda each: each.at)
    return Condition(
        now=moment(now),
        beat=moment(beat) if beat else None,
        owed=owed,
        oldest=moment(oldest) if oldest else None,
        failing=tuple(Owed(member=name, at=moment(at), tries=int(tries)) for name, at, tries in failing),
        set_aside=tuple(kept[-MOST_TOLD:]),
        open=still_open,
        overdue=overdue,
        unlogged=unlogged,
    )


def moment(ms: str) -> datetime:
    return from_ms(int(ms))
