"""Decisions of approvers about strays: one becomes a grant, is removed, or is left as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.core.blocks import Ban
from bot.core.catalog import Catalog, Resource
from bot.core.document import Document
from bot.core.errors import Refused, refuse
from bot.core.grants import Cause, Grant, Ground, Origin, Traced, Vote
from bot.core.holds import Hold, HoldRecord, Phase, Presence
from bot.core.members import YES, for_revoking
from bot.core.people import Person
from bot.core.policy import Ask, approver_objection, refusal_of, security_objection
from bot.core.reasons import Reason, Why, because
from bot.core.strays import Stray, StrayState
from bot.ports.changes import Change, Due, Entry, Snapshot
from bot.ports.documents import Alert, Key, Strays
from bot.usecases.access.outcomes import hold_name
from bot.usecases.context import Context, fact_keys, facts_of, security_keys
from bot.usecases.notifications.alerts import adoptable, adopted_for, alert_change, became, owners
from bot.usecases.requests.admit import admission
from bot.usecases.requests.waiting import unrequested_grant
from bot.usecases.schedules.accounts import answerer_fact, has_account, is_concerned, person_keys
from bot.usecases.strays.acts import taking
from bot.usecases.strays.round import behind

LOOK_AFTER = timedelta(seconds=3)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A stray to be decided about, the person who decides, and what that is judged on."""

    by: str
    alert: Alert
    hold: Hold
    strays: Strays
    catalog: Catalog
    snap: Snapshot

    @property
    def now(self) -> datetime:
        return self.snap.now

    def decision_change(self, stray: Stray | None, reason: Reason, *, over: bool) -> Change:
        """Return the change that keeps the stray as it is after the decision (None: it is no longer a stray),
        and shows ``reason`` in its alert."""
        key = self.hold.key
        others = {each: kept for each, kept in self.strays.found.items() if each != key}
        found = others | ({key: stray} if stray else {})
        alert = became(replace(self.alert, asks=False), reason)
        put: dict[Key, Document | None] = {
            Key.of(Strays, self.hold.target): replace(self.strays, found=found)
        }
        shown = alert_change(replace(alert, over_at=self.now) if over else alert, self.now)
        return Change(rests_on=(self.snap,), put=put).plus(shown)


def adopt(context: Context, *, person: str, alert: str, op: str) -> None:
    """Let the access continue as a grant of the person who has it, for some hours. Raises Refused, also for
    one's own access."""
    _judge(context, person, alert, op, _adoption_change)


def remove(context: Context, *, person: str, alert: str, op: str) -> None:
    """Revoke the access. Security people may do this, too. Raises Refused."""
    _judge(context, person, alert, op, _removal_change)


def leave(context: Context, *, person: str, alert: str, op: str) -> None:
    """Leave the access, and ask nobody again until it goes away and comes back. Raises Refused, also for
    one's own access."""
    _judge(context, person, alert, op, _leave_change)


def _judge(
    context: Context, by: str, alert_id: str, op: str, verdict: Callable[[Context, Case], Change]
) -> None:
    known = context.alert(alert_id)
    context.look_up_people(*((known.person,) if known and known.person else ()), by, again=True)

    def decision() -> Change:
        first = context.alert(alert_id)
        if first is None or first.hold is None:
            raise refuse(Why.ALERT_SETTLED)
        hold, people = first.hold, [each for each in (by, first.person) if each]

        def keys(known: Catalog) -> set[Key]:
            shown = {Key.of(Alert, alert_id), Key.of(Strays, hold.target), Key.of(HoldRecord, hold.key)}
            judged = {key for resource in owners(hold, known) for key in fact_keys(resource, *people)}
            judged |= {Key.of(shape, each) for each in people for shape in (Person, Ban)}
            return shown | judged | security_keys(known) | person_keys(hold, *people)

        catalog, snap = context.read_basis(keys, (f"hold:{hold.key}",))
        alert, strays = snap.find(Alert, alert_id), snap.find(Strays, hold.target)
        stray = strays.found.get(hold.key) if strays else None
        explained = snap.find(HoldRecord, hold.key) or hold.key in behind(snap)
        if alert is None or strays is None or stray is None or explained or not alert.verbs:
            raise refuse(Why.ALERT_SETTLED, **answerer_fact(alert))
        against = _objection(by, owners(hold, catalog), catalog, snap, revoking=verdict is _removal_change)
        if against:
            raise Refused(against)
        case = Case(by=by, alert=alert, hold=hold, strays=strays, catalog=catalog, snap=snap)
        return verdict(context, case)

    context.commit_once(op, "verdict on a stray", by, alert_id, decision)


