"""Keeping what Slack says fresh: the groups that policies name, and the workspace we belong to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.core.people import Group
from bot.ports import Change, Done, Due, Entry, Home, Key, Snapshot
from bot.usecases.finish import joined
from bot.usecases.office import Office
from bot.usecases.turn import Turn

EVERY = timedelta(minutes=5)
HOME_EVERY = timedelta(hours=6)


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
    office.ledger.commit(change)


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


def refresh_home(office: Office, turn: Turn) -> None:
    """Learn which workspace the bot belongs to; due again in six hours."""
    home = office.directory.home(turn.call())
    snap = office.ledger.read(())
    done = Done(claim=turn.claim, next_at=snap.now + HOME_EVERY)
    office.ledger.commit(Change(put={Key.of(Home): home}, done=done, frees=True))
