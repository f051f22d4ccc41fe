"""What each person means to do, drawn from a seed: who asks for what, who decides, and how it is to end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos import scenario
from tests.chaos.scenario import Resource

OFTEN = {"seat": 0.5, "both": 1.5, "night": 0.5, "watch": 0.7}
AGAIN, DENIED, OVERLOOKED, LOOKS_AT_HOME = 0.2, 0.15, 0.1, 0.05
ENDINGS = {"runs out": 0.4, "done": 0.18, "click done": 0.08, "extend": 0.24, "revoke": 0.1}
LONGER = {"approve": 0.5, "deny": 0.15, "nothing": 0.15, "replace": 0.2}
BY_SECURITY, TYPED = 0.4, 0.3


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``wait`` is how long after the ask before it. ``verdict``: approve, less, deny or nothing, where
    approvers are asked, and ``longer``, where they are asked for more time; ``typed``: by the id. ``ending``:
    what is done ``after`` so many seconds of having it. ``by_security``: who revokes it is one of those."""

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
    looks_at_home: bool

    @property
    def reason(self) -> str:
        return f"of plan {self.number}"

    @property
    def command(self) -> str:
        return f"request {self.resource.name} {self.seconds}s because {self.reason}"


def plans(rng: random.Random, rate: float, longest: int) -> Iterator[Plan]:
    """For ever; ``rate`` asks a second, some of which overlap one of the same person and resource."""
    number = 0
    last: Plan | None = None
    while True:
        number += 1
        wait = rng.expovariate(rate)
        last = _plan(rng, number, wait, longest, last if last and rng.random() < AGAIN else None)
        yield last


def _plan(rng: random.Random, number: int, wait: float, longest: int, like: Plan | None) -> Plan:
    weights = [OFTEN.get(each.name, 1.0) for each in scenario.RESOURCES]
    resource = like.resource if like else rng.choices(scenario.RESOURCES, weights)[0]
    person = like.person if like else _somebody(rng, resource)
    seconds = rng.randint(1, longest)
    others = [each for each in scenario.APPROVERS if each != person]
    return Plan(
        number=number,
        wait=wait,
        person=person,
        resource=resource,
        seconds=seconds,
        verdict=_verdict(rng),
        approvers=tuple(rng.sample(others[:5], max(resource.approvals, 1))),
        think=rng.uniform(0.1, 2.0),
        ending=rng.choices(list(ENDINGS), list(ENDINGS.values()))[0],
        after=rng.uniform(0.0, 0.9) * seconds,
        longer=rng.choices(list(LONGER), list(LONGER.values()))[0],
        typed=rng.random() < TYPED,
        by_security=rng.random() < BY_SECURITY,
        looks_at_home=rng.random() < LOOKS_AT_HOME,
    )


def _somebody(rng: random.Random, resource: Resource) -> str:
    schedule = resource.on_call or resource.on_shift
    if schedule and rng.random() < 0.7:
        return rng.choice(scenario.STAND_INS[schedule])
    return rng.choice(scenario.PEOPLE)


def _verdict(rng: random.Random) -> str:
    drawn = rng.random()
    if drawn < DENIED:
        return "deny"
    if drawn < DENIED + OVERLOOKED:
        return "nothing"
    return "less" if drawn > 0.85 else "approve"
