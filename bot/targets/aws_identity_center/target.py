"""Permission sets in accounts of an AWS organization, assigned to users of IAM Identity Center.

AWS lets nobody mark an assignment: what a receipt names is ours, by the ids of the user, the account and the
permission set. Only assignments to the user count, not what comes through a group. AWS works on a change for
seconds or minutes; while it does, nobody knows what will be there, so nothing counts as there or as gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import boto3.session

from bot.core.catalog import Entitlement
from bot.core.durations import brief
from bot.core.errors import PermanentFailure
from bot.core.holds import Hold, Presence, Receipt, Seen, System
from bot.ports.deadline import Deadline
from bot.ports.target import Abilities, Holder, Holders
from bot.targets.aws_identity_center.assignments import Assignments, Place
from bot.targets.aws_identity_center.calls import Calls
from bot.targets.aws_identity_center.directory import Directory, Instance, PermissionSet
from bot.upstream import time_left

USER, ACCOUNT, PERMISSION_SET = "user", "account", "permission_set"
"""The facts of a receipt: ids, which stay what they are when a user is renamed."""


class IdentityCenter:
    """An instance of IAM Identity Center. Implements Target. ``longest_session``: the seconds that the card
    says sessions last at most; 0 if it does not say."""

    abilities = Abilities(marks=False, keeps_end=False, ends_sessions=False)

    def __init__(
        self,
        name: str,
        instance: str,
        region: str,
        endpoint_url: str | None = None,
        longest_session: int = 0,
        session: boto3.session.Session | None = None,
    ) -> None:
        self._name = name
        self._longest_session = longest_session
        calls = Calls(name, region, endpoint_url, session)
        self._directory = Directory(name, instance, calls)
        self._assignments = Assignments(name, instance, calls)

    def __repr__(self) -> str:
        return f"IdentityCenter({self._name!r})"

    def prepare(self, hold: Hold, not_after: Deadline) -> Receipt:
        """See Target. AWS has no dry run, so whether assigning and removing is allowed shows only when it is
        done."""
        here = self._directory.instance(not_after)
        user = self._directory.user_id(here, hold.account, not_after)
        if user is None:
            raise PermanentFailure(
                f"{self._name} has no user {hold.account}: create it in IAM Identity Center, or name the"
                " person's user name under people: accounts: in access.yaml"
            )
        name = hold.entitlement[PERMISSION_SET]
        found = self._directory.permission_set(name, not_after)
        if found is None:
            raise PermanentFailure(
                f"{self._name} has no permission set {name}: create it, or correct access.yaml"
            )
        if too_long := self._session_warning(name, found):
            raise PermanentFailure(f"{self._name}: {too_long}")
        place = Place(user=user, account=hold.entitlement[ACCOUNT], permission_set=found.arn)
        self._assignments.under_way([place], not_after)  # what cannot be seen could not be revoked either
        self._assignments.is_there(place, not_after)
        return _receipt_of(here.system, place)

    def grant(
        self,
        hold: Hold,  # noqa: ARG002 -- the receipt names it
        receipts: Sequence[Receipt],
        until: datetime | None,  # noqa: ARG002 -- AWS keeps no end
        not_after: Deadline,
    ) -> Receipt:
        here = self._directory.instance(not_after)
        last = receipts[-1]
        if last.system != here.system.id:
            raise PermanentFailure(self._another_system(here.system))
        self._assignments.order("Creation", self._place_of(last), not_after)
        return last

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        if not receipts:  # without a receipt, nothing here is certainly ours
            time_left(deadline, self._name)
            return
        here = self._directory.instance(deadline)
        for place in self._named_places(here, hold, receipts, deadline):
            self._assignments.order("Deletion", place, deadline)

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        here = self._directory.instance(deadline)
        if any(each.system != here.system.id for each in receipts):
            why, kept = self._another_system(here.system), tuple(receipts)
            return Seen(presence=Presence.ELSEWHERE, system=here.system, receipts=kept, why=why)
        named = self._named_places(here, hold, receipts, deadline)
        if seen := self._seen_at(here, named, receipts, deadline):
            return seen
        by_name = self._by_name(here, hold, deadline)
        if by_name and by_name not in named and (seen := self._seen_at(here, [by_name], (), deadline)):
            return seen
        return Seen(presence=Presence.NONE, system=here.system)

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:
        """Return the users to whom it is assigned. One that has been deleted is listed by its id."""
        here = self._directory.instance(deadline)
        found = self._directory.permission_set(entitlement[PERMISSION_SET], deadline)
        users = self._assignments.users(entitlement[ACCOUNT], found.arn, deadline) if found else ()
        names = [self._directory.user_name(here, each, deadline) or each for each in users]
        held = tuple(Holder(account=each, presence=Presence.UNKNOWN) for each in names)
        return Holders(holders=held, system=here.system)

    def ready(self, hold: Hold, deadline: Deadline) -> None:
        """Prepare, which changes nothing."""
        self.prepare(hold, deadline)

    def warnings(
        self,
        gives: Sequence[Entitlement],
        accounts: Sequence[str],  # noqa: ARG002 -- nothing is wrong with a user name
        deadline: Deadline,
    ) -> tuple[str, ...]:
        """Return the permission sets whose sessions last longer than the card says. Not part of the port."""
        if not self._longest_session:
            return ()
        found = []
        for name in dict.fromkeys(each[PERMISSION_SET] for each in gives):
            there = self._directory.permission_set(name, deadline)
            if there and (warning := self._session_warning(name, there)):
                found.append(warning)
        return tuple(found)

    def _session_warning(self, name: str, found: PermissionSet) -> str | None:
        if not 0 < self._longest_session < found.session:
            return None
        return (
            f"sessions of the permission set {name} last {brief(found.session)}, but session_duration in"
            f" access.yaml says {brief(self._longest_session)}: correct one of them"
        )

    def _seen_at(
        self, here: Instance, places: Sequence[Place], receipts: Sequence[Receipt], deadline: Deadline
    ) -> Seen | None:
        """Return what is to be said of these places; None if nothing is there. They are ours if there are
        ``receipts``."""
        if not places:
            return None
        if work := self._assignments.under_way(places, deadline):
            why, kept = self._assignments.still(work), tuple(receipts)
            return Seen(presence=Presence.UNKNOWN, system=here.system, receipts=kept, why=why)
        found = [each for each in places if self._assignments.is_there(each, deadline)]
        if not found:
            return None
        if not receipts:
            return Seen(presence=Presence.THEIRS, system=here.system)
        ours = tuple(_receipt_of(here.system, each) for each in found)
        return Seen(presence=Presence.OURS, system=here.system, receipts=ours)

    def _named_places(
        self, here: Instance, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline
    ) -> list[Place]:
        """Return what the receipts of this very system name, and, if one was moved here, what the hold names
        now."""
        ours = [each for each in receipts if each.system == here.system.id]
        named = {self._place_of(each): None for each in ours}
        if any(each.moved_from for each in ours) and (by_name := self._by_name(here, hold, deadline)):
            named[by_name] = None
        return list(named)

    def _by_name(self, here: Instance, hold: Hold, deadline: Deadline) -> Place | None:
        user = self._directory.user_id(here, hold.account, deadline)
        found = self._directory.permission_set(hold.entitlement[PERMISSION_SET], deadline) if user else None
        if user is None or found is None:
            return None
        return Place(user=user, account=hold.entitlement[ACCOUNT], permission_set=found.arn)

    def _place_of(self, receipt: Receipt) -> Place:
        facts = receipt.facts
        if not {USER, ACCOUNT, PERMISSION_SET} <= facts.keys():
            raise PermanentFailure(f"{self._name}: a receipt of this hold is not one of IAM Identity Center")
        return Place(user=facts[USER], account=facts[ACCOUNT], permission_set=facts[PERMISSION_SET])

    def _another_system(self, here: System) -> str:
        return (
            f"{self._name} is another system now ({here.id}): if the same one answers there, run rotakey"
            f" target accept {self._name}"
        )


def _receipt_of(system: System, place: Place) -> Receipt:
    facts = {USER: place.user, ACCOUNT: place.account, PERMISSION_SET: place.permission_set}
    return Receipt(system=system.id, facts=facts)
