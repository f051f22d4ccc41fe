"""The crowd carries its plans out: asks, approves, gives back, and types again what was not answered."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import structlog

from bot.doubles.slack.model import ImpossibleError
from tests.chaos.deeds import DONE, SHOWS_TERMS, UNKNOWN, UNWRITTEN, Deed, Deeds, is_copy
from tests.chaos.deployment import Deployment
from tests.chaos.plans import Plan
from tests.chaos.scenario import APPROVERS, OFFERED, SECURITY, channel_id, name

log = structlog.get_logger(__name__)
HANDS = 12
PATIENCE = 20.0
"""So long somebody looks for the card they were asked by."""
TRIES = 4


class Crowd:
    """Use it as a context manager. ``asks`` counts what was asked for so far."""

    def __init__(
        self, deployment: Deployment, deeds: Deeds, stream: Iterator[Plan], rng: random.Random
    ) -> None:
        self.deployment = deployment
        self.deeds = deeds
        self._stream = stream
        self._rng = rng
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._counter = itertools.count()
        self._stir = threading.Condition()
        self._no_more = threading.Event()
        self._over = threading.Event()
        self._under_way = 0
        self.plans: list[Plan] = []
        self.failed: list[str] = []
        self._pool = ThreadPoolExecutor(HANDS, thread_name_prefix="person")
        self._clock = threading.Thread(target=self._run, name="crowd", daemon=True)

    def __enter__(self) -> Self:
        self._at(time.monotonic(), self._next_plan)
        self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with self._stir:
            self._stir.notify_all()
        self._clock.join()
        self._pool.shutdown(cancel_futures=True)

    def ask_no_more(self) -> None:
        """What was begun is still carried on."""
        self._no_more.set()

    @property
    def idle(self) -> bool:
        """Nobody means to do anything any more."""
        with self._stir:
            return self._no_more.is_set() and not self._later and self._under_way == 0

    # ------------------------------------------------------------------------------------ the clock

    def _at(self, moment: float, do: Callable[[], None]) -> None:
        with self._stir:
            heapq.heappush(self._later, (moment, next(self._counter), do))
            self._stir.notify_all()

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        self._at(time.monotonic() + seconds, do)

    def _run(self) -> None:
        while not self._over.is_set():
            with self._stir:
                left = self._later[0][0] - time.monotonic() if self._later else 1.0
                if left > 0:
                    self._stir.wait(min(left, 1.0))
                    continue
                _, _, do = heapq.heappop(self._later)
                self._under_way += 1
            self._pool.submit(self._do, do)

    def _do(self, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as error:  # one person's trouble is not the others'
            log.exception("the crowd stumbled")
            self.failed.append(repr(error))
        finally:
            with self._stir:
                self._under_way -= 1

    # ------------------------------------------------------------------------------------- a course

    def _next_plan(self) -> None:
        if self._no_more.is_set():
            return
        plan = next(self._stream)
        self.plans.append(plan)
        rng = random.Random(self._rng.random())
        self.after(plan.wait, self._next_plan)
        if plan.looks_at_home:
            self.deeds.looks_at_home(plan.person, rng)
        _Course(self, plan, rng).ask(TRIES)


@dataclass(frozen=True, kw_only=True)
class _Job:
    """Somebody who decides about a request, or a ``longer`` time; ``last`` of those who are needed."""

    who: str
    verdict: str
    last: bool
    longer: bool
    since: float = 0.0


class _Course:
    """One plan being carried out."""

    def __init__(self, crowd: Crowd, plan: Plan, rng: random.Random) -> None:
        self.crowd = crowd
        self.plan = plan
        self.rng = rng

    def ask(self, tries: int) -> None:
        deed = self.crowd.deeds.types(self._deed("ask", self.plan.person), self.plan.command, self.rng)
        if deed.outcome in (UNKNOWN, UNWRITTEN) and tries > 1:
            self.crowd.after(self.rng.uniform(0.3, 2.0), lambda: self.ask(tries - 1))
        elif deed.outcome == DONE and deed.said.startswith(("Requested *", "You already requested")):
            self._put_to_approvers()
        elif deed.outcome == DONE:
            self.crowd.after(self.plan.after, lambda: self.end(TRIES))

    def _put_to_approvers(self, *, longer: bool = False) -> None:
        plan = self.plan
        verdict = plan.longer if longer else plan.verdict
        if verdict == "nothing":
            return
        if verdict == "replace":
            self.crowd.after(plan.think, self._extend_again)
            verdict = "approve"
        needed = plan.approvers if verdict != "deny" else plan.approvers[:1]
        for number, approver in enumerate(needed):
            job = _Job(who=approver, verdict=verdict, last=number == len(needed) - 1, longer=longer)
            soon = 0.3 if longer and plan.longer != "replace" else 1.5  # more time is wanted before it ends
            self.crowd.after(plan.think * (number + soon), partial(self._begin_to_decide, job))

    def _begin_to_decide(self, job: _Job) -> None:
        self.decide(replace(job, since=time.monotonic()))

    def decide(self, job: _Job) -> None:
        """As soon as the card is there. What was not answered is clicked again."""
        found = self._card(job)
        if found is None:
            self._look_again(job)
            return
        place, grant = found
        deed, deeds = self._deed(job.verdict, job.who, grant), self.crowd.deeds
        try:
            if job.verdict == "deny":
                deed = deeds.denies(deed, place, self.rng)
            elif self.plan.typed:
                deed = deeds.types_approval(replace(deed, what="approve"), self.rng)
            else:
                deed = deeds.approves(deed, place, self.rng, None if job.longer else self._less())
        except ImpossibleError:  # decided meanwhile, or it is about an earlier wish for more time
            if job.longer:
                self._look_again(job)
            return
        if deed.outcome in (UNKNOWN, UNWRITTEN) or is_copy(deed) or deed.said.startswith(SHOWS_TERMS):
            self._look_again(job)
        elif job.last and deed.outcome == DONE and job.verdict != "deny" and not job.longer:
            self.crowd.after(self.plan.after, lambda: self.end(TRIES))

    def _less(self) -> int | None:
        offered = [each for each in OFFERED if each < self.plan.seconds]
        return self.rng.choice(offered) if self.plan.verdict == "less" and offered else None

    def _look_again(self, job: _Job) -> None:
        if time.monotonic() - job.since < PATIENCE:
            self.crowd.after(self.rng.uniform(0.2, 0.6), lambda: self.decide(job))

    def _card(self, job: _Job) -> tuple[tuple[str, str], str] | None:
        """A message that asks them about this plan's ask, or for more time; there are two where a worker died
        over it."""
        channel, history = self.plan.resource.channel, self.crowd.deployment.history
        home = channel_id(channel) if channel else "D" + job.who[1:]
        if job.longer:
            every = history.extensions(self.plan.person, self.plan.resource.name)[-1:]
        else:
            every = [each for each in history.about(self.plan.reason) if "-" not in (each.grant or "")]
        found = [
            ((each.channel, each.ts), each.grant) for each in every if each.first and each.channel == home
        ]
        place, grant = self.rng.choice(found) if found else (("", ""), None)
        return (place, grant) if grant else None

    # ------------------------------------------------------------------------------------ its end

    def end(self, tries: int) -> None:
        plan, ways = (
            self.plan,
            {"done": self._done, "click done": self._click, "extend": self._extend, "revoke": self._revoke},
        )
        way = ways.get(plan.ending)
        deed = way() if way else None
        if deed and (deed.outcome in (UNKNOWN, UNWRITTEN) or is_copy(deed)) and tries > 1:
            self.crowd.after(self.rng.uniform(0.2, 1.0), lambda: self.end(tries - 1))
        elif deed and deed.said.startswith("Requested more time"):
            self._put_to_approvers(longer=True)

    def _done(self) -> Deed:
        return self._types("done", self.plan.person, f"done {self.plan.resource.name}")

    def _extend(self) -> Deed:
        seconds = self.rng.randint(1, 8)
        text = f"extend {self.plan.resource.name} {seconds}s"
        return self._types("extend", self.plan.person, text, seconds)

    def _extend_again(self) -> None:
        self._extend()

    def _revoke(self) -> Deed:
        may = SECURITY if self.plan.by_security else APPROVERS
        who = self.rng.choice([each for each in may if each != self.plan.person])
        text = f"revoke @{name(self.plan.person)} {self.plan.resource.name} because enough"
        return self._types("revoke", who, text)

    def _click(self) -> Deed | None:
        home = "D" + self.plan.person[1:]
        for said in reversed(self.crowd.deployment.history.about(self.plan.reason)):
            if said.channel == home and said.grant:
                deed = self._deed("done", self.plan.person, said.grant)
                try:
                    return self.crowd.deeds.clicks(deed, (said.channel, said.ts), "done", self.rng)
                except ImpossibleError:
                    return None
        return None

    def _types(self, what: str, who: str, text: str, seconds: int = 0) -> Deed:
        return self.crowd.deeds.types(self._deed(what, who, seconds=seconds), text, self.rng)

    def _deed(self, what: str, by: str, grant: str | None = None, seconds: int | None = None) -> Deed:
        return Deed(
            what=what,
            by=by,
            person=self.plan.person,
            resource=self.plan.resource.name,
            reason=self.plan.reason,
            seconds=self.plan.seconds if seconds is None else seconds,
            grant=grant,
            sent=0,
            answered=0,
            outcome="",
        )
