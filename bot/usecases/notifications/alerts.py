"""Alerts: messages about trouble, with the buttons that help, kept equal to what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.core.catalog import Catalog, Resource, StrayMode
from bot.core.errors import PermanentFailure
from bot.core.holds import Hold
from bot.core.members import names_of
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change, Done, Due, Entry
from bot.ports.documents import Alert, Key, Place, Restore
from bot.ports.slack import AlertView, Messenger
from bot.usecases.context import Context, fact_keys, facts_of
from bot.usecases.job import Job
from bot.usecases.notifications.posting import (
    COPIED_BY_THEN,
    GIVEN_UP,
    again,
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
from bot.usecases.requests.waiting import MOST_DM_APPROVERS
from bot.usecases.retry import retry_conflicts
from bot.usecases.schedules.accounts import contest_keys, deciders, judged_contest, whose

KEPT = timedelta(days=7)
"""The time for which the outcome of an alert is kept, for people who press its buttons late."""

JUDGED_EVERY = timedelta(minutes=10)
"""The pause after which it is judged again, until people have decided, whose a stray or an account is, and
what may be done about it."""

ADOPTED_FOR = timedelta(hours=4)


def about_stray(alert_id: str, hold: Hold, *, asks: bool) -> Alert:
    return Alert(id=alert_id, reason=_stray(hold), hold=hold, asks=asks)


def about_crowd(alert_id: str, target: str, **counted: int) -> Alert:
    """Return an alert about more strays at a target than are revoked, or asked about, at once."""
    return Alert(id=alert_id, reason=because(Why.STRAYS_MANY, target=target, **counted))


def became(alert: Alert, reason: Reason) -> Alert:
    """Return the alert with its outcome and without buttons: there is nothing left to decide."""
    return replace(alert, became=reason, verbs=())


def alert_change(alert: Alert, now: datetime) -> Change:
    """Return the change that stores the alert and makes its messages due."""
    return Change(put={Key.of(Alert, alert.id): alert}, due=(Due.alert(alert.id, at=now),))


def alert_over_change(alert: Alert | None, reason: Reason, now: datetime) -> Change:
    """Return the change that ends the alert with this outcome; an empty one if there is no alert or it is
    already over."""
    if alert is None or alert.over_at:
        return Change()
    return alert_change(replace(became(alert, reason), over_at=now), now)


def show(context: Context, messenger: Messenger, job: Job) -> None:
    """Make every message of an alert equal to it (``alert:<id>``), and forget it a week after it is over.
    Raises TemporaryFailure if a message could not be shown now."""
    alert = retry_conflicts(lambda: _prepare(context, job))
    if alert is None:
        context.ledger.commit(Change(done=Done(claim=job.claim)))
        return
    view = alert_view(alert)
    if view.became and says_ended(view.became) and not context.ledger.wait_for_copies():
        view = replace(view, copied=False)
    now = context.ledger.read(()).now
    digest = messenger.alert_digest(view)
    owing = [place for place in alert.places if owes(place, digest, now)]
    with once_more_if_lost(context.ledger, job.claim, Key.of(Alert, alert.id)):
        posting = _Posting(context, messenger, job, view, now)
        refused = post(posting, owing)
        later = again(job.claim, now) if refused else None
        if later and later.next_at is None:
            give_up(context.ledger, posting, refused)
        next_at = alert.over_at + KEPT if alert.over_at else None
        if not alert.over_at and alert.asks and (alert.hold or alert.account):
            next_at = now + JUDGED_EVERY
        next_at = doubt_ends(alert.places, now) or next_at
        next_at = next_at if view.copied else now + COPIED_BY_THEN
        done = later if later and later.next_at else Done(claim=job.claim, next_at=next_at)
        context.ledger.commit(Change(done=done, frees=True))


def alert_view(alert: Alert) -> AlertView:
    return AlertView(
        id=alert.id,
        reason=alert.reason,
        became=alert.became,
        verbs=alert.verbs,
        length=alert.length,
        over=alert.over_at is not None,
        replacement=alert.replacement,
    )


@dataclass(frozen=True)
class _Posting:
    context: Context
    messenger: Messenger
    job: Job
    view: AlertView
    now: datetime

    def show(self, place: Place) -> Place:
        return self.messenger.show_alert(self.view, place, self.job.fenced_call())

    def record_shown(self, place: Place, posted: Place) -> None:
        shown = place_after(place, posted, self.messenger.alert_digest(self.view), self.now)
        _record(self.context, self.view.id, place, (shown,))

    def record_lost(self, place: Place, failure: PermanentFailure) -> list[Place]:
        """Record that the place refused the message. If it was a channel and the only place, return direct
        messages to use instead."""
        alert = self.context.alert(self.view.id)
        alone = alert is not None and len(alert.places) == 1 and place.channel[:1] in ("#", "C", "G")
        instead = _direct(alert.people) if alert and alone else ()
        facts = {"alert": self.view.id, "to": place.channel, "error": str(failure)[:300]}
        entry = Entry(what="alert lost", facts=facts)
        _record(self.context, self.view.id, place, (refusing(place), *instead), entry)
        return list(instead)

    def give_up(self, place: Place) -> None:
        _record(self.context, self.view.id, place, (replace(place, shown=GIVEN_UP),))


def _record(context: Context, alert_id: str, old: Place, new: Iterable[Place], *audit: Entry) -> None:
    def attempt() -> None:
        key = Key.of(Alert, alert_id)
        snap = context.ledger.read({key})
        alert = snap.find(Alert, alert_id)
        if alert is None:
            return
        moved = replace(alert, places=places_after(alert.places, old, new, snap.now))
        context.ledger.commit(Change(rests_on=(snap,), put={key: moved}, audit=audit, frees=True))

    retry_conflicts(attempt)


# ------------------------------------------------------------------------------------ what, and where


def _prepare(context: Context, job: Job) -> Alert | None:
    """Return the alert with all that it shows and the places where it belongs, written before anything is
    posted. Return None if the alert no longer exists."""
    key = Key.of(Alert, job.claim.id)
    snap = context.ledger.read({key})
    alert = snap.find(Alert, job.claim.id)
    if alert is None:
        return None
    if alert.over_at and alert.over_at + KEPT <= snap.now:
        context.ledger.commit(Change(rests_on=(snap,), put={key: None}, frees=True))
        return None
    prepared = alert if alert.over_at else _with_places(context, _judge(context, alert, job))
    prepared = replace(prepared, places=places_in_doubt(prepared.places, job.claim, snap.now))
    if prepared != alert:
        context.ledger.commit(Change(rests_on=(snap,), put={key: prepared}, frees=True))
    return prepared


def _judge(context: Context, alert: Alert, job: Job) -> Alert:
    """Return the alert as it is judged now: who the access or account belongs to, and what can be done about
    it."""
    if alert.account:
        return judged_contest(context, alert)
    if alert.hold is None:
        return alert
    catalog = context.catalog()
    person = whose(context, alert.hold, job.call())
    forgotten = context.ledger.read({Key.of(Restore)}).find(Restore) is not None
    resource = adoptable(alert.hold, catalog)
    adopt = ("adopt",) if person and resource else ()
    undecided = alert.asks and alert.became is None
    return replace(
        alert,
        reason=_stray(alert.hold, person, forgotten=forgotten),
        verbs=(*adopt, "remove", "leave") if undecided else (),
        person=person,
        resource=resource.name if resource else None,
        length=adopted_for(resource) if resource else None,
    )


def _stray(hold: Hold, person: str | None = None, *, forgotten: bool = False) -> Reason:
    known = {"person": person} if person else {}
    why = Why.STRAY_FORGOTTEN if forgotten else Why.STRAY
    return because(why, account=hold.account, what=str(hold.entitlement), **known)


def adoptable(hold: Hold, catalog: Catalog) -> Resource | None:
    """Return the resource by which a stray would be adopted: the smallest one whose access a single approver
    may grant."""
    may = [each for each in catalog.giving(hold.entitlement) if each.approvers and each.approvals == 1]
    return min(may, key=lambda each: len(each.gives), default=None)


def adopted_for(resource: Resource) -> int:
    """Return the seconds for which a stray is adopted: ADOPTED_FOR, within the resource's limits."""
    lengths = resource.lengths
    return max(min(int(ADOPTED_FOR.total_seconds()), lengths.max), lengths.min)


