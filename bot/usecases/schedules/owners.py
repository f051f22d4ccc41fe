"""Owners of email addresses: the Slack users of the addresses that a source names, looked up if they are
new."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.shifts import Roster
from bot.ports.changes import Change, Entry
from bot.ports.documents import EmailOwner, Key
from bot.usecases.context import Context
from bot.usecases.job import Job
from bot.usecases.people import remember

LEAVE_SECONDS = 5.0
"""Seconds of a job that are left for storing what was read."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)
UNKNOWN_EMAIL_EVERY = timedelta(minutes=10)
KNOWN_EMAIL_EVERY = timedelta(hours=6)


@dataclass
class Owners:
    """The Slack users of email addresses. Unknown addresses are looked up as long as Slack answers, this job
    has time, and the ledger accepts new people. ``left``: some could not be looked up. The rosters are stored
    all the same, because access that they end does not wait for a name."""

    context: Context
    job: Job
    people: dict[str, str | None] = field(default_factory=dict)
    left: bool = False

    def find(self, emails: Iterable[str]) -> None:
        wanted = tuple(dict.fromkeys(emails))
        snap = self.context.ledger.read({Key.of(EmailOwner, email) for email in wanted})
        for email in wanted:
            known = snap.find(EmailOwner, email)
            every = KNOWN_EMAIL_EVERY if known and known.people else UNKNOWN_EMAIL_EVERY
            if known is None or known.age(snap.now) > every:
                known = self._look_up(email) or known
            people = known.people if known else ()
            self.people[email] = people[0] if len(people) == 1 else None

    def with_people(self, roster: Roster) -> Roster:
        """Return the roster with the people in it."""
        shifts = (replace(shift, person=self.people.get(shift.email)) for shift in roster.shifts)
        return replace(roster, shifts=tuple(shifts))

    def _look_up(self, email: str) -> EmailOwner | None:
        if self.left or self.job.deadline.seconds_left() < LEAVE_SECONDS:
            self.left = True
            return None
        ledger, key = self.context.ledger, Key.of(EmailOwner, email)
        try:
            person = self.context.directory.by_email(email, self.job.call())
            if person:
                remember(ledger, person)
            else:
                snap = ledger.read({key})
                before = snap.find(EmailOwner, email)
                entry = Entry(what="on call but not in Slack", facts={"email": email})
                nobody = EmailOwner(people=(), read_at=snap.now)
                audit = (entry,) if before is None or before.people else ()
                ledger.commit(Change(put={key: nobody}, audit=audit, frees=before is not None))
        except (TemporaryFailure, PermanentFailure):
            self.left = True
            return None
        return ledger.read({key}).find(EmailOwner, email)


def in_order(rosters: Iterable[Roster]) -> Iterable[str]:
    """Return the email addresses in the rosters in the order of their shifts, so that the earliest is looked
    up first."""
    shifts = [shift for roster in rosters for shift in roster.shifts]
    return (shift.email for shift in sorted(shifts, key=lambda each: (each.start or LONG_AGO, each.email)))
