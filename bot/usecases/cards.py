"""Telling: the card of a grant made equal to the grant, notes, and the App Home."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from bot.core.catalog import Catalog, Resource, digest
from bot.core.errors import Conflict, PermanentFailure, TemporaryFailure
from bot.core.grants import Grant, State
from bot.ports import (
    Card,
    CardView,
    Change,
    Claim,
    Deadline,
    Done,
    Due,
    Entry,
    Homepage,
    Key,
    Messenger,
    Note,
    Place,
    Snapshot,
)
from bot.usecases.answers import HomeView
from bot.usecases.look import home_view
from bot.usecases.office import Office
from bot.usecases.turn import Turn

NEWS = frozenset({State.ACTIVE, State.DENIED, State.LAPSED, State.ENDED})
"""States that the holder is told of by a message of their own, which is then kept up to date."""


class Publisher(Protocol):
    """App Home in Slack. Raises TemporaryFailure or PermanentFailure by the deadline."""

    def publish(self, home: HomeView, deadline: Deadline) -> None: ...


def show(office: Office, messenger: Messenger, turn: Turn) -> None:
    """Make every message that shows the grant equal to it. Each message is recorded as soon as it is
    posted. Raises TemporaryFailure where one could not be shown now; the others have been."""
    grant_id = turn.claim.id
    catalog, snap = office.gather(lambda _: {Key.of(Grant, grant_id), Key.of(Card, grant_id)})
    grant = snap.find(Grant, grant_id)
    if grant is None:
        office.ledger.commit(Change(done=Done(claim=turn.claim)))
        return
    view = card_view(office, grant, catalog, snap)
    card = snap.find(Card, grant_id) or Card()
    failed: TemporaryFailure | None = None
    for place in _places(grant, card):
        if place.shown == f"{place.audience}:{view.digest}":
            continue
        try:
            card = _shown(office, messenger, view, place, turn)
        except TemporaryFailure as failure:
            failed = failure
    if failed:
        raise failed
    _close(office, grant, snap, turn.claim)


def _places(grant: Grant, card: Card) -> tuple[Place, ...]:
    """The messages that there are, and those there should be."""
    wanted: list[Place] = list(card.places)
    if not any(place.audience == "approver" for place in wanted) and not grant.undecided:
        channels = (grant.asked_in,) if grant.asked_in else grant.asked_people
        wanted += [Place(channel=channel, audience="approver") for channel in channels]
    holder_known = any(place.audience == "holder" for place in wanted)
    if not holder_known and (grant.state in NEWS or grant.trouble):
        wanted.append(Place(channel=grant.person, audience="holder"))
    return tuple(place for place in wanted if place.shown != "lost")


def _shown(office: Office, messenger: Messenger, view: CardView, place: Place, turn: Turn) -> Card:
    try:
        posted = messenger.show(view, place, turn.call())
        posted = replace(posted, shown=f"{place.audience}:{view.digest}")
        replaced: tuple[Place, ...] = (posted,)
    except PermanentFailure as failure:
        replaced = _instead(view.grant, place)
        entry = Entry(what="card lost", grant=view.grant.id, facts={"error": str(failure)[:300]})
        office.ledger.commit(Change(audit=(entry,)))
    return _recorded(office, view.grant.id, place, replaced)


def _instead(grant: Grant, place: Place) -> tuple[Place, ...]:
    """Where approvers cannot be reached in their channel, they are asked in direct messages."""
    lost = replace(place, shown="lost")
    if place.audience == "approver" and place.ts is None and grant.asked_in == place.channel:
        return (lost, *(Place(channel=person, audience="approver") for person in grant.asked_people))
    return (lost,)


def _recorded(office: Office, grant: str, old: Place, new: Iterable[Place]) -> Card:
    key = Key.of(Card, grant)
    for _ in range(10):
        snap = office.ledger.read({key})
        kept = [place for place in (snap.find(Card, grant) or Card()).places if not _same(place, old)]
        card = Card(places=(*kept, *new))
        try:
            office.ledger.commit(Change(rests_on=(snap,), put={key: card}, frees=True))
        except Conflict:
            continue
        return card
    raise TemporaryFailure("the card is changing too fast")


def _same(one: Place, other: Place) -> bool:
    return (one.channel, one.ts, one.audience) == (other.channel, other.ts, other.audience)


def _close(office: Office, grant: Grant, snap: Snapshot, claim: Claim) -> None:
    """Whoever looks at an App Home that shows this grant sees it change too; a place that came to be
    while showing is shown at once."""
    people = {grant.person, *grant.asked_people, *(vote.person for vote in grant.votes)}
    homes = office.ledger.read({Key.of(Homepage, person) for person in people})
    due = tuple(Due(member=f"home:{page.person}", at=snap.now) for page in homes.all(Homepage))
    latest = office.ledger.read({Key.of(Card, grant.id)}).find(Card, grant.id) or Card()
    unshown = any(place.shown is None for place in latest.places)
    done = Done(claim=claim, next_at=snap.now if unshown else None)
    office.ledger.commit(Change(due=due, done=done, frees=True))


def card_view(office: Office, grant: Grant, catalog: Catalog, snap: Snapshot) -> CardView:
    resource = catalog.resources.get(grant.resource)
    kept_until = _kept_until(office, grant)
    live_until = snap.leases.get(grant.id, grant.until)
    shown = replace(grant, until=live_until)
    targets = [hold.target for hold in grant.gives] or _targets(resource)
    lengths = resource.lengths if resource else None
    view = CardView(
        grant=shown,
        title=resource.title if resource else grant.resource,
        gives=tuple(str(hold.entitlement) for hold in grant.gives) or _gives(resource),
        sessions=_sessions(targets, catalog),
        needed=max(grant.approvals - len(grant.votes), 0),
        offer=tuple(x for x in (lengths.offer if lengths else ()) if x < (grant.length or 0)),
        max_length=lengths.max if lengths else 0,
        kept_until=kept_until,
        digest="",
    )
    return replace(view, digest=digest(repr(view)))


def _targets(resource: Resource | None) -> list[str]:
    return [each.target for each in resource.gives] if resource else []


def _gives(resource: Resource | None) -> tuple[str, ...]:
    return tuple(str(each) for each in resource.gives) if resource else ()


def _sessions(targets: list[str], catalog: Catalog) -> str:
    """``kept`` where any target leaves sessions open, else ``ended`` where one ends them."""
    said = {catalog.session_notes.get(target, "unknown") for target in targets}
    return next((each for each in ("kept", "ended") if each in said), "unknown")


def _kept_until(office: Office, grant: Grant) -> datetime | None:
    if grant.kept_by is None:
        return None
    snap = office.ledger.read({Key.of(Grant, grant.kept_by)})
    keeper = snap.find(Grant, grant.kept_by)
    return snap.leases.get(keeper.id, keeper.until) if keeper else None


def tell(office: Office, messenger: Messenger, turn: Turn) -> None:
    """Send a note that is owed, and forget it once it is sent or can never be."""
    key = Key.of(Note, turn.claim.id)
    note = office.ledger.read({key}).find(Note, turn.claim.id)
    audit: tuple[Entry, ...] = ()
    if note:
        try:
            messenger.tell(note, turn.call())
        except PermanentFailure as failure:
            audit = (Entry(what="note lost", facts={"error": str(failure)[:300], "to": note.channel}),)
    office.ledger.commit(Change(put={key: None}, done=Done(claim=turn.claim), audit=audit, frees=True))


def publish_home(office: Office, publisher: Publisher, turn: Turn) -> None:
    publisher.publish(home_view(office, turn.claim.id), turn.call())
    office.ledger.commit(Change(done=Done(claim=turn.claim), frees=True))
