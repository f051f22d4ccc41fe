"""Targets as defined in an earlier policy text, kept for revoking only until nothing is held there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from bot.core.catalog import Catalog, Entitlement
from bot.core.errors import PermanentFailure, RotakeyError, TemporaryFailure
from bot.core.grants import GIVE_WITHIN
from bot.core.holds import Hold, HoldRecord, Phase, Presence, Receipt, Seen
from bot.ports.changes import Change, Done, Entry
from bot.ports.deadline import Deadline
from bot.ports.documents import FormerTarget, Key, PolicyInForce
from bot.ports.ledger import Census, Ledger
from bot.ports.target import Abilities, Holders, Target
from bot.usecases.job import Job
from bot.usecases.retry import retry_conflicts

FORMER = "former:all"
"""The duty that checks whether former targets are still needed."""

EVERY, SOON = timedelta(minutes=15), timedelta(minutes=1)
"""The pauses between two looks: without a former target, and with one."""
AT_ONCE = 200


def force_after(before: PolicyInForce | None, catalog: Catalog, now: datetime) -> PolicyInForce:
    """Return the policy in force after this catalog takes over. A target that the text before had is kept as
    it was if the new text lacks it or has it at another address; one that is back at its address is not."""
    before = before or PolicyInForce(version="")
    former = {name: list(every) for name, every in before.former.items()}
    for name, address in before.addresses.items():
        kept = FormerTarget(version=before.version, address=address, left_at=now)
        former.setdefault(name, []).append(kept)
    here = catalog.located.addresses
    same = {name for name, address in here.items() if before.addresses.get(name) == address}
    gone = {name: tuple(f for f in every if f.address != here.get(name)) for name, every in former.items()}
    return replace(
        before,
        version=catalog.version,
        addresses=dict(here),
        former={name: every for name, every in gone.items() if every},
        reached={name: where for name, where in before.reached.items() if name in same},
        groups={name: pinned for name, pinned in before.groups.items() if name in catalog.groups()},
    )


def targets_elsewhere(force: PolicyInForce, catalog: Catalog) -> tuple[str, ...]:
    """Return the targets that this process reaches at another address than the policy in force has them."""
    reached = catalog.located.reached
    return tuple(name for name, where in reached.items() if force.reached.get(name, where) != where)


def tidy(
    ledger: Ledger,
    census: Census,
    job: Job,
    may_be_there: Callable[[HoldRecord], bool] = lambda _: True,
) -> None:
    """Forget former targets at which nothing is held, and look again in a while (``former:all``).
    ``may_be_there`` returns False for a hold that was seen at the target's current address."""

    def attempt() -> None:
        key = Key.of(PolicyInForce)
        snap = ledger.read({key})
        force = snap.find(PolicyInForce)
        former = force.former if force else {}
        held = names_held(ledger, census, former.keys(), may_be_there) if former else set()
        # a worker that began under the text before may be about to grant there
        held |= {name for name, every in former.items() if snap.now - every[-1].left_at < GIVE_WITHIN}
        kept = {name: every for name, every in former.items() if name in held}
        done = Done(claim=job.claim, next_at=snap.now + (SOON if kept else EVERY))
        change = Change(rests_on=(snap,), done=done, frees=True)
        if force and kept.keys() != former.keys():
            gone = sorted(former.keys() - held)
            entry = Entry(what="former targets forgotten", facts={"targets": gone})
            change = replace(change, put={key: replace(force, former=kept)}, audit=(entry,))
        ledger.commit(change)

    retry_conflicts(attempt)


def names_held(
    ledger: Ledger, census: Census, names: Collection[str], may_be_there: Callable[[HoldRecord], bool]
) -> set[str]:
    """Return the targets of these names at which something may be held. A record that cannot be read counts
    as held."""
    held: set[str] = set()
    there = (each for page in census.holds() for each in page if _target(each) in names)
    while page := list(islice(there, AT_ONCE)):
        snap = ledger.read(Key.of(HoldRecord, each) for each in page if _target(each) not in held)
        for key, version in snap.versions.items():
            record = snap.find(HoldRecord, key.id)
            if record is None:
                held |= {_target(key.id)} if version else set()
            elif (record.phase is not Phase.EMPTY or record.look_again) and may_be_there(record):
                held.add(record.hold.target)
    return held


