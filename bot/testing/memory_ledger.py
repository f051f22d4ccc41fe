"""The ledger in memory, on a clock that the test sets: for tests of decisions, not of Redis.

It answers as ``bot.ledger.redis_ledger`` does; the tests of the ledger run both side by side. Documents pass
through the same codec, so what comes back is what Redis would return.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from functools import cache
from threading import RLock
from zlib import crc32

from bot.core.audit.chain import Sealed, Written, before_all, text_of
from bot.core.document import Document
from bot.core.errors import (
    FAILED_OVER,
    ClaimLost,
    Conflict,
    FailedOver,
    NotCopied,
    PermanentFailure,
    TemporaryFailure,
)
from bot.core.grants import Grant
from bot.core.holds import HoldRecord
from bot.ledger.codec import decode, decode_entry, encode, encode_entry, printable
from bot.ledger.moments import from_ms, not_after, not_before
from bot.ports.changes import (
    OLDEST_FIRST,
    Change,
    Claim,
    Claims,
    Committed,
    Done,
    Drop,
    Due,
    Entry,
    Lease,
    LeaseMove,
    Order,
    Room,
    Snapshot,
)
from bot.ports.documents import Key
from bot.ports.ledger import CLAIM_SECONDS, Condition, Owed, Serving, SetAside

OP_KEPT = timedelta(minutes=15)
BEAT_EVERY = 1000
FAILING_AFTER = 3
MOST_TOLD = 100
PAGE = 500
APART = 5000
"""Milliseconds by which two servers' clocks may differ."""
_GRANT = Grant.kind
_STAYS = frozenset({"_now", "_lock", "claim_seconds"})


