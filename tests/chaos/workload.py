"""The workload: many people carry out their plans, request, approve, give back, and repeat what was not
answered."""

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
from tests.chaos.actions import DONE, SHOWS_TERMS, UNKNOWN, UNWRITTEN, Action, Actions, is_copy
from tests.chaos.deployment import Deployment
from tests.chaos.plans import Plan
from tests.chaos.scenario import APPROVERS, OFFERED, SECURITY, channel_id, name

log = structlog.get_logger(__name__)
THREADS = 12
PATIENCE = 20.0
"""Seconds that somebody looks for the card that asks them."""
TRIES = 4


class Workload:
    """The people. A context manager. ``plans`` are those that were begun so far."""

    def __init__(
        self, deployment: Deployment, actions: Actions, stream: Iterator[Plan], rng: random.Random
    ) -> None:
        self.deployment = deployment
        self.actions = actions
        self._stream = stream
        self._rng = rng
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._counter = itertools.count()
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._over = threading.Event()
        self._under_way = 0
        self.plans: list[Plan] = []
        self.errors: list[str] = []
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="person")
        self._clock = threading.Thread(target=self._keep_time, name="workload", daemon=True)

    def __enter__(self) -> Self:
        self._at(time.monotonic(), self._next_plan)
        self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with self._changed:
            self._changed.notify_all()
        self._clock.join()
        self._pool.shutdown(cancel_futures=True)

    def stop_requests(self) -> None:
        """Begin no more plans. Those that were begun go on."""
        self._stopped.set()

    @property
    def idle(self) -> bool:
        """Return whether no plan has anything left to do."""
        with self._changed:
            return self._stopped.is_set() and not self._later and self._under_way == 0

    # ------------------------------------------------------------------------------------ the clock

    def _at(self, moment: float, do: Callable[[], object]) -> None:
        with self._changed:
            heapq.heappush(self._later, (moment, next(self._counter), do))
            self._changed.notify_all()

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        self._at(time.monotonic() + seconds, do)

    def _keep_time(self) -> None:
        while not self._over.is_set():
            with self._changed:
                left = self._later[0][0] - time.monotonic() if self._later else 1.0
                if left > 0:
                    self._changed.wait(min(left, 1.0))
                    continue
                _, _, do = heapq.heappop(self._later)
                self._under_way += 1
            self._pool.submit(self._carry_out, do)

    def _carry_out(self, do: Callable[[], object]) -> None:
        try:
            do()
        except Exception as error:  # one person's error must not stop the others
            log.exception("a plan failed")
            self.errors.append(repr(error))
        finally:
            with self._changed:
                self._under_way -= 1

    # ------------------------------------------------------------------------------------- plans

    def _next_plan(self) -> None:
        if self._stopped.is_set():
            return
        plan = next(self._stream)
        self.plans.append(plan)
        rng = random.Random(self._rng.random())
        self.after(plan.wait, self._next_plan)
        if plan.opens_home:
            self.actions.open_home(plan.person, rng)
        _PlanRun(self, plan, rng).ask(TRIES)


@dataclass(frozen=True, kw_only=True)
class _Decision:
    """One person's decision about a request or, if ``longer``, about more time; ``last`` of those needed."""

    who: str
    verdict: str
    last: bool
    longer: bool
    since: float = 0.0


