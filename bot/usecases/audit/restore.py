"""Goes on with a Redis that came back older, once somebody has looked at what it forgot."""

from __future__ import annotations

from dataclasses import replace

from bot.core.audit.chain import Acceptance, acceptance_seal
from bot.core.errors import PermanentFailure
from bot.core.holds import HoldRecord
from bot.ports.audit import Signer
from bot.ports.changes import Change, Due, Entry
from bot.ports.documents import Key, Restore
from bot.ports.ledger import Ledger
from bot.usecases.access.hands import LOSSES, loss_change
from bot.usecases.audit.rollback import ACCEPTED, Books, live_grants
from bot.usecases.audit.seal import HEAD, RESTORE, head_after, newest, versions_of, with_signature
from bot.usecases.retry import retry_conflicts


def accept_restore(ledger: Ledger, books: Books, signer: Signer | None, *, by: str, why: str) -> Restore:
    """Accept a restore, after somebody has looked at what was forgotten: what is live in the ledger is
    trusted from here on, and what it owes is looked at again, and granted. The chain goes on after a seal
    that says who accepted what, and ``verify`` reports it. Return what was accepted. Raises PermanentFailure
    if there is nothing to accept, or if seals are signed and there is no ``signer``."""
    restore = retry_conflicts(lambda: _accept(ledger, books, signer, by, why))
    for page in live_grants(ledger, books):
        holds = sorted({hold.key for grant in page for hold in grant.gives})
        snap = ledger.read(Key.of(HoldRecord, each) for each in holds)
        changes = []
        for hold in holds:
            # the last look was before the loss; anyone who changes a hold meanwhile has looked at it
            key, record = Key.of(HoldRecord, hold), snap.find(HoldRecord, hold)
            put = {key: replace(record, seen_at=None)} if record else {}
            due = (Due.hold(hold, at=snap.now),)
            changes.append(Change(rests_on=(versions_of(snap, key),), put=put, due=due))
        ledger.commit_all(changes)
    return restore


def _accept(ledger: Ledger, books: Books, signer: Signer | None, by: str, why: str) -> Restore:
    snap = ledger.read({HEAD, RESTORE, LOSSES})
    restore = snap.find(Restore)
    if restore is None:
        raise PermanentFailure("there is no restore to accept: nothing is held back")
    if restore.key and signer is None:
        raise PermanentFailure("the seals of this audit are signed: set AUDIT_KEY as on the workers")
    head = newest(snap, books)
    seal = with_signature(
        acceptance_seal(
            Acceptance(by=by, why=why, seal=restore.seal, head=restore.head),
            number=max(head.number, restore.seal) + 1,
            last=head.last,
            previous=head.head,
            at=snap.now,
            key=signer.key if signer else None,
        ),
        head,
        signer,
    )
    facts = {"why": why, "anchored": restore.anchored, "found": restore.found}
    ledger.commit(
        Change(
            rests_on=(versions_of(snap, HEAD, RESTORE, LOSSES),),
            put={RESTORE: None, HEAD: head_after(head, seal), **loss_change(snap).put},
            seal=seal,
            audit=(Entry(what=ACCEPTED, by=by, facts=facts),),
        )
    )
    return restore
