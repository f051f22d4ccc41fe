"""Reads and changes as the scripts take them: JSON, with numbers as text, and without fields that are
None."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import timedelta

from bot.core.audit.chain import before_all, text_of
from bot.ledger.codec import encode, encode_entry
from bot.ledger.moments import not_after, not_before
from bot.ports.changes import Change, Claim, Done, Drop, LeaseMove, Room
from bot.ports.documents import Key

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

OP_KEPT = timedelta(minutes=15)
RESENT_WITHIN = timedelta(minutes=1)
"""The time for which a write is remembered, because the client resends anything that was not answered."""


def sending() -> tuple[str, int]:
    """Return a new name for one sending, and the ms for which it is remembered."""
    return f"once:{uuid.uuid4()}", RESENT_WITHIN // timedelta(milliseconds=1)


def read_arguments(keys: Iterable[Key], follow: Iterable[str]) -> bytes:
    return as_json({"keys": [name(key) for key in keys], "follow": list(follow)})


def plan(change: Change) -> bytes:
    versions = {
        (name(key), str(version)) for each in change.rests_on for key, version in each.versions.items()
    }
    return as_json(
        {
            "rests_on": sorted(versions),
            "needs": [*change.needs, *(each.grant for each in change.leases if each.how == LeaseMove.MOVE)],
            "without": change.without,
            "members": [(index, sorted(ids)) for index, ids in change.members.items()],
            "put": [(name(key), encode(document)) for key, document in change.put.items() if document],
            "delete": [name(key) for key, document in change.put.items() if document is None],
            "ensure": [(name(key), encode(document)) for key, document in change.ensure.items()],
            "leases": [
                (each.grant, each.how, *([str(not_after(each.until))] if each.until else ()))
                for each in change.leases
            ],
            "index": [(index, grant, there) for (index, grant), there in change.index.items()],
            "due": [(each.member, str(not_before(each.at))) for each in change.due],
            "audit": [encode_entry(entry) for entry in change.audit],
            "answer": change.answer,
            "copied": change.copied,
            **({"seal": (str(change.seal.number), text_of(change.seal))} if change.seal else {}),
            **({"drop": _drop_arguments(change.drop)} if change.drop else {}),
            **({"done": _done_arguments(change.done)} if change.done else {}),
            **({"op": change.op, "op_ms": str(OP_KEPT // timedelta(milliseconds=1))} if change.op else {}),
        }
    )


def claim_arguments(claims: Iterable[Claim]) -> bytes:
    return as_json([[claim.member, str(claim.fence)] for claim in claims])


def room(room: Room) -> dict[str, object]:
    return {"kinds": dict.fromkeys(room.kinds, 1), "own": room.own, "shared": room.shared}


def name(key: Key) -> str:
    return f"{key.kind}:{key.id}"


def as_json(value: object) -> bytes:
    """Encode the value. Names that are not UTF-8 go back as they came."""
    return _encode(value).encode("utf-8", "surrogateescape")


def _drop_arguments(drop: Drop) -> dict[str, str]:
    """Return the arguments for dropping a part of the audit. ``entries`` and ``seals`` are the lowest names
    that stay."""
    ms, number = before_all(drop.last)
    return {
        "seal": f"{drop.seal.number}-0",
        "text": drop.seal.text,
        "entries": f"{ms}-{number + 1}" if drop.last else "0-1",
        "seals": f"{drop.seal.number + 1}-0",
    }


def _done_arguments(done: Done) -> dict[str, object]:
    claim = done.claim
    return {
        "member": claim.member,
        "generation": str(claim.generation),
        "fence": str(claim.fence),
        "failed": done.failed,
        **({"next_at": str(not_before(done.next_at))} if done.next_at else {}),
    }
