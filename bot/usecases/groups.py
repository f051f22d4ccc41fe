"""Keeping what Slack says fresh: the groups that policies name, and the workspace we belong to."""

from __future__ import annotations

from datetime import timedelta

from bot.core.people import Group
from bot.ports import Change, Document, Done, Entry, Home, Key
from bot.usecases.office import Office
from bot.usecases.turn import Turn

EVERY = timedelta(minutes=5)
HOME_EVERY = timedelta(hours=6)


def refresh_groups(office: Office, turn: Turn) -> None:
    """Read all groups that the policy names; due again in five minutes."""
    catalog = office.catalog()
    names = catalog.groups()
    found = office.directory.groups(names, turn.call()) if names else {}
    snap = office.ledger.read({Key.of(Group, name) for name in names})
    put: dict[Key, Document | None] = {Key.of(Group, name): group for name, group in found.items()}
    missing = [name for name in names if name not in found]
    put.update({Key.of(Group, name): Group(name=name, members=(), read_at=snap.now) for name in missing})
    audit = tuple(
        Entry(what="group changed", facts={"group": name, "members": list(group.members)})
        for name, group in found.items()
        if _members(snap.find(Group, name)) != set(group.members)
    )
    done = Done(claim=turn.claim, next_at=snap.now + EVERY)
    office.ledger.commit(Change(put=put, audit=audit, done=done))


def _members(group: Group | None) -> set[str] | None:
    return set(group.members) if group else None


def refresh_home(office: Office, turn: Turn) -> None:
    """Learn which workspace the bot belongs to; due again in six hours."""
    home = office.directory.home(turn.call())
    snap = office.ledger.read(())
    done = Done(claim=turn.claim, next_at=snap.now + HOME_EVERY)
    office.ledger.commit(Change(put={Key.of(Home): home}, done=done))
