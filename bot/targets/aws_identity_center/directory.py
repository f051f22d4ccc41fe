"""The instance of IAM Identity Center, its users and its permission sets."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import System
from bot.ports.deadline import Deadline
from bot.targets.aws_identity_center.calls import Calls, NotThere

_UNITS = {"D": 86_400, "H": 3_600, "M": 60, "S": 1}
DEFAULT_SESSION = 3_600
"""Seconds that sessions last if the permission set does not say."""


@dataclass(frozen=True, kw_only=True)
class Instance:
    system: System
    store: str
    """The identity store, where its users are."""


@dataclass(frozen=True, kw_only=True)
class PermissionSet:
    arn: str
    session: int
    """The seconds that a session lasts."""


class Directory:
    """The instance ``arn``. What a permission set is called never changes, so its name is asked for once."""

    def __init__(self, name: str, arn: str, calls: Calls) -> None:
        self._name = name
        self._arn = arn
        self._calls = calls
        self._named: dict[str, str] = {}

    def instance(self, deadline: Deadline) -> Instance:
        """Return the instance that answers. Raise PermanentFailure if the credentials do not reach it."""
        others = []
        for each in self._calls.pages("ListInstances", "Instances", deadline):
            if each["InstanceArn"] == self._arn:
                store, owner = each["IdentityStoreId"], each["OwnerAccountId"]
                return Instance(system=System(id=f"{self._arn} {store} {owner}"), store=store)
            others.append(each["InstanceArn"])
        instead = f", but they reach {', '.join(others[:3])}" if others else ""
        raise PermanentFailure(
            f"{self._name}: the bot's AWS credentials do not reach {self._arn}{instead}: correct instance and"
            " region in access.yaml, or use credentials of the account that administers it"
        )

    def user_id(self, instance: Instance, user_name: str, deadline: Deadline) -> str | None:
        """Return the id of the user with this user name; None if there is none."""
        named = {"UniqueAttribute": {"AttributePath": "userName", "AttributeValue": user_name}}
        try:
            found = self._calls.read(
                "GetUserId", deadline, IdentityStoreId=instance.store, AlternateIdentifier=named
            )
        except NotThere:
            return None
        return str(self._calls.part("GetUserId", found, "UserId"))

    def user_name(self, instance: Instance, user_id: str, deadline: Deadline) -> str | None:
        """Return the user name of the user with this id; None if there is none."""
        try:
            found = self._calls.read("DescribeUser", deadline, IdentityStoreId=instance.store, UserId=user_id)
        except NotThere:
            return None
        return str(self._calls.part("DescribeUser", found, "UserName"))

    def permission_set(self, name: str, deadline: Deadline) -> PermissionSet | None:
        """Return the permission set of this name; None if there is none.

        AWS finds none by its name, so each is described until it is found. What was learned is kept even if
        the deadline comes first: the next try goes on from there.
        """
        for arn in [arn for arn, known in list(self._named.items()) if known == name]:
            if found := self._describe(arn, name, deadline):
                return found
        listed = self._calls.pages("ListPermissionSets", "PermissionSets", deadline, InstanceArn=self._arn)
        for arn in map(str, listed):
            if arn not in self._named and (found := self._describe(arn, name, deadline)):
                return found
        return None

    def _describe(self, arn: str, name: str, deadline: Deadline) -> PermissionSet | None:
        """Return the permission set of this ARN if it has this name."""
        try:
            answer = self._calls.read(
                "DescribePermissionSet", deadline, InstanceArn=self._arn, PermissionSetArn=arn
            )
        except NotThere:
            self._named.pop(arn, None)
            return None
        found = self._calls.part("DescribePermissionSet", answer, "PermissionSet")
        self._named[arn] = found["Name"]
        if found["Name"] != name:
            return None
        return PermissionSet(arn=arn, session=_seconds(found.get("SessionDuration")))


def _seconds(duration: str | None) -> int:
    """Read an ISO 8601 duration such as PT8H30M."""
    if not duration:
        return DEFAULT_SESSION
    read = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", duration)
    if read is None:
        raise TemporaryFailure(f"the session duration {duration[:40]} cannot be read")
    return sum(int(count or 0) * size for count, size in zip(read.groups(), _UNITS.values(), strict=True))
