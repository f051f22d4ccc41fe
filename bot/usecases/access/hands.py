"""Changes for access of ours that is missing at its target, until it is known why.

    not there ──► (ten seconds later) still not there ──► all that is held there is looked at (``survey``)
        └─► the target went back: granted again          └─► Redis went back: the grants end

Nothing is granted meanwhile, unless somebody is newly approved for it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.core.hands import LOOK_TWICE, may_have_ended_itself
from bot.core.holds import HoldRecord, Phase
from bot.core.reasons import Why, because
from bot.ports.changes import Change, Claim, Done, Due, Snapshot
from bot.ports.documents import Key, Losses
from bot.ports.ledger import Ledger
from bot.usecases.access.outcomes import LOOK_EVERY, Observed, keep_change, soonest
from bot.usecases.access.views import View
from bot.usecases.requests.finish import ending
from bot.usecases.retry import retry_conflicts

LOSSES = Key.of(Losses)
WAITS = timedelta(minutes=1)
"""The pause between two looks while all that is held there is being looked at."""


def may_be_missing(view: View, *, knows_end: bool) -> bool:
    """Return whether access that is not there was taken from those who have it: it was given, it was ours,
    and neither a late call of our own nor the target's own clock can have ended it. If somebody was newly
    approved for it, it is granted in any case."""
    record = view.record
    if record.phase is not Phase.GIVEN or record.untouchable or record.look_again or view.has_news:
        return False
    return bool(view.live) and not (knows_end and may_have_ended_itself(record.given_until, view.now))


def change_if_missing(view: View, seen: Observed, claim: Claim) -> Change:
    """Return what to write after a look that showed nothing. If the hold has changed since, it is looked at
    again."""
    missing, now = seen.missing, view.now
    changed = view.record.phase is not Phase.GIVEN or view.record.receipts != seen.asked
    if missing is None or changed or not view.live:
        return Change(done=Done(claim=claim, next_at=now), frees=True)
    if missing.cause is None:
        next_at = missing.since + LOOK_TWICE
    else:
        next_at = now + (LOOK_EVERY if missing.asked else WAITS)
    record = replace(
        view.record,
        missing=missing,
        seen_at=None,
        failures=0,
        failing_since=None,
        last_error=None,
        wished_by=None,
        by_hand=False,
    )
    waits = missing.cause is not None and not missing.asked
    change = Change(
        rests_on=(view.snap,),
        put={Key.of(HoldRecord, view.key): record},
        due=(Due.hands(view.hold.target, at=now),) if waits else (),
        frees=True,
    )
    done = Done(claim=claim, next_at=soonest(view, next_at))
    return replace(change.plus(keep_change(view)), done=done)


def end_after_loss(view: View) -> Change:
    """Return the end of all grants behind a hold that is not there after Redis lost something: most likely,
    the access was revoked. A shift does not start again automatically, because it may have been given
    back."""
    change = Change(rests_on=(view.snap,), frees=True)
    reason = because(Why.NOT_AFTER_RESTORE, target=view.hold.target)
    for grant in view.live:
        change = change.plus(ending(grant, view.snap, reason, None)[1])
    return change


def note_server(ledger: Ledger, server: str) -> None:
    """Commit which server of Redis accepts writes now. If it is another one, or was restarted, its last
    second may be lost: what it says was seen before proves nothing. Raises TemporaryFailure."""

    def attempt() -> None:
        snap = ledger.read({LOSSES})
        before = snap.find(Losses) or Losses()
        if not server or before.server == server:
            return
        after = Losses(count=before.count + (1 if before.server else 0), server=server)
        ledger.commit(Change(rests_on=(snap,), put={LOSSES: after}, frees=True))

    retry_conflicts(attempt)


def loss_change(snap: Snapshot) -> Change:
    """Return the change that counts one more loss than ``snap`` has. The commit has to rest on ``snap``."""
    before = snap.find(Losses) or Losses()
    return Change(put={LOSSES: replace(before, count=before.count + 1)}, frees=True)
