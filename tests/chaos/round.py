"""One round: everything is started, the crowd and the faults are let loose, and then it is judged."""

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
from tests.chaos.administrator import DRAWN, Acts
from tests.chaos.crowd import Crowd
from tests.chaos.deeds import Deeds
from tests.chaos.deployment import Deployment
from tests.chaos.faults import Director
from tests.chaos.guard import Guard
from tests.chaos.observer import Everywhere, Observer
from tests.chaos.plans import plans
from tests.chaos.policies import Policies
from tests.chaos.sampler import Sampler
from tests.chaos.shifts import Shifts
from tests.chaos.steps import ON_THE_WAY
from tests.chaos.truth import Books, Truth, pairs_of, read_books
from tests.chaos.violations import Violation

POLL = 0.2
TELL_EVERY = 15.0
LONGEST_STEP = 1.0


@dataclass(frozen=True, kw_only=True)
class Terms:
    """``grants`` are asked for at least, ``kills`` happen at least, and where ``every_step``, each named step
    is met. ``rate`` is asks a second, ``pace`` seconds between faults, with a ``rest`` now and then, and
    ``longest`` the seconds of a grant. After it all everything has ``patience`` seconds to come to rest.
    ``only_kill_at``: workers are killed at these steps, and nothing else goes wrong. ``without`` names what
    is not drawn, of DRAWN. ``hang``: the most seconds that one target hangs for, 0 if none does. ``copies``:
    what leads to access waits for a copy of Redis. ``design``: one that is known to lose."""

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


