"""Finds out later whether an op that nobody could confirm was written, and informs the person who did it."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from bot.core.errors import Refused
from bot.core.grants import Grant
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change
from bot.ports.documents import Key, Note
from bot.ports.ledger import Ledger
from bot.usecases.notes import note_change
from bot.usecases.retry import earlier_answer, refusal_answer


def find_out(ledger: Ledger, op: str, person: str) -> None:
    """Commit that the op is over, and owe the person a note about the outcome: if it was not written by now
    it never will be, even if Slack delivers it again. Raises TemporaryFailure while Redis does not answer;
    then it may be called again, within the 15 minutes for which an op is known."""
    now = ledger.read(()).now
    not_done = because(Why.NOT_DONE)
    first = Change(op=op, answer=refusal_answer(not_done))
    receipt = ledger.commit(_with_note(first, op, person, not_done, now))
    if receipt.again:
        try:
            answer = earlier_answer(receipt)
        except Refused as refused:
            became = refused.reason
        else:
            became = because(Why.CONFIRMED)
            if grant := ledger.read({Key.of(Grant, answer)}).find(Grant, answer):
                about = {"resource": grant.resource, "person": grant.person, "state": grant.state.value}
                became = because(Why.CONFIRMED, **about)
        ledger.commit(_with_note(Change(op=f"{op}:confirmed"), op, person, became, now))


def _with_note(change: Change, op: str, person: str, reason: Reason, now: datetime) -> Change:
    note = Note(id=f"confirmed-{sha256(op.encode()).hexdigest()[:16]}", channel=person, reason=reason)
    return change.plus(note_change(now, note))
