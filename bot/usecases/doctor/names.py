"""Checks whether the people and groups that access.yaml names are in Slack."""

from __future__ import annotations

from collections.abc import Iterator

from bot.core.catalog import Catalog, people_in
from bot.core.people import objection
from bot.ports.deadline import Deadline
from bot.ports.slack import Directory
from bot.usecases.doctor.findings import Finding, look_at, ok, wrong

NAMES = "names in slack"


def look_at_names(directory: Directory, catalog: Catalog, deadline: Deadline) -> Iterator[Finding]:
    """Look up each group and each person that the policy names."""
    found = directory.groups(catalog.groups(), deadline)
    fine = True
    for name in catalog.groups():
        if name not in found:
            fine = False
            yield wrong(NAMES, f"the group {name} is not in Slack", "create it, or correct access.yaml")
        elif not found[name].members:
            fine = False
            yield look_at(NAMES, f"nobody is in the group {name}", "add people to it in Slack")
    home = directory.home(deadline)
    for each in people_named(catalog):
        person = directory.person(each, deadline)
        if person is None:
            fine = False
            yield wrong(NAMES, f"nobody in Slack has the id {each}", "correct access.yaml")
        elif objection(person, home=home.team, domains=catalog.people.email_domains):
            fine = False
            what = (
                f"{person.name} ({each}) is not an active full member with a confirmed address in"
                " email_domains"
            )
            yield look_at(NAMES, what, "check the person's profile in Slack, or remove them from access.yaml")
    if fine:
        yield ok(NAMES, "all people and groups that access.yaml names exist")


def people_named(catalog: Catalog) -> tuple[str, ...]:
    """Return the Slack user ids that the policy names."""
    resources = (who for each in catalog.resources.values() for who in each.selectors())
    named = people_in((*resources, *catalog.security.people))
    return tuple(dict.fromkeys((*named, *catalog.people.accounts)))
