"""People and groups as Slack described them, and whether a person may be given anything at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core.ages import age
from bot.core.reasons import Reason, Why, because

FRESH_FOR = timedelta(hours=1)
"""A person read longer ago is looked up again before a decision."""

KNOWN_FOR = timedelta(hours=24)
"""Where that look-up fails, what was read within this time still counts."""

GROUP_KNOWN_FOR = timedelta(hours=1)
"""Members of a group read longer ago cannot say yes to anything."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """A Slack user. ``team`` is the home workspace, ``email`` casefolded. ``shared_email``: somebody
    else who is active has the same address, so it identifies nobody."""

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
class Group:
    """``name`` as in access.yaml, ``slack/dba``; members are Slack user ids. ``id`` is the directory's own,
    which stays if the group gets another name; empty: unknown. ``doubted``: the name no longer means the
    group that the policy meant, whose last known members these are."""

    name: str
    members: tuple[str, ...]
    read_at: datetime
    id: str = ""
    doubted: bool = False

    def age(self, now: datetime) -> timedelta:
        return age(self.read_at, now)


def objection(person: Person | None, *, home: str | None, domains: Sequence[str]) -> Reason | None:
    """Why this person can be given nothing and can approve nothing; None where nothing speaks against it."""
    if home is None:
        return because(Why.WORKSPACE_UNKNOWN)
    if person is None:
        return because(Why.PERSON_UNKNOWN)
    about = {"person": person.id}
    if person.deactivated:
        return because(Why.PERSON_DEACTIVATED, **about)
    if person.bot:
        return because(Why.PERSON_BOT, **about)
    if person.stranger or person.team != home:
        return because(Why.PERSON_EXTERNAL, **about)
    if person.guest:
        return because(Why.PERSON_GUEST, **about)
    return _email_objection(person, domains)


def _email_objection(person: Person, domains: Sequence[str]) -> Reason | None:
    if not person.email or person.email.count("@") != 1:
        return because(Why.NO_EMAIL, person=person.id)
    if not person.email_confirmed:
        return because(Why.EMAIL_UNCONFIRMED, person=person.id)
    if person.shared_email:
        return because(Why.EMAIL_SHARED, person=person.id)
    domain = person.email.partition("@")[2]
    if domains and domain not in domains:
        return because(Why.EMAIL_FOREIGN, person=person.id, domains=", ".join(domains))
    return None
