"""The ledger in Redis (7.0 or later) or Valkey: every call is one script, one round trip, all or nothing.

Times are whole milliseconds on the clock of Redis. Versions, generations and fences are drawn from one
counter a workspace, so none is ever used twice, not even for a document that was deleted and came back.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from redis import Redis

from bot.core.chain import Sealed, Written, text_of
from bot.core.errors import Conflict
from bot.core.grants import Grant
from bot.core.holds import HoldRecord
from bot.ledger.codec import decode, decode_entry, encode, encode_entry
from bot.ledger.connection import LONGEST_WAIT, patient, translated
from bot.ledger.keys import NAMES, names
from bot.ledger.moments import from_ms, not_after, not_before
from bot.ledger.scripts import script
from bot.ports import (
    CLAIM_SECONDS,
    KIND_OF,
    Change,
    Claim,
    Claims,
    Condition,
    Entry,
    Key,
    Lease,
    Owed,
    Receipt,
    SetAside,
    Snapshot,
)

OP_KEPT = timedelta(minutes=15)
RESENT_WITHIN = timedelta(minutes=1)
"""The client sends again what was not answered. A change without an ``op`` is known this long."""
FAILING_AFTER = 3
"""Failures in a row."""
MOST_TOLD = 100
"""That many failing things, and records set aside, are told at most: the worst, and the latest."""

PAGE = 500


class RedisLedger:
    """Implements Ledger, AuditTrail, Inspection and Census. Threads may share it."""

    def __init__(self, client: Redis, workspace: str = "main", claim_seconds: float = CLAIM_SECONDS) -> None:
        self._names = names(workspace)
        self._claim_ms = round(claim_seconds * 1000)
        self._client = client
        self._patient = patient(client)
        self._read = client.register_script(script("read", "no-writes"))
        self._claim = client.register_script(script("claim", "allow-oom"))
        self._renew = client.register_script(script("renew", "allow-oom"))
        self._grant = client.register_script(script("commit"))
        self._condition = client.register_script(script("condition", "no-writes"))
        self._free = client.register_script(script("commit", "allow-oom"))

    def read(self, keys: Iterable[Key] = (), follow: Iterable[str] = ()) -> Snapshot:
        return self.read_all(((keys, follow),))[0]

    def read_all(self, wanted: Iterable[tuple[Iterable[Key], Iterable[str]]]) -> tuple[Snapshot, ...]:
        asked = [
            _json({"keys": [_name(key) for key in keys], "follow": list(names)}) for keys, names in wanted
        ]
        now, *answers = self._run(self._read, KIND_OF[Grant], *asked)
        moment = _moment(now)
        return tuple(_snapshot(moment, *answer) for answer in answers)

    def commit(self, change: Change) -> Receipt:
        written = self.commit_all((change,))[0]
        if isinstance(written, Conflict):
            raise written
        return written

    def commit_all(self, changes: Sequence[Change]) -> tuple[Receipt | Conflict, ...]:
        script = self._free if all(change.frees for change in changes) else self._grant
        now, *answers = self._run(script, *(_json(_plan(change)) for change in changes))
        moment = _moment(now)
        return tuple(_written(change, moment, *each) for change, each in zip(changes, answers, strict=True))

    def claim(self, limit: int, share: int, busy: Mapping[str, int], kinds: Collection[str] = ()) -> Claims:
        """``next_at`` is in the past where more could be claimed than ``limit``. What is due in a lane that
        is full does not count: the caller learns of its end by itself, and would only ask in vain."""
        return _claims(
            self._run(
                self._claim, limit, share, self._claim_ms, _json(dict(busy)), _json(dict.fromkeys(kinds, 1))
            )
        )

    def renew(self, claims: Collection[Claim]) -> frozenset[str]:
        if not claims:
            return frozenset()
        asked = _json([[claim.member, str(claim.fence)] for claim in claims])
        return frozenset(self._run(self._renew, self._claim_ms, asked))

    def wait(self, seconds: float) -> None:
        if seconds > 0:
            # Redis takes zero for ever; some versions take less than a millisecond for zero
            held = max(min(seconds, LONGEST_WAIT), 0.001)
            with translated():
                self._patient.blpop([self._named("nudge")], timeout=held)

    def entries(self, after: str = "", count: int = 100) -> Sequence[tuple[str, datetime, Entry]]:
        """Raises ValueError where ``after`` is not the name of an entry."""
        return [(it.name, it.at, decode_entry(it.name, it.text)) for it in self.written(after, count)]

    def written(self, after: str = "", count: int = 100) -> Sequence[Written]:
        """Raises ValueError where ``after`` is not the name of an entry."""
        if not re.fullmatch(r"(\d+(-\d+)?)?", after):
            raise ValueError(f"{after!r} is not the name of an audit entry")
        rows = self._rows("audit", f"({after}" if after else "-", count)
        return [
            Written(name=name, at=_moment(name.split("-")[0]), text=row.get("e", "")) for name, row in rows
        ]

    def seals(self, after: int = 0, count: int = 100) -> Sequence[Sealed]:
        return [
            Sealed(number=int(name.split("-")[0]), text=row.get("s", ""))
            for name, row in self._rows("seals", f"{after + 1}", count)
        ]

    def condition(self) -> Condition:
        found = self._run(self._condition, FAILING_AFTER, MOST_TOLD, "open", "overdue")
        now, beat, owed, oldest, failing, aside, (still_open, overdue) = found
        kept = sorted(
            (_set_aside(*each) for each in zip(aside[::2], aside[1::2], strict=True)), key=lambda it: it.at
        )
        return Condition(
            now=_moment(now),
            beat=_moment(beat) if beat else None,
            owed=owed,
            oldest=_moment(oldest) if oldest else None,
            failing=tuple(
                Owed(member=member, at=_moment(at), tries=int(tries)) for member, at, tries in failing
            ),
            set_aside=tuple(kept[-MOST_TOLD:]),
            open=still_open,
            overdue=overdue,
        )

    # ------------------------------------------------------------------------------------- Census

    def grants(self, index: str) -> Iterator[Sequence[str]]:
        with translated():
            yield from _pages(self._client.sscan_iter(f"{self._named('index:')}{index}", count=PAGE))

    def holds(self) -> Iterator[Sequence[str]]:
        """Goes through all that is in this Redis, which takes a second for each million keys."""
        before = f"{self._named('doc:')}{KIND_OF[HoldRecord]}:"
        with translated():
            found = self._client.scan_iter(match=f"{before}*", count=PAGE)
            yield from _pages(name.removeprefix(before) for name in found)

    def claim_these(
        self, members: Collection[str], limit: int, share: int, busy: Mapping[str, int]
    ) -> Claims:
        found = self._run(
            self._claim, limit, share, self._claim_ms, _json(dict(busy)), "{}", _json(list(members))
        )
        return _claims(found)

    def _rows(self, stream: str, first: str, count: int) -> list[tuple[str, dict[str, str]]]:
        """Of a stream. What is no UTF-8 keeps its bytes: somebody must have written it by hand."""
        asked = ("XRANGE", self._named(stream), first, "+", "COUNT", count)
        with translated():
            rows: Any = self._client.execute_command(*asked, NEVER_DECODE=True)  # type: ignore[no-untyped-call]
        return [
            (name.decode(), {_as_text(field): _as_text(value) for field, value in row.items()})
            for name, row in rows
        ]

    def _run(self, which: Any, *arguments: str | int) -> Any:
        with translated():
            return which(keys=self._names, args=arguments)

    def _named(self, name: str) -> str:
        return self._names[NAMES.index(name)]


def _snapshot(now: datetime, found: Sequence[Sequence[str]], leases: Sequence[tuple[str, str]]) -> Snapshot:
    rows = [(Key(*name.split(":", 1)), int(version), text) for name, version, text in found]
    return Snapshot(
        now=now,
        documents={key: decode(key, text) for key, version, text in rows if version},
        versions={key: version for key, version, _ in rows},
        leases={grant: None if end == "-1" else _moment(end) for grant, end in leases},
    )


def _written(change: Change, now: datetime, how: str, version: str, said: str) -> Receipt | Conflict:
    if how == "conflict":
        return Conflict(said)
    if how == "again" and change.op is not None:
        return Receipt(now=now, again=True, answer=said)
    return Receipt(now=now, answer=change.answer, version=int(version))


def _plan(change: Change) -> dict[str, object]:
    """The change as the script takes it: all numbers as text, what is None left out."""
    versions = {
        (_name(key), str(version)) for each in change.rests_on for key, version in each.versions.items()
    }
    return {
        "rests_on": sorted(versions),
        "needs": [*change.needs, *(each.grant for each in change.leases if each.how == "move")],
        "without": change.without,
        "members": [(name, sorted(ids)) for name, ids in change.members.items()],
        "put": [(_name(key), encode(document)) for key, document in change.put.items() if document],
        "delete": [_name(key) for key, document in change.put.items() if document is None],
        "ensure": [(_name(key), encode(document)) for key, document in change.ensure.items()],
        "leases": [_lease(each) for each in change.leases],
        "index": [(name, grant, there) for (name, grant), there in change.index.items()],
        "due": [(each.member, str(not_before(each.at))) for each in change.due],
        "audit": [encode_entry(entry) for entry in change.audit],
        "answer": change.answer,
        **({"seal": (str(change.seal.number), text_of(change.seal))} if change.seal else {}),
        **_once(change),
        **_closing(change),
    }


def _once(change: Change) -> dict[str, str]:
    op, kept = (f"once:{uuid.uuid4()}", RESENT_WITHIN) if change.op is None else (change.op, OP_KEPT)
    return {"op": op, "op_ms": str(kept // timedelta(milliseconds=1))}


def _closing(change: Change) -> dict[str, dict[str, object]]:
    done = change.done
    if done is None:
        return {}
    claim = done.claim
    found: dict[str, object] = {
        "member": claim.member,
        "generation": str(claim.generation),
        "fence": str(claim.fence),
        "failed": done.failed,
    }
    return {"done": found if done.next_at is None else found | {"next_at": str(not_before(done.next_at))}}


def _lease(lease: Lease) -> tuple[str, ...]:
    ends = () if lease.until is None else (str(not_after(lease.until)),)
    return (lease.grant, lease.how, *ends)


def _claims(answer: tuple[str, Sequence[Any], str]) -> Claims:
    now, found, next_at = answer
    return Claims(
        now=_moment(now),
        claims=tuple(_claim(*each) for each in found),
        next_at=_moment(next_at) if next_at else None,
    )


def _claim(member: str, generation: str, fence: str, owed_at: str, tries: str, taken_over: int) -> Claim:
    return Claim(
        member=member,
        generation=int(generation),
        fence=int(fence),
        owed_at=_moment(owed_at),
        tries=int(tries),
        taken_over=bool(taken_over),
    )


def _set_aside(field: str, kept: str) -> SetAside:
    at, error, text = kept.split("\n", 2)
    return SetAside(key=Key(*field.rpartition("@")[0].split(":", 1)), at=_moment(at), error=error, text=text)


def _pages(names: Iterator[str]) -> Iterator[Sequence[str]]:
    while page := list(islice(names, PAGE)):
        yield page


def _name(key: Key) -> str:
    return f"{key.kind}:{key.id}"


def _as_text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogateescape")


def _moment(ms: str) -> datetime:
    return from_ms(int(ms))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
