"""The people of the sandbox, their channels and groups, and who is on call."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from bot.core.catalog import Catalog, Entitlement
from bot.doubles.pagerduty import Pager
from bot.doubles.slack.model import Channel, Group, Person
from bot.doubles.slack.workspace import Workspace
from bot.sandbox.stack.system import Wanted

PEOPLE = {
    "U02ADA": ("ada", "Ada", "on call this week", "c2410c"),
    "U02DAN": ("dan", "Dan", "not on call", "0f766e"),
    "U02BOB": ("bob", "Bob", "database administrator, approves", "4338ca"),
    "U02CAR": ("carol", "Carol", "database administrator, approves", "be185d"),
}
APPROVERS = ("U02BOB", "U02CAR")
ROTATION = ("U02ADA", "U02DAN")
SCHEDULE_NAMES = {"PDBPRIM": "Orders database, primary"}
CHANNELS = ("general", "db-access", "security")


def domain_of(catalog: Catalog) -> str:
    return next(iter(catalog.people.email_domains), "example.com")


def add_people(workspace: Workspace, catalog: Catalog) -> None:
    """Add everybody, and every channel and group that the policy names. Anyone who is there already stays."""
    domain = domain_of(catalog)
    for person, (name, real_name, title, color) in PEOPLE.items():
        workspace.add_person(
            Person(
                id=person,
                name=name,
                real_name=real_name,
                title=title,
                email=f"{name}@{domain}",
                color=color,
            )
        )
    members = (*PEOPLE, workspace.app.user_id)
    places = (*(resource.channel for resource in catalog.resources.values()), catalog.security_channel)
    named = (each.removeprefix("#") for each in places if each and each.startswith("#"))
    for channel in dict.fromkeys((*CHANNELS, *named)):
        workspace.add_channel(Channel(id=_id("C", channel), name=channel, members=members))
    for group in dict.fromkeys(("slack/dba", *catalog.groups())):
        handle = group.partition("/")[2]
        workspace.add_group(Group(id=_id("S", handle), handle=handle, name=handle, users=APPROVERS))


def _id(letter: str, name: str) -> str:
    return letter + "0" + re.sub("[^A-Z0-9]", "", name.upper())


def add_schedules(pager: Pager, catalog: Catalog) -> None:
    """Add the schedules that the policy names, a week in turn each, with Ada on call now. Existing ones
    stay."""
    for person, (name, real_name, _, _) in PEOPLE.items():
        email = f"{name}@{domain_of(catalog)}"
        pager.add_user(f"P{name.upper()}", real_name, email, slack=person)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
    for schedule in catalog.schedules():
        known = schedule.partition("/")[2]
        if known in pager.schedules:
            continue
        pager.add_schedule(known, SCHEDULE_NAMES.get(known, known))
        pager.add_rotation(known, ROTATION, start)


def needs_of(catalog: Catalog, target: str) -> Wanted:
    """Return what a target's system needs: the accounts of the people as the policy names them, otherwise
    their email, and all that the policy gives there."""
    domain = domain_of(catalog)
    every = (gives for resource in catalog.resources.values() for gives in resource.gives)
    return Wanted(
        target=target,
        accounts=frozenset(
            catalog.people.accounts.get(person, {}).get(target, f"{name}@{domain}")
            for person, (name, *_) in PEOPLE.items()
        ),
        roles=frozenset(role_of(gives) for gives in every if gives.target == target),
    )


def role_of(gives: Entitlement) -> str:
    """Return how a system names what is granted: all its texts, in the order of their names."""
    return ", ".join(text for _, text in gives.what)
