"""A target in memory, with every ability and with switches for what can go wrong at one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Hold, Position, Presence, Receipt, Seen, System
from bot.ports.deadline import Deadline
from bot.ports.target import Abilities, Holder, Holders

Key = tuple[str, Entitlement]
"""An account, and an entitlement without the target's name: a server does not know its own name."""
Failure = Exception | None

ADMINISTRATOR = "administrator"


def another_system(target: str) -> str:
    """Return what the target says about a receipt of another system."""
    return (
        f"{target} is another system now: if it was upgraded or restored, run rotakey target accept {target}"
    )


@dataclass(frozen=True, kw_only=True)
class Access:
    """Access at the target. ``by``: who made it. ``until``: the end that the target itself keeps, if it does.
    ``usable``: False for what an interrupted revocation left behind."""

    by: Presence
    until: datetime | None = None
    usable: bool = True


@dataclass(frozen=True, kw_only=True)
class Call:
    verb: str
    account: str
    at: datetime
    until: datetime | None = None


class FakeTarget:
    """A target in memory. Implements Target. ``now`` is the clock by which it keeps ends.

    ``failing`` raises for the verbs named in it; ``loses_answers`` does what it should and then raises.
    ``before`` and ``after`` are called around each call, with the verb, for anything a story wants to happen
    at that moment. ``stuck``: what it shows, whatever is there. ``system`` is the one that answers: another
    one knows nothing of what was made at the first. ``confirmed``: False while a standby has not confirmed
    anything. ``missing``: accounts and roles that it does not have. ``sessions`` counts open sessions that
    use the access; they outlive it if it is removed by hand. ``position``: how far it says it has come.
    """

    def __init__(self, now: Callable[[], datetime], *, marks: bool = True, keeps_end: bool = False) -> None:
        self.now = now
        self.abilities = Abilities(marks=marks, keeps_end=keeps_end, ends_sessions=True)
        self.system = System(id="orders", instance="first")
        self.position: Position | None = None
        self.access: dict[Key, Access] = {}
        self.sessions: dict[Key, int] = {}
        self.confirmed = True
        self.calls: list[Call] = []
        self.failing: dict[str, Failure] = {}
        self.loses_answers: set[str] = set()
        self.stuck: Presence | None = None
        self.before: Callable[[str], None] = _nothing
        self.after: Callable[[str], None] = _nothing
        self.missing: set[str] = set()
        self._ids: dict[str | Entitlement, str] = {}
        self._next_id = count(1)

    def prepare(self, hold: Hold, not_after: Deadline) -> Receipt:
        self._begin("prepare", hold, not_after)
        self._must_be_there(hold)
        receipt = self._receipt(hold.account, hold.entitlement)
        self._end("prepare")
        return receipt

    def grant(
        self, hold: Hold, receipts: Sequence[Receipt], until: datetime | None, not_after: Deadline
    ) -> Receipt:
        self._begin("grant", hold, not_after, until)
        if receipts[-1].system != self.system.id:
            raise PermanentFailure(another_system(hold.target))
        key = self._place(receipts[-1], hold)
        if key[0].startswith("dropped") or key[1].target:
            raise PermanentFailure(f"{hold.target} has no account {hold.account}")
        held = self._live_access(key)
        if held is None or held.by is Presence.OURS:
            kept = until if self.abilities.keeps_end else None
            self.access[key] = Access(by=Presence.OURS, until=kept)
        self._end("grant")
        return receipts[-1]

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        self._begin("revoke", hold, deadline)
        for key in self._ours(hold, receipts):
            self.access.pop(key, None)
            self.sessions.pop(key, None)
        for receipt in receipts:
            self.sessions.pop(self._place(receipt, hold), None)
        self._end("revoke")

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        self._begin("has", hold, deadline)
        found = replace(self._look(hold, receipts), position=self.position)
        self._end("has")
        return found

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:
        self.before("holders")
        _in_time(deadline)
        self._fail("holders")
        found = tuple(
            Holder(account=account, presence=access.by if self.abilities.marks else Presence.UNKNOWN)
            for (account, what), access in self.access.items()
            if (account, what) == _key(account, entitlement) and not self._over(access)
        )
        self.after("holders")
        return Holders(holders=found, system=self.system)

    def ready(self, hold: Hold, deadline: Deadline) -> None:
        self._begin("ready", hold, deadline)
        self._must_be_there(hold)
        self._end("ready")

    # ------------------------------------------------------------------------- for those who watch

    def accounts(self, role: str) -> set[str]:
        """Return who can use a role at this moment, no matter who granted it."""
        return {
            account
            for (account, what), access in self.access.items()
            if what["role"] == role and access.usable and not self._over(access)
        }

    def give_by_hand(self, account: str, entitlement: Entitlement) -> None:
        """Grant access past us, as somebody else would."""
        self.access[_key(account, entitlement)] = Access(by=Presence.THEIRS)

    def stray(self, account: str, entitlement: Entitlement) -> None:
        """Make access that counts as ours and that the ledger knows nothing of."""
        self.access[_key(account, entitlement)] = Access(by=Presence.OURS)

    def take_by_hand(self, account: str, entitlement: Entitlement) -> None:
        self.access.pop(_key(account, entitlement), None)

    def open_sessions(self, account: str, entitlement: Entitlement, count: int) -> None:
        """Open sessions that use the account's access."""
        self.sessions[_key(account, entitlement)] = count

    def disable(self, account: str, entitlement: Entitlement) -> None:
        """Leave access that is not usable, as an interrupted revocation does."""
        self.access[_key(account, entitlement)] = Access(by=Presence.OURS, usable=False)

    def rename(self, account: str, new: str) -> None:
        """Give an account another name. It keeps what it has."""
        self._ids[new] = self._ids.pop(account, "") or f"#{next(self._next_id)}"
        self.missing.add(account)
        self.access = {
            (new if name == account else name, what): it for (name, what), it in self.access.items()
        }
        self.sessions = {
            (new if name == account else name, what): it for (name, what), it in self.sessions.items()
        }

    def rename_role(self, entitlement: Entitlement, new: Entitlement) -> None:
        """Give an entitlement another name. Access to it stays."""
        old, new = (replace(each, target="") for each in (entitlement, new))
        self._ids[new] = self._ids.pop(old, "") or f"#{next(self._next_id)}"
        self.access = {(who, new if what == old else what): it for (who, what), it in self.access.items()}
        self.missing |= {value for _, value in old.what}

    def recreate(self, account: str) -> None:
        """Drop an account and create one of the same name. Its open sessions stay."""
        dropped = f"dropped {self._ids.pop(account, '')}"
        self.sessions = {
            (dropped if n == account else n, what): it for (n, what), it in self.sessions.items()
        }
        for key in [key for key in self.access if key[0] == account]:
            del self.access[key]

    def count(self, verb: str) -> int:
        return sum(call.verb == verb for call in self.calls)

    # -------------------------------------------------------------------------------------- looking

    def _look(self, hold: Hold, receipts: Sequence[Receipt]) -> Seen:
        if self.stuck:
            theirs = ADMINISTRATOR if self.stuck is Presence.THEIRS else None
            kept = tuple(receipts) if self.stuck in (Presence.OURS, Presence.USELESS) else ()
            return Seen(presence=self.stuck, system=self.system, grantor=theirs, receipts=kept)
        if any(receipt.system != self.system.id for receipt in receipts):
            kept, why = tuple(receipts), another_system(hold.target)
            return Seen(presence=Presence.ELSEWHERE, system=self.system, receipts=kept, why=why)
        left = [receipt for receipt in receipts if self.sessions.get(self._place(receipt, hold))]
        if ours := self._ours(hold, receipts):
            exists = not {hold.account, *(value for _, value in hold.entitlement.what)} & self.missing
            named = {_key(hold.account, hold.entitlement)} if exists else set(ours)
            usable = any(self.access[key].usable for key in ours if key in named)
            made = [self._receipt(*key, by=self.access[key].by) for key in ours]
            made += [receipt for receipt in left if receipt not in made]
            presence = Presence.OURS if usable else Presence.USELESS
            return Seen(presence=presence, system=self.system, receipts=tuple(made))
        theirs_too = self._live_access(_key(hold.account, hold.entitlement)) is not None
        return Seen(
            presence=Presence.THEIRS if theirs_too else Presence.NONE,
            system=self.system,
            grantor=ADMINISTRATOR if theirs_too else None,
            receipts=tuple(left),
            sessions=sum(self.sessions[self._place(receipt, hold)] for receipt in left),
            confirmed=self.confirmed,
        )

    def _ours(self, hold: Hold, receipts: Sequence[Receipt]) -> list[Key]:
        """Return what is marked as ours, or named by a receipt of this very system. A kind without a mark, or
        with a system that a person accepted, goes by receipts alone."""
        here = [receipt for receipt in receipts if receipt.system == self.system.id]
        named = {self._place(receipt, hold) for receipt in here}
        moved = {self._place(receipt, hold) for receipt in here if receipt.moved_from}
        accepted = {self._place(receipt, hold) for receipt in here if receipt.facts.get("grantor")}
        if moved:
            named.add(_key(hold.account, hold.entitlement))
        marked = {_key(hold.account, hold.entitlement)} if self.abilities.marks else set()
        return [
            key
            for key in sorted(named | marked, key=lambda each: each[0])
            if (held := self._live_access(key)) is not None
            and (
                held.by is Presence.OURS
                or bool(moved)
                or key in accepted
                or (not self.abilities.marks and key in named)
            )
        ]

    def _receipt(self, account: str, entitlement: Entitlement, by: Presence = Presence.OURS) -> Receipt:
        """Make a receipt. For access that a person accepted as ours it names who granted it."""
        account, role = _key(account, entitlement)
        grantor = {} if by is Presence.OURS else {"grantor": ADMINISTRATOR}
        facts = {"account": self._id(account), "role": self._id(role), **grantor}
        return Receipt(system=self.system.id, facts=facts)

    def _id(self, name: str | Entitlement) -> str:
        if name not in self._ids:
            self._ids[name] = f"#{next(self._next_id)}"
        return self._ids[name]

    def _place(self, receipt: Receipt, hold: Hold) -> Key:
        """Return where the receipt's account and role are now; each keeps its id if it is renamed."""
        names = {known: name for name, known in self._ids.items()}
        account = names.get(receipt.facts["account"])
        role = names.get(receipt.facts["role"])
        return (
            account if isinstance(account, str) else f"dropped {receipt.facts['account']}",
            role if isinstance(role, Entitlement) else replace(hold.entitlement, target="dropped"),
        )

    def _must_be_there(self, hold: Hold) -> None:
        for name in (hold.account, *(value for _, value in hold.entitlement.what)):
            if name in self.missing:
                raise PermanentFailure(f"{hold.target} has no {name}: create it")

    def _live_access(self, key: Key) -> Access | None:
        found = self.access.get(key)
        return found if found and not self._over(found) else None

    def _over(self, access: Access) -> bool:
        return access.until is not None and access.until <= self.now()

    # -------------------------------------------------------------------------------------- calls

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


def _key(account: str, entitlement: Entitlement) -> Key:
    return account, replace(entitlement, target="")


def _in_time(deadline: Deadline) -> None:
    if deadline.is_over:
        raise TemporaryFailure("too late")


def _nothing(_verb: str) -> None:
    pass
