"""In whatever order people and the rota act, what was revoked comes back only by an approval, or when its
time is over."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bot.core.catalog import InGroup, Named, SecurityRules
from bot.core.errors import Refused
from bot.core.grants import LIVE, Grant, State
from bot.testing.cast import ADA, BOB, CAROL, DAN, EVE, HOUR, MINUTE, PROD_DB, catalog, nobodys, shift
from bot.testing.story import Story
from bot.usecases import security
from tests.usecases.access.test_security import ALONE

PEOPLE = st.sampled_from([ADA, DAN, BOB])
VOTERS = st.sampled_from([BOB, CAROL, EVE])
RESOURCES = st.sampled_from(["prod-db", "orders-on-call", "schema-migration"])
REVOKED_FOR = 2 * HOUR


class TakingAway(RuleBasedStateMachine):
    """Ada and Dan take turns on call. ``blocks`` and ``bans`` are what should be stopped, and ``since`` the
    grants that were live before the latest step."""

    def __init__(self) -> None:
        super().__init__()
        rules = SecurityRules(people=(Named(person=EVE),), revoked_for=REVOKED_FOR)
        by_rule = (*PROD_DB.approve_automatically, InGroup(group="slack/dba"))
        prod_db = replace(PROD_DB, approve_automatically=by_rule)
        policy = replace(catalog(prod_db, ALONE), security=rules)
        self.story = Story(policy, rota={"PORDERS": (nobodys(shift(ADA)),)})
        self.blocks: dict[tuple[str, str], datetime] = {}
        self.bans: set[str] = set()
        self.frozen = False
        self.known = {grant.id for grant in self.live()}

    def live(self) -> list[Grant]:
        every = [grant for who in (ADA, DAN, BOB) for grant in self.story.grants_of(who)]
        return [grant for grant in every if grant.state in LIVE and self.story.live(grant.id)]

    def is_live(self, who: str, resource: str) -> bool:
        return any((grant.person, grant.resource) == (who, resource) for grant in self.live())

    @rule(who=PEOPLE, resource=RESOURCES, minutes=st.sampled_from([1, 60]))
    def ask(self, who: str, resource: str, minutes: int) -> None:
        with suppress(Refused):
            self.story.ask(who, resource, f"{minutes}m", f"why {minutes}")

    @rule(who=PEOPLE, resource=RESOURCES)
    def extend(self, who: str, resource: str) -> None:
        with suppress(Refused):
            self.story.extend(who, resource, 30 * MINUTE)

    @rule(by=VOTERS, who=PEOPLE)
    def approve(self, by: str, who: str) -> None:
        for grant in self.story.grants_of(who):
            if grant.state is State.ASKED:
                with suppress(Refused):
                    self.story.approve(by, grant.id)
                    assert by not in self.bans
                    self.blocks.pop((who, grant.resource), None)

    @rule(who=PEOPLE, resource=RESOURCES)
    def give_back(self, who: str, resource: str) -> None:
        with suppress(Refused):
            self.story.give_back(who, resource)

    @rule(by=VOTERS, who=PEOPLE, resource=RESOURCES)
    def revoke(self, by: str, who: str, resource: str) -> None:
        was_live = self.is_live(who, resource)
        with suppress(Refused):
            self.story.revoke(by, who, resource)
            if was_live and by != who:
                self.blocks[who, resource] = self.story.now + timedelta(seconds=REVOKED_FOR)

    @rule(who=st.sampled_from([ADA, DAN, BOB, CAROL]))
    def revoke_all(self, who: str) -> None:
        security.revoke_all(self.story.context, by=EVE, person=who, why="", op=self.story.op())
        self.bans.add(who)

    @rule(who=st.sampled_from([ADA, DAN, BOB, CAROL]))
    def allow(self, who: str) -> None:
        with suppress(Refused):
            security.allow(self.story.context, by=EVE, person=who, op=self.story.op())
            self.bans.remove(who)

    @rule()
    def freeze(self) -> None:
        security.freeze(self.story.context, by=EVE, why="", op=self.story.op())
        self.frozen = True

    @rule()
    def unfreeze(self) -> None:
        with suppress(Refused):
            security.unfreeze(self.story.context, by=EVE, op=self.story.op())
            self.frozen = False

    @rule(who=st.sampled_from([ADA, DAN]), schedule=st.sampled_from(["PDBPRIM", "PORDERS"]))
    def hand_over(self, who: str, schedule: str) -> None:
        self.story.source.rota[schedule] = (nobodys(shift(who, self.story.now, None)),)
        self.pass_time(61)

    @rule(seconds=st.sampled_from([1, 5 * MINUTE, HOUR]))
    def pass_time(self, seconds: int) -> None:
        self.story.pass_time(seconds)

    @invariant()
    def what_was_taken_away_is_given_back_by_no_rule(self) -> None:
        self.story.run_due()
        now = {grant.id: grant for grant in self.live()}
        assert not {grant.person for grant in now.values()} & self.bans
        for grant in (each for each in now.values() if each.id not in self.known):
            until = self.blocks.get((grant.person, grant.resource))
            blocked = until is not None and grant.approved_at is not None and grant.approved_at < until
            assert grant.votes or not (blocked or self.frozen), grant
        self.known = set(now)


def test_whatever_happens_what_was_taken_away_is_given_back_by_no_rule() -> None:
    run_state_machine_as_test(
        TakingAway,
        settings=settings(
            max_examples=60,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
