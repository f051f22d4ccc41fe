"""Keeps what Slack says fresh: the groups that policies name, and the workspace the bot belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from bot.core.members import names_of
from bot.core.people import KNOWN_FOR, Group, Person
from bot.core.reasons import Why, because
from bot.ports.changes import Change, Done, Due, Entry, Snapshot
from bot.ports.documents import Home, Key, Note, PolicyInForce, Readings
from bot.ports.ledger import Ledger
from bot.usecases.audit.seal import versions_of
from bot.usecases.context import POLICY, Context, facts_of, security_keys
from bot.usecases.job import Job
from bot.usecases.notes import note_change
from bot.usecases.retry import retry_conflicts
from bot.usecases.schedules.readings import names_to_read, renewal_of

READINGS = Key.of(Readings, "groups")
EVERY = timedelta(minutes=5)
HOME_EVERY = timedelta(hours=6)
LOST_LOOK = timedelta(seconds=10)
LOSSES: Mapping[str, str] = {
    "app_uninstalled": "the app was uninstalled",
    "tokens_revoked": "the bot's token was revoked",
}
"""The events by which Slack says that it no longer lets the bot in."""
REINSTALL = "install the app again, set the new SLACK_BOT_TOKEN, and restart web and workers"


def refresh_groups(context: Context, job: Job) -> None:
    """Read all groups that the policy names, and those by which something may still live; due again in five
    minutes. Raises Conflict if the policy changes meanwhile.

    Anyone who has left a group is looked up, for what they may hold by it. The first time, the id of a group
    is kept with the policy. A group that is not there counts as never read. A group whose name now means
    another group, or none, is doubted. Either of them lets nobody in, and what it let in is not cut short.
    """
    catalog = context.catalog()
    readings = context.ledger.read({READINGS})
    names = names_to_read(READINGS.id, catalog.groups(), readings)
    found = context.directory.groups(names, job.call()) if names else {}
    snap = context.ledger.read({POLICY, *(Key.of(Group, name) for name in names)})
    force = snap.find(PolicyInForce)
    known = force.groups if force else {}
    change = Change(done=Done(claim=job.claim, next_at=snap.now + EVERY), frees=True)
    change = change.plus(renewal_of(READINGS.id, catalog.groups(), catalog, readings))
    new: dict[str, str] = {}
    for name in names:
        group = found.get(name)
        kept = replace(group, read_at=snap.now) if group else None
        if name in known and (kept is None or kept.id not in ("", known[name])):
            change = change.plus(_doubt_change(context, name, snap, catalog.security_channel))
            continue
        if kept and kept.id and name not in known:
            new[name] = kept.id
        change = change.plus(_group_change(name, kept, snap))
    if new and force and force.version == catalog.version and not catalog.closed:
        change = change.plus(Change(put={POLICY: replace(force, groups={**known, **new})}))

    # security people have to be known well enough to act even while Slack does not answer
    policy, described = context.read_basis(security_keys)
    security = names_of(policy.security.people, facts_of(described))
    people = context.ledger.read({Key.of(Person, each) for each in security})
    met = {each.id for each in people.all(Person) if each.age(people.now) <= KNOWN_FOR / 2}
    due = tuple(Due.people(each, at=people.now) for each in security if each not in met)
    context.ledger.commit(replace(change.plus(Change(due=due)), rests_on=(versions_of(snap, POLICY),)))


def _group_change(name: str, group: Group | None, snap: Snapshot) -> Change:
    before = snap.find(Group, name)
    was, now = (set(each.members) if each else None for each in (before, group))
    left = (was or set()) - (now if now is not None else was or set())
    facts = {"group": name, "members": sorted(now) if now is not None else "not there"}
    return Change(
        put={Key.of(Group, name): group} if group or before else {},
        due=tuple(Due.people(person, at=snap.now) for person in sorted(left)),
        audit=(Entry(what="group changed", facts=facts),) if was != now else (),
    )


def _doubt_change(context: Context, name: str, snap: Snapshot, channel: str | None) -> Change:
    before = snap.find(Group, name)
    if before and before.doubted:
        return Change()
    doubted = replace(before or Group(name=name, members=(), read_at=snap.now), doubted=True)
    change = Change(
        put={Key.of(Group, name): doubted}, audit=(Entry(what="group doubted", facts={"group": name}),)
    )
    if channel is None:
        return change
    note = Note(id=context.new_id(), channel=channel, reason=because(Why.GROUP_MOVED, group=name))
    return change.plus(note_change(snap.now, note))


def refresh_home(context: Context, job: Job) -> None:
    """Read which workspace the bot belongs to; due again in six hours. If Slack answers, it lets the bot in
    again. Raises Conflict if Slack has said otherwise in the meantime."""
    key = Key.of(Home)
    before = context.ledger.read({key})
    home = context.directory.home(job.call())
    known = before.find(Home)
    audit = (Entry(what="slack found again", facts={"event": known.lost}),) if known and known.lost else ()
    done = Done(claim=job.claim, next_at=context.ledger.read(()).now + HOME_EVERY)
    context.ledger.commit(Change(rests_on=(before,), put={key: home}, done=done, audit=audit, frees=True))


def record_loss(ledger: Ledger, event: str) -> None:
    """Commit that Slack no longer lets the bot in. Ten seconds later workers start asking Slack again, until
    one of them has a valid token."""
    key = Key.of(Home)

    def attempt() -> None:
        snap = ledger.read({key})
        home = snap.find(Home)
        if home is None or home.lost:
            return
        lost = replace(home, lost=event, lost_at=snap.now)
        due = Due(member="workspace:self", at=snap.now + LOST_LOOK)
        entry = Entry(what="slack lost", facts={"event": event})
        ledger.commit(Change(rests_on=(snap,), put={key: lost}, due=(due,), audit=(entry,), frees=True))

    retry_conflicts(attempt)


def loss(ledger: Ledger) -> str | None:
    """Return what Slack said about not letting the bot in; None if it does let it in. Raises
    TemporaryFailure."""
    home = ledger.read({Key.of(Home)}).find(Home)
    return f"Slack says that {LOSSES.get(home.lost, home.lost)}" if home and home.lost else None
