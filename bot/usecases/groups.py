"""Keeping what Slack says fresh: the groups that policies name, and the workspace we belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from bot.core.members import names_of
from bot.core.people import KNOWN_FOR, Group, Person
from bot.ports import Change, Done, Due, Entry, Home, Key, Ledger, Snapshot
from bot.usecases.attempts import settled
from bot.usecases.finish import joined
from bot.usecases.office import Office, facts_of, security_keys
from bot.usecases.turn import Turn

EVERY = timedelta(minutes=5)
HOME_EVERY = timedelta(hours=6)
LOST_LOOK = timedelta(seconds=10)
LOSSES: Mapping[str, str] = {
    "app_uninstalled": "the app was uninstalled",
    "tokens_revoked": "the bot's token was revoked",
}
"""The events by which Slack says that it no longer lets the bot in."""
REINSTALL = "install the app again, set the new SLACK_BOT_TOKEN, and restart web and workers"


def refresh_groups(office: Office, turn: Turn) -> None:
    """Read all groups that the policy names; due again in five minutes. Who has left one is looked at,
    for what they may hold by it. A group that is not there is as if it had never been read: it lets
    nobody in, and what it let in is not cut."""
    names = office.catalog().groups()
    found = office.directory.groups(names, turn.call()) if names else {}
    snap = office.ledger.read({Key.of(Group, name) for name in names})
    change = Change(done=Done(claim=turn.claim, next_at=snap.now + EVERY), frees=True)
    for name in names:
        group = found.get(name)
        kept = replace(group, read_at=snap.now) if group else None
        change = joined(change, _changed(name, kept, snap))
    office.ledger.commit(joined(change, _security_people_due(office)))


def _changed(name: str, group: Group | None, snap: Snapshot) -> Change:
    before = snap.find(Group, name)
    was, now = (set(each.members) if each else None for each in (before, group))
    left = (was or set()) - (now if now is not None else was or set())
    facts = {"group": name, "members": sorted(now) if now is not None else "not there"}
    return Change(
        put={Key.of(Group, name): group} if group or before else {},
        due=tuple(Due(member=f"people:{person}", at=snap.now) for person in sorted(left)),
        audit=(Entry(what="group changed", facts=facts),) if was != now else (),
    )


def _security_people_due(office: Office) -> Change:
    """Owe a look at the security people who are not known well enough to act while Slack does not answer."""
    catalog, snap = office.gather(security_keys)
    who = names_of(catalog.security.people, facts_of(snap))
    known = office.ledger.read({Key.of(Person, each) for each in who})
    met = {each.id for each in known.all(Person) if each.age(known.now) <= KNOWN_FOR / 2}
    return Change(due=tuple(Due(member=f"people:{each}", at=known.now) for each in who if each not in met))


def refresh_home(office: Office, turn: Turn) -> None:
    """Learn which workspace the bot belongs to; due again in six hours. If Slack answers, it lets the bot in
    again. Raises Conflict if Slack has said otherwise in the meantime."""
    key = Key.of(Home)
    before = office.ledger.read({key})
    home = office.directory.home(turn.call())
    known = before.find(Home)
    audit = (Entry(what="slack found again", facts={"event": known.lost}),) if known and known.lost else ()
    done = Done(claim=turn.claim, next_at=office.ledger.read(()).now + HOME_EVERY)
    office.ledger.commit(Change(rests_on=(before,), put={key: home}, done=done, audit=audit, frees=True))


def record_loss(ledger: Ledger, event: str) -> None:
    """Commit that Slack no longer lets the bot in. Ten seconds later workers start asking Slack again, until
    one of them has a valid token."""
    settled(lambda: _record_loss(ledger, event))


def _record_loss(ledger: Ledger, event: str) -> None:
    key = Key.of(Home)
    snap = ledger.read({key})
    home = snap.find(Home)
    if home is None or home.lost:
        return
    lost = replace(home, lost=event, lost_at=snap.now)
    due = Due(member="workspace:self", at=snap.now + LOST_LOOK)
    entry = Entry(what="slack lost", facts={"event": event})
    ledger.commit(Change(rests_on=(snap,), put={key: lost}, due=(due,), audit=(entry,), frees=True))


def loss(ledger: Ledger) -> str | None:
    """Return what Slack said about not letting the bot in; None if it does let it in. Raises
    TemporaryFailure."""
    home = ledger.read({Key.of(Home)}).find(Home)
    return f"Slack says that {LOSSES.get(home.lost, home.lost)}" if home and home.lost else None
