"""Checks whether the audit is sealed, and remembered outside Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Protocol

from bot.core import durations
from bot.core.audit.anchor import WAITS, Anchored
from bot.core.audit.chain import read_seal
from bot.core.catalog import AuditRules
from bot.ports.audit import Anchor, AuditTrail
from bot.ports.documents import SealHead
from bot.ports.ledger import Inspection, Ledger
from bot.usecases.audit.seal import HEAD, newest, unsealed_for
from bot.usecases.doctor.findings import Finding, ago, look_at, ok, wrong

AUDIT = "audit"
IN_TIME = WAITS


class TrailLedger(Ledger, AuditTrail, Inspection, Protocol):
    """A ledger with the audit that also reports its own condition."""


def look_at_audit(
    ledger: TrailLedger, rules: AuditRules, anchor: Callable[[], Anchor | None]
) -> Iterator[Finding]:
    """Look at the seals and the anchor. ``anchor`` finds the anchor of this machine. Raises PermanentFailure
    if it, or a seal, cannot be read."""
    snap = ledger.read({HEAD})
    head = newest(snap, ledger)
    yield seal_finding(head, unsealed_for(ledger, ledger), snap.now)
    yield from unwritten(ledger.condition().unlogged)
    if rules == AuditRules():
        what = "there is no anchor, so only a worker that keeps running notices a Redis with older data"
        yield look_at(
            AUDIT, what, "name a file for it in access.yaml: audit: {anchor: {file: /var/lib/rotakey/anchor}}"
        )
    place = anchor()
    if place:
        kept = place.read()
        behind = ledger.seals(kept.number, 1) if kept else ()
        since = read_seal(behind[0].text).at if behind else None
        yield anchor_finding(kept, head, since, snap.now)


def seal_finding(head: SealHead, waits: timedelta, now: datetime) -> Finding:
    if waits > IN_TIME:
        what = f"an audit entry has been unsealed for {durations.rough(waits.total_seconds())}"
        return wrong(AUDIT, what, "start a worker; if one is running, look for seal:audit in its log")
    if head.sealed_at is None:
        return look_at(
            AUDIT,
            "no audit entry is sealed yet",
            "run rotakey doctor again once a worker has run for a minute",
        )
    return ok(AUDIT, f"seal {head.number} is {ago(head.sealed_at, now)} old, and every entry is sealed")


def unwritten(entries: int) -> Iterator[Finding]:
    """Report steps of revoking that were done although the audit could not be written."""
    if entries:
        what = f"{entries} steps of revoking are not in the audit yet, because it could not be written"
        yield wrong(
            AUDIT, what, "find the reason in the workers' logs; until it is fixed, nothing is granted"
        )


def anchor_finding(
    kept: Anchored | None, head: SealHead, behind_since: datetime | None, now: datetime
) -> Finding:
    """Compare the anchor with the newest seal. ``behind_since``: when the first seal that the anchor does not
    know was made."""
    if kept is None:
        return look_at(
            AUDIT, "the anchor file is not on this machine", "run rotakey doctor where a worker runs"
        )
    if kept.number > head.number:
        what = (
            f"the anchor has seal {kept.number}, but this Redis only {head.number}: it came back with older"
            " data"
        )
        return wrong(
            AUDIT, what, "check who has access at each target; then run rotakey doctor --accept-restore"
        )
    if behind_since and now - behind_since > IN_TIME:
        what = f"the anchor on this machine has not been written for {ago(behind_since, now)}"
        return look_at(AUDIT, what, "run a worker here, or run rotakey doctor where one runs")
    return ok(AUDIT, f"the anchor has seal {kept.number}")
