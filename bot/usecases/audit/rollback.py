"""Notices that Redis came back older than it was: each worker remembers what was there, in a file too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from bot.core.audit.anchor import (
    ENDED_KEPT,
    LASTS,
    Anchored,
    Ended,
    GivenUp,
    Milestone,
    PolicyMark,
    all_ended,
    ended_lately,
    has_come_back,
    milestones_with,
    newer,
    newer_policy,
    policy_mark,
    says_more,
)
from bot.core.audit.chain import GENESIS, Seal, Sealed, before_all, broken_link, signature_of, sound_seal
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.grants import Grant
from bot.core.reasons import Why, because
from bot.ports.audit import Anchor, AuditTrail, Signer
from bot.ports.changes import Change, Entry
from bot.ports.documents import Key, Note, PolicyInForce, PolicyVersion, Restore, SealHead
from bot.ports.ledger import Census, Ledger, Primary, Serving
from bot.usecases.access.hands import LOSSES, loss_change, note_server
from bot.usecases.audit import failover
from bot.usecases.audit.seal import HEAD, RESTORE, UnreadableSeal, grant_ending, newest, versions_of
from bot.usecases.notes import note_change
from bot.usecases.retry import retry_conflicts

OTHERS_COMPARE_WITHIN = timedelta(seconds=10)
"""A worker that has nothing to compare with leaves a failover to the others for this long."""

KEPT_UP_WITHIN = timedelta(seconds=10)
"""An anchor is written each second with the newest seal older than LASTS, so the seals after it span a few
seconds. If they span more, it was not written lately, and recent ends are not in it."""

POLICY = Key.of(PolicyInForce)
ACCEPTED = "restore accepted"
MOST_NAMED = 20
PAGE = 1_000


class Books(AuditTrail, Census, Protocol):
    """The audit, and all that is held."""


class RollbackGuard:
    """One worker's own memory of the newest seal, and the anchor if it is kept outside Redis as well. Threads
    may share it. ``anchor`` finds the anchor, None if the policy names none. ``signer`` is the key that an
    acceptance must be signed with; None: seals are not signed."""

    def __init__(
        self,
        ledger: Ledger,
        books: Books,
        anchor: Callable[[], Anchor | None],
        new_id: Callable[[], str],
        signer: Signer | None,
        primary: Primary | None = None,
    ) -> None:
        self.ledger = ledger
        self._primary = primary
        self._compared_with: str | None = None
        self._waits_for_others: tuple[Serving, datetime] | None = None
        self._ends_up_to = ""
        self._accepted_at: datetime | None = None
        self.books = books
        self.signer = signer
        self._anchor = anchor
        self._new_id = new_id
        self._seen: Anchored | None = None
        self._lock = threading.Lock()

    def look(self, channel: str | None) -> Restore | None:
        """Check whether the ledger still has what it once had. If so, remember its newest seal; otherwise
        write a Restore and notify ``channel``. While a Restore is there, nothing newer is remembered. Until a
        server that took over is compared or accepted, no anchor is written. Return the Restore that is there.
        Raises TemporaryFailure if Redis does not answer, and PermanentFailure if the anchor cannot be read or
        written, or a seal cannot be judged here. If anything fails before that, the memory is compared all
        the same."""
        with self._lock:
            try:
                # before all else is read: what takes over from here on is compared the next time
                serving = self._primary.serving() if self._primary else None
                if self._primary:
                    note_server(self.ledger, self._primary.server())
                anchor = self._anchor()
                # before the ledger is read: another worker may put a newer one there at any time
                kept = anchor.read() if anchor else None
                self._seen = self._with_kept(self._seen, kept)
                if serving and serving.now != self._compared_with:
                    self._end_again(serving, channel)
            except Exception:
                self._compare_policy(self._compare(channel))
                raise
            restore = self._compare(channel)
            self._compare_policy(restore)
            if self._primary and serving and not serving.is_compared:
                knows = not serving.last or (kept and self._is_kept_up(kept))
                restore = restore or (None if knows else self._hold_back(serving, anchor, kept, channel))
                if not (knows or restore):
                    return None  # an anchor that is made of this server is not one to compare it with
                self._primary.mark_compared(serving.now)
            self._remember_ended()
            unknown = restore and restore.failover
            if anchor and self._seen and not unknown and says_more(self._seen, kept):
                anchor.write(self._seen)
            return restore

    def _compare(self, channel: str | None) -> Restore | None:
        snap = self.ledger.read({HEAD, RESTORE})
        restore = snap.find(Restore)
        seen = self._seen
        if seen is None and restore is None:
            head = newest(snap, self.books)
            for seal in reversed([*self._seals_behind(max(head.number - PAGE, 0))]):
                if snap.now - seal.at >= LASTS and not self._is_forged(seal):
                    self._seen = _anchor_at(seal)
                    break
        if seen is None:
            return restore
        try:
            lasting, broken = self._follow(seen, newest(snap, self.books), snap.now)
        except UnreadableSeal:
            lasting, broken = seen, "a seal that cannot be read (see rotakey audit verify)"
        if restore is None:
            self._seen = lasting
        if not broken:
            return restore
        # accepting a restore deletes it in the same commit
        excuse = None if restore else self._excuse(seen)
        if excuse is None:
            return retry_conflicts(lambda: self._notice(seen, broken, channel))
        if snap.now - excuse.at >= LASTS:
            self._seen = self._anchor_behind(seen, excuse)
        return None

    def _compare_policy(self, restore: Restore | None) -> None:
        """Hold back the policy in force if it is older than the one that we remember; otherwise remember
        it."""
        seen = self._seen
        if seen is None:
            return
        kept = seen.policy

        def attempt() -> PolicyMark | None:
            keys = {POLICY, *((Key.of(PolicyVersion, kept.version),) if kept else ())}
            snap = self.ledger.read(keys)
            force = snap.find(PolicyInForce)
            if force is None or force.since is None or force.held_back:
                return None
            mark = policy_mark(force.version, force.since)
            known = kept is not None and bool(snap.versions.get(Key.of(PolicyVersion, kept.version)))
            if kept is None or not has_come_back(kept, mark, applied=force.applied, known=known):
                return mark
            reason = because(
                Why.POLICY_CAME_BACK,
                version=force.version,
                anchored=kept.version,
                anchored_at=int(kept.since.timestamp()),
            )
            self.ledger.commit(
                Change(
                    rests_on=(versions_of(snap, POLICY),),
                    put={POLICY: replace(force, held_back=reason)},
                    audit=(Entry(what="policy held back", facts=reason.facts),),
                    frees=True,
                )
            )
            return None

        mark = retry_conflicts(attempt)
        if mark and restore is None:
            self._seen = replace(seen, policy=newer_policy(kept, mark))

    def _excuse(self, seen: Anchored) -> Seal | None:
        """Return the seal by which somebody gave up the seal that we remember, or by which it was dropped
        because it was old. Such a seal also speaks of every lower number, because numbers only grow. Only a
        seal with our signature counts, not what Redis says elsewhere. Raises PermanentFailure if there is a
        signature that cannot be checked here."""
        before: Seal | None = None
        for seal in self._seals_behind(max(seen.number - 1, 0)):
            about = seal.accepted or seal.begins
            if (
                about
                and seal.number > seen.number
                and about.seal >= seen.number
                and (before is None or seal.previous == before.head)
                and self._is_ours(seal, seen)
            ):
                return seal
            before = seal
        return None

    def _is_signed(self, seal: Seal) -> bool:
        return self.signer is not None and self.signer.trusts(seal.head, signature_of(seal))

    def _is_ours(self, seal: Seal, seen: Anchored) -> bool:
        if self.signer:
            return self._is_signed(seal)
        if seen.key and seal.signature:
            raise PermanentFailure(
                f"seal {seal.number} of the audit says that what this worker remembers was given up, but its"
                " signature cannot be checked here: set AUDIT_KEY"
            )
        return seen.key is None

    def _seals_behind(self, number: int) -> Iterator[Seal]:
        """Yield the later seals that have not been changed."""
        while page := self.books.seals(number, PAGE):
            for each in page:
                with suppress(ValueError):
                    yield sound_seal(each)
            number = page[-1].number

    def newest_seen(self) -> Anchored | None:
        """Return the newest seal to which this worker has followed the chain."""
        with self._lock:
            return self._seen

    # ------------------------------------------------------------------------------------ remembering

    def _follow(self, seen: Anchored, head: SealHead, now: datetime) -> tuple[Anchored, str | None]:
        """Follow the chain from the seal that we remember. Return the last seal that a crash can no longer
        lose and before which nothing is missing; and what is wrong in the ledger, or None."""
        page = self.books.seals(seen.number - 1, PAGE)
        is_there, broken, last = False, None, seen
        if page and page[0].number == seen.number:
            with suppress(ValueError):
                is_there = sound_seal(page[0]).head == seen.head
        if not is_there and head.number >= seen.number:
            broken = f"another seal {seen.number}"
        elif not is_there and head.sealed_at is None:
            broken = "no seal at all"
        elif not is_there:
            broken = f"seal {head.number}, of {head.sealed_at:%Y-%m-%d %H:%M:%S} UTC"
        while page and not broken:
            for each in page:
                if each.number <= seen.number:
                    continue
                seal, broken = self._next_of(last, each)
                if seal is None or now - seal.at < LASTS:
                    return last, broken
                last = self._anchor_behind(last, seal)
            page = self.books.seals(page[-1].number, PAGE)
        return last, broken

    def _anchor_behind(self, seen: Anchored, seal: Seal) -> Anchored:
        """Return the anchor at the next seal, or where a restore was accepted, or old seals were dropped.
        What was given up is never forgotten."""
        lost: tuple[GivenUp, ...] = ()
        if what := seal.accepted:
            self._accepted_at = seal.at
            lost = (GivenUp(seal=what.seal, head=what.head, accepted=seal.number),)
        return _anchor_at(seal, replace(seen, given_up=(*seen.given_up, *lost)))

    def _next_of(self, last: Anchored, each: Sealed) -> tuple[Seal | None, str | None]:
        """Return the seal, if it is the next one; else what is wrong with it. Raises PermanentFailure if its
        signature matters and cannot be checked here."""
        try:
            seal = sound_seal(each)
            broken = broken_link(seal, last.number, last.head)
        except ValueError as error:
            return None, f"a damaged seal {each.number}: {error}"
        if not broken and last.key and not (seal.key and seal.signature):
            broken = f"seal {seal.number} is not signed"
        elif not broken and (self._is_forged(seal) or (seal.accepted and not self._is_ours(seal, last))):
            broken = f"seal {seal.number} is not signed with the key of this worker"
        return (None, f"another chain after seal {last.number}: {broken}") if broken else (seal, None)

    def _key_of(self, seen: Anchored | None) -> str | None:
        """Return the key without which workers would not believe an acceptance."""
        return (seen.key if seen else None) or (self.signer.key if self.signer else None)

    def _is_forged(self, seal: Seal) -> bool:
        return self.signer is not None and seal.key == self.signer.key and not self._is_signed(seal)

    def _with_kept(self, seen: Anchored | None, kept: Anchored | None) -> Anchored | None:
        found = newer(seen, kept)
        if seen is None or kept is None or found is None:
            return found
        policy = newer_policy(seen.policy, kept.policy)
        return replace(found, ended=all_ended(seen.ended, kept.ended), policy=policy)

    def _remember_ended(self) -> None:
        """Add what has ended since the last look, and drop what a person has accepted. While a replica lacks
        the ends nothing is dropped for its age, because a server that takes over may not have it."""
        seen = self._seen
        if seen is None:
            return
        now = self.ledger.read().now
        for seal in self._seals_behind(seen.number):
            if seal.accepted and (self._is_signed(seal) if self.signer else seen.key is None):
                self._accepted_at = seal.at
        ended: list[Ended] = []
        a_day_ago = f"{max(0, int((now - ENDED_KEPT).timestamp() * 1000))}-0"
        after = max(self._ends_up_to, a_day_ago, key=before_all)
        while page := self.books.written_entries(after, PAGE):
            ended += [Ended(grant=each, at=one.at) for one in page if (each := grant_ending(one.text))]
            self._ends_up_to = after = page[-1].name

        every = all_ended(seen.ended, ended)
        if self._accepted_at:
            every = tuple(each for each in every if each.at > self._accepted_at)
        lately = ended_lately(every, (), now)
        whole = lately != every and not self.ledger.wait_for_copies()
        self._seen = replace(seen, ended=every if whole else lately)

    def _end_again(self, serving: Serving, channel: str | None) -> None:
        """End again what this worker's own list has. Each worker does this once, even if another one has
        compared already, because it may know more."""
        self._ends_up_to = ""  # names of entries are this server's own
        self._remember_ended()
        if self._seen:
            failover.end_again(self.ledger, self._seen.ended, channel)
        self._compared_with = serving.now

    def _is_kept_up(self, kept: Anchored) -> bool:
        """Return whether the anchor was written until about the newest seal that no crash can lose."""
        now = self.ledger.read().now
        first: Seal | None = None
        for seal in self._seals_behind(kept.number):
            first = first or seal
            if now - seal.at >= LASTS and seal.at - first.at > KEPT_UP_WITHIN:
                return False
        return True

    def _hold_back(
        self, serving: Serving, anchor: Anchor | None, kept: Anchored | None, channel: str | None
    ) -> Restore | None:
        """Hold back granting until a person has looked, if there is no anchor that was kept up. Return None
        until other workers, which may have one, had the time to compare."""
        snap = self.ledger.read({HEAD})
        if self._waits_for_others is None or self._waits_for_others[0] != serving:
            self._waits_for_others = (serving, snap.now)
        if anchor and snap.now - self._waits_for_others[1] < OTHERS_COMPARE_WITHIN:
            return None
        head = newest(snap, self.books)
        restore = Restore(
            noticed_at=snap.now,
            anchored=f"only seal {kept.number}, in an anchor that was not up to date"
            if kept
            else "no anchor to compare with",
            found="another Redis server, which took over",
            failover=True,
            seal=head.number,
            head=head.head,
            key=head.key or self._key_of(self._seen),
        )
        live = self._count_live()
        return failover.hold_back(self.ledger, restore, live, f"failover-{serving.now}", channel)

    # --------------------------------------------------------------------------------------- noticing

    def _count_live(self) -> int | None:
        """Return the number of live grants; None if they cannot be counted: granting is held back in any
        case."""
        try:
            return sum(len(page) for page in live_grants(self.ledger, self.books))
        except (TemporaryFailure, PermanentFailure, ValueError):  # if Redis is away, the commit says so
            return None

    def _notice(self, seen: Anchored, broken: str, channel: str | None) -> Restore:
        """Commit the Restore once, and again if a newer seal turns out to be lost, or more grants to be live
        again."""
        snap = self.ledger.read({HEAD, RESTORE, LOSSES, *(Key.of(Grant, each.grant) for each in seen.ended)})
        before = snap.find(Restore)
        known = before.again if before else ()
        again = [each for each in seen.ended if each.grant in snap.leases and each.grant not in known]
        if before and before.seal >= seen.number and not again:
            return before
        key = self._key_of(seen) or (before.key if before else None)
        restore = before
        if restore is None or restore.seal < seen.number:
            at, anchored = (before.noticed_at if before else snap.now), f"seal {seen.number}"
            restore = Restore(
                noticed_at=at, anchored=anchored, found=broken, seal=seen.number, head=seen.head
            )
        restore = replace(restore, key=key, again=(*known, *(each.grant for each in again)))
        live = self._count_live()
        found: dict[str, str | int] = {"anchored": restore.anchored, "found": restore.found}
        counted = {**found, "live": live} if live is not None else {}
        told = [because(Why.RESTORED, **counted)] if before is None else []
        for each in again[-MOST_NAMED:]:
            grant = snap.find(Grant, each.grant)
            person, resource = (grant.person, grant.resource) if grant else ("", "")
            about = {"person": person, "resource": resource, "grant": each.grant}
            told.append(because(Why.LIVE_AGAIN, ended_at=int(each.at.timestamp()), **about))
        notes = [Note(id=self._new_id(), channel=channel, reason=reason) for reason in told if channel]
        facts = {**found, "live": live, "again": list(restore.again)}
        change = Change(
            rests_on=(versions_of(snap, RESTORE, LOSSES),),
            put={RESTORE: restore},
            audit=(Entry(what="restore noticed", facts=facts),),
            frees=True,
        )
        self.ledger.commit(change.plus(loss_change(snap), note_change(snap.now, *notes)))
        return restore


def _anchor_at(seal: Seal, before: Anchored | None = None) -> Anchored:
    """Return the anchor at this seal. The first seal that a worker sees is not a milestone, because it may be
    of any age."""
    known = before or Anchored(number=0, head=GENESIS)
    passed = Milestone(number=seal.number, head=seal.head, at=seal.at)
    return replace(
        known,
        number=seal.number,
        head=seal.head,
        last=seal.last,
        key=seal.key,
        milestones=milestones_with(known.milestones, passed) if before else (),
    )


def live_grants(ledger: Ledger, census: Census) -> Iterator[tuple[Grant, ...]]:
    """Yield all live grants, page by page."""
    for page in census.grants("open"):
        snap = ledger.read(Key.of(Grant, each) for each in page)
        yield tuple(grant for grant in snap.all(Grant) if snap.live(grant))
