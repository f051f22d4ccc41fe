"""Access ends, 16 minutes later at most, whatever due work is lost and whichever worker dies."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bot.core.errors import Refused
from bot.ports.ledger import CLAIM_SECONDS
from bot.testing.cast import ADA, BOB, CAROL, DAN, EMAILS, HOUR, MINUTE, nobodys, shift
from bot.testing.story import Story
from bot.usecases.access.owing import keep_owed
from bot.usecases.audit.seal import SEAL
from bot.usecases.duties import OWED_EVERY as LOOKED_EVERY
from bot.usecases.enact import standing_duties
from bot.worker.watchdog import OWED_EVERY

PEOPLE = st.sampled_from([ADA, DAN, BOB])
RESOURCES = st.sampled_from(["prod-db", "schema-migration", "orders-on-call"])
SOME = st.randoms(use_true_random=False)
ROLES = ("orders_rw", "orders_ops", "migrator")
ROUNDS = round((LOOKED_EVERY.total_seconds() + 4 * CLAIM_SECONDS) / OWED_EVERY) + 1
"""As often as a worker looks, until it must have come to everything."""


class Losing(RuleBasedStateMachine):
    """A bot whose targets, Slack and pager always work; only what is due can be lost."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story(rota={"PORDERS": (nobodys(shift(ADA)),)})
        self.memory = self.story.memory
        for who in (ADA, DAN):
            self.ask(who, "prod-db", 60)
        self.story.run_due()

    # --------------------------------------------------------------------------------- what people do

    @rule(who=PEOPLE, resource=RESOURCES, minutes=st.sampled_from([1, 5, 60]))
    def ask(self, who: str, resource: str, minutes: int) -> None:
        try:
            grant = self.story.ask(who, resource, f"{minutes}m").standing.grant.id
            self.story.approve(CAROL, grant)
        except Refused:
            return

    @rule(who=PEOPLE, resource=RESOURCES)
    def give_back(self, who: str, resource: str) -> None:
        try:
            self.story.give_back(who, resource)
        except Refused:
            return

    @rule(lost=st.booleans(), back=st.booleans())
    def all_is_given_back_and_workers_die_at_it(self, lost: bool, back: bool) -> None:
        for who in (ADA, DAN, BOB):
            for grant in self.story.grants_of(who):
                self.give_back(who, grant.id)
        self.workers_die(0, lost)
        if back:
            self.the_clock_is_set_back()

    @rule(called_off=st.booleans())
    def the_rota_changes(self, called_off: bool) -> None:
        self.story.source.rota["PORDERS"] = () if called_off else (nobodys(shift(ADA)),)

    @rule(who=st.sampled_from([DAN, BOB]), gone=st.booleans())
    def person_changes(self, who: str, gone: bool) -> None:
        self.story.directory.change(who, deactivated=gone)

    @rule(seconds=st.sampled_from([1, OWED_EVERY, MINUTE, 10 * MINUTE, HOUR]))
    def time_passes(self, seconds: float) -> None:
        self.story.pass_time(seconds)

    @rule(seconds=st.sampled_from([1, 5 * MINUTE]))
    def nobody_works(self, seconds: float) -> None:
        self.memory.advance(seconds)

    @rule()
    def the_clock_is_set_back(self) -> None:
        self.memory.advance(-HOUR)

    # ------------------------------------------------------------------------------------ what is lost

    @rule(seconds=st.sampled_from([0, 10 * MINUTE, HOUR]), lost=st.booleans())
    def workers_die(self, seconds: float, lost: bool) -> None:
        """Let workers claim all that is due, and die."""
        self.memory.advance(seconds)
        found = self.memory.claim(99, 99, {}).claims
        if lost and found:
            self.memory.lose(*(each.member for each in found))

    @rule(some=SOME)
    def what_is_due_is_lost(self, some: Random) -> None:
        self.memory.lose(*_some_of(self.memory._due, some))

    @rule()
    def all_that_is_due_is_lost(self) -> None:
        self.memory.lose()

    @rule(some=SOME)
    def standing_duties_are_lost(self, some: Random) -> None:
        self.memory.lose(*_some_of(standing_duties(self.story.policy), some))

    @rule(some=SOME)
    def claims_are_lost(self, some: Random) -> None:
        self.memory.lose_claims(*_some_of(self.memory._claims, some))

    @rule(some=SOME)
    def generations_are_lost(self, some: Random) -> None:
        self.memory.lose_generations(*_some_of(self.memory._generations, some))

    @rule()
    def lanes_are_lost(self) -> None:
        self.memory.lose_lanes()

    # ---------------------------------------------------------------------------------- what must hold

    @rule()
    def nothing_is_lost_for_a_while(self) -> None:
        for _ in range(ROUNDS):
            keep_owed(self.story.context, self.memory)
            self.story.pass_time(OWED_EVERY)
        self.access_is_what_is_live()
        assert not self.memory.not_due(set(standing_duties(self.story.policy)) - {SEAL})

    @invariant()
    def nobody_has_what_nobody_was_given(self) -> None:
        assert len(self.story.target.accounts("migrator")) <= 1

    def teardown(self) -> None:
        self.nothing_is_lost_for_a_while()
        self.memory.advance(26 * HOUR)
        self.nothing_is_lost_for_a_while()

    def access_is_what_is_live(self) -> None:
        live = {
            (hold.account, hold.entitlement["role"])
            for who in EMAILS
            for grant in self.story.grants_of(who)
            if self.story.live(grant.id)
            for hold in grant.gives
        }
        assert {(account, role) for role in ROLES for account in self.story.target.accounts(role)} == live


def _some_of(names: Iterable[str], some: Random) -> list[str]:
    return [each for each in sorted(names) if some.random() < 0.5]


def test_whatever_is_lost_access_ends() -> None:
    run_state_machine_as_test(
        Losing,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
