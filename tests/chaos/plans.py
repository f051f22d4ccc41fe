"""Plans drawn from a seed: who requests what, who decides, and how it ends."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos import scenario
from tests.chaos.scenario import Resource

OFTEN = {"seat": 0.5, "both": 1.5, "night": 0.5, "watch": 0.7}
AGAIN, DENIED, OVERLOOKED, OPENS_HOME = 0.2, 0.15, 0.1, 0.05
ENDINGS = {"runs out": 0.4, "done": 0.18, "click done": 0.08, "extend": 0.24, "revoke": 0.1}
LONGER = {"approve": 0.5, "deny": 0.15, "nothing": 0.15, "replace": 0.2}
BY_SECURITY, TYPED = 0.4, 0.3


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One person's request, ``wait`` seconds after the one before it.

    ``verdict`` (approve, less, deny or nothing) is what approvers decide if they are asked, and ``longer``
    what they decide about more time; ``typed`` is by id. ``ending`` is done ``after`` that many seconds of
    access. ``by_security``: one of the security people revokes it.
    """

    number: int
    wait: float
    person: str
    resource: Resource
    seconds: int
    verdict: str
    approvers: tuple[str, ...]
    think: float
    ending: str
    after: float
    longer: str
    typed: bool
    by_security: bool
    opens_home: bool

    @property
    def reason(self) -> str:
        return f"of plan {self.number}"

    @property
    def command(self) -> str:
        return f"request {self.resource.name} {self.seconds}s because {self.reason}"


def plans(rng: random.Random, rate: float, longest: int) -> Iterator[Plan]:
    """Yield plans without end, ``rate`` a second; some overlap one of the same person and resource."""
    number = 0
    last: Plan | None = None
    while True:
        number += 1
        wait = rng.expovariate(rate)
        last = _draw_plan(rng, number, wait, longest, last if last and rng.random() < AGAIN else None)
        yield last


def _draw_plan(rng: random.Random, number: int, wait: float, longest: int, like: Plan | None) -> Plan:
    weights = [OFTEN.get(each.name, 1.0) for each in scenario.RESOURCES]
    resource = like.resource if like else rng.choices(scenario.RESOURCES, weights)[0]
    person = like.person if like else _draw_person(rng, resource)
    seconds = rng.randint(1, longest)
    others = [each for each in scenario.APPROVERS if each != person]
    return Plan(
        number=number,
        wait=wait,
        person=person,
        resource=resource,
        seconds=seconds,
        verdict=_draw_verdict(rng),
        approvers=tuple(rng.sample(others[:5], max(resource.approvals, 1))),
        think=rng.uniform(0.1, 2.0),
        ending=rng.choices(list(ENDINGS), list(ENDINGS.values()))[0],
        after=rng.uniform(0.0, 0.9) * seconds,
        longer=rng.choices(list(LONGER), list(LONGER.values()))[0],
        typed=rng.random() < TYPED,
        by_security=rng.random() < BY_SECURITY,
        opens_home=rng.random() < OPENS_HOME,
    )


def _draw_person(rng: random.Random, resource: Resource) -> str:
    schedule = resource.on_call or resource.on_shift
    if schedule and rng.random() < 0.7:
        return rng.choice(scenario.STAND_INS[schedule])
    return rng.choice(scenario.PEOPLE)


def _draw_verdict(rng: random.Random) -> str:
    drawn = rng.random()
    if drawn < DENIED:
        return "deny"
    if drawn < DENIED + OVERLOOKED:
        return "nothing"
    return "less" if drawn > 0.85 else "approve"