@dataclass(frozen=True, kw_only=True)
class Outcome:
    seed: int
    truth: Truth
    violations: list[Violation]
    director: Director
    took: float
    settled: float
    """Seconds from the last fault and the last end to rest, or until patience was over."""
    unsettled: list[str]
    """What was still owed then."""
    folder: Path

    def forget(self) -> None:
        """Leave nothing behind, though something was violated."""
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A round that is being played."""

    deployment: Deployment
    observers: Mapping[str, Observer]
    deeds: Deeds
    director: Director
    shifts: Shifts
    crowd: Crowd
    policies: Policies
    guard: Guard
    sampler: Sampler

    def calm(self) -> None:
        """Nobody begins anything any more, nothing goes wrong any more, and everything runs."""
        self.crowd.ask_no_more()
        self.director.stop()
        self.policies.end()
        self.shifts.end()
        self.guard.calm()

    def accept_failover(self) -> None:
        """Do what a person does if a failover came before any worker had kept an anchor, or while none could
        keep it up: then nothing is granted until somebody accepts it."""
        ledger = self.deployment.ledger
        with suppress(TemporaryFailure, Conflict, PermanentFailure):
            restore = ledger.read({Key.of(Restore)}).find(Restore)
            if restore and restore.failover:
                accept_restore(ledger, ledger, None, by="carol", why="nothing to compare it with")

    def enough(self, terms: Terms) -> bool:
        met = self.director.steps_met
        steps = all(met[step] for step in ON_THE_WAY) or not terms.every_step
        kills = self.director.kills.total()
        return len(self.crowd.plans) >= terms.grants and kills >= terms.kills and steps

    def at_rest(self, books: Books) -> bool:
        live = {pair for name in books.live for pair in pairs_of(books.grants[name])}
        there = {pair for each in self.observers.values() for pair in each.now}
        return self.crowd.idle and there == live and not list(books.unsettled)

    def truth(self, books: Books) -> Truth:
        return Truth(
            books=books,
            seen=Everywhere({target: each.seen for target, each in self.observers.items()}),
            left=frozenset().union(*(each.left() for each in self.observers.values())),
            deeds=self.deeds.all,
            said=self.deployment.history.versions(),
            faults=self.director.faults,
            by_hand=self.director.administrator.by_hand,
            lost=self.director.administrator.lost,
            stints=self.shifts.stints,
            homes=self.deployment.homes(),
            stumbled=(*self.director.died, *self.crowd.failed, *self.guard.failed),
            sampled=self.sampler.found,
            passed=sum((each.post.passed() for each in self.deployment.bots), Counter()),
        )


@contextmanager
def opened(terms: Terms, folder: Path) -> Iterator[Scene]:
    rng = random.Random(terms.seed)
    stream, *rngs = (random.Random(rng.random()) for _ in range(6))
    with ExitStack() as stack:
        deployment = stack.enter_context(
            Deployment(folder, lapse_after=terms.lapse_after, design=terms.design, copies=terms.copies)
        )
        observers = {
            target: stack.enter_context(Observer(each.url)) for target, each in deployment.databases.items()
        }
        deeds = Deeds(deployment)
        without = frozenset(DRAWN) if terms.only_kill_at else terms.without
        if not terms.copies:  # then a failover may forget what somebody has
            without |= {"lost writes"}
        acts = Acts(pace=terms.pace, longest_hang=terms.hang, without=without)
        director = Director(deployment, rngs[0], acts, pace=terms.pace, rest=terms.rest)
        director.only_kill_at = terms.only_kill_at
        stack.enter_context(director)
        shifts = stack.enter_context(Shifts(deployment, rngs[1], terms.longest // 2))
        change, stops = "policies" not in without, "security" not in without
        policies = stack.enter_context(Policies(deployment, rngs[3], change=change))
        guard = stack.enter_context(Guard(deployment, deeds, rngs[4], stops=stops))
        sampler = stack.enter_context(Sampler(deployment.ledger))
        crowd = Crowd(deployment, deeds, plans(stream, terms.rate, terms.longest), rngs[2])
        stack.enter_context(crowd)
        yield Scene(
            deployment=deployment,
            observers=observers,
            deeds=deeds,
            director=director,
            shifts=shifts,
            crowd=crowd,
            policies=policies,
            guard=guard,
            sampler=sampler,
        )


@dataclass
class Round:
    terms: Terms
    say: Callable[[str], None] = field(default=lambda _: None)

    def play(self) -> Outcome:
        """The folder is left behind where something was violated, else it is gone."""
        folder = Path(tempfile.mkdtemp(prefix="rotakey-chaos-"))
        try:
            outcome = self._played(folder)
        except KeyboardInterrupt:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except BaseException:
            self.say(f"what was written is in {folder}")
            raise
        if not outcome.violations and not self.terms.keep:
            outcome.forget()
        return outcome

    def _played(self, folder: Path) -> Outcome:
        began = time.monotonic()
        with opened(self.terms, folder) as scene:
            self._until_enough(scene)
            scene.calm()
            calm_at = time.time()
            books = self._until_rest(scene)
            truth = scene.truth(books)
            violations = list(_violations(truth, scene.deployment))
        over = (each.until for every in truth.reasons.values() for each in every if each.until < books.now)
        return Outcome(
            seed=self.terms.seed,
            truth=truth,
            violations=violations,
            director=scene.director,
            took=time.monotonic() - began,
            settled=books.now - max([calm_at, *over]),
            unsettled=list(books.unsettled),
            folder=folder,
        )

    def _until_enough(self, scene: Scene) -> None:
        told = time.monotonic()
        while not scene.enough(self.terms):
            time.sleep(POLL)
            scene.accept_failover()
            if time.monotonic() - told > TELL_EVERY:
                told = time.monotonic()
                kills, faults = scene.director.kills.total(), len(scene.director.faults)
                self.say(f"{len(scene.crowd.plans)} asks, {kills} kills, {faults} faults")

    def _until_rest(self, scene: Scene) -> Books:
        """The ledger as soon as it owes nobody anything, and else as it is when patience is over. A machine
        that does something else meanwhile does not wear out our patience."""
        left, before = self.terms.patience, time.monotonic()
        while True:
            time.sleep(POLL)
            scene.accept_failover()
            now = time.monotonic()
            left, before = left - min(now - before, LONGEST_STEP), now
            if not scene.crowd.idle and left > 0:
                continue
            try:
                books = read_books(scene.deployment.ledger)
            except TemporaryFailure:
                continue
            if left <= 0 or scene.at_rest(books):
                return books


def _violations(truth: Truth, deployment: Deployment) -> list[Violation]:
    found = [
        *violations.left_over(truth),
        *violations.not_there(truth),
        *violations.cut_early(truth),
        *violations.given_late(truth),
        *violations.two_at_once(truth),
        *violations.unfinished(truth),
        *violations.owed_for_ever(truth),
        *violations.written_twice(truth),
        *violations.ended_by_nobody(truth),
        *violations.shortened_by_nobody(truth),
        *grounds.given_back(truth),
        *grounds.voted_on_other_terms(truth),
        *grounds.two_live(truth),
        *grounds.ends_differ(truth),
        *truth.sampled,
        *promises.came_to_nothing(truth),
        *promises.told_wrongly(truth),
        *promises.homes_differ(truth),
        *promises.cards_differ(truth, _shows(deployment)),
    ]
    return found + [Violation(what="stumbled", about=each) for each in truth.stumbled]


def _shows(deployment: Deployment) -> promises.Shows:
    context = Context(deployment.ledger, cast("Directory", None), lambda *_: deployment.catalog, lambda: "")

    def shows(grant: Grant, which: str, audience: str) -> str:
        snap = deployment.ledger.read({Key.of(Grant, grant.id)})
        return card(card_view(context, grant, deployment.catalog, snap, which), audience)[0]

    return shows