def _objection(
    by: str, resources: tuple[Resource, ...], catalog: Catalog, snap: Snapshot, *, revoking: bool = False
) -> Reason | None:
    """Return why this person may not decide. Anyone who may approve one of these resources may. ``revoking``:
    security people may, too, and what was known within a day counts."""
    facts = for_revoking(facts_of(snap)) if revoking else facts_of(snap)
    against = [approver_objection(by, each, catalog, facts) for each in resources]
    if None in against or (revoking and security_objection(by, catalog, facts) is None):
        return None
    return against[0] if against else because(Why.NOT_AN_APPROVER)


def _not_ones_own(case: Case) -> None:
    """Raise Refused if the access is or may be the person's own: also for one of several users of the
    account, and for anyone who had it before."""
    if case.by == case.alert.person or is_concerned(case.by, case.hold, case.catalog, case.snap):
        raise refuse(Why.OWN_ACCESS)


# ------------------------------------------------------------------------------------------ verdicts


def _removal_change(_: Context, case: Case) -> Change:
    stray = replace(case.strays.found[case.hold.key], state=StrayState.TAKING)
    decided = case.decision_change(stray, because(Why.STRAY_TAKING, by_person=case.by), over=False)
    soon = Change(due=(Due.strays(case.hold.target, at=case.now + LOOK_AFTER),))
    return decided.plus(taking(case.hold, case.snap, by=case.by), soon)


def _leave_change(_: Context, case: Case) -> Change:
    _not_ones_own(case)
    stray = replace(case.strays.found[case.hold.key], state=StrayState.LEFT)
    entry = Entry(what="stray left", by=case.by, facts={"hold": hold_name(case.hold)})
    decided = case.decision_change(stray, because(Why.STRAY_LEFT, by_person=case.by), over=True)
    return decided.plus(Change(audit=(entry,)))


def _adoption_change(context: Context, case: Case) -> Change:
    """Return the change that adopts the stray. Nothing is granted by it: the grant stands behind that one
    hold, whatever else its resource gives. Raises Refused, also if the resource is no longer the one that
    the button was for, or the person is not one of its approvers."""
    _not_ones_own(case)
    by, person, hold, catalog, snap = case.by, case.alert.person, case.hold, case.catalog, case.snap
    resource = adoptable(hold, catalog)
    if person is None or resource is None or resource.name != case.alert.resource:
        raise refuse(Why.NOT_ADOPTABLE)
    if not has_account(person, hold, catalog, snap):
        raise refuse(Why.NOT_ADOPTABLE)
    if against := _objection(by, (resource,), catalog, snap):
        raise Refused(against)
    length = adopted_for(resource)
    ask = Ask(person=person, resource=resource, length=length, reason="", any_reason=True)
    if against := refusal_of(ask, catalog, facts_of(snap, resource)):
        raise Refused(against)
    until = case.now + timedelta(seconds=length)
    ground = Ground(
        cause=Cause.APPROVAL, since=case.now, until=until, rule=f"adopted by {by}", approved_by=(by,)
    )
    only = replace(resource, gives=(hold.entitlement,))
    traced = Traced(rule="adopted", outcome=YES, reason=because(Why.ADOPTED, by_person=by))
    grant = unrequested_grant(context.new_id(), person, resource, Origin.ASKED, traced, (catalog, snap))
    grant = replace(grant, length=length, votes=(Vote(person=by, at=case.now),))
    grant, change = admission(grant, ground, only, catalog, snap)
    # access of ours is there already; this rests on nobody else having been approved for it meanwhile
    record = HoldRecord(hold=hold, phase=Phase.GIVEN, baseline=Presence.NONE)
    given = Change(
        members={f"hold:{hold.key}": [each.id for each in snap.all(Grant) if hold.key in each.holds]},
        put={Key.of(HoldRecord, hold.key): record},
        audit=(Entry(what="stray adopted", grant=grant.id, by=by, facts={"hold": hold_name(hold)}),),
    )
    until_at = int(until.timestamp())
    reason = because(
        Why.STRAY_ADOPTED, by_person=by, person=person, resource=resource.name, until_at=until_at
    )
    return change.plus(given, case.decision_change(None, reason, over=True))
