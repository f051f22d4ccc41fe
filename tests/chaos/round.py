"""One round: start everything, let people work while faults happen, and then look for violations."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from bot.core.errors import Conflict, PermanentFailure, TemporaryFailure
from bot.core.grants import Grant
from bot.ports.documents import Key, Restore
from bot.ports.slack import Directory
from bot.slack.views.cards import card
from bot.usecases.audit.restore import accept_restore
from bot.usecases.context import Context
from bot.usecases.notifications.cards import card_view
from tests.chaos import grounds, promises, violations
from tests.chaos.actions import Actions
from tests.chaos.administrator import OPTIONAL, AdministratorSettings
from tests.chaos.deployment import Deployment
from tests.chaos.failpoints import ON_THE_WAY
from tests.chaos.faults import FaultInjector
from tests.chaos.observer import AllObservations, Observer
from tests.chaos.plans import plans
from tests.chaos.policies import PolicyChanges
from tests.chaos.sampler import Sampler
from tests.chaos.security import SecurityTeam
from tests.chaos.shifts import ShiftChanges
from tests.chaos.truth import LedgerState, Truth, pairs_of, read_ledger
from tests.chaos.violations import Violation
from tests.chaos.workload import Workload

POLL = 0.2
REPORT_EVERY = 15.0
LONGEST_STEP = 1.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """At least ``grants`` requests and ``kills``, and each named step if ``every_step``.

    ``rate`` is requests a second, ``pace`` the seconds between faults, with a ``rest`` now and then,
    ``longest`` the seconds of the longest grant, and ``patience`` the seconds that everything has to come to
    rest. ``only_kill_at``: workers are killed at these steps, and nothing else goes wrong. ``without`` has
    the faults of OPTIONAL that are left out. ``hang`` is the most seconds that a target hangs, 0 for never.
    ``copies``: what leads to access waits until it is copied. ``design`` is a broken one to run.
    """

    seed: int
    grants: int
    kills: int
    rate: float = 4.0
    pace: float = 3.0
    longest: int = 20
    lapse_after: int = 60
    rest: float = 15.0
    patience: float = 120.0
    every_step: bool = False
    keep: bool = False
    only_kill_at: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    hang: float = 0.0
    copies: bool = False
    design: str | None = None

    @property
    def administrator(self) -> AdministratorSettings:
        without = frozenset(OPTIONAL) if self.only_kill_at else self.without
        if not self.copies:  # then a failover may lose what somebody has
            without |= {"lost writes"}
        return AdministratorSettings(pace=self.pace, longest_hang=self.hang, without=without)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A round that is over; ``folder`` has the logs."""

    seed: int
    truth: Truth
    violations: list[Violation]
    injector: FaultInjector
    took: float
    settled: float
    """Seconds from the last fault and the last end until rest, or until patience was over."""
    unsettled: list[str]
    """What was still due then."""
    folder: Path

    def forget(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class RunningRound:
    """The parts of a round in progress."""

    deployment: Deployment
    observers: Mapping[str, Observer]
    actions: Actions
    injector: FaultInjector
    shifts: ShiftChanges
    workload: Workload
    policies: PolicyChanges
    security: SecurityTeam
    sampler: Sampler

    def wind_down(self) -> None:
        """Let nobody begin anything and nothing go wrong any more, with everything running."""
        self.workload.stop_requests()
        self.injector.stop()
        self.policies.stop()
        self.shifts.stop()
        self.security.lift_all()

    def accept_failover(self) -> None:
        """Accept a failover as a person does, if no worker had an anchor up to date then: nothing is granted
        until somebody accepts it."""
        ledger = self.deployment.ledger
        with suppress(TemporaryFailure, Conflict, PermanentFailure):
            restore = ledger.read({Key.of(Restore)}).find(Restore)
            if restore and restore.failover:
                accept_restore(ledger, ledger, None, by="carol", why="nothing to compare it with")

    def is_enough(self, settings: Settings) -> bool:
        reached = self.injector.steps_reached
        steps = all(reached[step] for step in ON_THE_WAY) or not settings.every_step
        kills = self.injector.kills.total()
        return len(self.workload.plans) >= settings.grants and kills >= settings.kills and steps

    def is_at_rest(self, ledger: LedgerState) -> bool:
        live = {pair for name in ledger.live for pair in pairs_of(ledger.grants[name])}
        there = {pair for each in self.observers.values() for pair in each.members}
        return self.workload.idle and there == live and not list(ledger.unsettled)

    def truth(self, ledger: LedgerState) -> Truth:
        return Truth(
            ledger=ledger,
            observed=AllObservations({target: each.observations for target, each in self.observers.items()}),
            remaining=frozenset().union(*(each.read_remaining() for each in self.observers.values())),
            actions=self.actions.all,
            messages=self.deployment.history.messages(),
            faults=self.injector.faults,
            manual_revocations=self.injector.administrator.manual_revocations,
            lost=self.injector.administrator.lost,
            overrides=self.shifts.overrides,
            homes=self.deployment.home_texts(),
            errors=(*self.injector.errors, *self.workload.errors, *self.security.errors),
            sampled=self.sampler.violations,
            hits=sum((each.failpoints.hits() for each in self.deployment.bots), Counter()),
        )


@contextmanager
def open_round(settings: Settings, folder: Path) -> Iterator[RunningRound]:
    rng = random.Random(settings.seed)
    stream, *rngs = (random.Random(rng.random()) for _ in range(6))
    with ExitStack() as stack:
        deployment = stack.enter_context(
            Deployment(
                folder, lapse_after=settings.lapse_after, design=settings.design, copies=settings.copies
            )
        )
        observers = {
            target: stack.enter_context(Observer(each.url)) for target, each in deployment.databases.items()
        }
        actions = Actions(deployment)
        injector = FaultInjector(
            deployment, rngs[0], settings.administrator, pace=settings.pace, rest=settings.rest
        )
        injector.only_kill_at = settings.only_kill_at
        stack.enter_context(injector)
        shifts = stack.enter_context(ShiftChanges(deployment, rngs[1], settings.longest // 2))
        change, bans = (each not in settings.administrator.without for each in ("policies", "security"))
        policies = stack.enter_context(PolicyChanges(deployment, rngs[3], change=change))
        security = stack.enter_context(SecurityTeam(deployment, actions, rngs[4], bans=bans))
        sampler = stack.enter_context(Sampler(deployment.ledger))
        workload = Workload(deployment, actions, plans(stream, settings.rate, settings.longest), rngs[2])
        stack.enter_context(workload)
        yield RunningRound(
            deployment=deployment,
            observers=observers,
            actions=actions,
            injector=injector,
            shifts=shifts,
            workload=workload,
            policies=policies,
            security=security,
            sampler=sampler,
        )


@dataclass
class Round:
    """A round to run. ``say`` is called with its progress."""

    settings: Settings
    say: Callable[[str], None] = field(default=lambda _: None)

    def run(self) -> Outcome:
        """Run it, and remove the folder unless there are violations or it is to be kept."""
        folder = Path(tempfile.mkdtemp(prefix="rotakey-chaos-"))
        try:
            outcome = self._run_in(folder)
        except KeyboardInterrupt:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except BaseException:
            self.say(f"the logs are in {folder}")
            raise
        if not outcome.violations and not self.settings.keep:
            outcome.forget()
        return outcome

    def _run_in(self, folder: Path) -> Outcome:
        began = time.monotonic()
        with open_round(self.settings, folder) as running:
            self._wait_until_enough(running)
            running.wind_down()
            wound_down_at = time.time()
            ledger = self._wait_until_at_rest(running)
            truth = running.truth(ledger)
            violations = list(_violations(truth, running.deployment))
        over = (each.until for every in truth.reasons.values() for each in every if each.until < ledger.now)
        return Outcome(
            seed=self.settings.seed,
            truth=truth,
            violations=violations,
            injector=running.injector,
            took=time.monotonic() - began,
            settled=ledger.now - max([wound_down_at, *over]),
            unsettled=list(ledger.unsettled),
            folder=folder,
        )

    def _wait_until_enough(self, running: RunningRound) -> None:
        reported = time.monotonic()
        while not running.is_enough(self.settings):
            time.sleep(POLL)
            running.accept_failover()
            if time.monotonic() - reported > REPORT_EVERY:
                reported = time.monotonic()
                kills, faults = running.injector.kills.total(), len(running.injector.faults)
                self.say(f"{len(running.workload.plans)} requests, {kills} kills, {faults} faults")

    def _wait_until_at_rest(self, running: RunningRound) -> LedgerState:
        """Return the ledger when nothing is due, or as it is when patience is over. Time for which the
        machine did something else does not count."""
        left, before = self.settings.patience, time.monotonic()
        while True:
            time.sleep(POLL)
            running.accept_failover()
            now = time.monotonic()
            left, before = left - min(now - before, LONGEST_STEP), now
            if not running.workload.idle and left > 0:
                continue
            try:
                ledger = read_ledger(running.deployment.ledger)
            except TemporaryFailure:
                continue
            if left <= 0 or running.is_at_rest(ledger):
                return ledger


def _violations(truth: Truth, deployment: Deployment) -> list[Violation]:
    found = [
        *violations.leftover_access(truth),
        *violations.missing_access(truth),
        *violations.access_cut_early(truth),
        *violations.access_without_reason(truth),
        *violations.shared_seats(truth),
        *violations.unfinished_grants(truth),
        *violations.stuck_work(truth),
        *violations.wrong_audit_counts(truth),
        *violations.unexplained_ends(truth),
        *violations.unexplained_shortenings(truth),
        *grounds.grants_after_revocation(truth),
        *grounds.votes_on_other_terms(truth),
        *grounds.duplicate_grants(truth),
        *grounds.wrong_lease_ends(truth),
        *truth.sampled,
        *promises.unkept_answers(truth),
        *promises.false_messages(truth),
        *promises.wrong_homes(truth),
        *promises.wrong_cards(truth, _card_text(deployment)),
    ]
    return found + [Violation(what="errors of the harness", about=each) for each in truth.errors]


def _card_text(deployment: Deployment) -> promises.CardText:
    context = Context(deployment.ledger, cast("Directory", None), lambda *_: deployment.catalog, lambda: "")

    def card_text(grant: Grant, which: str, audience: str) -> str:
        snap = deployment.ledger.read({Key.of(Grant, grant.id)})
        return card(card_view(context, grant, deployment.catalog, snap, which), audience)[0]

    return card_text
