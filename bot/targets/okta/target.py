"""Membership in Okta's groups, granted and revoked.

Okta marks nothing as ours: only what a receipt names is. A receipt has the ids of the user and of the group,
which stay the same if either is renamed. A group that an active group rule fills is refused, because removing
somebody from it would exclude them from the rule for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure
from bot.core.holds import Hold, Presence, Receipt, Seen, System
from bot.ports.deadline import Deadline
from bot.ports.target import Abilities, Holder, Holders
from bot.targets.okta.answers import Group, User
from bot.targets.okta.directory import Directory
from bot.upstream import time_left

USER, GROUP = "user", "group"
"""The facts of a receipt: ids."""
USABLE = frozenset({"ACTIVE", "PASSWORD_EXPIRED", "LOCKED_OUT", "RECOVERY"})
"""The states of people who can sign in, if need be after they have set a password or were unlocked."""
UNMANAGED = {
    "APP_GROUP": "its members come from an app or directory (APP_GROUP)",
    "BUILT_IN": "it is built into Okta (BUILT_IN)",
}


class Place(NamedTuple):
    """The ids of a user and of a group."""

    user: str
    group: str


class Okta:
    """An Okta org. Implements Target. ``sessions``: what becomes of a person's Okta sessions at the end."""

    abilities = Abilities(marks=False, keeps_end=False, ends_sessions=False)  # sessions in apps go on

    def __init__(self, name: str, directory: Directory, sessions: Literal["keep", "clear"] = "keep") -> None:
        self._name = name
        self._directory = directory
        self._clears_sessions = sessions == "clear"

    def __repr__(self) -> str:
        return f"Okta({self._name!r})"

    def prepare(self, hold: Hold, not_after: Deadline) -> Receipt:
        org = self._directory.org(not_after)
        return _receipt(org, self._grantable(hold, not_after))

    def grant(
        self,
        hold: Hold,
        receipts: Sequence[Receipt],
        until: datetime | None,  # noqa: ARG002 -- Okta keeps no end
        not_after: Deadline,
    ) -> Receipt:
        last = receipts[-1]
        org = self._directory.org(not_after)
        if last.system != org:
            raise PermanentFailure(self._another_org())
        place = self._grantable(hold, not_after) if last.moved_from else self._place_of(last)
        if not self._directory.add(place.group, place.user, not_after):
            raise PermanentFailure(
                f"{self._name}: the user {hold.account} or the group {hold.entitlement[GROUP]} was deleted"
                " while this was granted: request it again"
            )
        return _receipt(org, place)

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        """See Target. If a rule fills the group by now, raise PermanentFailure, because Okta would exclude
        the person from the rule; unless they are excluded already."""
        if not receipts:
            time_left(deadline, self._name)
            return
        org = self._directory.org(deadline)
        places = self._named_places(hold, [each for each in receipts if each.system == org], deadline)
        for place in places:
            ruled_by = [
                each.name
                for each in self._directory.active_rules(place.group, deadline)
                if place.user not in (each.excluded or ())
            ]
            if not ruled_by:
                self._directory.remove(place.group, place.user, deadline)
            elif self._directory.is_member(*place, deadline):
                raise PermanentFailure(
                    f"{self._name}: the group rule {ruled_by[0]} now fills the group"
                    f" {hold.entitlement[GROUP]}, and removing {hold.account} would exclude them from it for"
                    " good: deactivate the rule until they are removed, or remove them in Okta"
                )
        if self._clears_sessions:
            for user in dict.fromkeys(each.user for each in places):
                self._directory.clear_sessions(user, deadline)

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        org = self._directory.org(deadline)
        system, kept = System(id=org), tuple(receipts)
        if any(each.system != org for each in receipts):
            why = self._another_org()
            return Seen(presence=Presence.ELSEWHERE, system=system, receipts=kept, why=why)
        named = self._named_places(hold, receipts, deadline)
        ours = [each for each in named if self._directory.is_member(*each, deadline)]
        if ours:
            made = tuple(_receipt(org, each) for each in ours)
            return Seen(presence=Presence.OURS, system=system, receipts=made)
        others = [each for each in self._by_name(hold, deadline) if each not in named]
        theirs = any(self._directory.is_member(*each, deadline) for each in others)
        return Seen(presence=Presence.THEIRS if theirs else Presence.NONE, system=system)

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:
        org = self._directory.org(deadline)
        groups = self._directory.groups_named(entitlement[GROUP], deadline)
        members: Iterable[User] = ()
        if groups:
            members = self._directory.members(self._only(groups, entitlement[GROUP]).id, deadline)
        found = tuple(Holder(account=each.login, presence=Presence.UNKNOWN) for each in members)
        return Holders(holders=found, system=System(id=org))

    def ready(self, hold: Hold, deadline: Deadline) -> None:
        """Prepare, which changes nothing. Whether members may be changed is known only when it is tried."""
        self.prepare(hold, deadline)

    def _grantable(self, hold: Hold, not_after: Deadline) -> Place:
        """Return the ids of the account and the group. Raise PermanentFailure if granting cannot work."""
        user = self._directory.user(hold.account, not_after)
        if user is None:
            raise PermanentFailure(
                f"{self._name} has no user with the login {hold.account}: create it, or write the login that"
                " they have under people: accounts:"
            )
        if user.status not in USABLE:
            raise PermanentFailure(
                f"{self._name}: the user {hold.account} is {user.status} there: activate it in Okta"
            )
        name = hold.entitlement[GROUP]
        groups = self._directory.groups_named(name, not_after)
        if not groups:
            raise PermanentFailure(f"{self._name} has no group {name}: create it, or correct the name")
        group = self._only(groups, name)
        if group.type != "OKTA_GROUP":
            why = UNMANAGED.get(group.type, f"it is of the type {group.type}")
            raise PermanentFailure(
                f"{self._name}: the members of {name} cannot be changed, because {why}: name a group that is"
                " managed in Okta"
            )
        if rules := self._directory.active_rules(group.id, not_after):
            raise PermanentFailure(
                f"{self._name}: the group rule {rules[0].name} fills the group {name}: name a group that no"
                " active rule fills"
            )
        return Place(user=user.id, group=group.id)

    def _only(self, groups: Sequence[Group], name: str) -> Group:
        if len(groups) > 1:
            raise PermanentFailure(f"{self._name} has {len(groups)} groups named {name}: rename all but one")
        return groups[0]

    def _named_places(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> list[Place]:
        """Return what receipts of this org name. In an org that a person accepted, it may have another id, so
        what has the hold's names counts too."""
        found = dict.fromkeys(self._place_of(each) for each in receipts)
        if any(each.moved_from for each in receipts):
            found |= dict.fromkeys(self._by_name(hold, deadline))
        return list(found)

    def _by_name(self, hold: Hold, deadline: Deadline) -> list[Place]:
        user = self._directory.user(hold.account, deadline)
        groups = self._directory.groups_named(hold.entitlement[GROUP], deadline) if user else []
        return [Place(user=user.id, group=each.id) for each in groups if user]

    def _place_of(self, receipt: Receipt) -> Place:
        try:
            return Place(user=receipt.facts[USER], group=receipt.facts[GROUP])
        except KeyError as missing:
            raise PermanentFailure(
                f"{self._name}: a receipt of this hold has no {missing.args[0]}, so it is not an Okta receipt"
            ) from None

    def _another_org(self) -> str:
        return (
            f"{self._name} is another Okta org now: if it is the same one in a new place, run rotakey target"
            f" accept {self._name}"
        )


def _receipt(org: str, place: Place) -> Receipt:
    return Receipt(system=org, facts={USER: place.user, GROUP: place.group})
