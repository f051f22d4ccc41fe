"""One round: everything is started, the crowd and the faults are let loose, and then it is judged."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from bot.core.errors import TemporaryFailure
from bot.core.grants import Grant
from bot.ports import Directory, Key
from bot.slack.cards import card
from bot.usecases.cards import card_view
from bot.usecases.office import Office
from chaos import checks, promises
from chaos.checks import Violation
from chaos.crowd import Crowd
from chaos.deeds import Deeds
from chaos.faults import Director
from chaos.house import House
from chaos.observer import Observer
from chaos.plans import plans
from chaos.shifts import Shifts
from chaos.steps import ON_THE_WAY
from chaos.truth import Books, Truth, pairs_of, read_books

POLL = 0.2


@dataclass(frozen=True, kw_only=True)
class Terms:
    """``grants`` are asked for at least, ``kills`` happen at least, and where ``every_step``, each named step
    is met. ``rate`` is asks a second, ``pace`` seconds between faults, with a ``rest`` now and then, and
    ``longest`` the seconds of a grant. After it all everything has ``patience`` seconds to come to rest.
    ``only_workers``: they are killed at named steps, and nothing else goes wrong. ``design``: one that is
    known to lose."""

    seed: int
    grants: int
    kills: int
    rate: float = 4.0
    pace: float = 3.0
    longest: int = 20
    lapse_after: int = 20
    rest: float = 15.0
    patience: float = 120.0
    every_step: bool = False
    keep: bool = False
    only_workers: bool = False
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
        terms, began = self.terms, time.monotonic()
        rng = random.Random(terms.seed)
        stream = plans(random.Random(rng.random()), terms.rate, terms.longest)
        with ExitStack() as stack:
            house = stack.enter_context(House(folder, lapse_after=terms.lapse_after, design=terms.design))
            observer = stack.enter_context(Observer(house.database.url))
            deeds = Deeds(house)
            director = Director(house, random.Random(rng.random()), pace=terms.pace, rest=terms.rest)
            director.only_workers = terms.only_workers
            stack.enter_context(director)
            shifts = stack.enter_context(Shifts(house, random.Random(rng.random()), terms.longest // 2))
            crowd = stack.enter_context(Crowd(house, deeds, stream, random.Random(rng.random())))
            self._until_enough(crowd, director)
            crowd.ask_no_more()
            director.stop()
            shifts.end()
            whole_at = time.time()
            books = self._until_rest(house, crowd, observer)
            took = time.monotonic() - began
            at_rest = time.time()
            truth = Truth(
                books=books,
                seen=observer.seen,
                left=frozenset(observer.left()),
                deeds=deeds.all,
                said=house.history.versions(),
                faults=director.faults,
                stints=shifts.stints,
                homes=house.homes(),
                stumbled=(*director.died, *crowd.failed),
                passed=sum((each.post.passed() for each in house.bots), Counter()),
            )
            violations = list(_violations(truth, house))
        last = max(
            [
                whole_at,
                *(each.until for every in truth.reasons.values() for each in every if each.until < at_rest),
            ]
        )
        return Outcome(
            seed=terms.seed,
            truth=truth,
            violations=violations,
            director=director,
            took=took,
            settled=at_rest - last,
            unsettled=list(books.unsettled),
            folder=folder,
        )

    def _until_enough(self, crowd: Crowd, director: Director) -> None:
        told = time.monotonic()
        while not self._enough(crowd, director):
            time.sleep(POLL)
            if time.monotonic() - told > 15:
                told = time.monotonic()
                kills = director.kills.total()
                self.say(f"{len(crowd.plans)} asks, {kills} kills, {len(director.faults)} faults")

    def _enough(self, crowd: Crowd, director: Director) -> bool:
        met = director.steps_met
        steps = all(met[step] for step in ON_THE_WAY) or not self.terms.every_step
        return len(crowd.plans) >= self.terms.grants and director.kills.total() >= self.terms.kills and steps

    def _until_rest(self, house: House, crowd: Crowd, observer: Observer) -> Books:
        """The ledger as soon as it owes nobody anything, and else as it is when patience is over."""
        deadline = time.monotonic() + self.terms.patience
        books: Books | None = None
        while books is None or time.monotonic() < deadline:
            time.sleep(POLL)
            try:
                books = read_books(house.ledger) if crowd.idle or books is None else books
            except TemporaryFailure:
                continue
            live = {pair for name in books.live for pair in pairs_of(books.grants[name])}
            if crowd.idle and not list(books.unsettled) and observer.now == live:
                break
        return books


def _violations(truth: Truth, house: House) -> list[Violation]:
    found = [
        *checks.left_over(truth),
        *checks.not_there(truth),
        *checks.cut_early(truth),
        *checks.given_late(truth),
        *checks.two_at_once(truth),
        *checks.unfinished(truth),
        *checks.owed_for_ever(truth),
        *checks.written_twice(truth),
        *checks.ended_by_nobody(truth),
        *promises.came_to_nothing(truth),
        *promises.told_wrongly(truth),
        *promises.homes_differ(truth),
        *promises.cards_differ(truth, _shows(house)),
    ]
    return found + [Violation(what="stumbled", about=each) for each in truth.stumbled]


def _shows(house: House) -> promises.Shows:
    office = Office(house.ledger, cast("Directory", None), lambda _: house.catalog, lambda: "")

    def shows(grant: Grant, audience: str) -> str:
        snap = house.ledger.read({Key.of(Grant, grant.id)})
        return card(card_view(office, grant, house.catalog, snap), audience)[0]

    return shows
