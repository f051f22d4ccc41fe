"""Noticing that Redis came back older than it was: each worker remembers, in a file too, what was there."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from bot.core.anchors import ENDED_KEPT, LASTS, Anchored, Ended, all_ended, ended_lately, newer, says_more
from bot.core.chain import before_all, read_seal
from bot.core.errors import PermanentFailure
from bot.core.grants import Grant
from bot.core.reasons import Reason, Why, because
from bot.ports import (
    Anchor,
    AuditTrail,
    Census,
    Change,
    Due,
    Entry,
    Key,
    Ledger,
    Note,
    Primary,
    Restore,
    SealHead,
    Serving,
    Snapshot,
)
from bot.usecases import failover
from bot.usecases.attempts import settled
from bot.usecases.seal import HEAD, RESTORE, moved, newest, versions_of

ENDS = frozenset({"ending", "could not be given"})
"""What the audit calls it when a grant loses its lease early, or is seen to have lost it."""

OTHERS_COMPARE_WITHIN = timedelta(seconds=10)
"""So long a worker that has nothing to compare with leaves a failover to those that have."""

ACCEPTED = "restore accepted"
MOST_NAMED = 20
PAGE = 1_000


class Books(AuditTrail, Census, Protocol):
    """The audit, and all that is held."""


class Watch:
    """One worker's own memory of the newest seal, and the anchor where it is kept outside Redis as well.
    Threads may share it. ``anchor`` finds the anchor, None where the policy names none."""

    def __init__(
        self,
        ledger: Ledger,
        books: Books,
        anchor: Callable[[], Anchor | None],
        new_id: Callable[[], str],
        primary: Primary | None = None,
    ) -> None:
        self.ledger = ledger
        self._primary = primary
        self._compared_with: str | None = None
        self._waits_for_others: tuple[Serving, datetime] | None = None
        self._ends_up_to = ""
        self._accepted_at: datetime | None = None
        self.books = books
        self._anchor = anchor
        self._new_id = new_id
        self._seen: Anchored | None = None
        self._lock = threading.Lock()

    def look(self, channel: str | None) -> Restore | None:
        """See whether the ledger still has what it once had. If so, remember its newest seal; else write a
        Restore and tell ``channel``. While a Restore is there, nothing newer is remembered. Returns the
        Restore that is there.

        Raises TemporaryFailure where Redis does not answer, and PermanentFailure where the anchor cannot be
        read or written; the memory is compared all the same.
        """
        with self._lock:
            # before all else is read: what takes over from here on is compared the next time
            serving = self._primary.serving() if self._primary else None
            anchor = self._anchor()
            try:
                # before the ledger is read: another worker may put a newer one there at any time
                kept = anchor.read() if anchor else None
            except PermanentFailure:
                self._compare(channel)
                raise
            self._seen = self._joined(self._seen, kept)
            if serving and serving.now != self._compared_with:
                self._end_again(serving, channel)
            restore = self._compare(channel)
            if self._primary and serving and not serving.compared:
                if serving.last and not (kept or restore):
                    restore = self._hold_back(serving, anchor, channel)
                if kept or restore or not serving.last:
                    self._primary.compared(serving.now)
            self._remember_ended()
            if anchor and self._seen and says_more(self._seen, kept):
                anchor.write(self._seen)
            return restore

    def _compare(self, channel: str | None) -> Restore | None:
        seen = self._seen
        snap = self.ledger.read({HEAD, RESTORE})
        head = newest(snap, self.books)
        if seen and not self._has(seen, head):
            return settled(lambda: self._notice(seen, channel))
        restore = snap.find(Restore)
        if restore is None:
            self._seen = self._lasting(head, snap.now)
        return restore

    def _has(self, seen: Anchored, head: SealHead) -> bool:
        """Whether the seal is in the ledger, or was given up when a restore was accepted: numbers of seals
        go on beyond all that are known to have been lost, so a lower number speaks of what was before."""
        if seen.number <= head.given_up:
            return True
        found = self.books.seals(seen.number - 1, 1)
        if not found or found[0].number != seen.number:
            return False
        try:
            return read_seal(found[0].text).head == seen.head
        except ValueError:
            return False

    # ------------------------------------------------------------------------------------ remembering

    def _lasting(self, head: SealHead, now: datetime) -> Anchored | None:
        """The newest seal that no crash can lose any more, with what had ended by then."""
        seen = self._seen
        if head.sealed_at is None or now - head.sealed_at < LASTS:
            head = self._earlier(head, now)
        if seen and head.number <= seen.number:
            return seen
        if not head.number:
            return None
        return Anchored(number=head.number, head=head.head, last=head.last, ended=seen.ended if seen else ())

    def _earlier(self, head: SealHead, now: datetime) -> SealHead:
        for each in reversed(self.books.seals(max(head.number - PAGE, 0), PAGE)):
            with suppress(ValueError):
                seal = read_seal(each.text)
                if now - seal.at >= LASTS:
                    return moved(head, seal)
        return SealHead()

    def _joined(self, seen: Anchored | None, kept: Anchored | None) -> Anchored | None:
        found = newer(seen, kept)
        if seen is None or kept is None or found is None:
            return found
        return replace(found, ended=all_ended(seen.ended, kept.ended))

    def _remember_ended(self) -> None:
        """Add what has ended since the last look, and drop what a person has looked at. While a copy is
        missing nothing grows too old: a server that takes over may not have it."""
        seen = self._seen
        if seen is None:
            return
        now = self.ledger.read().now
        every = all_ended(seen.ended, self._ended(now))
        if self._accepted_at:
            every = tuple(each for each in every if each.at > self._accepted_at)
        lately = ended_lately(every, (), now)
        whole = lately != every and not self.ledger.copied()
        self._seen = replace(seen, ended=every if whole else lately)

    def _ended(self, now: datetime) -> Iterator[Ended]:
        """The grants that ended in the last day, behind the entry that was read last."""
        a_day_ago = f"{int((now - ENDED_KEPT).timestamp() * 1000)}-0"
        after = max(self._ends_up_to, a_day_ago, key=before_all)
        while page := self.books.written(after, PAGE):
            for each in page:
                what, grant = _said(each.text)
                if what in ENDS and grant:
                    yield Ended(grant=grant, at=each.at)
                elif what == ACCEPTED:
                    self._accepted_at = each.at
            self._ends_up_to = after = page[-1].name

    def _end_again(self, serving: Serving, channel: str | None) -> None:
        """Each worker once with its own list, also if another one has compared already: it may know more."""
        self._ends_up_to = ""  # names of entries are this server's own
        self._remember_ended()
        if self._seen:
            failover.end_again(self.ledger, self._seen.ended, channel)
        self._compared_with = serving.now

    def _hold_back(self, serving: Serving, anchor: Anchor | None, channel: str | None) -> Restore | None:
        """Without an anchor a person has to look, unless other workers have one. Returns None until these had
        the time."""
        snap = self.ledger.read({HEAD})
        if self._waits_for_others is None or self._waits_for_others[0] != serving:
            self._waits_for_others = (serving, snap.now)
        if anchor and snap.now - self._waits_for_others[1] < OTHERS_COMPARE_WITHIN:
            return None
        head = newest(snap, self.books)
        restore = Restore(
            noticed_at=snap.now,
            anchored="no anchor to compare with",
            found="another server of Redis that took over",
            failover=True,
            seal=head.number,
            head=head.head,
        )
        live = sum(len(page) for page in live_grants(self.ledger, self.books))
        return failover.hold_back(self.ledger, restore, live, f"failover-{serving.now}", channel)

    # --------------------------------------------------------------------------------------- noticing

    def _notice(self, seen: Anchored, channel: str | None) -> Restore:
        """Written once, and again where a newer seal turns out to be lost, or more that is live again."""
        snap = self.ledger.read({HEAD, RESTORE, *(Key.of(Grant, each.grant) for each in seen.ended)})
        before = snap.find(Restore)
        known = before.again if before else ()
        again = [each for each in seen.ended if each.grant in snap.leases and each.grant not in known]
        if before and before.seal >= seen.number and not again:
            return before
        restore = self._restore(seen, snap, before)
        restore = replace(restore, again=(*known, *(each.grant for each in again)))
        live = sum(len(page) for page in live_grants(self.ledger, self.books))
        told = [_came_back(restore, live)] if before is None else []
        told += [_live_again(each, snap) for each in again[-MOST_NAMED:]]
        notes = [Note(id=self._new_id(), channel=channel, reason=reason) for reason in told if channel]
        facts = {"anchored": restore.anchored, "found": restore.found, "live": live}
        self.ledger.commit(
            Change(
                rests_on=(versions_of(snap, RESTORE),),
                put={RESTORE: restore, **{Key.of(Note, note.id): note for note in notes}},
                due=tuple(Due(member=f"note:{note.id}", at=snap.now) for note in notes),
                audit=(Entry(what="restore noticed", facts={**facts, "again": list(restore.again)}),),
                frees=True,
            )
        )
        return restore

    def _restore(self, seen: Anchored, snap: Snapshot, before: Restore | None) -> Restore:
        if before and before.seal >= seen.number:
            return before
        return Restore(
            noticed_at=before.noticed_at if before else snap.now,
            anchored=f"seal {seen.number}",
            found=_found(newest(snap, self.books), seen),
            seal=seen.number,
            head=seen.head,
        )


def live_grants(ledger: Ledger, census: Census) -> Iterator[tuple[Grant, ...]]:
    """All that are live, page by page."""
    for page in census.grants("open"):
        snap = ledger.read(Key.of(Grant, each) for each in page)
        yield tuple(grant for grant in snap.all(Grant) if snap.live(grant))


def _came_back(restore: Restore, live: int) -> Reason:
    return because(Why.RESTORED, anchored=restore.anchored, found=restore.found, live=live)


def _found(head: SealHead, seen: Anchored) -> str:
    if head.number >= seen.number:
        return f"another seal {seen.number}"
    if head.sealed_at is None:
        return "no seal at all"
    return f"seal {head.number}, of {head.sealed_at:%Y-%m-%d %H:%M:%S} UTC"


def _live_again(ended: Ended, snap: Snapshot) -> Reason:
    grant = snap.find(Grant, ended.grant)
    return because(
        Why.LIVE_AGAIN,
        person=grant.person if grant else "",
        resource=grant.resource if grant else "",
        ended_at=int(ended.at.timestamp()),
        grant=ended.grant,
    )


def _said(text: str) -> tuple[str, str]:
    """What an entry says has happened, and to which grant. What cannot be read is for ``verify`` to tell."""
    try:
        said = json.loads(text)
        return str(said["what"]), str(said["grant"] or "")
    except (KeyError, TypeError, ValueError):
        return "", ""
