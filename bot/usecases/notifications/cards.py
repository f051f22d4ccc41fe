"""Messages to people: cards kept equal to their grants, notes, and the App Home."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from bot.core.catalog import Catalog, Resource
from bot.core.errors import PermanentFailure, Refused
from bot.core.grants import LIVE, NOT_BEGUN, Grant, State
from bot.core.members import names_of
from bot.core.policy import approvers_of, may_not_ask, question_of, wanted_end
from bot.core.reasons import Why
from bot.ports.changes import Change, Claim, Done, Due, Entry, Snapshot
from bot.ports.deadline import Deadline
from bot.ports.documents import Card, Homepage, Key, Note, Place
from bot.ports.slack import CardView, Messenger
from bot.usecases.context import Context, base_of, facts_of, grant_keys
from bot.usecases.job import Job
from bot.usecases.notifications.posting import (
    COPIED_BY_THEN,
    GIVEN_UP,
    LOST,
    SHOW_AGAIN_AFTER,
    again,
    count_given_up,
    doubt_ends,
    give_up,
    once_more_if_lost,
    owes,
    place_after,
    places_after,
    places_in_doubt,
    post,
    refusing,
    says_ended,
)
from bot.usecases.requests.granting import terms_now
from bot.usecases.requests.look import home_view
from bot.usecases.results import HomeView
from bot.usecases.retry import retry_conflicts
from bot.usecases.schedules.ownership import sharers

NEWS = frozenset({State.WAITING, State.ACTIVE, State.DENIED, State.LAPSED, State.ENDED, State.ADDED})
"""States that the holder is notified of in a message of their own, which is then kept up to date."""

OVER = frozenset({State.ENDING, State.ENDED})

WORST_SESSIONS = ("kept", "unknown", "endpoint", "program", "ended_on_primary", "ended")
"""What targets do with open sessions, the worst first. What kinds say in their own words comes after the
first, because it says more than the rest."""

TOO_LATE = PermanentFailure("refused until there was nothing to decide any more")


class Publisher(Protocol):
    """App Home in Slack. Raises TemporaryFailure or PermanentFailure by the deadline."""

    def publish(self, home: HomeView, deadline: Deadline) -> None: ...


def show(context: Context, messenger: Messenger, job: Job) -> None:
    """Make every message that shows the grant equal to it. The places for messages are written before the
    first one is posted, and each message is recorded as soon as it is there. Raises TemporaryFailure if one
    could not be shown now; the others have been. If Slack refuses one, it is tried again for an hour."""
    which, grant_id = job.claim.id, base_of(job.claim.id)
    first = context.ledger.read({Key.of(Grant, grant_id)}).find(Grant, grant_id)
    if first is None:
        context.ledger.commit(Change(done=Done(claim=job.claim)))
        return
    catalog, snap = context.read_basis(lambda known: grant_keys(known, first, first.person))
    grant = snap.find(Grant, grant_id) or first
    view = card_view(context, grant, catalog, snap, which)
    if grant.state not in (*NOT_BEGUN, *LIVE) and not context.ledger.wait_for_copies():
        view = replace(view, copied=False)
    places = _plan_places(context, view, job.claim).places
    posting = _Posting(context, messenger, job, view, snap.now)
    owing = [place for place in places if posting.owes(place)]
    with once_more_if_lost(context.ledger, job.claim, Key.of(Card, which)):
        refused = post(posting, owing)
        later = again(job.claim, snap.now) if refused else None
        moot = [(place, TOO_LATE) for place in places if place.shown == LOST and place not in owing]
        given_up = refused if later and later.next_at is None else []
        give_up(context.ledger, posting, (*moot, *given_up))
        next_at = doubt_ends(places, snap.now) if view.copied else snap.now + COPIED_BY_THEN
        done = later or Done(claim=job.claim, next_at=next_at)
        # every App Home that may show this grant is due
        resource = catalog.resources.get(grant.resource)
        facts = facts_of(snap, resource)
        approvers = approvers_of(resource, catalog, facts, grant.person) if resource else ()
        people = {grant.person, *names_of(approvers, facts), *(vote.person for vote in grant.votes)}
        homes = context.ledger.read({Key.of(Homepage, person) for person in people})
        due = tuple(Due.home(page.person, at=homes.now) for page in homes.all(Homepage))
        context.ledger.commit(Change(due=due, done=done, frees=True))


@dataclass(frozen=True)
class _Posting:
    context: Context
    messenger: Messenger
    job: Job
    view: CardView
    now: datetime

    def owes(self, place: Place) -> bool:
        """Return whether the card must be shown there. Once a request is decided, approvers who never got its
        card do not get one."""
        if place.ts is None and place.audience == "approver" and not self.view.waits:
            return False
        return owes(place, self.messenger.card_digest(self.view, place.audience), self.now)

    def show(self, place: Place) -> Place:
        return self.messenger.show(self.view, place, self.job.fenced_call())

    def record_shown(self, place: Place, posted: Place) -> None:
        digest = self.messenger.card_digest(self.view, place.audience)
        shown = replace(place_after(place, posted, digest, self.now), terms=self.view.terms or None)
        _record(self.context, self.view.id, place, (shown,))

    def record_lost(self, place: Place, failure: PermanentFailure) -> list[Place]:
        """Record that the place refused the card. If it was the only one for approvers, and a channel, return
        their direct messages to use instead, as long as there is something to decide."""
        view, grant, key = self.view, self.view.grant, Key.of(Card, self.view.id)
        asked = view.extension or grant
        instead: list[Place] = []
        if place.audience == "approver" and view.waits and asked.asked_in:
            card = self.context.ledger.read({key}).find(Card, view.id) or Card()
            if sum(each.audience == "approver" for each in card.places) == 1:
                instead = _approver_places(None, asked.asked_people)
        facts = {"to": place.channel, "error": str(failure)[:300]}
        entry = Entry(what="card lost", grant=grant.id, facts=facts)
        _record(self.context, view.id, place, (refusing(place), *instead), entry)
        return instead

    def give_up(self, place: Place) -> None:
        _record(self.context, self.view.grant.id, place, (replace(place, shown=GIVEN_UP),))


def _plan_places(context: Context, view: CardView, claim: Claim) -> Card:
    """Return the card with the messages that exist and those that should, once it is committed."""

    def attempt() -> Card:
        key, grant = Key.of(Card, view.id), view.grant
        snap = context.ledger.read({key})
        card = snap.find(Card, view.id) or Card()
        audiences = {place.audience for place in card.places}
        wanted: list[Place] = []
        if "approver" not in audiences and view.waits and not grant.undecided:
            asked = view.extension or grant
            wanted += _approver_places(asked.asked_in, asked.asked_people)
        is_news = grant.state in NEWS or grant.trouble
        if view.extension is None and "holder" not in audiences and is_news:
            wanted.append(Place(channel=grant.person, audience="holder"))
        planned = replace(card, places=places_in_doubt((*card.places, *wanted), claim, snap.now))
        if planned != card:
            context.ledger.commit(Change(rests_on=(snap,), put={key: planned}, frees=True))
        return planned

    return retry_conflicts(attempt)


def _approver_places(channel: str | None, people: Iterable[str]) -> list[Place]:
    if channel:
        return [Place(channel=channel, audience="approver")]
    return [Place(channel=each, audience="approver", person=each) for each in people]


def _record(context: Context, grant: str, old: Place, new: Iterable[Place], *audit: Entry) -> None:
    def attempt() -> None:
        key = Key.of(Card, grant)
        snap = context.ledger.read({key})
        stored = snap.find(Card, grant) or Card()
        card = replace(stored, places=places_after(stored.places, old, new, snap.now))
        context.ledger.commit(Change(rests_on=(snap,), put={key: card}, audit=audit, frees=True))

    retry_conflicts(attempt)


def card_view(
    context: Context, grant: Grant, catalog: Catalog, snap: Snapshot, which: str | None = None
) -> CardView:
    """Return what the card of a grant shows, or the message of the extension with the id ``which``."""
    resource = catalog.resources.get(grant.resource)
    shown = replace(grant, until=snap.leases.get(grant.id, grant.until))
    extension = next((each for each in grant.extensions if each.id == which), None)
    asked = extension or grant
    held = [hold.entitlement for hold in grant.gives] or (resource.gives if resource else ())
    said = {catalog.session_notes.get(each.target, "unknown") for each in held}
    view = CardView(
        grant=shown,
        title=resource.title if resource else grant.resource,
        gives=tuple(map(str, held)),
        sessions=_worst_of(said),
        confirmed_by=tuple(each for each in ("endpoint", "program") if each in said),
        needed=max(asked.approvals - len(asked.votes), 0),
        offer=(),
        max_length=resource.lengths.max if resource else 0,
        kept_until=_kept_until(context, grant),
        extension=extension,
        shared_with=sharers(context.ledger, grant, catalog) if grant.state in OVER else (),
    )
    if resource is None:
        return replace(view, extendable=False, again=False)
    facts = facts_of(snap, resource)
    by_somebody = bool(resource.approvers or resource.approve_automatically)
    refused = may_not_ask(grant.person, resource, catalog, facts)
    terms = ""
    with suppress(Refused):  # without an account nothing can be approved, and a click says so
        terms = terms_now(grant, resource, (catalog, snap), extension) if view.waits else ""
    return replace(
        view,
        terms=terms,
        offer=_offer(grant, resource, snap) if view.waits and extension is None else (),
        extendable=by_somebody,
        again=by_somebody and not (refused and refused.why is Why.MAY_NOT_ASK),
    )


def _worst_of(said: Collection[str]) -> str:
    """Return the worst that any of these targets does with open sessions."""
    if "kept" in said:
        return "kept"
    own_words = " ".join(sorted(set(said) - set(WORST_SESSIONS)))
    return own_words or next((each for each in WORST_SESSIONS if each in said), "unknown")


def _offer(grant: Grant, resource: Resource, snap: Snapshot) -> tuple[int, ...]:
    """Return the offered lengths that are shorter than the one requested. *Until the shift ends* counts as
    the time until then."""
    end = wanted_end(question_of(grant, resource), facts_of(snap, resource))
    most = grant.length or (int((end - snap.now).total_seconds()) if end else resource.lengths.max)
    return tuple(each for each in resource.lengths.offer if each < most)


def _kept_until(context: Context, grant: Grant) -> datetime | None:
    if grant.kept_by is None:
        return None
    snap = context.ledger.read({Key.of(Grant, grant.kept_by)})
    keeper = snap.find(Grant, grant.kept_by)
    return snap.leases.get(keeper.id, keeper.until) if keeper else None


def terms_view(context: Context, which: str) -> CardView | None:
    """Return what an approver is shown of a request or an extension; None if it no longer waits."""
    grant_id = base_of(which)
    first = context.ledger.read({Key.of(Grant, grant_id)}).find(Grant, grant_id)
    if first is None:
        return None
    catalog, snap = context.read_basis(lambda known: grant_keys(known, first, first.person))
    grant = snap.find(Grant, grant_id)
    view = card_view(context, grant, catalog, snap, which) if grant else None
    return view if view and view.id == which and view.waits else None


def tell(context: Context, messenger: Messenger, job: Job) -> None:
    """Send a note that is owed, and forget it once it is sent, or was refused for an hour."""
    key = Key.of(Note, job.claim.id)
    snap = context.ledger.read({key})
    note = snap.find(Note, job.claim.id)
    change = Change(put={key: None}, done=Done(claim=job.claim), frees=True)
    if note:
        if says_ended(note.reason):
            note = replace(note, copied=context.ledger.wait_for_copies())
        try:
            messenger.tell(note, job.call(), terms_view(context, note.terms_of) if note.terms_of else None)
        except PermanentFailure as failure:
            later = again(job.claim, snap.now)
            if later.next_at is None:
                count_given_up(context.ledger, note.channel, failure)
            entry = Entry(what="note lost", facts={"error": str(failure)[:300], "to": note.channel})
            change = Change(
                put={} if later.next_at else {key: None},
                done=later,
                audit=() if later.next_at else (entry,),
                frees=True,
            )
    context.ledger.commit(change)


def publish_home(context: Context, publisher: Publisher, job: Job) -> None:
    with once_more_if_lost(context.ledger, job.claim):
        publisher.publish(home_view(context, job.claim.id), job.fenced_call())
        next_at = context.ledger.read(()).now + SHOW_AGAIN_AFTER if job.claim.taken_over else None
        context.ledger.commit(Change(done=Done(claim=job.claim, next_at=next_at), frees=True))
