"""Seals the audit: what was written a moment ago is closed by a seal, each linked to the one before."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import takewhile

from bot.core.audit.anchor import LASTS, MOST_SEALED, SETTLES, Anchored, is_grant_id
from bot.core.audit.chain import Seal, Sealed, read_seal, seal_of, signed_seal
from bot.core.errors import PermanentFailure
from bot.core.reasons import Why, because
from bot.ports.audit import AuditTrail, Signer
from bot.ports.changes import Change, Claim, Done, Snapshot
from bot.ports.documents import Key, Note, Restore, SealHead
from bot.ports.ledger import Ledger
from bot.usecases.notes import note_change

SEAL = "seal:audit"
KEEP = "keep:audit"
EVERY = timedelta(seconds=5)
MOST = MOST_SEALED
QUIET = timedelta(seconds=50)
"""While little happens, entries wait this long for others to share their seal, unless something ended."""
ENOUGH = 50
"""Entries that are worth a seal at once."""
ENDS = frozenset({"ending", "could not be given"})
"""The audit's names for a grant that loses its lease early, or is seen to have lost it."""
TELL_EVERY = timedelta(hours=1)
PAGE = 100

HEAD, RESTORE = Key.of(SealHead), Key.of(Restore)


@dataclass(frozen=True, kw_only=True)
class Sealing:
    """The sealing of the audit. ``signer`` None: seals are not signed. Two that run at once cannot fork the
    chain: the head is compared, and the one that lost looks again."""

    ledger: Ledger
    trail: AuditTrail
    signer: Signer | None
    new_id: Callable[[], str]

    def seal(self, claim: Claim, channel: str | None = None) -> None:
        """Seal what is old enough, and be due again. The newest seal is reported to ``channel``, if there is
        one, at most once an hour, and only if it is a new one. A few entries wait for others, unless
        something ended: workers remember an end only once it is sealed."""
        snap = self.ledger.read({HEAD, RESTORE})
        head, now = newest(snap, self.trail), snap.now
        change = Change(rests_on=(versions_of(snap, HEAD),), done=Done(claim=claim, next_at=now + EVERY))

        fresh = head.sealed_at is None or now - head.sealed_at < LASTS
        told = head.told == head.number or (head.told_at and now - head.told_at < TELL_EVERY)
        if channel and not (snap.find(Restore) or fresh or told):
            anchor = Anchored(number=head.number, head=head.head).short
            reason = because(Why.SEALED, seal=head.number, anchor=anchor)
            change = change.plus(note_change(now, Note(id=self.new_id(), channel=channel, reason=reason)))
            head = replace(head, told=head.number, told_at=now)

        # Redis names entries in rising order, even if its clock is set back: no entry can appear later with a
        # lower name than one that was read, so no seal passes an entry over. Entries that such a clock dates
        # in the future are not waited for.
        found = self.trail.written_entries(head.last, MOST)
        entries = list(takewhile(lambda each: not timedelta() <= now - each.at < SETTLES, found))
        few = 0 < len(entries) < ENOUGH and not any(grant_ending(each.text) for each in entries)
        if head.number and few and timedelta() <= now - entries[0].at < QUIET:
            entries = []
        if entries:
            key = self.signer.key if self.signer else None
            seal = seal_of(entries, number=head.number + 1, previous=head.head, at=now, key=key)
            seal = with_signature(seal, head, self.signer)
            head = head_after(head, seal)
            change = replace(change, seal=seal)
        if len(entries) == MOST:
            change = replace(change, done=Done(claim=claim, next_at=now))
        if head != snap.find(SealHead):
            change = replace(change, put={**change.put, HEAD: head})
        self.ledger.commit(change)


def grant_ending(text: str) -> str | None:
    """Return the grant that an entry says is ending, or None. An entry that cannot be read is for ``verify``
    to report."""
    try:
        said = json.loads(text)
        grant = said["grant"] if said["what"] in ENDS else None
        return grant if is_grant_id(grant) else None
    except (KeyError, RecursionError, TypeError, ValueError):
        return None


class UnreadableSeal(PermanentFailure):
    """Something among the seals that is not a seal."""


def newest(snap: Snapshot, trail: AuditTrail) -> SealHead:
    """Return the end of the chain. A head that was lost, or is not that of the seal it names, is found again
    from the seals. Raises UnreadableSeal."""
    head = snap.find(SealHead) or SealHead()
    if head.number:
        found = trail.seals(head.number - 1, 1)
        seal = _read(found[0]) if found and found[0].number == head.number else None
        if seal is None or (seal.head, seal.last, seal.key) != (head.head, head.last, head.key):
            head = SealHead(told=head.told, told_at=head.told_at)
    while page := trail.seals(head.number, PAGE):
        for each in page:
            head = head_after(head, _read(each))
    return head


def head_after(head: SealHead, seal: Seal) -> SealHead:
    return replace(head, number=seal.number, head=seal.head, last=seal.last, sealed_at=seal.at, key=seal.key)


def with_signature(seal: Seal, head: SealHead, signer: Signer | None) -> Seal:
    """Return the seal, signed if there is a ``signer``. Raises PermanentFailure if the seal before is signed
    and this one would not be: nobody could distinguish it from one that somebody forged."""
    if signer:
        return signed_seal(seal, signer.sign(seal.head))
    if head.key:
        raise PermanentFailure(
            "the seals of the audit were signed until now: set AUDIT_KEY here too, or set a new one if it is"
            " lost"
        )
    return seal


def unsealed_for(ledger: Ledger, trail: AuditTrail) -> timedelta:
    """Return how long the oldest unsealed entry has waited."""
    snap = ledger.read({HEAD})
    waiting = trail.written_entries(newest(snap, trail).last, 1)
    return max(snap.now - waiting[0].at, timedelta()) if waiting else timedelta()


def versions_of(snap: Snapshot, *keys: Key) -> Snapshot:
    """Return the part of a snapshot that makes a change rest on these documents alone."""
    return Snapshot(now=snap.now, versions={key: snap.versions.get(key, 0) for key in keys})


def _read(each: Sealed) -> Seal:
    try:
        return read_seal(each.text)
    except ValueError as error:
        raise UnreadableSeal(
            f"seal {each.number} of the audit cannot be read: {error}; run rotakey audit verify"
        ) from error
