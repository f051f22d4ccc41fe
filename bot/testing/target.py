"""A target in memory, with switches for what can go wrong at one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.core.catalog import Entitlement
from bot.core.errors import TemporaryFailure
from bot.core.holds import Hold, Presence
from bot.ports import Abilities, Deadline, Holder

Key = tuple[str, Entitlement]
Failure = Exception | None


@dataclass(frozen=True, kw_only=True)
class Access:
    """``by``: who made it. ``until``: the end the target itself keeps, where it keeps one."""

    by: Presence
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    verb: str
    account: str
    at: datetime
    until: datetime | None = None


class FakeTarget:
    """Implements Target. ``now`` is the clock it keeps ends by.

    ``failing`` raises for the verbs named in it; ``loses_answers`` does what was asked and raises then.
    ``before`` and ``after`` are called around each call, with the verb, for whatever a story wants to
    happen just then. ``stuck``: what it shows whatever is there.
    """

    def __init__(self, now: Callable[[], datetime], *, marks: bool = True, keeps_end: bool = False) -> None:
        self.now = now
        self.abilities = Abilities(marks=marks, keeps_end=keeps_end, ends_sessions=True)
        self.access: dict[Key, Access] = {}
        self.calls: list[Call] = []
        self.failing: dict[str, Failure] = {}
        self.loses_answers: set[str] = set()
        self.stuck: Presence | None = None
        self.before: Callable[[str], None] = _nothing
        self.after: Callable[[str], None] = _nothing

    def give(self, hold: Hold, until: datetime | None, not_after: Deadline) -> None:
        self._begin("give", hold, not_after, until)
        if self._held(hold) is None or self._held(hold) is Presence.OURS:
            kept = until if self.abilities.keeps_end else None
            self.access[_key(hold)] = Access(by=Presence.OURS, until=kept)
        self._end("give")

    def take(self, hold: Hold, deadline: Deadline) -> None:
        self._begin("take", hold, deadline)
        if self._held(hold) is Presence.OURS or not self.abilities.marks:
            self.access.pop(_key(hold), None)
        self._end("take")

    def has(self, hold: Hold, deadline: Deadline) -> Presence:
        self._begin("has", hold, deadline)
        found = self.stuck or self._shown(self._held(hold))
        self._end("has")
        return found

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> tuple[Holder, ...]:
        self.before("holders")
        _in_time(deadline)
        self._fail("holders")
        found = tuple(
            Holder(account=account, presence=self._shown(access.by))
            for (account, what), access in self.access.items()
            if what == entitlement and not self._over(access)
        )
        self.after("holders")
        return found

    # ------------------------------------------------------------------------- for those who watch

    def accounts(self, role: str) -> set[str]:
        """Who has a role at this moment, whoever gave it."""
        return {
            account
            for (account, what), access in self.access.items()
            if what["role"] == role and not self._over(access)
        }

    def give_by_hand(self, account: str, entitlement: Entitlement) -> None:
        """Somebody else gives access, past us."""
        self.access[(account, entitlement)] = Access(by=Presence.THEIRS)

    def stray(self, account: str, entitlement: Entitlement) -> None:
        """Access of our own making that the ledger knows nothing of."""
        self.access[(account, entitlement)] = Access(by=Presence.OURS)

    def take_by_hand(self, account: str, entitlement: Entitlement) -> None:
        self.access.pop((account, entitlement), None)

    def count(self, verb: str) -> int:
        return sum(call.verb == verb for call in self.calls)

    def _begin(self, verb: str, hold: Hold, deadline: Deadline, until: datetime | None = None) -> None:
        self.before(verb)
        _in_time(deadline)
        self.calls.append(Call(verb=verb, account=hold.account, at=self.now(), until=until))
        failure = self.failing.get(verb)
        if failure and verb not in self.loses_answers:
            raise failure

    def _end(self, verb: str) -> None:
        self.after(verb)
        self._fail(verb)

    def _fail(self, verb: str) -> None:
        failure = self.failing.get(verb)
        if failure:
            raise failure

    def _held(self, hold: Hold) -> Presence | None:
        found = self.access.get(_key(hold))
        return found.by if found and not self._over(found) else None

    def _over(self, access: Access) -> bool:
        return access.until is not None and access.until <= self.now()

    def _shown(self, by: Presence | None) -> Presence:
        if by is None:
            return Presence.NONE
        return by if self.abilities.marks else Presence.UNKNOWN


def _key(hold: Hold) -> Key:
    return hold.account, hold.entitlement


def _in_time(deadline: Deadline) -> None:
    if deadline.passed:
        raise TemporaryFailure("too late")


def _nothing(_verb: str) -> None:
    pass