class MemoryLedger:
    """The ledger in memory. Implements Ledger, AuditTrail, Inspection, Census and Primary.

    Time stands still unless ``advance`` moves it or ``now`` is set; it ticks in whole milliseconds, as in
    Redis. ``audit_trouble``: why the audit cannot be written. ``full``: there is no memory left, so only what
    ``frees`` is written. ``copying``: replicas confirm what is written. ``servers``: the servers of a Redis
    that must have copies. ``page``: the ids on one page of the census, or a few more.
    """

    def __init__(self, now: datetime, claim_seconds: float = CLAIM_SECONDS) -> None:
        self._now = not_after(now)
        self.claim_seconds = claim_seconds
        self._lock = RLock()
        self._counter = 0
        self._documents: dict[Key, tuple[int, str]] = {}
        self._leases: dict[str, int | None] = {}
        self._indexes: dict[str, set[str]] = {}
        self._due: dict[str, int] = {}
        """The time at which each member is due; of one that is claimed, the end of the claim."""
        self._lanes: set[str] = set()
        self._generations: dict[str, int] = {}
        self._claims: dict[str, int] = {}
        """The fence of each member that is claimed."""
        self._failures: dict[str, int] = {}
        self._ops: dict[str, tuple[int, str]] = {}
        self._audit: list[tuple[int, int, str]] = []
        self._last_name = (-1, 0)
        self._unlogged: list[tuple[int, str]] = []
        self.audit_trouble = ""
        self.full = False
        self.copying = True
        self.server_id = "first"
        self.servers: Serving | None = None
        self._seals: list[Sealed] = []
        self._beat: int | None = None
        self._aside: dict[tuple[Key, int], SetAside] = {}
        self.page = PAGE

    @property
    def now(self) -> datetime:
        return from_ms(self._now)

    @now.setter
    def now(self, now: datetime) -> None:
        self._now = not_after(now)

    def advance(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def backup(self) -> Mapping[str, object]:
        """Return everything that is in it, as of now."""
        with self._lock:
            return deepcopy({name: value for name, value in vars(self).items() if name not in _STAYS})

    def restore(self, backup: Mapping[str, object]) -> None:
        """Put everything back as it was then, except the clock. The backup of an empty ledger empties it."""
        with self._lock:
            vars(self).update(deepcopy(dict(backup)))

    # ------------------------------------------------------------------------------------- Ledger

    def read(self, keys: Iterable[Key] = (), follow: Iterable[str] = ()) -> Snapshot:
        with self._lock:
            followed = (Key(_GRANT, each) for name in follow for each in sorted(self._indexes.get(name, ())))
            wanted = tuple(dict.fromkeys((*keys, *followed)))
            found = {key: self._documents[key] for key in wanted if key in self._documents}
            live = {key.id for key in wanted if key.kind == _GRANT and self._live(key.id)}
            documents = dict[Key, Document]()
            draw = cache(self._next)  # everything that one read sets aside shares a number
            for key, (version, text) in found.items():
                try:
                    documents[key] = decode(key, text)
                except PermanentFailure as failure:
                    self._set_aside(key, version, str(failure), text, draw)
            return Snapshot(
                now=self.now,
                documents=documents,
                versions={key: found[key][0] if key in found else 0 for key in wanted},
                leases={grant: _moment(self._leases[grant]) for grant in sorted(live)},
                compared=self._is_compared,
            )

    def _set_aside(self, key: Key, version: int, error: str, text: str, draw: Callable[[], int]) -> None:
        """Keep the record as it is, and look again at what rested on it."""
        if (key, version) in self._aside:
            return
        kept = SetAside(key=key, at=self.now, error=error, text=printable(text))
        self._aside[key, version] = kept
        if key.kind == _GRANT:
            generation = draw()
            for member in self._listed_members():
                if key.id in self._indexes.get(member, ()):
                    self._arm(Due(member=member, at=self.now), generation)

    def lose(self, *members: str) -> None:
        """Drop these from the due set, or all if none is named. Claims on them stay."""
        _drop(self._due, members)

    def lose_claims(self, *members: str) -> None:
        _drop(self._claims, members)

    def lose_generations(self, *members: str) -> None:
        _drop(self._generations, members)

    def lose_failures(self, *members: str) -> None:
        _drop(self._failures, members)

    def lose_lanes(self, *names: str) -> None:
        """Drop these from the list of lanes, or all if none is named. Jobs due in them stay, unseen."""
        with self._lock:
            self._lanes -= set(names or self._lanes)

    def corrupt(self, key: Key, text: str = "{") -> None:
        """Damage a document as a disk might: it is not what was written, under the same version."""
        with self._lock:
            self._documents[key] = (self._documents[key][0], text)

    def read_all(self, wanted: Iterable[tuple[Iterable[Key], Iterable[str]]]) -> tuple[Snapshot, ...]:
        with self._lock:
            return tuple(self.read(keys, follow) for keys, follow in wanted)

    def commit_all(self, changes: Sequence[Change]) -> tuple[Committed | Conflict, ...]:
        with self._lock:
            written: dict[int, Committed | Conflict] = {}
            for n, change in sorted(enumerate(changes), key=lambda each: not each[1].frees):
                try:
                    written[n] = self.commit(change)
                except Conflict as conflict:
                    written[n] = conflict
            return tuple(written[n] for n in range(len(changes)))

    def commit(self, change: Change) -> Committed:
        if change.copied and not self._is_compared:
            raise FailedOver(FAILED_OVER)
        with self._lock:
            kept_until, answer = self._ops.get(change.op or "", (0, ""))
            if kept_until > self._now:
                receipt = Committed(now=self.now, again=True, answer=answer)
            elif self.full and not change.frees:
                raise TemporaryFailure("Redis is full")
            else:
                for objection in self._objections(change):
                    raise ClaimLost(objection) if objection.startswith("claim on ") else Conflict(objection)
                version = self._write(change)
                receipt = Committed(now=self.now, answer=change.answer, version=version)
        if change.copied and not self.copying:
            raise NotCopied("0 of 1 replicas have confirmed it")
        return receipt

    def claim(
        self,
        limit: int,
        share: int,
        busy: Mapping[str, int],
        kinds: Collection[str] = (),
        besides: Collection[str] = (),
        order: Order = OLDEST_FIRST,
    ) -> Claims:
        with self._lock:
            if self._beat is None or not 0 <= self._now - self._beat < BEAT_EVERY:
                self._beat = self._now
            found = [(each, each.partition(":")[0]) for each in self._due_now()]
            wanted = [each for each, kind in found if (not kinds or kind in kinds) and kind not in besides]
            rank = {lane: number for number, lane in enumerate(order.served, 1)}
            wanted.sort(key=lambda each: rank.get(self._claim_of(each).lane, 0))
            return self._pick(wanted, limit, share, busy, order.rooms)

    def _pick(
        self,
        members: Iterable[str],
        limit: int,
        share: int,
        busy: Mapping[str, int],
        rooms: Sequence[Room] = (),
    ) -> Claims:
        load, claims, waiting = dict(busy), list[Claim](), list[int]()
        own = {room: room.own for room in rooms}
        shared = {room: room.shared for room in rooms}
        for member in members:
            claim = self._claim_of(member)
            room = next((each for each in rooms if claim.kind in each.kinds), None)
            room = room or next((each for each in rooms if not each.kinds), None)
            if load.get(claim.lane, 0) >= share or (room and own[room] + shared[room] <= 0):
                continue
            if room and own[room] > 0:
                own[room] -= 1
            elif limit > 0:
                limit -= 1
                if room:
                    shared[room] -= 1
            else:
                waiting.append(self._due[member])
                continue
            load[claim.lane] = load.get(claim.lane, 0) + 1
            claims.append(claim)

        fence = self._next() if claims else 0
        for claim in claims:
            self._claims[claim.member] = fence
            self._due[claim.member] = self._claim_end()
        later = [self._due[member] for member in self._listed_members() if self._due[member] > self._now]
        first = min(waiting or later, default=None)
        return Claims(now=self.now, claims=tuple(claims), next_at=_moment(first))

    def renew(self, claims: Collection[Claim]) -> frozenset[str]:
        with self._lock:
            ours = frozenset(claim.member for claim in claims if self._is_ours(claim))
            for member in ours:
                self._owe_at(member, self._claim_end())
            return ours

    def wait_for_copies(self) -> bool:
        return self.copying

    def wait(self, seconds: float) -> None:
        """Return at once: in a test, time passes when the test says so."""

    # --------------------------------------------------------------------------------- AuditTrail

    def entries(self, after: str = "", count: int = 100) -> Sequence[tuple[str, datetime, Entry]]:
        return [(it.name, it.at, decode_entry(it.name, it.text)) for it in self.written_entries(after, count)]

    def written_entries(self, after: str = "", count: int = 100) -> Sequence[Written]:
        ms, _, number = after.partition("-")
        behind = (int(ms), int(number or 0)) if after else (-1, 0)
        with self._lock:
            first = bisect_right(self._audit, behind, key=lambda each: each[:2])
            found = self._audit[first : first + count]
        return [Written(name=f"{ms}-{number}", at=from_ms(ms), text=text) for ms, number, text in found]

    def seals(self, after: int = 0, count: int = 100) -> Sequence[Sealed]:
        with self._lock:
            return [each for each in self._seals if each.number > after][:count]

    # --------------------------------------------------------------------------------- Inspection

    def condition(self) -> Condition:
        with self._lock:
            failing = [
                Owed(member=member, at=from_ms(self._due.get(member, self._now)), tries=tries)
                for member, tries in self._failures.items()
                if tries >= FAILING_AFTER
            ]
            failing.sort(key=lambda each: (each.tries, each.member), reverse=True)
            return Condition(
                now=self.now,
                beat=_moment(self._beat),
                owed=len(self._listed_members()),
                oldest=_moment(min((self._due[each] for each in self._due_now()), default=None)),
                failing=tuple(failing[:MOST_TOLD]),
                set_aside=tuple(self._aside.values())[-MOST_TOLD:],
                open=len(self._indexes.get("open", ())),
                overdue=len(self._indexes.get("overdue", ())),
                unlogged=len(self._unlogged),
            )

    # ------------------------------------------------------------------------------------- Primary

    def server(self) -> str:
        return self.servers.now if self.servers else self.server_id

    def serving(self) -> Serving | None:
        return self.servers

    @property
    def _is_compared(self) -> bool:
        return self.servers is None or self.servers.is_compared

    def mark_compared(self, with_server: str) -> None:
        if self.servers and self.servers.now == with_server:
            self.servers = Serving(last=with_server, now=with_server)

    # ------------------------------------------------------------------------------------- Census

    def page_of_grants(self, index: str, cursor: int) -> tuple[Sequence[str], int]:
        with self._lock:
            return self._page(self._indexes.get(index, ()), cursor)

    def page_of_documents(self, shape: type[Document], cursor: int) -> tuple[Sequence[str], int]:
        with self._lock:
            return self._page((key.id for key in self._documents if key.kind == shape.kind), cursor)

    def _page(self, names: Iterable[str], cursor: int) -> tuple[Sequence[str], int]:
        """Return a page and the cursor of the next. A cursor is a checksum, so that an id that stays while
        others come and go is on one of the pages, as in Redis."""
        sums = {each: crc32(each.encode()) for each in names}
        rest = sorted((each for each in sums if sums[each] >= cursor), key=lambda each: (sums[each], each))
        if len(rest) <= self.page:
            return rest, 0
        after = sums[rest[self.page - 1]] + 1
        return [each for each in rest if sums[each] < after], after

    def grants(self, index: str) -> Iterator[Sequence[str]]:
        with self._lock:
            yield sorted(self._indexes.get(index, ()))

    def holds(self, target: str = "") -> Iterator[Sequence[str]]:
        begins = f"{target}/" if target else ""
        for ids in self.documents(HoldRecord):
            yield [each for each in ids if each.startswith(begins)]

    def unheld(self, holds: Collection[str]) -> frozenset[str]:
        with self._lock:
            return frozenset(each for each in holds if not self._indexes.get(f"hold:{each}"))

    def documents(self, shape: type[Document]) -> Iterator[Sequence[str]]:
        with self._lock:
            yield sorted(key.id for key in self._documents if key.kind == shape.kind)

    def not_due(self, members: Collection[str]) -> frozenset[str]:
        with self._lock:
            return frozenset(members) - set(self._listed_members())

    def owed_too_late(self, longest: Mapping[str, timedelta]) -> frozenset[str]:
        with self._lock:
            late = {
                member
                for member in self._listed_members()
                if (within := longest.get(member.partition(":")[0]))
                and self._due[member] > not_before(self.now + within)
            }
            lapsed = self._claim_end() + APART
            return frozenset(late | {each for each in self._claims if self._due.get(each, _NEVER) > lapsed})

    def claim_these(
        self, members: Collection[str], limit: int, share: int, busy: Mapping[str, int]
    ) -> Claims:
        with self._lock:
            due = [each for each in members if self._due.get(each, _NEVER) <= self._now]
            return self._pick(due, limit, share, busy)

    # ------------------------------------------------------------------------------------- commit

    def _objections(self, change: Change) -> Iterator[str]:
        for snapshot in change.rests_on:
            for key, version in snapshot.versions.items():
                if self._documents.get(key, (0, ""))[0] != version:
                    yield f"{key.kind}:{key.id} has changed"
        moved = (lease.grant for lease in change.leases if lease.how == LeaseMove.MOVE)
        yield from (f"lease of {each} is gone" for each in (*change.needs, *moved) if not self._live(each))
        yield from (f"lease of {each} is there" for each in change.without if self._live(each))
        for name, ids in change.members.items():
            if self._indexes.get(name, set()) != set(ids):
                yield f"index {name} has changed"
        if change.seal and self._seals and self._seals[-1].number >= change.seal.number:
            yield f"seal {change.seal.number} is there"
        if change.drop and not (change.seal and change.drop.seal in self._seals):
            yield f"seal {change.drop.seal.number} is not as it was"
        if change.done and not self._is_ours(change.done.claim):
            yield f"claim on {change.done.claim.member} is lost"

    def _write(self, change: Change) -> int:
        put = {key: encode(document) if document else None for key, document in change.put.items()}
        ensure = {key: encode(document) for key, document in change.ensure.items()}
        entries = [encode_entry(entry) for entry in change.audit]
        self._log(entries, frees=change.frees and not change.drop)
        if change.drop:
            self._drop(change.drop)
        version = self._next()
        for key, text in put.items():
            if text is None:
                self._documents.pop(key, None)
            else:
                self._documents[key] = (version, text)
        for key, text in ensure.items():
            self._documents.setdefault(key, (version, text))
        for lease in change.leases:
            self._move(lease)
        for (name, grant), there in change.index.items():
            members = self._indexes.setdefault(name, set())
            (members.add if there else members.discard)(grant)
        self._owe(change.due, change.done, version)
        if change.seal:
            self._seals.append(Sealed(number=change.seal.number, text=text_of(change.seal)))
        if change.op is not None:
            self._ops[change.op] = (not_after(self.now + OP_KEPT), change.answer)
        return version

    def _move(self, lease: Lease) -> None:
        until = None if lease.until is None else not_after(lease.until)
        over = until is not None and until <= self._now
        if lease.how == LeaseMove.DROP or over:
            self._leases.pop(lease.grant, None)
        elif lease.how == LeaseMove.START or self._live(lease.grant):
            self._leases[lease.grant] = until

    def _live(self, grant: str) -> bool:
        if grant not in self._leases:
            return False
        until = self._leases[grant]
        return until is None or until > self._now

    def _log(self, texts: Sequence[str], *, frees: bool) -> None:
        """Write audit entries. Those that could not be written when they happened come first."""
        if not texts:
            return
        if self.audit_trouble and not frees:
            raise TemporaryFailure(f"the audit cannot be written ({self.audit_trouble})")
        if self.audit_trouble:
            self._unlogged += [(self._now, text) for text in texts]
            return
        late = []
        for at, text in self._unlogged:
            entry = json.loads(text)
            entry["facts"]["written_late_s"] = round((self._now - at) / 1000)
            late.append(json.dumps(entry))
        self._unlogged.clear()
        for text in (*late, *texts):
            last, number = self._last_name
            self._last_name = (self._now, 0) if self._now > last else (last, number + 1)
            self._audit.append((*self._last_name, text))

    def _drop(self, drop: Drop) -> None:
        self._seals = [each for each in self._seals if each.number > drop.seal.number]
        self._audit = [each for each in self._audit if each[:2] > before_all(drop.last)]

    def _next(self) -> int:
        self._counter = (self._counter or self._now) + 1
        return self._counter

    # ---------------------------------------------------------------------------------------- due

    def _owe(self, due: Iterable[Due], done: Done | None, version: int) -> None:
        """Release the claim of what is done, arm what is due, and drop the member if nothing more is."""
        over = ""
        if done:
            member = done.claim.member
            armed = self._generations.get(member, 0) != done.claim.generation
            self._claims.pop(member, None)
            tries = self._failures.pop(member, 0)
            if done.failed:
                self._failures[member] = tries + 1
            if armed:
                self._owe_at(member, self._now)
            elif done.next_at is not None:
                self._owe_at(member, not_before(done.next_at))
            else:
                self._due.pop(member, None)
                over = member
        for each in due:
            self._arm(each, version)
        if over and over not in {each.member for each in due}:
            self._generations.pop(over, None)
            self._failures.pop(over, None)

    def _arm(self, due: Due, version: int) -> None:
        self._generations[due.member] = version
        at = self._claim_end() if due.member in self._claims else not_before(due.at)
        self._owe_at(due.member, min(at, self._due.get(due.member, at)))

    def _owe_at(self, member: str, at: int) -> None:
        self._lanes.add(_lane(member))
        self._due[member] = at

    def _listed_members(self) -> list[str]:
        """Return the members of the due set, except in lanes that were lost."""
        return [member for member in self._due if _lane(member) in self._lanes]

    def _due_now(self) -> list[str]:
        due = [
            (self._due[member], member) for member in self._listed_members() if self._due[member] <= self._now
        ]
        return [member for _, member in sorted(due)]

    def _claim_of(self, member: str) -> Claim:
        return Claim(
            member=member,
            generation=self._generations.get(member, 0),
            fence=(self._counter or self._now) + 1,
            owed_at=from_ms(self._due[member]),
            tries=self._failures.get(member, 0),
            taken_over=member in self._claims,
        )

    def _is_ours(self, claim: Claim) -> bool:
        return self._claims.get(claim.member) == claim.fence

    def _claim_end(self) -> int:
        return self._now + round(self.claim_seconds * 1000)


_NEVER = 2**62


def _lane(member: str) -> str:
    before, slash, _ = member.partition("/")
    return before if slash else member.partition(":")[0]


def _drop(some: dict[str, int], names: Collection[str]) -> None:
    for name in names or tuple(some):
        some.pop(name, None)


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)
