"""People and groups as Slack described them, and whether a person may be given anything at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.core.ages import age
from bot.core.catalog import Catalog
from bot.core.document import Document
from bot.core.reasons import Reason, Why, because

FRESH_FOR = timedelta(hours=1)
"""A person read longer ago is looked up again before a decision."""

KNOWN_FOR = timedelta(hours=24)
"""If that look-up fails, what was read within this time still counts."""

GROUP_KNOWN_FOR = timedelta(hours=1)
"""Members of a group read longer ago cannot say yes to anything."""


@dataclass(frozen=True, kw_only=True)
class Person(Document, kind="person"):
    """A Slack user. ``team`` is the home workspace, ``email`` is casefolded. ``shared_email``: somebody else
    who could be given something has the same address, so it identifies nobody."""

    id: str
    team: str
    name: str
    email: str | None
    email_confirmed: bool
    deactivated: bool = False
    bot: bool = False
    guest: bool = False
    stranger: bool = False
    shared_email: bool = False
    read_at: datetime

    def age(self, now: datetime) -> timedelta:
        return age(self.read_at, now)


@dataclass(frozen=True, kw_only=True)
class Group(Document, kind="group"):
    """A Slack user group. ``name`` is as in access.yaml, ``slack/dba``; members are Slack user ids. ``id`` is
    the directory's own, which stays if the group is renamed; empty: unknown. ``doubted``: the name no longer
    means the group that the policy meant, whose last known members these are."""

    name: str
    members: tuple[str, ...]
    read_at: datetime
    id: str = ""
    doubted: bool = False

    def age(self, now: datetime) -> timedelta:
        return age(self.read_at, now)


def objection(person: Person | None, *, home: str | None, domains: Sequence[str]) -> Reason | None:
    """Return why this person can be given nothing and can approve nothing; None if there is no objection."""
    if home is None:
        return because(Why.WORKSPACE_UNKNOWN)
    if person is None:
        return because(Why.PERSON_UNKNOWN)
    email = person.email or ""
    against = {
        Why.PERSON_DEACTIVATED: person.deactivated,
        Why.PERSON_BOT: person.bot,
        Why.PERSON_EXTERNAL: person.stranger or person.team != home,
        Why.PERSON_GUEST: person.guest,
        Why.NO_EMAIL: email.count("@") != 1,
        Why.EMAIL_UNCONFIRMED: not person.email_confirmed,
        Why.EMAIL_SHARED: person.shared_email,
    }
    for why, applies in against.items():
        if applies:
            return because(why, person=person.id)
    if domains and email.partition("@")[2] not in domains:
        return because(Why.EMAIL_FOREIGN, person=person.id, domains=", ".join(domains))
    return None


def owners_of_address(email: str, people: Iterable[Person], home: str | None) -> tuple[str, ...]:
    """Return the ids of the people who have an email address. If anybody who could be given something has it,
    nobody else counts: a guest takes nothing away from a member. ``home`` None: not known yet, so all
    workspaces count."""
    found = sorted((each for each in people if each.email == email), key=lambda each: each.id)
    ours = [
        each.id
        for each in found
        if objection(replace(each, shared_email=False), home=home or each.team, domains=()) is None
    ]
    return tuple(ours or (each.id for each in found if not each.deactivated))


def same_human(one: Person, other: Person, catalog: Catalog) -> bool:
    """Return whether two Slack users count as one person: they have one confirmed address, or one account at
    a target that is not meant to be shared."""
    if one.id == other.id:
        return True
    if one.email and one.email == other.email and one.email_confirmed and other.email_confirmed:
        return True
    ones, others = (catalog.people.accounts.get(each.id, {}) for each in (one, other))
    return any(
        account == others.get(target, other.email) and not catalog.is_shared(target, account)
        for target in {*ones, *others}
        if (account := ones.get(target, one.email))
    )
