"""The process dies at any point, another one goes on, and in the end everything is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count

import pytest

from bot.core.catalog import Entitlement, SourceRules
from bot.core.errors import Refused
from bot.core.grants import State
from bot.core.shifts import Shift
from bot.ports.ledger import CLAIM_SECONDS
from bot.testing.cast import (
    ADA,
    BOB,
    CAROL,
    DAN,
    EMAILS,
    EVE,
    MINUTE,
    NINE,
    ON_SHIFT,
    ORDERS_ON_CALL,
    PROD_DB,
    catalog,
    nobodys,
    shift,
)
from bot.testing.fuse import Died, Fuse
from bot.testing.slack import dm
from bot.testing.story import Story, shown_terms
from bot.testing.target import FakeTarget
from bot.usecases.requests import ask, extend, finish, votes

SECRET = Entitlement(target="vault", what=(("group", "orders"),))
TWIN = "prod-db-too"
"""Another resource that gives the same."""
ROLES = ("orders_rw", "orders_ops", "migrator")


@dataclass
class Told:
    """A story told step by step. If the process dies in a step, another process repeats it."""

    story: Story
    fuse: Fuse

    def __post_init__(self) -> None:
        self.steps = 0

    def step(self, do: Callable[[], object]) -> None:
        """Do a step. People repeat the very same click, and the worker's claims expire."""
        try:
            with _refusals():
                do()
            self.story.run_due()
        except Died:
            self.story.context = self.story.another_context()
            self.story.memory.advance(CLAIM_SECONDS + 0.001)
            with _refusals():
                do()
            self.story.run_due()

    def wait(self, seconds: float) -> None:
        end = self.story.now.timestamp() + seconds
        while self.story.now.timestamp() < end:
            try:
                self.story.pass_time(end - self.story.now.timestamp())
            except Died:
                self.story.context = self.story.another_context()

    def asks(self, who: str, resource: str, minutes: int, op: str) -> None:
        self.step(
            lambda: ask.ask(
                self.story.context, person=who, resource=resource, length=minutes * MINUTE, reason=op, op=op
            )
        )

    def approves(self, by: str, which: str) -> None:
        """Click the card as it was shown before the process died, if it did."""
        with self.fuse.off():
            terms = shown_terms(self.story.context, which)
        self.step(
            lambda: votes.approve(
                self.story.context,
                person=by,
                grant=which,
                length=None,
                op=f"v-{which}-{by}",
                terms=terms,
            )
        )

    def ask_of(self, who: str) -> str:
        """Return the id of the person's request."""
        with self.fuse.off():
            return next((g.id for g in self.story.grants_of(who) if g.state is State.ASKED), "none")


@contextmanager
def _refusals() -> Iterator[None]:
    """Accept that a repeated action is refused, because it was done although its answer was lost."""
    try:
        yield
    except Refused:
        return


# ------------------------------------------------------------------------------------- the stories


def on_call(told: Told) -> None:
    told.asks(ADA, "prod-db", 2, "a1")
    told.wait(30)
    told.step(lambda: extend.extend(told.story.context, person=ADA, which=None, length=MINUTE, op="e1"))
    told.wait(5 * MINUTE)


def approved_and_given_back(told: Told) -> None:
    told.asks(DAN, "prod-db", 10, "a1")
    grant = told.ask_of(DAN)
    for who in (BOB, CAROL):
        told.approves(who, grant)
    told.step(lambda: finish.give_back(told.story.context, person=DAN, which="prod-db", op="g1"))
    told.wait(2 * MINUTE)


def two_behind_one_hold(told: Told) -> None:
    told.asks(ADA, "prod-db", 1, "a1")
    told.asks(ADA, TWIN, 2, "a2")
    told.wait(5 * MINUTE)


def more_time(told: Told) -> None:
    """Tell of an extension that is requested, approved, and over in the end."""
    told.asks(DAN, "prod-db", 2, "a1")
    grant = told.ask_of(DAN)
    for which, by in ((grant, BOB), (grant, CAROL), (f"{grant}-1", BOB), (f"{grant}-1", CAROL)):
        if which != grant and by == BOB:
            told.step(
                lambda: extend.extend(told.story.context, person=DAN, which="prod-db", length=MINUTE, op="e1")
            )
        told.approves(by, which)
    told.wait(4 * MINUTE)


