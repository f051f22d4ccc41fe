"""The ledger in Redis (7.0 or later) or Valkey: every call is one script, one round trip, all or nothing.

Times are whole milliseconds on the clock of Redis. Versions, generations and fences are drawn from one
counter a workspace, so none is ever used twice, not even for a document that was deleted and came back.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

import structlog
from redis import Redis

from bot.core.audit.chain import Sealed, Written
from bot.core.document import Document
from bot.core.errors import FAILED_OVER, Conflict, FailedOver, NotCopied, TemporaryFailure
from bot.core.grants import Grant
from bot.core.holds import HoldRecord
from bot.ledger import answers, plans
from bot.ledger.answers import MOST_TOLD, Unreadable, moment
from bot.ledger.codec import decode_entry
from bot.ledger.connection import LONGEST_WAIT, at_home, patient, translate_errors
from bot.ledger.copies import Copied
from bot.ledger.keys import NAMES, names
from bot.ledger.scripts import script
from bot.ports.changes import OLDEST_FIRST, Change, Claim, Claims, Committed, Entry, Order, Snapshot
from bot.ports.documents import Key
from bot.ports.ledger import CLAIM_SECONDS, Condition, Serving

log = structlog.get_logger(__name__)

FAILING_AFTER = 3
"""Failures in a row from which a job is reported as failing."""

PAGE = 500
SCANNED_AT_ONCE = 5_000
"""Names of any kind per scan, which takes Redis about a millisecond."""


class _Seen(threading.local):
    """The primary that answered this thread last; empty if no copies are required."""

    primary: str | None = None


class RedisLedger:
    """The ledger in Redis. Implements Ledger, AuditTrail, Inspection, Census and Primary. Threads may share
    it. ``copies`` is the number of replicas that must have a ``copied`` change before its commit returns."""

    def __init__(
        self,
        client: Redis,
        workspace: str = "main",
        claim_seconds: float = CLAIM_SECONDS,
        *,
        copies: int = 0,
    ) -> None:
        client = at_home(client, workspace)
        self._names = names(workspace)
        self._copied = Copied(client, self._names, copies) if copies else None
        self._claim_ms = round(claim_seconds * 1000)
        self._client = client
        self._patient = patient(client)
        self._read = client.register_script(script("read", "no-writes"))
        self._claim = client.register_script(script("claim", "allow-oom"))
        self._renew = client.register_script(script("renew", "allow-oom"))
        self._grant = client.register_script(script("commit", claim_seconds=claim_seconds))
        self._free = client.register_script(script("commit", "allow-oom", claim_seconds=claim_seconds))
        self._aside = client.register_script(script("aside", "allow-oom", claim_seconds=claim_seconds))
        self._condition = client.register_script(script("condition", "no-writes"))
        self._unheld = client.register_script(script("unheld", "no-writes"))
        self._unowed = client.register_script(script("unowed", "no-writes"))
        self._late = client.register_script(script("late", "no-writes", claim_seconds=claim_seconds))
        self._copies = copies
        self._seen = _Seen()
        self._compare = client.register_script(script("compare", "allow-oom"))
        self._mark = client.register_script(script("mark", "allow-oom"))
        self._upgrade = client.register_script(script("upgrade", "allow-oom"))
        self._told: set[Unreadable | str] = set()

    def read(self, keys: Iterable[Key] = (), follow: Iterable[str] = ()) -> Snapshot:
        return self.read_all(((keys, follow),))[0]

    def read_all(self, wanted: Iterable[tuple[Iterable[Key], Iterable[str]]]) -> tuple[Snapshot, ...]:
        """Read, and set aside what cannot be read: the snapshot has its version, but no document."""
        asked = (plans.read_arguments(keys, names) for keys, names in wanted)
        now, self._seen.primary, compared, *found = self._run(self._read, Grant.kind, self._copies, *asked)
        read = [answers.snapshot(moment(now), each, compared=bool(compared)) for each in found]
        for fault in dict.fromkeys(fault for *_, faults in found for fault in faults):
            if fault not in self._told:
                self._told.add(fault)
                log.critical("foreign key in place of a record", error=fault)

        # what cannot be read stays as it is, for ever, and what rested on it is looked at again
        new = [each for _, unreadable in read for each in unreadable if each not in self._told]
        if new:
            rows = [(plans.name(each.key), str(each.version), each.error) for each in new]
            self._run(self._aside, Grant.kind, *(part for row in rows for part in row))
        for each in new:
            log.critical("record unreadable and set aside", key=plans.name(each.key), error=each.error)
        self._told.update(new)
        return tuple(snapshot for snapshot, _ in read)

    def commit(self, change: Change) -> Committed:
        written = self.commit_all((change,))[0]
        if isinstance(written, Conflict):
            raise written
        return written

    def commit_all(self, changes: Sequence[Change]) -> tuple[Committed | Conflict, ...]:
        """Write the changes that end access first, because the others may be refused."""
        written: dict[int, Committed | Conflict] = {}
        for frees, which in ((True, self._free), (False, self._grant)):
            some = {n: change for n, change in enumerate(changes) if change.frees is frees}
            if some:
                written |= zip(some, self._write(which, "frees" if frees else "", some.values()), strict=True)
        return tuple(written[n] for n in range(len(changes)))

    def claim(
        self,
        limit: int,
        share: int,
        busy: Mapping[str, int],
        kinds: Collection[str] = (),
        besides: Collection[str] = (),
        order: Order = OLDEST_FIRST,
    ) -> Claims:
        """Claim due jobs. ``next_at`` is in the past if more than ``limit`` could be claimed. Jobs due in a
        lane that is full do not count: the caller notices when one of the lane ends, and would ask in vain
        before."""
        load = plans.as_json(dict(busy))
        only, never = (plans.as_json(dict.fromkeys(each, 1)) for each in (kinds, besides))
        room = plans.as_json([plans.room(each) for each in order.rooms])
        last = plans.as_json(order.served)
        return answers.claims(
            self._run(self._claim, limit, share, self._claim_ms, load, only, never, room, last)
        )

    def renew(self, claims: Collection[Claim]) -> frozenset[str]:
        if not claims:
            return frozenset()
        return frozenset(self._run(self._renew, self._claim_ms, plans.claim_arguments(claims)))

    def wait(self, seconds: float) -> None:
        if seconds > 0:
            # to Redis zero means for ever; some versions take less than a millisecond for zero
            held = max(min(seconds, LONGEST_WAIT), 0.001)
            with translate_errors():
                self._patient.blpop([self._name("nudge")], timeout=held)

    def entries(self, after: str = "", count: int = 100) -> Sequence[tuple[str, datetime, Entry]]:
        """Raise ValueError if ``after`` is not the name of an entry."""
        return [(it.name, it.at, decode_entry(it.name, it.text)) for it in self.written_entries(after, count)]

    def written_entries(self, after: str = "", count: int = 100) -> Sequence[Written]:
        """Raise ValueError if ``after`` is not the name of an entry."""
        if not re.fullmatch(r"(\d+(-\d+)?)?", after):
            raise ValueError(f"{after!r} is not the name of an audit entry")
        rows = self._rows("audit", f"({after}" if after else "-", count)
        return [answers.written_entry(name, row) for name, row in rows]

    def seals(self, after: int = 0, count: int = 100) -> Sequence[Sealed]:
        return [answers.sealed_entry(name, row) for name, row in self._rows("seals", f"{after + 1}", count)]

    def condition(self) -> Condition:
        return answers.condition(self._run(self._condition, FAILING_AFTER, MOST_TOLD, "open", "overdue"))

    # ------------------------------------------------------------------------------------- Census

    def page_of_grants(self, index: str, cursor: int) -> tuple[Sequence[str], int]:
        with translate_errors():
            answer: Any = self._client.sscan(f"{self._name('index:')}{index}", cursor, count=PAGE)
        after, ids = answer
        return ids, after

    def page_of_documents(self, shape: type[Document], cursor: int) -> tuple[Sequence[str], int]:
        return self._page_of(shape, "", cursor)

    def _page_of(self, shape: type[Document], begins: str, cursor: int) -> tuple[Sequence[str], int]:
        before = f"{self._name('doc:')}{shape.kind}:"
        with translate_errors():
            answer: Any = self._client.scan(cursor, match=f"{before}{begins}*", count=SCANNED_AT_ONCE)
        after, found = answer
        return [name.removeprefix(before) for name in found], after

    def grants(self, index: str) -> Iterator[Sequence[str]]:
        return _pages(_all(partial(self.page_of_grants, index)))

    def holds(self, target: str = "") -> Iterator[Sequence[str]]:
        return _pages(_all(partial(self._page_of, HoldRecord, f"{target}/" if target else "")))

    def documents(self, shape: type[Document]) -> Iterator[Sequence[str]]:
        """Go through everything in this Redis, which takes a second for each million keys."""
        return _pages(_all(partial(self.page_of_documents, shape)))

    def unheld(self, holds: Collection[str]) -> frozenset[str]:
        return frozenset(self._run(self._unheld, plans.as_json(list(holds))))

    def not_due(self, members: Collection[str]) -> frozenset[str]:
        return frozenset(self._run(self._unowed, plans.as_json(list(members))))

    def owed_too_late(self, longest: Mapping[str, timedelta]) -> frozenset[str]:
        within = {kind: str(each // timedelta(milliseconds=1)) for kind, each in longest.items()}
        return frozenset(self._run(self._late, plans.as_json(within)))

    def claim_these(
        self, members: Collection[str], limit: int, share: int, busy: Mapping[str, int]
    ) -> Claims:
        load, these = plans.as_json(dict(busy)), plans.as_json(list(members))
        return answers.claims(
            self._run(self._claim, limit, share, self._claim_ms, load, "{}", "{}", "[]", "[]", these)
        )

    # ----------------------------------------------------------------------------------------------

    def _write(self, which: Any, how: str, changes: Collection[Change]) -> list[Committed | Conflict]:
        arguments: Sequence[str | bytes | int] = (
            how,
            *plans.sending(),
            self._copies,
            *(plans.plan(change) for change in changes),
        )
        too_few: NotCopied | None = None
        if self._copied and any(change.copied for change in changes):
            (now, self._seen.primary, *found), too_few = self._copied.run(which, *arguments)
        else:
            now, self._seen.primary, *found = self._run(which, *arguments, writing=True)
        for outcome, _, said in found:
            if outcome == "uncompared":
                raise FailedOver(
                    FAILED_OVER
                    if said
                    else "Redis does not say which server it is: nothing is granted until its user may run"
                    " INFO"
                )
            if outcome == "unlogged":
                raise TemporaryFailure(
                    f"the audit cannot be written ({said}): nothing new is granted until it can; revoking"
                    " goes on"
                )
            if outcome == "done" and said:
                log.critical("audit not written", error=said)
            if too_few and outcome in ("done", "again"):
                raise too_few
        return [
            answers.receipt(change, moment(now), *each) for change, each in zip(changes, found, strict=True)
        ]

    # ------------------------------------------------------------------------------------- Primary

    def server(self) -> str:
        return str(self._run(self._compare)[1])

    def serving(self) -> Serving | None:
        if not self._copies:
            return None
        last, now = self._run(self._compare)
        return Serving(last=last, now=now)

    def mark_compared(self, with_server: str) -> None:
        self._run(self._compare, with_server)

    def wait_for_copies(self) -> bool:
        return self._copied is None or self._copied.wait_for_replicas(self._mark, self._seen.primary)

    def upgrade(self) -> None:
        """Move Redis to the shape of records that this process writes. From then on, processes that know only
        an older shape do nothing. Raise TemporaryFailure."""
        self._run(self._upgrade)

    def _rows(self, stream: str, first: str, count: int) -> Sequence[tuple[str, Mapping[str, str]]]:
        """Read rows of a stream. Anything that is not UTF-8 keeps its bytes: somebody must have written it by
        hand."""
        with translate_errors():
            rows: Any = self._client.xrange(self._name(stream), min=first, count=count)
        return [*rows]

    def _run(self, which: Any, *arguments: str | bytes | int, writing: bool = False) -> Any:
        with translate_errors(writing=writing):
            return which(keys=self._names, args=arguments)

    def _name(self, name: str) -> str:
        return self._names[NAMES.index(name)]


def _all(page: Callable[[int], tuple[Sequence[str], int]]) -> Iterator[str]:
    ids, cursor = page(0)
    yield from ids
    while cursor:
        ids, cursor = page(cursor)
        yield from ids


def _pages(names: Iterator[str]) -> Iterator[Sequence[str]]:
    while page := list(islice(names, PAGE)):
        yield page
