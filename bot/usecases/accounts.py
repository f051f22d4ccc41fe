"""Whose an account at a target is: the way back from what a target shows to a person in Slack."""

from __future__ import annotations

from bot.core.catalog import Catalog
from bot.core.errors import PermanentFailure, Refused, TemporaryFailure
from bot.core.holds import Hold
from bot.core.people import Person
from bot.ports import Account, Deadline, EmailOwner, Key, Snapshot
from bot.usecases.admit import account_of
from bot.usecases.office import Office
from bot.usecases.people import remember


def whose(office: Office, hold: Hold, deadline: Deadline) -> str | None:
    """The one person who would be given access at this account; None where that is nobody, or several."""
    catalog = office.catalog()
    people = sorted(_named(hold, catalog) | _by_email(office, hold.account, deadline))
    office.meet(*people)
    snap = office.ledger.read(person_keys(hold, *people))
    found = [each for each in people if has_account(each, hold, catalog, snap)]
    return found[0] if len(found) == 1 else None


def person_keys(hold: Hold, *people: str) -> set[Key]:
    pinned = {Key.of(Account, f"{each}/{hold.target}") for each in people}
    return pinned | {Key.of(Person, each) for each in people}


def has_account(person: str, hold: Hold, catalog: Catalog, snap: Snapshot) -> bool:
    try:
        return account_of(person, hold.target, catalog, snap) == hold.account
    except Refused:
        return False


def _named(hold: Hold, catalog: Catalog) -> set[str]:
    every = catalog.people.accounts.items()
    return {person for person, accounts in every if accounts.get(hold.target) == hold.account}


def _by_email(office: Office, account: str, deadline: Deadline) -> set[str]:
    if "@" not in account:
        return set()
    known = office.ledger.read({Key.of(EmailOwner, account)}).find(EmailOwner, account)
    if known and known.people:
        return set(known.people)
    try:
        found = office.directory.by_email(account, deadline)
        if found is None:
            return set()
        remember(office.ledger, found)
    except (TemporaryFailure, PermanentFailure):
        return set()
    return {found.id}
