"""Keeps everything due that should be, no matter what happened to the due set.

As long as a grant is not finished, its holds are looked at, its request gets decided, its person is known,
and its card is shown. A note stays due until it is sent, and an alarm until the access is gone. Anything of
this that is lost from the due set is restored at the next look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import islice

from bot.core.ages import AHEAD_AT_MOST
from bot.core.catalog import Catalog
from bot.core.errors import Misconfigured, TemporaryFailure
from bot.core.grants import Grant, State
from bot.core.holds import HoldRecord, Phase
from bot.ports import (
    Alert,
    Card,
    Census,
    Change,
    Done,
    Due,
    Entry,
    Key,
    Ledger,
    Note,
    Place,
    Snapshot,
)
from bot.usecases.admit import PEOPLE_EVERY
from bot.usecases.enact import ALWAYS_OWED, standing_duties
from bot.usecases.former import EVERY as FORMER_EVERY
from bot.usecases.groups import EVERY as GROUPS_EVERY
from bot.usecases.groups import HOME_EVERY
from bot.usecases.office import Office
from bot.usecases.outcomes import LOOK_EVERY
from bot.usecases.overdue import TELL_EVERY
from bot.usecases.posting import REFUSED_AGAIN
from bot.usecases.retention import EVERY as KEEP_EVERY
from bot.usecases.rosters import RETRY_AT_MOST
from bot.usecases.turn import Turn

EVERY = timedelta(minutes=15)
FAILED_PAUSE = timedelta(minutes=5)
"""The longest pause after a failure, of any duty."""
LONGEST = {
    "hold": LOOK_EVERY,
    "people": PEOPLE_EVERY,
    "groups": GROUPS_EVERY,
    "workspace": HOME_EVERY,
    "owed": EVERY,
    "shift": FAILED_PAUSE,
    "seal": FAILED_PAUSE,
    "keep": KEEP_EVERY,
    "former": FORMER_EVERY,
    "note": REFUSED_AGAIN,
    "home": FAILED_PAUSE,
    "alarm": TELL_EVERY,
}
"""The longest pause of what is done again and again."""
AT_ONCE = 200
MOST_NAMED = 20
"""In an audit entry."""


def look_through(ledger: Ledger, census: Census, turn: Turn) -> None:
    """Owe now what is not owed and should be, and look again in a while (``owed:all``)."""
    for members in _owing(ledger, census):
        missing = census.unowed(members)
        if missing:
            _owe(ledger, missing)
    now = ledger.read().now
    ledger.commit(Change(done=Done(claim=turn.claim, next_at=now + EVERY)))


def keep_owed(office: Office, census: Census) -> None:
    """Make due now what the policy in force always needs and nobody would get to: because it is not in the
    due set, or because the clock of Redis was set back and it is due later than it should ever be.

    A worker calls this now and then, whatever is due, because the look at everything (``owed:all``) is one of
    these duties and may be lost like any other. Raises TemporaryFailure if Redis does not answer.
    """
    longest, needed = dict(LONGEST), ALWAYS_OWED
    with suppress(TemporaryFailure, Misconfigured):  # without a policy, revoking goes on all the same
        catalog = office.catalog()
        needed = standing_duties(catalog)
        longest |= _longest(catalog)
    lost = census.unowed(needed)
    lost |= census.owed_too_late({kind: pause + AHEAD_AT_MOST for kind, pause in longest.items()})
    if lost:
        _owe(office.ledger, lost)


def _longest(catalog: Catalog) -> dict[str, timedelta]:
    """Return how long a duty may pause, for the kinds whose pauses are set in the policy."""
    sources = {schedule.partition("/")[0] for schedule in catalog.schedules()}
    rosters = [timedelta(seconds=catalog.source(f"{name}/").every) for name in sources]
    return {
        "roster": max([RETRY_AT_MOST, *rosters]),
        "sweep": max(FAILED_PAUSE, timedelta(seconds=catalog.sweep.every)),
    }


def _owe(ledger: Ledger, members: Iterable[str]) -> None:
    lost = sorted(members)
    now = ledger.read().now
    entry = Entry(what="owed again", facts={"count": len(lost), "members": lost[:MOST_NAMED]})
    due = tuple(Due(member=each, at=now) for each in lost)
    ledger.commit(Change(due=due, audit=(entry,), frees=True))


def _owing(ledger: Ledger, census: Census) -> Iterator[set[str]]:
    for ids in _pages(census.grants("open")):
        snap = ledger.read(Key.of(shape, each) for each in ids for shape in (Grant, Card))
        yield {member for grant in snap.all(Grant) for member in _of_grant(grant, snap)}
    for ids in _pages(census.holds()):
        yield set(_of_records(ledger.read(Key.of(HoldRecord, each) for each in ids)))
    for ids in _pages(census.documents(Note)):
        yield {f"note:{each}" for each in ids}
    for ids in _pages(census.documents(Alert)):
        snap = ledger.read(Key.of(Alert, each) for each in ids)
        yield {f"alert:{alert.id}" for alert in snap.all(Alert) if _is_kept_up(alert)}


def _of_grant(grant: Grant, snap: Snapshot) -> Iterator[str]:
    """Yield what a grant keeps due. A card is due only when it changes; but a card that was never shown may
    be the only thing that approvers would see."""
    if grant.open:
        yield f"people:{grant.person}"
        yield from (f"hold:{hold.key}" for hold in grant.gives)
    if grant.state is State.ASKED:
        yield f"ask:{grant.id}"
    if grant.state is State.ENDING and grant.overdue_since:
        yield f"alarm:{grant.id}"
    card = snap.find(Card, grant.id)
    if grant.open and not grant.undecided and not (card and _is_shown(card.places)):
        yield f"card:{grant.id}"


def _is_kept_up(alert: Alert) -> bool:
    """Return whether an alert is always due: it was never shown, is judged now and then, or will be
    deleted."""
    judged = alert.asks and alert.hold is not None
    return judged or alert.over_at is not None or not _is_shown(alert.places)


def _is_shown(places: Iterable[Place]) -> bool:
    """Return whether it is shown somewhere, or was given up."""
    return any(place.ts or place.shown for place in places)


def _of_records(snap: Snapshot) -> Iterator[str]:
    for record in snap.all(HoldRecord):
        if record.phase is not Phase.EMPTY:
            yield f"hold:{record.hold.key}"


def _pages(found: Iterable[Iterable[str]]) -> Iterator[list[str]]:
    rest = (each for page in found for each in page)
    while page := list(islice(rest, AT_ONCE)):
        yield page