def owners(hold: Hold, catalog: Catalog) -> tuple[Resource, ...]:
    """Return the resources whose approvers decide about a stray: those that give the entitlement, or if there
    are none, those of the target."""
    return catalog.giving(hold.entitlement) or resources_at(hold.target, catalog)


def resources_at(target: str, catalog: Catalog) -> tuple[Resource, ...]:
    """Return the resources that give something at this target."""
    every = catalog.resources.values()
    return tuple(each for each in every if target in {gives.target for gives in each.gives})


def _with_places(context: Context, alert: Alert) -> Alert:
    if alert.places:
        return alert

    def keys(known: Catalog) -> set[Key]:
        if alert.account:
            return contest_keys(alert, known)
        return {key for resource in _resources_of(alert, known) for key in fact_keys(resource)}

    catalog, snap = context.read_basis(keys)
    concerned = _resources_of(alert, catalog)
    if alert.account:
        people = deciders(alert, catalog, snap)
    else:
        names = [name for each in concerned for name in names_of(each.approvers, facts_of(snap, each))]
        people = tuple(dict.fromkeys(names))[:MOST_DM_APPROVERS]
    theirs = next((each.channel for each in concerned if each.channel), None)
    security = catalog.security_channel
    if catalog.strays.mode is StrayMode.REPORT and not alert.asks:
        channel, people = security, ()
    elif alert.account and catalog.security.people:
        channel = security
    else:
        channel = (theirs or security) if alert.asks and alert.hold else (security or theirs)
    places = (Place(channel=channel, audience="approver"),) if channel else _direct(people)
    return replace(alert, places=places, people=people)


def _resources_of(alert: Alert, catalog: Catalog) -> tuple[Resource, ...]:
    if alert.hold:
        return owners(alert.hold, catalog)
    if alert.grant or alert.account:
        resource = catalog.resources.get(alert.resource or "")
        return (resource,) if resource else ()
    return resources_at(str(alert.reason.facts.get("target", "")), catalog)


def _direct(people: Iterable[str]) -> tuple[Place, ...]:
    return tuple(Place(channel=person, audience="approver") for person in people)
