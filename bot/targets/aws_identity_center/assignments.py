"""Account assignments: made and removed by requests that AWS works on for seconds or minutes."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.ports.deadline import Deadline
from bot.targets.aws_identity_center.calls import Calls, Json, NotNow, NotThere

Verb = Literal["Creation", "Deletion"]
ORDERS: dict[Verb, str] = {"Creation": "CreateAccountAssignment", "Deletion": "DeleteAccountAssignment"}
DOING: dict[Verb, str] = {"Creation": "assigning", "Deletion": "removing"}

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
PATIENCE = 0.8
"""The part of the time left for which AWS's work is followed: enough remains to say that it goes on."""
MOST_KNOWN = 2_000
"""The most requests whose assignment is kept in memory."""
_PASSING = re.compile(
    r"throttl|rate exceeded|too many requests|timed? ?out|try again|internal|unavailable|conflict|concurrent"
    r"|\b(409|429|5\d\d) status",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """One assignment, whether or not it is there. ``user`` and ``permission_set`` are ids."""

    user: str
    account: str
    permission_set: str


@dataclass(frozen=True, kw_only=True)
class Work:
    """A request that AWS is working on."""

    verb: Verb
    place: Place
    request: str


class Assignments:
    """The assignments of one instance."""

    def __init__(self, name: str, instance: str, calls: Calls) -> None:
        self._name = name
        self._instance = instance
        self._calls = calls
        self._places: dict[str, Place] = {}

    def users(self, account: str, permission_set: str, deadline: Deadline) -> Iterator[str]:
        """Yield the ids of the users that have the permission set themselves, not through a group."""
        found = self._calls.pages(
            "ListAccountAssignments",
            "AccountAssignments",
            deadline,
            InstanceArn=self._instance,
            AccountId=account,
            PermissionSetArn=permission_set,
        )
        try:
            yield from (str(each["PrincipalId"]) for each in found if each["PrincipalType"] == "USER")
        except NotThere:  # the permission set or the account is gone, and with it all assignments
            return

    def is_there(self, place: Place, deadline: Deadline) -> bool:
        return place.user in self.users(place.account, place.permission_set, deadline)

    def under_way(self, places: Collection[Place], deadline: Deadline) -> Work | None:
        """Return what AWS is still doing about one of these; None if nothing.

        Ask this *before* asking what is there: what is done by then is in that list.
        """
        for verb in ORDERS:
            found = self._calls.pages(
                f"ListAccountAssignment{verb}Status",
                f"AccountAssignments{verb}Status",
                deadline,
                InstanceArn=self._instance,
                Filter={"Status": "IN_PROGRESS"},
            )
            for each in found:
                place = self._place(verb, str(each["RequestId"]), deadline)
                if place and place in places:
                    return Work(verb=verb, place=place, request=str(each["RequestId"]))
        return None

    def order(self, verb: Verb, place: Place, deadline: Deadline) -> None:
        """Make or remove the assignment, and return once that is done. If it is done already, that is
        success. Nothing is sent after the deadline; what was sent before may go on, and then this raises
        TemporaryFailure."""
        patience = Deadline.after(deadline.seconds_left() * PATIENCE)
        pause = FIRST_PAUSE
        while True:
            if work := self.under_way([place], deadline):
                self._final_status(work, patience, deadline)  # whether it failed shows in what is there
            if self.is_there(place, deadline) is (verb == "Creation"):
                return
            try:
                work = self._send(verb, place, deadline)
            except NotNow as busy:
                wait = max(busy.retry_after or 0.0, pause)
                if wait >= patience.seconds_left():
                    raise
                time.sleep(wait)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            except NotThere:
                if verb == "Deletion":
                    return
                raise
            if work:
                self._is_done(verb, self._final_status(work, patience, deadline))
            return

    def still(self, work: Work) -> str:
        return f"{self._name}: AWS is still {DOING[work.verb]} the permission set"

    def _send(self, verb: Verb, place: Place, deadline: Deadline) -> Work | None:
        """Send the request, and return what AWS is working on; None if it is done."""
        answer = self._calls.once(
            ORDERS[verb],
            deadline,
            InstanceArn=self._instance,
            TargetId=place.account,
            TargetType="AWS_ACCOUNT",
            PermissionSetArn=place.permission_set,
            PrincipalType="USER",
            PrincipalId=place.user,
        )
        status = self._calls.part(ORDERS[verb], answer, f"AccountAssignment{verb}Status")
        if self._is_done(verb, status):
            return None
        return Work(verb=verb, place=place, request=str(status["RequestId"]))

    def _final_status(self, work: Work, patience: Deadline, deadline: Deadline) -> Json:
        """Wait until AWS has done it, or has failed at it. Raise TemporaryFailure if that takes longer than
        ``patience``."""
        pause = FIRST_PAUSE
        while True:
            left = patience.seconds_left()
            if left <= 0:
                raise TemporaryFailure(self.still(work))
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_PAUSE)
            try:
                status = self._status(work.verb, work.request, deadline)
            except NotThere:  # it is not known everywhere yet
                continue
            if status["Status"] != "IN_PROGRESS":
                return status

    def _is_done(self, verb: Verb, status: Json) -> bool:
        """Return whether a request has succeeded. Raise if it has failed."""
        if status["Status"] != "FAILED":
            return bool(status["Status"] == "SUCCEEDED")
        reason = " ".join(str(status.get("FailureReason") or "no reason is given").split())[:300]
        failed = f"{self._name}: AWS failed at {DOING[verb]} the permission set: {reason}"
        if _PASSING.search(reason):
            raise TemporaryFailure(failed)
        raise PermanentFailure(failed)

    def _status(self, verb: Verb, request: str, deadline: Deadline) -> Json:
        given = {f"AccountAssignment{verb}RequestId": request}
        operation = f"DescribeAccountAssignment{verb}Status"
        answer = self._calls.read(operation, deadline, InstanceArn=self._instance, **given)
        found: Json = self._calls.part(operation, answer, f"AccountAssignment{verb}Status")
        return found

    def _place(self, verb: Verb, request: str, deadline: Deadline) -> Place | None:
        """Return what a request is about, which never changes. Its user is empty if it is about a group."""
        if request not in self._places:
            try:
                status = self._status(verb, request, deadline)
            except NotThere:
                return None
            if len(self._places) >= MOST_KNOWN:
                self._places.clear()
            self._places[request] = Place(
                user=str(status["PrincipalId"]) if status["PrincipalType"] == "USER" else "",
                account=str(status["TargetId"]),
                permission_set=str(status["PermissionSetArn"]),
            )
        return self._places[request]