def the_seat(told: Told) -> None:
    for who, by in ((DAN, BOB), (EVE, CAROL)):
        told.asks(who, "schema-migration", 1, f"a-{who}")
        grant = told.ask_of(who)
        told.approves(by, grant)
        told.wait(2 * MINUTE)
    told.wait(2 * MINUTE)


def a_shift(told: Told) -> None:
    """Tell of a shift from one minute past nine to three past."""
    told.wait(5 * MINUTE)


ADAS_SHIFT = shift(ADA, start=NINE + timedelta(minutes=1), end=NINE + timedelta(minutes=3))

STORIES: dict[Callable[[Told], None], tuple[Shift, ...]] = {
    on_call: (),
    approved_and_given_back: (),
    two_behind_one_hold: (),
    more_time: (),
    the_seat: (),
    a_shift: (nobodys(ADAS_SHIFT),),
}
"""With the shifts that are on in each."""


def begun(shifts: tuple[Shift, ...] = ()) -> Told:
    """Return a story whose vault cannot tell our grants from others', so that what was noted before granting
    has to be kept."""
    prod_db = replace(PROD_DB, gives=(*PROD_DB.gives, SECRET), approvals=2)
    on_call = replace(ORDERS_ON_CALL, on_shift=replace(ON_SHIFT, grace=0))
    twin = replace(prod_db, name=TWIN)
    policy = replace(catalog(prod_db, twin, on_call), sources={"pagerduty": SourceRules(every=3_600)})
    story = Story(policy, rota={"PORDERS": shifts})
    story.targets["vault"] = FakeTarget(lambda: story.now, marks=False)
    story.target.give_by_hand(EMAILS[CAROL], PROD_DB.gives[0])
    return Told(story, Fuse(story))


@pytest.mark.parametrize("tell", STORIES)
def test_wherever_the_process_dies_another_brings_it_to_its_end(tell: Callable[[Told], None]) -> None:
    deaths = 0
    while True:
        told = begun(STORIES[tell])
        told.fuse.left = deaths
        tell(told)
        died, told.fuse.left = told.fuse.burnt, None
        ended_well(told.story, deaths)
        if not died:
            break
        deaths += 1
    assert deaths > 15


def ended_well(story: Story, death: int) -> None:
    """Check that only what others granted is left, and that each grant ended once and was reported once."""
    left = {role: story.target.accounts(role) for role in ROLES}
    assert left == {"orders_rw": {EMAILS[CAROL]}, "orders_ops": set(), "migrator": set()}, death
    assert story.targets["vault"].access == {}, death
    grants = {entry.grant for entry in story.audit() if entry.grant}
    assert grants, death
    for each in grants:
        happened, grant = story.history(each), story.grant(each)
        assert grant.state in (State.ENDED, State.LAPSED, State.WITHDRAWN), (death, happened)
        assert not story.live(each), death
        for once in ("asked", "approved", "active", "ending", "ended"):
            assert happened.count(once) <= 1, (death, happened)
        assert (happened.count("ended") == 1) is (grant.state is State.ENDED), (death, happened)
    assert not [member for member in owed(story) if member.startswith(("hold:", "card:", "note:", "alarm:"))]


def owed(story: Story) -> list[str]:
    """Return all that is still due, at any time."""
    story.memory.advance(400 * 86_400)
    return [claim.member for claim in story.memory.claim(1_000, 1_000, {}).claims]


def test_the_holder_s_card_shows_the_end_after_each_death() -> None:
    for deaths in count():
        told = begun()
        told.fuse.left = deaths
        on_call(told)
        if not told.fuse.burnt:
            break
        cards = [m for (channel, _), m in told.story.messenger.cards.items() if channel == dm(ADA)]
        assert cards, deaths
        assert cards[-1].view.grant.state is State.ENDED, deaths
        assert len(cards) <= 2, deaths
