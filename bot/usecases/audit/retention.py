"""Drops what is older than ``keep``: ended grants with their cards, and sealed audit entries.

The chain that this worker has followed itself decides what is dropped, never a clock in Redis alone. A new
seal records where the kept audit begins; and with an archive, only what could be read back from it is
dropped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

from bot.core.audit.anchor import Milestone
from bot.core.audit.chain import (
    Beginning,
    Seal,
    Sealed,
    Written,
    before_all,
    beginning_seal,
    broken_link,
    moment,
    sound_seal,
)
from bot.core.errors import PermanentFailure
from bot.core.grants import Grant
from bot.ports.audit import Signer
from bot.ports.changes import Change, Claim, Done, Drop, Entry
from bot.ports.documents import Alert, Card, Key, Restore
from bot.ports.ledger import Ledger
from bot.usecases.audit.evidence import Line, examine, lines
from bot.usecases.audit.rollback import Books, RollbackGuard, live_grants
from bot.usecases.audit.seal import HEAD, RESTORE, head_after, newest, versions_of, with_signature
from bot.usecases.audit.sentences import sentence
from bot.usecases.retry import retry_conflicts

EVERY = timedelta(hours=1)
AT_ONCE = timedelta(days=1)
"""The most that is dropped in one hour."""
MOST_ENTRIES = 100_000
"""The most in one commit; more would keep Redis busy for long."""
PAGE = 200


class Archive(Protocol):
    """The place for what is dropped from Redis. Raises PermanentFailure if it cannot be written or read."""

    def write(self, found: Iterable[Written | Sealed], first: Seal, last: Seal, now: datetime) -> str:
        """Return the name under which it is kept; by then it is on disk."""
        ...

    def read(self, name: str) -> Iterator[Line]: ...


@dataclass(frozen=True, kw_only=True)
class Old:
    """The oldest seals. The ledger has the ``last`` of them as ``stored``; ``entries`` counts the entries in
    all."""

    first: Seal
    last: Seal
    stored: Sealed
    entries: int


@dataclass(frozen=True, kw_only=True)
class Retention:
    """The dropping of what is old. ``wall`` is this machine's clock, so that a fast clock of Redis makes
    nothing old."""

    ledger: Ledger
    books: Books
    guard: RollbackGuard
    signer: Signer | None
    wall: Callable[[], datetime]

    def run(self, claim: Claim, keep: timedelta | None, archive: Archive | None) -> None:
        """Drop at most one day of what is older than ``keep`` (None: keep it for ever), and be due again in
        an hour. Raises PermanentFailure, and drops nothing, if the audit or its archive is not as it should
        be."""
        snap = self.ledger.read({HEAD, RESTORE})
        old = self._old(keep) if keep and not snap.find(Restore) else None
        if old is None:
            self.ledger.commit(Change(done=Done(claim=claim, next_at=snap.now + EVERY)))
            return
        kept_in = None
        if archive:
            kept_in = archive.write(self._lines(old), old.first, old.last, snap.now)
            found = examine(archive.read(kept_in))
            if found.wrong or found.head is None or found.head.head != old.last.head:
                what = "; ".join(map(sentence, found.wrong[:3])) or "it does not end where it should"
                raise PermanentFailure(
                    f"{kept_in} in the audit archive cannot be trusted, so nothing is dropped: {what}; run"
                    " rotakey audit verify"
                )
        self._drop_grants(old)
        self._restate(old)
        retry_conflicts(lambda: self._drop(claim, old, kept_in))

    # ------------------------------------------------------------------------------------ what is old

    def _old(self, keep: timedelta) -> Old | None:
        """Find a seal that this worker itself passed longer than ``keep`` ago, and follow the chain to it
        from its oldest seal. Everything before it is at least as old, whatever its dates say. Return no more
        of that than may be dropped at once."""
        remembered = self.guard.newest_seen()
        oldest = self.books.seals(0, 1)
        newest_at = self._made_at(remembered.number, remembered.head) if remembered else None
        if remembered is None or newest_at is None or not oldest:
            return None
        until = min(newest_at, self.wall()) - keep
        passed = (
            each for each in remembered.milestones if each.number > oldest[0].number and each.at <= until
        )
        known = next((each for each in passed if self._made_at(each.number, each.head)), None)
        old: Old | None = None
        full = False
        for stored, seal in self._chain_to(known) if known else ():
            if old is None:
                old = Old(first=seal, last=seal, stored=stored, entries=seal.count)
                continue
            entries = old.entries + seal.count
            full = full or seal.at - old.first.at > AT_ONCE or entries > MOST_ENTRIES
            if not full:
                old = replace(old, last=seal, stored=stored, entries=entries)
        return old

    def _made_at(self, number: int, head: str) -> datetime | None:
        """Return when this seal was made; None if it is missing, or another seal has its number."""
        for each in self.books.seals(number - 1, 1):
            with suppress(ValueError):
                seal = sound_seal(each)
                if seal.head == head:
                    return seal.at
        return None

    def _chain_to(self, known: Milestone) -> Iterator[tuple[Sealed, Seal]]:
        """Yield the seals before that one. Raises PermanentFailure if one of them was changed or is
        missing."""
        before: Seal | None = None
        number = 0
        while page := self.books.seals(number, 1_000):
            for stored in page:
                try:
                    seal = sound_seal(stored)
                    broken = broken_link(seal, before.number, before.head) if before else None
                except ValueError as error:
                    broken = str(error)
                if broken:
                    raise PermanentFailure(
                        f"the audit is damaged, so nothing is dropped: {broken}; run rotakey audit verify"
                    )
                if seal.number == known.number and seal.head == known.head:
                    return
                yield stored, seal
                before = seal
            number = page[-1].number

    # --------------------------------------------------------------------------------------- dropping

    def _lines(self, old: Old) -> Iterator[Written | Sealed]:
        last = before_all(old.last.last)
        for line in lines(self.books):
            if isinstance(line, Sealed):
                yield line
                if line.number == old.last.number:
                    return
            elif before_all(line.name) <= last:
                yield line

    def _drop_grants(self, old: Old) -> None:
        """Drop the grants that these entries are about and that had ended by then, with their cards. A grant
        that changes in the meantime is not finished, and stays."""
        named: dict[str, None] = {}
        for line in self._lines(old):
            with suppress(KeyError, RecursionError, TypeError, ValueError):
                which = json.loads(line.text)["grant"] if isinstance(line, Written) else None
                if which and isinstance(which, str):
                    named[which] = None
        ids = iter(named)
        while page := list(islice(ids, PAGE)):
            snap = self.ledger.read(Key.of(Grant, each) for each in page)
            changes = []
            for grant in snap.all(Grant):
                if grant.open or snap.live(grant) or (grant.ended_at or grant.asked_at) > old.last.at:
                    continue
                own = Key.of(Grant, grant.id)
                cards = [Key.of(Card, each) for each in (grant.id, *grant.extension_ids)]
                put = dict.fromkeys((own, *cards, Key.of(Alert, grant.id)))
                changes.append(Change(rests_on=(versions_of(snap, own),), put=put, frees=True))
            self.ledger.commit_all(changes)

    def _restate(self, old: Old) -> None:
        """Write down again what later entries will not say of live grants, because these entries may be all
        that the audit says of them."""
        for page in live_grants(self.ledger, self.books):
            entries = []
            for grant in (each for each in page if each.asked_at <= old.last.at):
                facts = {
                    "person": grant.person,
                    "resource": grant.resource,
                    "state": grant.state.value,
                    "asked_at": grant.asked_at,
                    "approved_at": grant.approved_at,
                    "until": grant.until,
                    "reason": grant.reason,
                    "rule": grant.rule,
                    "policy": grant.policy,
                    "by": [each.person for each in grant.votes],
                    "holds": [str(hold.key) for hold in grant.gives],
                }
                entries.append(Entry(what="restated", grant=grant.id, facts=facts))
            if entries:
                self.ledger.commit(Change(audit=tuple(entries), frees=True))

    def _drop(self, claim: Claim, old: Old, kept_in: str | None) -> None:
        snap = self.ledger.read({HEAD, RESTORE})
        if snap.find(Restore):
            raise PermanentFailure(
                "Redis came back with older data: nothing is dropped until that is accepted with rotakey"
                " doctor --accept-restore"
            )
        head = newest(snap, self.books)
        begins = Beginning(seal=old.last.number, head=old.last.head, at=moment(old.last.at))
        key = self.signer.key if self.signer else None
        seal = beginning_seal(
            begins, number=head.number + 1, last=head.last, previous=head.head, at=snap.now, key=key
        )
        seal = with_signature(seal, head, self.signer)
        facts = {"before": begins.at, "seal": begins.seal, "entries": old.entries, "archive": kept_in}
        self.ledger.commit(
            Change(
                rests_on=(versions_of(snap, HEAD, RESTORE),),
                put={HEAD: head_after(head, seal)},
                seal=seal,
                drop=Drop(seal=old.stored, last=old.last.last),
                audit=(Entry(what="old entries dropped", facts=facts),),
                done=Done(claim=claim, next_at=snap.now + EVERY),
                frees=True,
            )
        )
