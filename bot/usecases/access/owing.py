"""Keeps everything due that should be, no matter what happened to the due set.

As long as a grant is not finished, its holds are looked at, its request gets decided, its person is known,
and its card is shown. A note stays due until it is sent, and an alarm until the access is gone. Anything of
this that is lost from the due set is restored at the next look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from bot.core.ages import AHEAD_AT_MOST
from bot.core.document import Document
from bot.core.errors import Conflict, Misconfigured, TemporaryFailure
from bot.core.grants import NOT_BEGUN, Grant, State
from bot.core.holds import HoldRecord, Phase
from bot.ports.changes import Change, Committed, Done, Due, Entry, Snapshot
from bot.ports.deadline import Deadline
from bot.ports.documents import (
    Account,
    AccountOwner,
    AccountsNoted,
    Alert,
    Card,
    EntitlementsNoted,
    Key,
    LookedThrough,
    Note,
    Place,
    Seat,
)
from bot.ports.ledger import Census, Ledger
from bot.usecases.context import Context
from bot.usecases.duties import FAILED_PAUSE, KINDS, OWED_EVERY
from bot.usecases.enact import ALWAYS_OWED, OWED, standing_duties
from bot.usecases.job import Job
from bot.usecases.requests.admit import gives_index
from bot.usecases.schedules.ownership import note_owners, owner_key, users_of
from bot.usecases.schedules.rosters import RETRY_AT_MOST

AT_A_TIME, PAUSE = 0.5, timedelta(seconds=2)
"""A look at everything is done in pieces, because the ends of grants must not wait for it."""
AT_ONCE = 200
MOST_TRIES = 5
NOTED, INDEXED = Key.of(AccountsNoted), Key.of(EntitlementsNoted)
MOST_NAMED = 20
"""Members named in one audit entry."""


def look_through(ledger: Ledger, census: Census, job: Job) -> None:
    """Owe now what is not owed and should be (``owed:all``). Look for AT_A_TIME seconds, go on there after
    PAUSE until everything was looked at, and begin again OWED_EVERY after the beginning."""
    key = Key.of(LookedThrough)
    snap = ledger.read({key, *ONCE.values()})
    found = snap.find(LookedThrough)
    parts = [each for each in PARTS if each not in ONCE or ONCE[each] not in snap.documents]
    at = found if found and found.part in parts else None
    began, until = at.began if at else snap.now, Deadline.after(AT_A_TIME)
    at = _look_at_a_page(ledger, census, at or LookedThrough(began=began, part=parts[0], cursor=0), parts)
    while at and not until.is_over:
        at = _look_at_a_page(ledger, census, at, parts)
    now = ledger.read().now
    next_at = now + PAUSE if at else min(max(began + OWED_EVERY, now + PAUSE), now + OWED_EVERY)
    put: dict[Key, Document | None] = {key: at}
    if not at:
        done: dict[Key, Document] = {NOTED: AccountsNoted(at=now), INDEXED: EntitlementsNoted(at=now)}
        put |= {each: document for each, document in done.items() if each not in snap.documents}
    ledger.commit(Change(put=put, done=Done(claim=job.claim, next_at=next_at)))


def keep_owed(context: Context, census: Census) -> None:
    """Make due now what the policy in force always needs and nobody would get to: because it is not in the
    due set, or because the clock of Redis was set back and it is due later than it should ever be.

    A worker calls this now and then, whatever is due, because the look at everything (``owed:all``) is one of
    these duties and may be lost like any other. Raises TemporaryFailure if Redis does not answer.
    """
    longest = {kind: row.pause for kind, row in KINDS.items() if row.pause is not None}
    needed = ALWAYS_OWED
    with suppress(TemporaryFailure, Misconfigured):  # without a policy, revoking goes on all the same
        catalog = context.catalog()
        needed = standing_duties(catalog)
        sources = {schedule.partition("/")[0] for schedule in catalog.schedules()}
        rosters = [timedelta(seconds=catalog.source(f"{name}/").every) for name in sources]
        longest["roster"] = max([RETRY_AT_MOST, *rosters])
        longest["sweep"] = max(FAILED_PAUSE, timedelta(seconds=catalog.strays.every))
    lost = census.not_due(needed)
    lost |= census.owed_too_late({kind: pause + AHEAD_AT_MOST for kind, pause in longest.items()})
    if lost:
        _owe(context.ledger, lost)

    # until what older versions wrote is taken over, somebody might be given the account of another person, or
    # what only one may have and another person has
    snap = context.ledger.read({NOTED, INDEXED})
    if {NOTED, INDEXED} - snap.documents.keys():
        context.ledger.commit(Change(due=(Due(member=OWED, at=snap.now),), frees=True))


def _owe(ledger: Ledger, members: Iterable[str]) -> None:
    lost = sorted(members)
    now = ledger.read().now
    entry = Entry(what="owed again", facts={"count": len(lost), "members": lost[:MOST_NAMED]})
    due = tuple(Due(member=each, at=now) for each in lost)
    ledger.commit(Change(due=due, audit=(entry,), frees=True))


def _look_at_a_page(
    ledger: Ledger, census: Census, at: LookedThrough, parts: Sequence[str]
) -> LookedThrough | None:
    """Owe what is missing of one page. Return where the next page is, or None after the last."""
    page, missing = PARTS[at.part]
    ids, cursor = page(census, at.cursor)
    for some in (ids[n : n + AT_ONCE] for n in range(0, len(ids), AT_ONCE)):
        if lost := missing(ledger, census, some):
            _owe(ledger, lost)
    if cursor:
        return replace(at, cursor=cursor)
    following = parts[parts.index(at.part) + 1 :]
    return replace(at, part=following[0], cursor=0) if following else None


def _of_grants(ledger: Ledger, census: Census, ids: Sequence[str]) -> frozenset[str]:
    """Return what grants keep due and is not. A card is due only when it changes; but a card that was never
    shown may be the only thing that approvers would see."""
    snap = ledger.read(Key.of(shape, each) for each in ids for shape in (Grant, Card))
    found = snap.all(Grant)
    note_owners(ledger, users_of(grant for grant in found if grant.open))
    asked = [grant.extension.id for grant in found if grant.extension]
    shown = ledger.read(Key.of(Card, each) for each in asked) if asked else snap
    unshown = [each for each in asked if not _is_card_shown(each, shown)]
    lost = census.not_due([f"card:{each}" for each in unshown]) if unshown else frozenset[str]()

    needed: set[str] = set()
    for grant in found:
        if grant.open:
            needed |= {f"people:{grant.person}", *(f"hold:{hold.key}" for hold in grant.gives)}
        if grant.state in NOT_BEGUN:
            needed.add(f"ask:{grant.id}")
        if grant.state is State.ENDING and grant.overdue_since:
            needed.add(f"alarm:{grant.id}")
        if grant.open and not grant.undecided and not _is_card_shown(grant.id, snap):
            needed.add(f"card:{grant.id}")
    return lost | census.not_due(needed)


def _of_holds(ledger: Ledger, census: Census, ids: Sequence[str]) -> frozenset[str]:
    """Return the holds that should be due and are not. Only the records of holds that are not due are
    read."""
    unowed = census.not_due([f"hold:{each}" for each in ids])
    records = ledger.read(Key.of(HoldRecord, each.removeprefix("hold:")) for each in unowed).all(HoldRecord)
    return frozenset(f"hold:{each.hold.key}" for each in records if each.phase is not Phase.EMPTY)


def _of_alerts(ledger: Ledger, census: Census, ids: Sequence[str]) -> frozenset[str]:
    """Return what alerts keep due and is not. An alert itself is always due if it was never shown, is judged
    now and then, or will be deleted."""
    needed = []
    for alert in ledger.read(Key.of(Alert, each) for each in ids).all(Alert):
        if alert.target and not alert.over_at:
            needed.append(f"hands:{alert.target}")
        judged = alert.asks and (alert.hold is not None or alert.account is not None)
        if judged or alert.over_at or not _is_shown(alert.places):
            needed.append(f"alert:{alert.id}")
    return census.not_due(needed)


def _of_accounts(ledger: Ledger, _: Census, ids: Sequence[str]) -> frozenset[str]:
    """Owe nothing, but record the owners of the accounts that an older version only kept for each person."""
    pinned = ledger.read(Key.of(Account, each) for each in ids)
    users: dict[Key, AccountOwner] = {}
    for each in ids:
        person, _slash, target = each.partition("/")
        if account := pinned.find(Account, each):
            users.setdefault(owner_key(target, account.name), AccountOwner(person=person))
    note_owners(ledger, users)
    return frozenset()


def _of_entitlements(ledger: Ledger, _: Census, ids: Sequence[str]) -> frozenset[str]:
    """Owe nothing, but add each grant that an older version approved to the indexes of what it holds, unless
    it has ended meanwhile. Raises Conflict if one changes all the time."""
    left = list(ids)
    for _again in range(MOST_TRIES):
        snap = ledger.read(Key.of(Grant, each) for each in left)
        held = [grant for grant in snap.all(Grant) if grant.open and grant.gives]
        changes = []
        for grant in held:
            key = Key.of(Grant, grant.id)
            own = Snapshot(now=snap.now, versions={key: snap.versions[key]})
            index = {(gives_index(hold.entitlement), grant.id): True for hold in grant.gives}
            changes.append(Change(rests_on=(own,), index=index, frees=True))
        written = ledger.commit_all(changes) if changes else ()
        left = [grant.id for grant, how in zip(held, written, strict=True) if not isinstance(how, Committed)]
        if not left:
            return frozenset()
    raise Conflict(f"{len(left)} grants change too fast to be indexed")


def _of_seats(ledger: Ledger, _: Census, ids: Sequence[str]) -> frozenset[str]:
    """Owe nothing, but remove the Seats that an older version wrote."""
    ledger.commit(Change(put={Key.of(Seat, each): None for each in ids}, frees=True))
    return frozenset()


def _is_card_shown(which: str, snap: Snapshot) -> bool:
    card = snap.find(Card, which)
    return card is not None and _is_shown(card.places)


def _is_shown(places: Iterable[Place]) -> bool:
    """Return whether it is shown somewhere, or was refused."""
    return any(place.ts or place.shown for place in places)


PageOf = Callable[[Census, int], tuple[Sequence[str], int]]
MissingOf = Callable[[Ledger, Census, Sequence[str]], frozenset[str]]
PARTS: Mapping[str, tuple[PageOf, MissingOf]] = {
    "grants": (lambda census, cursor: census.page_of_grants("open", cursor), _of_grants),
    "holds": (lambda census, cursor: census.page_of_documents(HoldRecord, cursor), _of_holds),
    "notes": (
        lambda census, cursor: census.page_of_documents(Note, cursor),
        lambda _, census, ids: census.not_due([f"note:{each}" for each in ids]),
    ),
    "accounts": (lambda census, cursor: census.page_of_documents(Account, cursor), _of_accounts),
    "alerts": (lambda census, cursor: census.page_of_documents(Alert, cursor), _of_alerts),
    "entitlements": (lambda census, cursor: census.page_of_grants("open", cursor), _of_entitlements),
    "seats": (lambda census, cursor: census.page_of_documents(Seat, cursor), _of_seats),
}
"""All that may owe something, in the order in which it is looked at. New parts come last: a process of an
older version may have come to any of the others."""
ONCE = {"accounts": NOTED, "entitlements": INDEXED, "seats": INDEXED}
"""Parts that only take over what an older version wrote, each with the document that says that this is
done."""
