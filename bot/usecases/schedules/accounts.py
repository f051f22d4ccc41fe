"""Finds the person in Slack behind an account that a target shows, and judges questions about its owner."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from bot.core.catalog import Catalog, groups_in, schedules_in
from bot.core.errors import PermanentFailure, Refused, TemporaryFailure
from bot.core.holds import Hold
from bot.core.members import names_of
from bot.core.people import Group, Person
from bot.core.reasons import Why, because
from bot.core.shifts import Roster
from bot.ports.changes import Snapshot
from bot.ports.deadline import Deadline
from bot.ports.documents import Account, AccountOwner, Alert, EmailOwner, Key
from bot.usecases.context import Context, fact_keys, facts_of
from bot.usecases.people import remember
from bot.usecases.requests.waiting import MOST_DM_APPROVERS
from bot.usecases.schedules.ownership import account_name, owner_facts, owner_key, owner_objection


def whose(context: Context, hold: Hold, deadline: Deadline) -> str | None:
    """Return the one person who would be given access at this account; None if there is nobody, or
    several."""
    catalog, account = context.catalog(), hold.account
    by_email = set[str]()
    if "@" in account:
        owner = context.ledger.read({Key.of(EmailOwner, account)}).find(EmailOwner, account)
        by_email.update(owner.people if owner else ())
    if "@" in account and not by_email:
        with suppress(TemporaryFailure, PermanentFailure):
            if found := context.directory.by_email(account, deadline):
                remember(context.ledger, found)
                by_email.add(found.id)
    people = sorted({*catalog.named_for(hold.target, account)} | by_email)
    context.look_up_people(*people)
    snap = context.ledger.read(person_keys(hold, *people))
    users = [each for each in people if has_account(each, hold, catalog, snap)]
    return users[0] if len(users) == 1 else None


def person_keys(hold: Hold, *people: str) -> set[Key]:
    pinned = {Key.of(Account, f"{each}/{hold.target}") for each in people}
    pinned.add(owner_key(hold.target, hold.account))
    return pinned | {Key.of(Person, each) for each in people}


def has_account(person: str, hold: Hold, catalog: Catalog, snap: Snapshot) -> bool:
    """Return whether this person would be given access at this account."""
    if not _would_use(person, hold, catalog, snap):
        return False
    return not owner_objection(person, hold.target, hold.account, catalog, snap)


def is_concerned(person: str, hold: Hold, catalog: Catalog, snap: Snapshot) -> bool:
    """Return whether the account is or may be this person's, even if they would be given nothing there."""
    owner = snap.find(AccountOwner, owner_key(hold.target, hold.account).id)
    pinned = snap.find(Account, f"{person}/{hold.target}")
    used = (owner and owner.person == person) or (pinned and pinned.name == hold.account)
    return bool(used) or _would_use(person, hold, catalog, snap)


def _would_use(person: str, hold: Hold, catalog: Catalog, snap: Snapshot) -> bool:
    try:
        return account_name(person, hold.target, catalog, snap) == hold.account
    except Refused:
        return False


# ------------------------------------------------------------------------------------------- contests


def judged_contest(context: Context, alert: Alert) -> Alert:
    """Return the question about an account as it is now. It is over once nothing is left to answer, for
    example because the policy names the owner."""
    catalog, snap = context.read_basis(lambda known: contest_keys(alert, known))
    owner = contested_owner(alert, catalog, snap)
    facts = dict(alert.reason.facts)
    if owner is None:
        settled = because(Why.ACCOUNT_SETTLED, account=facts["account"], target=facts["target"])
        return replace(alert, became=settled, asks=False, verbs=(), over_at=snap.now)
    facts |= owner_facts(owner)
    known = snap.find(Person, owner.person)
    why = Why.ACCOUNT_REHIRED if known and known.deactivated else Why.ACCOUNT_CONTESTED
    return replace(alert, reason=because(why, **facts))


def contest_keys(alert: Alert, catalog: Catalog) -> set[Key]:
    """Return the keys of what a question about an account, and who may answer it, rests on."""
    who = catalog.security.people
    resource = catalog.resources.get(alert.resource or "")
    asked = [str(alert.reason.facts["owner_person"]), *([alert.person] if alert.person else [])]
    return {
        Key.of(Alert, alert.id),
        Key.of(AccountOwner, alert.account or ""),
        *(Key.of(Person, each) for each in asked),
        *(Key.of(Group, each) for each in groups_in(who)),
        *(Key.of(Roster, each) for each in schedules_in(who)),
        *(fact_keys(resource) if resource else ()),
    }


def contested_owner(alert: Alert, catalog: Catalog, snap: Snapshot) -> AccountOwner | None:
    """Return the owner of the account, or None if there is nothing to answer about it."""
    target, account = str(alert.reason.facts["target"]), str(alert.reason.facts["account"])
    owner = snap.find(AccountOwner, alert.account or "")
    if owner is None or catalog.is_shared(target, account) or catalog.named_for(target, account):
        return None
    return None if alert.person in (owner.person, *owner.others) else owner


def answerer_fact(alert: Alert | None) -> dict[str, str | int]:
    """Return who has answered the alert, as a fact of a reason; nothing if nobody has."""
    facts = alert.became.facts if alert and alert.became else {}
    return {name: value for name, value in facts.items() if name == "by_person"}


def deciders(alert: Alert, catalog: Catalog, snap: Snapshot) -> tuple[str, ...]:
    """Return a few of the people who may answer, to be asked in direct messages if there is no channel."""
    resource = catalog.resources.get(alert.resource or "")
    who = catalog.security.people or (resource.approvers if resource else ())
    two = (alert.person, alert.reason.facts["owner_person"])
    found = [each for each in names_of(who, facts_of(snap, resource)) if each not in two]
    return tuple(found[:MOST_DM_APPROVERS])