def _target(hold: str) -> str:
    return hold.partition("/")[0]


# ---------------------------------------------------------------------------------- revoking only


class RevokeOnly:
    """Implements Target. Everything that grants or prepares raises ``why()``."""

    def __init__(self, target: Target, why: Callable[[], RotakeyError]) -> None:
        self._target = target
        self._why = why

    @property
    def abilities(self) -> Abilities:
        return self._target.abilities

    def prepare(self, hold: Hold, not_after: Deadline) -> Receipt:  # noqa: ARG002 -- of the port
        raise self._why()

    def grant(
        self,
        hold: Hold,  # noqa: ARG002 -- of the port
        receipts: Sequence[Receipt],  # noqa: ARG002
        until: datetime | None,  # noqa: ARG002
        not_after: Deadline,  # noqa: ARG002
    ) -> Receipt:
        raise self._why()

    def ready(self, hold: Hold, deadline: Deadline) -> None:  # noqa: ARG002 -- of the port
        raise self._why()

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        self._target.revoke(hold, receipts, deadline)

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        return self._target.has(hold, receipts, deadline)

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:
        return self._target.holders(entitlement, deadline)


class Elsewhere(RevokeOnly):
    """Implements Target for one that this process reaches at another address than the policy in force has it.
    It revokes only what receipts identify on the system that answers; everything else raises ``why()``. It
    does not tell which system that is: it is not the target's."""

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        if self.has(hold, receipts, deadline).presence is Presence.ELSEWHERE:
            raise self._why()
        self._target.revoke(hold, receipts, deadline)

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        if not receipts:
            raise self._why()
        seen = replace(self._target.has(hold, receipts, deadline), system=None)
        return replace(seen, why=str(self._why())) if seen.presence is Presence.ELSEWHERE else seen

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:  # noqa: ARG002 -- of the port
        raise self._why()


class Earlier(RevokeOnly):
    """Implements Target: the same name at several earlier addresses, the latest first. A hold is looked for
    at each until one is the system of its receipts. One that does not answer hides no other."""

    def __init__(self, targets: Sequence[Target], why: Callable[[], RotakeyError]) -> None:
        super().__init__(targets[0], why)
        self._targets = targets

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        self._find(hold, receipts, deadline)[0].revoke(hold, receipts, deadline)

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        return self._find(hold, receipts, deadline)[1]

    def _find(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> tuple[Target, Seen]:
        failure: TemporaryFailure | PermanentFailure | None = None
        found: tuple[Target, Seen] | None = None
        for left, each in zip(range(len(self._targets), 0, -1), self._targets, strict=True):
            try:
                found = each, each.has(hold, receipts, Deadline.after(deadline.seconds_left() / left))
            except (TemporaryFailure, PermanentFailure) as failed:
                failure = failure or failed
                continue
            nothing = Presence.ELSEWHERE if receipts else Presence.NONE
            if found[1].presence is not nothing:
                return found
        if failure or found is None:
            raise failure or PermanentFailure("there is no former address")
        return found


class Unusable(RevokeOnly):
    """Implements Target for an address that cannot be used here. Every method raises ``failure``."""

    abilities = Abilities(marks=True, keeps_end=False, ends_sessions=False)

    def __init__(self, failure: PermanentFailure) -> None:
        super().__init__(self, lambda: failure)
        self.failure = failure

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:  # noqa: ARG002
        raise self.failure

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:  # noqa: ARG002
        raise self.failure

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:  # noqa: ARG002
        raise self.failure


def former_target(name: str, targets: Sequence[Target]) -> Target:
    """Return the target as it was, at one or several addresses, the latest first. It can only revoke."""

    def why() -> PermanentFailure:
        return PermanentFailure(
            f"{name} has another address now, or is no longer in access.yaml: at its old address it is only"
            " used to revoke"
        )

    return RevokeOnly(targets[0], why) if len(targets) == 1 else Earlier(targets, why)


def former_versions(force: PolicyInForce | None) -> Mapping[str, tuple[str, ...]]:
    """Return for each name the policy versions whose settings are still needed, the latest first."""
    former = force.former if force else {}
    return {name: tuple(each.version for each in reversed(every)) for name, every in former.items()}