class _PlanRun:
    """A plan in progress."""

    def __init__(self, workload: Workload, plan: Plan, rng: random.Random) -> None:
        self.workload = workload
        self.plan = plan
        self.rng = rng

    def ask(self, tries: int) -> None:
        action = self.workload.actions.type(
            self._action("ask", self.plan.person), self.plan.command, self.rng
        )
        if action.outcome in (UNKNOWN, UNWRITTEN) and tries > 1:
            self.workload.after(self.rng.uniform(0.3, 2.0), lambda: self.ask(tries - 1))
        elif action.outcome == DONE and action.answer.startswith(("Requested *", "You already requested")):
            self._ask_approvers()
        elif action.outcome == DONE:
            self.workload.after(self.plan.after, lambda: self.end(TRIES))

    def _ask_approvers(self, *, longer: bool = False) -> None:
        plan = self.plan
        verdict = plan.longer if longer else plan.verdict
        if verdict == "nothing":
            return
        if verdict == "replace":
            self.workload.after(plan.think, self._extend)
            verdict = "approve"
        needed = plan.approvers if verdict != "deny" else plan.approvers[:1]
        for number, approver in enumerate(needed):
            decision = _Decision(who=approver, verdict=verdict, last=number == len(needed) - 1, longer=longer)
            # a decision about more time has to be quick
            pause = 0.3 if longer and plan.longer != "replace" else 1.5
            self.workload.after(plan.think * (number + pause), partial(self._begin_to_decide, decision))

    def _begin_to_decide(self, decision: _Decision) -> None:
        self.decide(replace(decision, since=time.monotonic()))

    def decide(self, decision: _Decision) -> None:
        """Decide when the card is there, and again if that was not answered."""
        found = self._find_card(decision)
        if found is None:
            self._retry(decision)
            return
        place, grant = found
        action, actions = self._action(decision.verdict, decision.who, grant), self.workload.actions
        try:
            if decision.verdict == "deny":
                action = actions.deny(action, place, self.rng)
            elif self.plan.typed:
                action = actions.type_approval(replace(action, what="approve"), self.rng)
            else:
                action = actions.approve(
                    action, place, self.rng, None if decision.longer else self._shorter_length()
                )
        except ImpossibleError:  # decided meanwhile, or the card is about an earlier request for more time
            if decision.longer:
                self._retry(decision)
            return
        if action.outcome in (UNKNOWN, UNWRITTEN) or is_copy(action) or action.answer.startswith(SHOWS_TERMS):
            self._retry(decision)
        elif decision.last and action.outcome == DONE and decision.verdict != "deny" and not decision.longer:
            self.workload.after(self.plan.after, lambda: self.end(TRIES))

    def _shorter_length(self) -> int | None:
        offered = [each for each in OFFERED if each < self.plan.seconds]
        return self.rng.choice(offered) if self.plan.verdict == "less" and offered else None

    def _retry(self, decision: _Decision) -> None:
        if time.monotonic() - decision.since < PATIENCE:
            self.workload.after(self.rng.uniform(0.2, 0.6), lambda: self.decide(decision))

    def _find_card(self, decision: _Decision) -> tuple[tuple[str, str], str] | None:
        """Return a message that asks them about this plan's request, or about more time, and the grant. There
        are two messages if a worker died before it recorded the first."""
        channel, history = self.plan.resource.channel, self.workload.deployment.history
        home = channel_id(channel) if channel else "D" + decision.who[1:]
        if decision.longer:
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
        ways = {
            "done": self._give_back,
            "click done": self._click_done,
            "extend": self._extend,
            "revoke": self._revoke,
        }
        way = ways.get(self.plan.ending)
        action = way() if way else None
        if action and (action.outcome in (UNKNOWN, UNWRITTEN) or is_copy(action)) and tries > 1:
            self.workload.after(self.rng.uniform(0.2, 1.0), lambda: self.end(tries - 1))
        elif action and action.answer.startswith("Requested more time"):
            self._ask_approvers(longer=True)

    def _give_back(self) -> Action:
        return self._type("done", self.plan.person, f"done {self.plan.resource.name}")

    def _extend(self) -> Action:
        seconds = self.rng.randint(1, 8)
        text = f"extend {self.plan.resource.name} {seconds}s"
        return self._type("extend", self.plan.person, text, seconds)

    def _revoke(self) -> Action:
        may = SECURITY if self.plan.by_security else APPROVERS
        who = self.rng.choice([each for each in may if each != self.plan.person])
        text = f"revoke @{name(self.plan.person)} {self.plan.resource.name} because enough"
        return self._type("revoke", who, text)

    def _click_done(self) -> Action | None:
        home = "D" + self.plan.person[1:]
        for said in reversed(self.workload.deployment.history.about(self.plan.reason)):
            if said.channel == home and said.grant:
                action = self._action("done", self.plan.person, said.grant)
                try:
                    return self.workload.actions.click(action, (said.channel, said.ts), "done", self.rng)
                except ImpossibleError:
                    return None
        return None

    def _type(self, what: str, who: str, text: str, seconds: int = 0) -> Action:
        return self.workload.actions.type(self._action(what, who, seconds=seconds), text, self.rng)

    def _action(self, what: str, by: str, grant: str | None = None, seconds: int | None = None) -> Action:
        return Action(
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
