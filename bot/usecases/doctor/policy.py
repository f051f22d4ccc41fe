"""Checks whether the policy can be followed: it is known here, and there are people to request access and to
approve it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from bot.core.authentic import text_objection
from bot.core.catalog import Catalog, Everyone, Resource
from bot.core.members import Facts, names_of
from bot.core.people import GROUP_KNOWN_FOR, Group, Person, objection
from bot.core.reasons import Why
from bot.core.shifts import Roster
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, PolicyDoubt, PolicyInForce, PolicyText
from bot.ports.ledger import Ledger
from bot.ports.slack import Directory
from bot.usecases.context import HOME, facts_of
from bot.usecases.doctor.findings import Finding, ago, look_at, ok, when, wrong

POLICY, PEOPLE = "policy", "people"
APPLY = "run rotakey policy apply FILE with the access.yaml you want"


def look_at_policy(
    ledger: Ledger, local: str | None, file: str, keys: Sequence[bytes] = ()
) -> Iterator[Finding]:
    """Look at the policy in force, its text, and the file on this machine. ``local`` is the version of that
    file, None if it has mistakes. ``keys`` are those of SECRET_KEY."""
    snap = ledger.read({Key.of(PolicyInForce), Key.of(PolicyDoubt)})
    force, doubt = snap.find(PolicyInForce), snap.find(PolicyDoubt)
    if doubt:
        what = f"for {ago(doubt.noticed_at, snap.now)} a process has not followed the policy in force"
        yield wrong(POLICY, f"{what}, so it grants nothing", APPLY)
    if force is None:
        yield wrong(POLICY, "no policy is in force", APPLY)
        return
    if force.held_back:
        before = force.held_back.facts.get("anchored", "another one")
        what = f"Redis came back with policy {force.version}, but {before} was in force before"
        yield wrong(POLICY, f"{what}: nothing is granted", APPLY)
    kept = ledger.read({Key.of(PolicyText, force.version)}).find(PolicyText, force.version)
    against = text_objection(force.version, kept.text if kept else None, kept.hmacs if kept else (), keys)
    if against:
        yield wrong(POLICY, *OBJECTIONS[against.why](force.version))
        return
    if kept and kept.hmacs and not keys:
        what = (
            "SECRET_KEY is not set here, so it cannot be checked that Rotakey's own processes put this"
            " policy in force"
        )
        yield look_at(POLICY, what, "run rotakey doctor with a worker's environment")
    if local and local != force.version:
        what = f"{file} is version {local}, but {force.version} is in force"
        yield look_at(POLICY, what, f"run rotakey policy apply {file}, or replace it with the one in force")
    elif local:
        yield ok(POLICY, f"{file} is in force, version {local}")


def look_at_people(
    ledger: Ledger, directory: Directory, catalog: Catalog, deadline: Deadline
) -> Iterator[Finding]:
    """Look at the people by what the workers know; approvers whom they have not met lately are looked up."""
    keys = {HOME, *(Key.of(Group, each) for each in catalog.groups())}
    keys |= {Key.of(Roster, each) for each in catalog.schedules()}
    facts = facts_of(ledger.read(keys))
    every = catalog.resources.values()
    asked = {each for resource in every for each in names_of(resource.approvers, facts)}
    met: dict[str, Person | None] = {**facts_of(ledger.read(Key.of(Person, each) for each in asked)).people}
    found = [*groups(catalog, facts), *shared_accounts(catalog)]
    for resource in every:
        found += askers(resource, facts)
        able: list[Person] = []
        for each in names_of(resource.approvers, facts):
            if each not in met:
                met[each] = directory.person(each, deadline)
            person = met[each]
            if person and not objection(person, home=facts.home, domains=catalog.people.email_domains):
                able.append(person)
            if len(able) > resource.approvals:  # one more than are needed is enough
                break
        found += approvers(resource, able)
    yield from found
    if not found:
        yield ok(PEOPLE, "every resource has people who may request it and people who may approve")


OBJECTIONS: Mapping[Why, Callable[[str], tuple[str, str]]] = {
    Why.POLICY_LOST: lambda version: (
        f"the text of the policy in force, version {version}, is lost",
        APPLY,
    ),
    Why.POLICY_CHANGED: lambda version: (
        f"somebody changed the text of the policy in force: it no longer matches version {version};"
        " nothing is granted",
        f"{APPLY}; and find out who can write to Redis",
    ),
    Why.POLICY_UNSIGNED: lambda version: (
        f"the policy in force, version {version}, was not signed with this SECRET_KEY; nothing is granted",
        f"set the same SECRET_KEY everywhere; then {APPLY}",
    ),
}
"""Objections to a stored text, each with what to do."""


def approvers(resource: Resource, able: Sequence[Person]) -> Iterator[Finding]:
    """Report a resource with too few approvers, or with none to spare. ``able`` are those who could approve
    now, without deactivated people, guests and strangers."""
    if not resource.approvers or Everyone() in resource.approvers or len(able) > resource.approvals:
        return
    names = f"only {' and '.join(each.name for each in able)}" if able else "nobody"
    do = "name more approvers, or find out in Slack why those named do not count"
    if len(able) < resource.approvals:
        needed = "an approval" if resource.approvals == 1 else f"{resource.approvals} approvals"
        by_itself = resource.approve_automatically or resource.on_shift
        grade = look_at if by_itself else wrong
        yield grade(PEOPLE, f"{resource.name} needs {needed}, but {names} can approve it", do)
    else:
        what = (
            f"{names} can approve {resource.name}, so nobody can approve their own requests or while"
            " they are away"
        )
        yield look_at(PEOPLE, what, do)


def askers(resource: Resource, facts: Facts) -> Iterator[Finding]:
    if resource.on_shift or Everyone() in resource.who_may_ask or names_of(resource.who_may_ask, facts):
        return
    yield look_at(PEOPLE, f"nobody may request {resource.name} now", "check who_may_ask in access.yaml")


def groups(catalog: Catalog, facts: Facts) -> Iterator[Finding]:
    for name in catalog.groups():
        group = facts.groups.get(name)
        if group is None:
            do = "create it in Slack, or correct access.yaml; workers check every five minutes"
            yield wrong(PEOPLE, f"the group {name} is not in Slack", do)
        elif group.doubted:
            what = f"{name} in Slack is not the group that the policy meant, so it approves nobody"
            yield wrong(PEOPLE, what, "correct it in Slack, or run rotakey policy apply FILE if it is right")
        elif group.age(facts.now) > GROUP_KNOWN_FOR:
            what = (
                f"the members of {name} were last read {when(group.read_at, facts.now)}, so they no longer"
                " count"
            )
            yield wrong(PEOPLE, what, "check the workers and Slack")
        elif not group.members:
            yield look_at(PEOPLE, f"nobody is in the group {name}", "add people to it in Slack")


def shared_accounts(catalog: Catalog) -> list[Finding]:
    """Report accounts of several people that are not declared shared: if one of them loses access, so do the
    others."""
    users: dict[tuple[str, str], list[str]] = {}
    for person, accounts in catalog.people.accounts.items():
        for target, account in accounts.items():
            users.setdefault((target, account), []).append(person)
    return [
        look_at(
            PEOPLE,
            f"{' and '.join(people)} are both {account} at {target}: each has the access of the other",
            "give each their own account under people: accounts: in access.yaml, or list this one under the"
            " target's shared_accounts:",
        )
        for (target, account), people in users.items()
        if len(people) > 1 and not catalog.is_shared(target, account)
    ]
