"""Handles a failover: before anything is granted again, what had ended is ended again.

The ends are compared with those kept outside Redis, because what this server does not know was lost with the
one before it. Until that is done, no process commits anything that leads to access.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from bot.core.audit.anchor import Ended
from bot.core.grants import LIVE, Grant
from bot.core.reasons import Why, because
from bot.ports.changes import Change, Entry, Lease, LeaseMove
from bot.ports.documents import Key, Note, Restore
from bot.ports.ledger import Ledger
from bot.usecases.access.hands import LOSSES, loss_change
from bot.usecases.audit.seal import RESTORE, versions_of
from bot.usecases.notes import note_change
from bot.usecases.requests.finish import ending, left_shift
from bot.usecases.retry import retry_conflicts

PAGE = 100


def end_again(ledger: Ledger, ended: Sequence[Ended], channel: str | None) -> tuple[str, ...]:
    """Commit the end of each of these that is live in this ledger, and notify ``channel``. Return their ids.
    Raises TemporaryFailure."""
    found: list[str] = []
    for first in range(0, len(ended), PAGE):
        page = {each.grant: each for each in ended[first : first + PAGE]}
        live = ledger.read(Key.of(Grant, each) for each in page).leases
        found += [each for each in live if retry_conflicts(partial(_end_again, ledger, page[each], channel))]
    return tuple(found)


def _end_again(ledger: Ledger, ended: Ended, channel: str | None) -> bool:
    snap = ledger.read({Key.of(Grant, ended.grant)})
    grant = snap.find(Grant, ended.grant)
    if ended.grant not in snap.leases:
        return False
    change = Change(rests_on=(snap,), leases=(Lease(grant=ended.grant, how=LeaseMove.DROP),), frees=True)
    ended_at = int(ended.at.timestamp())
    if grant and grant.state in LIVE:
        _, part = ending(grant, snap, because(Why.ENDED_BEFORE, ended_at=ended_at), None)
        # somebody may have given the shift back, so it does not start again automatically
        left = left_shift(grant, snap) if grant.shift_ground else {}
        change = replace(change, leases=()).plus(part, Change(put=left))
    if grant and channel is not None:
        reason = because(
            Why.ENDED_AGAIN,
            person=grant.person,
            resource=grant.resource,
            ended_at=ended_at,
            grant=grant.id,
        )
        note = Note(id=f"ended-again-{grant.id}", channel=channel, reason=reason)
        change = change.plus(note_change(snap.now, note))
    ledger.commit(change)
    return True


def hold_back(ledger: Ledger, restore: Restore, live: int | None, note: str, channel: str | None) -> Restore:
    """Commit that nothing is granted until a person accepts this server, because there is nothing to compare
    it with, and notify ``channel`` in the note with this id. Return the Restore that stands. Raises
    TemporaryFailure."""

    def attempt() -> Restore:
        snap = ledger.read({RESTORE, LOSSES})
        before = snap.find(Restore)
        if before:
            return before
        change = Change(
            rests_on=(versions_of(snap, RESTORE, LOSSES),),
            put={RESTORE: restore, **loss_change(snap).put},
            audit=(Entry(what="failover noticed", facts={"found": restore.found, "live": live}),),
            frees=True,
        )
        if channel:
            reason = because(Why.FAILED_OVER) if live is None else because(Why.FAILED_OVER, live=live)
            change = change.plus(note_change(snap.now, Note(id=note, channel=channel, reason=reason)))
        ledger.commit(change)
        return restore

    return retry_conflicts(attempt)
