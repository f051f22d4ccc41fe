"""A whole bot in one thread, on a clock that stands still until the story moves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from bot.core import durations
from bot.core.catalog import Catalog
from bot.core.errors import Conflict, PermanentFailure, TemporaryFailure
from bot.core.grants import Grant
from bot.core.holds import HoldRecord, backoff
from bot.core.reasons import Why, because
from bot.core.shifts import Shift
from bot.ports.audit import Anchor, Signer
from bot.ports.changes import Change, Claim, Done, Entry
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, PolicyInForce, PolicyText, ShiftGrant
from bot.ports.ledger import Primary, WorkLedger
from bot.ports.target import Target
from bot.testing import cast
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.oncall import FakeSource
from bot.testing.slack import FakeDirectory, FakeMessenger
from bot.testing.target import FakeTarget
from bot.usecases.access import batches, overdue, survey
from bot.usecases.access.reconcile import Reconciliation
from bot.usecases.audit.retention import Archive, Retention
from bot.usecases.audit.rollback import Books, RollbackGuard
from bot.usecases.audit.seal import Sealing
from bot.usecases.context import Context
from bot.usecases.enact import enact
from bot.usecases.job import Job
from bot.usecases.notifications import cards
from bot.usecases.requests import ask, extend, finish, votes
from bot.usecases.results import Asked, Extended, Standing
from bot.usecases.strays import verdicts
from bot.usecases.work import Work, duties

REASON = "orders are stuck"


def shown_terms(context: Context, which: str) -> str:
    """Return the digest that the buttons of the card would have if it were shown now."""
    view = cards.terms_view(context, which)
    return view.terms if view else ""


MANY = 2_000
"""More jobs than are ever due at one moment; beyond it something becomes due again and again."""


class Story:
    """A bot and its people. Ada is on call for the database until five, Dan is not, Bob and Carol approve. At
    nine all facts have been read. ``rota`` has the shifts of ``PDBPRIM`` and ``PORDERS``."""

    def __init__(
        self,
        policy: Catalog | None = None,
        *,
        rota: Mapping[str, tuple[Shift, ...]] | None = None,
        targets: Mapping[str, FakeTarget] | None = None,
        begin: bool = True,
        sealed: bool = False,
    ) -> None:
        self.memory = MemoryLedger(cast.NINE)
        self.ledger: WorkLedger = self.memory
        self.trail: Books = self.memory
        self.primary: Primary = self.memory
        self.target = FakeTarget(lambda: self.now)
        self.targets: dict[str, FakeTarget] = {"orders-db": self.target, **(targets or {})}
        self.former_targets: dict[str, FakeTarget] = {}
        self.source = FakeSource({"PDBPRIM": (cast.nobodys(cast.shift()),), "PORDERS": (), **(rota or {})})
        self.directory = FakeDirectory(lambda: self.now)
        self.messenger = FakeMessenger()
        self.policy = policy or cast.catalog()
        self._policies: dict[str, Catalog] = {}
        self._ids, self._ops = count(1), count(1)
        self.sealed = sealed
        self.anchor: Anchor | None = None
        self.archive: Archive | None = None
        self.clock_ahead = timedelta()
        """The time by which the clock of Redis is ahead of the machine's."""
        self.sealing = self.another_sealing()
        self.guard = self.another_guard()
        self.context = self.another_context()
        self.enact(self.policy)
        if begin:
            self.run_due("workspace", "groups")
            self.run_due()

    # ------------------------------------------------------------------------------------ the bot

    def another_context(self) -> Context:
        """Return a context as in another process: the same ledger, nothing remembered."""
        return Context(self.ledger, self.directory, self._load, self.new_id)

    def _load(self, force: PolicyInForce, kept: PolicyText | None) -> Catalog:
        """Return the policy in force. In a story the text of a policy is its version."""
        if kept is None:
            return replace(self.policy, closed=because(Why.POLICY_LOST, version=force.version))
        if force.held_back:
            return replace(self.policy, closed=force.held_back)
        return self._policies[kept.text]

    def another_guard(self) -> RollbackGuard:
        """Return a guard as in another worker, which has seen nothing yet."""
        signer = self.sealing.signer
        return RollbackGuard(self.ledger, self.trail, lambda: self.anchor, self.new_id, signer, self.primary)

    def another_sealing(self) -> Sealing:
        return Sealing(ledger=self.ledger, trail=self.trail, signer=None, new_id=self.new_id)

    def sign_with(self, signer: Signer) -> None:
        """Set AUDIT_KEY where the worker runs, from now on."""
        self.sealing = replace(self.sealing, signer=signer)
        self.guard.signer = signer

    def enact(self, policy: Catalog) -> None:
        """Put another policy in force, under a version of its own."""
        version = f"v{len(self._policies) + 1}"
        self.policy = replace(policy, version=version)
        self._policies[version] = self.policy
        enact(self.ledger, self.policy, version)

    def new_id(self) -> str:
        return f"G{next(self._ids)}"

    def op(self) -> str:
        return f"op-{next(self._ops)}"

    def duties(self) -> Mapping[str, Callable[[Job], None]]:
        """Return the worker's duties. The audit is sealed only in stories about it: every five seconds would
        be very often for the others."""
        found = {**duties(self.work()), "hold": self.do_hold}
        if not self.sealed:
            found["seal"] = self._close
        return found

    def _close(self, job: Job) -> None:
        self.ledger.commit(Change(done=Done(claim=job.claim)))

    def work(self) -> Work:
        return Work(
            context=self.context,
            census=self.memory,
            messenger=self.messenger,
            policy=lambda: self.policy,
            target=self.find_target,
            reach=self.find_target,
            former=self.former_targets.get,
            source=lambda _: self.source,
            sealing=self.sealing,
            guard=self.guard,
            retention=self.retention(),
            archive=lambda: self.archive,
        )

    def do_hold(self, job: Job) -> None:
        for left in batches.HoldBatches(self.ledger, self.find_target, self.reconciliation).do([job]):
            self.reconciliation(left).run()

    def retention(self) -> Retention:
        return Retention(
            ledger=self.ledger,
            books=self.trail,
            guard=self.guard,
            signer=self.sealing.signer,
            wall=lambda: self.now - self.clock_ahead,
        )

    def reconciliation(self, job: Job) -> Reconciliation:
        return self.work().reconciliation(job)

    def find_target(self, name: str) -> Target:
        if name not in self.targets:
            raise PermanentFailure(f"there is no target {name}")
        return self.targets[name]

    # ------------------------------------------------------------------------------------ the clock

    @property
    def now(self) -> datetime:
        return self.memory.now

    def run_due(self, *kinds: str) -> None:
        """Do all jobs that are due by now, in this thread; only of these kinds, if some are named."""
        for _ in range(MANY):
            claim = self.claim(*kinds)
            if claim is None:
                return
            self.do(claim)
        raise AssertionError(f"owed again and again: {self.claim(*kinds)}")

    def claim(self, *kinds: str) -> Claim | None:
        """Claim one job that is due by now; those of other kinds are left as they were."""
        lanes = {*self.duties(), *(f"hold:{target}" for target in self.targets)}
        others = {lane: MANY for lane in lanes if kinds and lane.partition(":")[0] not in kinds}
        found = self.ledger.claim(1, MANY, others)
        return found.claims[0] if found.claims else None

    def do(self, claim: Claim) -> None:
        """Do a job as the worker does: one that fails is due again later."""
        try:
            self.duties()[claim.kind](Job(claim, Deadline.after(0)))
        except Conflict:
            self._again(claim, timedelta(), failed=False)
        except (TemporaryFailure, PermanentFailure):
            self._again(claim, min(backoff(claim.tries + 1), timedelta(seconds=10)), failed=True)

    def _again(self, claim: Claim, pause: timedelta, *, failed: bool) -> None:
        done = Done(claim=claim, next_at=self.now + pause, failed=failed)
        try:
            self.ledger.commit(Change(done=done, frees=True))
        except (Conflict, TemporaryFailure):
            return

    def pass_time(self, seconds: float) -> None:
        """Let time go by; each job is done at the moment it is due."""
        end = self.now + timedelta(seconds=seconds)
        self.run_due()
        while (next_at := self.ledger.claim(0, 0, {}).next_at) is not None and next_at <= end:
            self.memory.now = max(next_at, self.now)
            self.run_due()
        self.memory.now = end
        self.run_due()

    # ----------------------------------------------------------------------------------- what people do

    def ask(
        self, who: str, resource: str = "prod-db", length: str | None = "4h", reason: str = REASON
    ) -> Asked:
        wanted = durations.parse(length) if length else None
        return ask.ask(
            self.context, person=who, resource=resource, length=wanted, reason=reason, op=self.op()
        )

    def approve(self, who: str, grant: str, length: int | None = None, op: str | None = None) -> Standing:
        """Approve as by a click on the card that shows the terms of this moment."""
        terms = shown_terms(self.context, grant)
        return votes.approve(
            self.context, person=who, grant=grant, length=length, op=op or self.op(), terms=terms
        )

    def deny(self, who: str, grant: str, why: str = "", op: str | None = None) -> Standing:
        return votes.deny(self.context, person=who, grant=grant, why=why, op=op or self.op())

    def give_back(self, who: str, which: str | None = None) -> Standing:
        return finish.give_back(self.context, person=who, which=which, op=self.op())

    def revoke(self, by: str, who: str, resource: str, why: str = "") -> Standing:
        return finish.revoke(self.context, by=by, person=who, resource=resource, why=why, op=self.op())

    def extend(
        self, who: str, which: str | None = None, length: int | durations.UntilShiftEnds | None = None
    ) -> Extended:
        return extend.extend(self.context, person=who, which=which, length=length, op=self.op())

    def adopt(self, who: str, alert: str, op: str | None = None) -> None:
        verdicts.adopt(self.context, person=who, alert=alert, op=op or self.op())

    def remove(self, who: str, alert: str, op: str | None = None) -> None:
        verdicts.remove(self.context, person=who, alert=alert, op=op or self.op())

    def leave(self, who: str, alert: str, op: str | None = None) -> None:
        verdicts.leave(self.context, person=who, alert=alert, op=op or self.op())

    def try_now(self, who: str, alert: str, op: str | None = None) -> None:
        overdue.try_now(self.context, person=who, alert=alert, op=op or self.op())

    def say_removed(self, who: str, alert: str, op: str | None = None) -> None:
        overdue.confirm_removal(self.context, person=who, alert=alert, op=op or self.op())

    def same_system(self, who: str, alert: str, shown: str, op: str | None = None) -> None:
        overdue.same_system(self.context, person=who, alert=alert, shown=shown, op=op or self.op())

    def grant_again(self, who: str, alert: str, op: str | None = None) -> None:
        survey.grant_again(self.context, person=who, alert=alert, op=op or self.op())

    def end_them(self, who: str, alert: str, op: str | None = None) -> None:
        survey.end_them(self.context, person=who, alert=alert, op=op or self.op())

    # ----------------------------------------------------------------------------------- what one sees

    def grant(self, grant: str) -> Grant:
        return self.context.grant(grant)

    def live(self, grant: str) -> bool:
        return grant in self.memory.read({Key.of(Grant, grant)}).leases

    def lease(self, grant: str) -> datetime | None:
        """Return the end of a live lease. Raise KeyError if it is not live."""
        return self.memory.read({Key.of(Grant, grant)}).leases[grant]

    def grants_of(self, who: str) -> tuple[Grant, ...]:
        """Return the person's grants that are not finished."""
        return self.memory.read((), (f"person:{who}",)).all(Grant)

    def shift_grant(self, who: str, resource: str = "orders-on-call") -> Grant | None:
        """Return the grant that the person's shift now gives."""
        snap = self.memory.read({Key.of(ShiftGrant, f"{resource}/{who}")})
        found = snap.find(ShiftGrant, f"{resource}/{who}")
        return self.grant(found.grant) if found and found.grant else None

    def record(self, grant: str) -> HoldRecord | None:
        """Return the record of the grant's first hold."""
        key = self.grant(grant).gives[0].key
        return self.memory.read({Key.of(HoldRecord, key)}).find(HoldRecord, key)

    def audit(self, grant: str | None = None) -> list[Entry]:
        found = [entry for _, _, entry in self.memory.entries(count=1_000_000)]
        return [entry for entry in found if grant in (None, entry.grant)]

    def history(self, grant: str) -> list[str]:
        """Return the events of a grant from the audit, in order."""
        return [entry.what for entry in self.audit(grant)]

    def has(self, who: str, role: str = "orders_rw", target: str = "orders-db") -> bool:
        """Return whether the person has the role at the target at this moment."""
        return cast.EMAILS[who] in self.targets[target].accounts(role)
