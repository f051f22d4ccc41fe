"""Answers of security people to the question whether two who claim one account are the same person."""

from __future__ import annotations

from dataclasses import replace

from bot.core.catalog import Catalog
from bot.core.errors import Refused, refuse
from bot.core.members import CANNOT_TELL, YES, belongs
from bot.core.people import Person, objection, same_human
from bot.core.policy import approver_objection
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change, Entry, Snapshot
from bot.ports.documents import AccountOwner, Alert, Key, Note
from bot.usecases.context import Context, facts_of
from bot.usecases.notes import note_change
from bot.usecases.notifications.alerts import alert_over_change
from bot.usecases.schedules.accounts import answerer_fact, contest_keys, contested_owner


def same_person(context: Context, *, person: str, alert: str, op: str) -> None:
    """Make the account that of the person who claims it; what is held continues. Raises Refused, also if
    ``person`` is one of the two."""
    _answer(context, person, alert, op, Why.ACCOUNT_MOVED)


def somebody_else(context: Context, *, person: str, alert: str, op: str) -> None:
    """Leave the account with its owner, and do not ask about this claimant again. Raises Refused, also if
    ``person`` is one of the two."""
    _answer(context, person, alert, op, Why.ACCOUNT_KEPT)


def _answer(context: Context, by: str, alert_id: str, op: str, why: Why) -> None:
    known = context.alert(alert_id)
    two = (known.person, known.reason.facts.get("owner_person")) if known and known.account else ()
    context.look_up_people(by, *(str(each) for each in two if each), again=True)

    def decision() -> Change:
        first = context.alert(alert_id)
        if first is None or not first.account:
            raise refuse(Why.ALERT_SETTLED)
        catalog, snap = context.read_basis(lambda known: {*contest_keys(first, known), Key.of(Person, by)})
        alert = snap.find(Alert, alert_id)
        owner = contested_owner(first, catalog, snap)
        if alert is None or alert.over_at or owner is None or alert.person is None:
            raise refuse(Why.ALERT_SETTLED, **answerer_fact(alert))
        if owner.person != alert.reason.facts["owner_person"]:  # no longer the one whom the question named
            raise refuse(Why.ALERT_SETTLED)
        against = _objection(by, alert, owner, catalog, snap)
        if against:
            raise Refused(against)
        about = {name: alert.reason.facts[name] for name in ("target", "account")}
        reason = because(why, by_person=by, person=alert.person, owner_person=owner.person, **about)
        if why is Why.ACCOUNT_MOVED:
            what, after = "account moved", AccountOwner(person=alert.person, since=snap.now)
        else:
            what, after = "account kept", replace(owner, others=(*owner.others, alert.person))
        note = Note(id=f"account-{alert.id}", channel=alert.person, reason=reason)
        own = Change(
            rests_on=(snap,),
            put={Key.of(AccountOwner, first.account): after},
            audit=(Entry(what=what, by=by, facts=reason.facts),),
        )
        over = alert_over_change(replace(alert, asks=False), reason, snap.now)
        return own.plus(note_change(snap.now, note), over)

    context.commit_once(op, "answer about an account", by, alert_id, decision)


def _objection(by: str, alert: Alert, owner: AccountOwner, catalog: Catalog, snap: Snapshot) -> Reason | None:
    """Return why this person may not answer. If the policy names no security people, an approver of what the
    account was wanted for may."""
    facts = facts_of(snap)
    known = facts.people.get(by)
    against = objection(known, home=facts.home, domains=catalog.people.email_domains)
    if against or known is None:
        return against
    two = [owner.person, alert.person]
    described = [found for each in two if each and (found := snap.find(Person, each))]
    if by in two or any(same_human(known, each, catalog) for each in described):
        return because(Why.ACCOUNT_CLAIMED)
    resource = catalog.resources.get(alert.resource or "")
    if not catalog.security.people:
        if resource is None:
            return because(Why.NOT_FOR_ACCOUNTS)
        return approver_objection(by, resource, catalog, facts_of(snap, resource))
    lines = [belongs(by, who, catalog, facts) for who in catalog.security.people]
    if any(line.outcome == YES for line in lines):
        return None
    unsure = next((line.reason for line in lines if line.outcome == CANNOT_TELL), None)
    return unsure or because(Why.NOT_FOR_ACCOUNTS)
