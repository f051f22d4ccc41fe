"""Access that should be gone and is not: reported at once and every hour, tried again when people ask for
that, and reported again when it is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial

from bot.core.ages import age
from bot.core.blocks import Ban
from bot.core.catalog import Catalog
from bot.core.document import Document
from bot.core.errors import Refused, refuse
from bot.core.grants import SETTLED, Grant, State
from bot.core.holds import Hold, HoldRecord
from bot.core.people import Person, objection
from bot.core.policy import ban_objection, security_objection
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change, Claim, Done, Due, Entry, Snapshot
from bot.ports.documents import Alert, Key, Note, TargetSystems
from bot.ports.ledger import Census
from bot.usecases.context import Context, facts_of, security_keys
from bot.usecases.notes import note_change
from bot.usecases.notifications.alerts import alert_change, alert_over_change, became
from bot.usecases.notifications.posting import GIVEN_UP, LOST
from bot.usecases.retry import retry_conflicts
from bot.usecases.schedules.ownership import sharers

TELL_EVERY = timedelta(hours=1)
COUNT_EVERY = timedelta(minutes=5)
MOST_TOLD = 10
"""The most overdue grants that are reported one by one; if there are more, only their number is reported."""
ALL = "all"
_CAME_OF: Mapping[Why, Why] = {
    Why.OVERDUE_TRYING: Why.OVERDUE_STILL,
    Why.OVERDUE_CHECKING: Why.OVERDUE_UNCONFIRMED,
    Why.OVERDUE_ACCEPTED: Why.OVERDUE_STILL,
}
"""For the message about a try that somebody wished for, the one that follows if it did not help."""
VERBS = ("try_now", "removed")
SAME_SYSTEM = "same_system"


def alarm(context: Context, census: Census, claim: Claim) -> None:
    """Report that a grant (``alarm:<id>``) is overdue, again each hour while it is, and when it is over; or
    (``alarm:all``) how many are."""
    retry_conflicts(partial(_report_number if claim.id == ALL else _report_one, context, census, claim))


def try_now(context: Context, *, person: str, alert: str, op: str) -> None:
    """Try again at once. Any full member may do this, because it can only revoke. Raises Refused."""
    _commit_wish(context, person, alert, op, by_hand=False)


def confirm_removal(context: Context, *, person: str, alert: str, op: str) -> None:
    """Try again at once, and if that fails, believe what the target shows, because somebody says they removed
    the access by hand. Any full member may say so, except the holder of the access. Raises Refused."""
    _commit_wish(context, person, alert, op, by_hand=True)


def same_system(context: Context, *, person: str, alert: str, shown: str, op: str) -> None:
    """Record that the system which answers at the target is the one where the access was granted, upgraded or
    restored, and try again at once. Everything that is held there is settled accordingly at its next look.
    ``shown`` is the digest of the Replacement that the button showed. Raises Refused, also for the holder of
    the access, and for anyone who is not one of the security people."""

    def decision() -> Change:
        systems = Key.of(TargetSystems)
        catalog, snap, grant, open_alert = _open_alert(
            context, person, alert, lambda known: {systems, *security_keys(known)}
        )
        against = security_objection(person, catalog, facts_of(snap))
        if against:
            raise Refused(against)
        if person == grant.person:
            raise refuse(Why.OWN_SYSTEM)
        said = open_alert.replacement
        if said is None or said.digest != shown:
            raise refuse(Why.SYSTEM_CHANGED)
        known = snap.find(TargetSystems) or TargetSystems()
        others = tuple(each for each in known.accepted if each.digest != said.digest)
        facts = {"target": said.target, "from": [*said.earlier], "to": said.system}
        entry = Entry(what="said to be the same system", grant=grant.id, by=person, facts=facts)
        accepted = replace(known, accepted=(*others, replace(said, by=person)))
        wish = replace(open_alert, became=because(Why.OVERDUE_ACCEPTED, by_person=person))
        return _try_change(grant, person, snap, by_hand=False).plus(
            Change(put={systems: accepted}, audit=(entry,)), alert_change(wish, snap.now)
        )

    context.look_up_people(person, again=True)
    context.commit_once(op, "same system", person, alert, decision)


# ------------------------------------------------------------------------------------------ reporting


def _report_one(context: Context, census: Census, claim: Claim) -> None:
    """Report one grant. Its alert has the id of the grant."""
    keys = {Key.of(Grant, claim.id), Key.of(Alert, claim.id)}
    first = context.ledger.read(keys).find(Grant, claim.id)
    snap = context.ledger.read(keys | _record_keys(first) if first else keys)
    grant, alert = snap.find(Grant, claim.id), snap.find(Alert, claim.id)
    change, done = Change(), Done(claim=claim)
    many, late = False, set[str]()
    for page in census.grants("overdue") if grant and _is_overdue(grant) else ():
        late.update(page)
        if len(late) > MOST_TOLD:  # if there is a channel, only their number is reported there
            many = context.catalog().security_channel is not None
            break
    if many and alert is None:
        change = Change(due=(Due.alarm(ALL, at=snap.now),))
        done = Done(claim=claim, next_at=snap.now + TELL_EVERY)
    elif grant and _is_overdue(grant):
        now, change = _alert_now(context, grant, alert, snap, many=many)
        done = Done(claim=claim, next_at=(now.told_at or snap.now) + TELL_EVERY)
    elif grant and alert and not alert.over_at:
        change = _recovery_change(context, grant, alert, snap)
    context.ledger.commit(replace(change, rests_on=(snap,), done=done, frees=True))


def _record_keys(grant: Grant) -> set[Key]:
    return {Key.of(HoldRecord, hold.key) for hold in _open_holds(grant)}


def _open_holds(grant: Grant) -> tuple[Hold, ...]:
    """Return the holds of the grant that are not settled yet."""
    return tuple(hold for hold in grant.gives if grant.holds[hold.key] not in SETTLED)


def _is_overdue(grant: Grant) -> bool:
    return grant.state is State.ENDING and grant.overdue_since is not None


def _alert_now(
    context: Context, grant: Grant, alert: Alert | None, snap: Snapshot, *, many: bool
) -> tuple[Alert, Change]:
    """Return the alert as it is now, and what must be written. It is repeated each hour; if ``many`` are
    overdue, only their number is."""
    now = snap.now
    since = grant.overdue_since or now
    trouble = {"trouble": grant.trouble.rstrip(". ")} if grant.trouble else {}
    about = {"person": grant.person, "resource": grant.resource, **trouble}
    overdue = because(Why.OVERDUE, since_at=int(since.timestamp()), **about)
    first = Alert(
        id=grant.id,
        reason=overdue,
        grant=grant.id,
        resource=grant.resource,
        asks=True,
        verbs=VERBS,
        told_at=now,
    )
    known = alert or first
    wish, records = known.became, snap.all(HoldRecord)
    if wish and wish.why in _CAME_OF and not any(each.wished_by for each in records):
        wish = because(_CAME_OF[wish.why], by_person=wish.facts["by_person"], **trouble)
    after = replace(known, became=wish)

    of_open = (snap.find(HoldRecord, hold.key) for hold in _open_holds(grant))
    replacement = next((each.replacement for each in of_open if each and each.replacement), None)
    if replacement and not context.catalog().security.people:
        replacement = None
    if replacement != known.replacement:
        verbs = (*VERBS, SAME_SYSTEM) if replacement else VERBS
        after = replace(after, reason=overdue, verbs=verbs, replacement=replacement)

    notes = Change()
    if known.told_at and age(known.told_at, now) >= TELL_EVERY:
        after = replace(after, reason=overdue, told_at=now)
        still = because(Why.OVERDUE_AGAIN, late_s=_in_minutes(now - since), **about)
        notes = Change() if many else _said_below(context, after, still, snap)
    return after, (alert_change(after, now) if after != alert else Change()).plus(notes)


def _recovery_change(context: Context, grant: Grant, alert: Alert, snap: Snapshot) -> Change:
    ended_at = grant.ended_at or snap.now
    since_at = alert.reason.facts["since_at"]
    late = ended_at.timestamp() - (since_at if isinstance(since_at, int) else 0)
    about = {"person": grant.person, "resource": grant.resource}
    late_s = _in_minutes(timedelta(seconds=late))
    shared = sharers(context.ledger, grant, context.catalog())
    if shared:
        other, until = shared[0]
        end = {"until_at": int(until.timestamp())} if until else {}
        reason = because(Why.OVERDUE_SHARED, late_s=late_s, other_person=other, **about, **end)
    elif grant.kept_by:
        reason = because(Why.OVERDUE_KEPT, late_s=late_s, **about)
    else:
        reason = because(Why.OVERDUE_GONE, gone_at=int(ended_at.timestamp()), late_s=late_s, **about)
    over = replace(became(alert, reason), over_at=snap.now)
    return alert_change(over, snap.now).plus(_said_below(context, alert, reason, snap))


def _report_number(context: Context, census: Census, claim: Claim) -> None:
    """Keep one alert with the number of overdue grants, until they are few again and are reported one by
    one."""
    snap = context.ledger.read({Key.of(Alert, ALL)})
    found, now = snap.find(Alert, ALL), snap.now
    alert = found if found and not found.over_at else None
    late = {grant for page in census.grants("overdue") for grant in page}
    change, done = Change(), Done(claim=claim)
    if len(late) > MOST_TOLD:
        many = because(Why.OVERDUE_MANY, count=len(late))
        known = alert or Alert(id=ALL, reason=many, told_at=now)
        after = replace(known, reason=many)
        if known.told_at and age(known.told_at, now) >= TELL_EVERY:
            after = replace(after, told_at=now)
            change = _said_below(context, after, many, snap)
        if after != alert:
            change = alert_change(after, now).plus(change)
        done = Done(claim=claim, next_at=now + COUNT_EVERY)
    elif alert:
        few = because(Why.OVERDUE_FEW, count=len(late))
        singly = tuple(Due.alarm(grant, at=now) for grant in sorted(late))
        change = alert_over_change(alert, few, now).plus(_said_below(context, alert, few, snap))
        change = change.plus(Change(due=singly))
    context.ledger.commit(replace(change, rests_on=(snap,), done=done, frees=True))


def _in_minutes(late: timedelta) -> int:
    """Return whole seconds, rounded down to whole minutes from one minute on."""
    seconds = max(int(late.total_seconds()), 0)
    return seconds if seconds < 60 else seconds // 60 * 60


def _said_below(context: Context, alert: Alert, reason: Reason, snap: Snapshot) -> Change:
    """Return notes in the alert's thread, which are shown in the channel as well so that people notice
    them."""
    notes = [
        Note(id=context.new_id(), channel=place.channel, reason=reason, thread=place.ts)
        for place in alert.places
        if place.ts and place.shown not in (LOST, GIVEN_UP)
    ]
    return note_change(snap.now, *notes)


# --------------------------------------------------------------------------------------------- wishes


def _commit_wish(context: Context, person: str, alert_id: str, op: str, *, by_hand: bool) -> None:
    def decision() -> Change:
        catalog, snap, grant, alert = _open_alert(context, person, alert_id)
        facts = facts_of(snap)
        against = objection(facts.people.get(person), home=facts.home, domains=catalog.people.email_domains)
        against = against or ban_objection(person, facts)
        if against:
            raise Refused(against)
        if by_hand and person == grant.person:
            raise refuse(Why.OWN_REMOVAL)
        wish = because(Why.OVERDUE_CHECKING if by_hand else Why.OVERDUE_TRYING, by_person=person)
        entry = Entry(what="said to be removed" if by_hand else "to be tried now", grant=grant.id, by=person)
        tried = _try_change(grant, person, snap, by_hand=by_hand)
        return tried.plus(alert_change(replace(alert, became=wish), snap.now), Change(audit=(entry,)))

    context.look_up_people(person, again=True)
    what = "removal by hand" if by_hand else "trying now"
    context.commit_once(op, what, person, alert_id, decision)


def _open_alert(
    context: Context,
    person: str,
    alert_id: str,
    besides: Callable[[Catalog], Iterable[Key]] = lambda _: (),
) -> tuple[Catalog, Snapshot, Grant, Alert]:
    """Read an open alert, with its grant and what a wish rests on, and these documents ``besides``. Raises
    Refused if there is nothing left to wish for."""
    first = context.ledger.read({Key.of(Grant, alert_id)}).find(Grant, alert_id)
    keys = {
        *(Key.of(Grant, alert_id), Key.of(Alert, alert_id), Key.of(Person, person), Key.of(Ban, person)),
        *(_record_keys(first) if first else ()),
    }
    catalog, snap = context.read_basis(lambda known: {*keys, *besides(known)})
    grant, alert = snap.find(Grant, alert_id), snap.find(Alert, alert_id)
    if grant is None or alert is None or alert.over_at or not _is_overdue(grant):
        raise refuse(Why.ALERT_SETTLED)
    return catalog, snap, grant, alert


def _try_change(grant: Grant, person: str, snap: Snapshot, *, by_hand: bool) -> Change:
    records = [record for hold in _open_holds(grant) if (record := snap.find(HoldRecord, hold.key))]
    put: dict[Key, Document | None] = {
        Key.of(HoldRecord, record.hold.key): replace(
            record, wished_by=person, by_hand=record.by_hand or by_hand
        )
        for record in records
    }
    due = tuple(Due.hold(hold.key, at=snap.now) for hold in _open_holds(grant))
    return Change(rests_on=(snap,), put=put, due=due, frees=True)
