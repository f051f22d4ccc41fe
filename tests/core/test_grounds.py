"""However its grounds and extensions change, a lease ends with the last ground that stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bot.core import grants
from bot.core.grants import MOST_EXTENSIONS, Answer, Cause, Extension, Grant, Ground, Origin, State, Vote
from bot.core.holds import Hold
from bot.core.reasons import Why, because
from bot.testing.cast import ADA, BOB, CAROL, FIRST_LINE, HOUR, NINE, PROD_DB

HOLD = Hold(target="orders-db", account="ada@example.com", entitlement=PROD_DB.gives[0])
CAUSES = st.sampled_from(Cause)
HOURS = st.integers(1, 12)


class Grounds(RuleBasedStateMachine):
    """Incidents and break-glass are grounds like all others."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NINE
        self.number = 0
        asked = Grant(
            id="G1",
            person=ADA,
            resource="prod-db",
            origin=Origin.ASKED,
            state=State.ASKED,
            asked_at=NINE,
            length=4 * HOUR,
            reason="orders are stuck",
            policy="v1",
        )
        first = self.ground(Cause.RULE, 4)
        self.grant = grants.approve(asked, now=NINE, ground=first, gives=(HOLD,))
        self.ends: list[datetime] = [first.until]

    def ground(self, cause: Cause, hours: int) -> Ground:
        self.number += 1
        until = self.now + timedelta(hours=hours)
        ends_with = FIRST_LINE if cause in (Cause.SHIFT, Cause.INCIDENT) else None
        rule = "" if cause is Cause.RULE else str(self.number)
        return Ground(cause=cause, since=self.now, until=until, ends_with=ends_with, rule=rule)

    @property
    def live(self) -> bool:
        return self.grant.state in grants.LIVE

    def standing(self) -> list[Ground]:
        return [each for each in self.grant.stands_on if each.stands(self.now)]

    def settle(self) -> None:
        """Do what the worker does when the lease has run out."""
        if self.live and self.grant.until is not None and self.grant.until <= self.now:
            self.grant = grants.end(self.grant, reason=because(Why.EXPIRED), now=self.now)

    @precondition(lambda self: self.live)
    @rule(cause=CAUSES, hours=HOURS)
    def a_ground_is_added(self, cause: Cause, hours: int) -> None:
        before, ground = self.standing(), self.ground(cause, hours)
        self.grant = grants.add_ground(self.grant, ground)
        kept = [each for each in before if each.cause is not Cause.RULE or cause is not Cause.RULE]
        assert {ground, *kept} <= set(self.grant.stands_on)

    @precondition(lambda self: self.live and self.standing())
    @rule(pick=st.integers(0), hours=HOURS)
    def a_ground_moves(self, pick: int, hours: int) -> None:
        ground = self.standing()[pick % len(self.standing())]
        self.grant = grants.move_ground(self.grant, ground, until=self.now + timedelta(hours=hours))
        self.settle()

    @precondition(lambda self: self.live and len(self.standing()) > 1)
    @rule(pick=st.integers(0))
    def a_ground_falls(self, pick: int) -> None:
        ground = self.standing()[pick % len(self.standing())]
        self.grant = grants.drop_ground(self.grant, ground, reason=because(Why.SHIFT_OVER))
        assert ground not in self.grant.stands_on

    @precondition(lambda self: self.live)
    @rule(hours=HOURS, approvals=st.integers(1, 2))
    def an_extension_is_requested(self, hours: int, approvals: int) -> None:
        self.number += 1
        wanted = Extension(
            id=f"G1-{self.number}",
            asked_at=self.now,
            until=self.now + timedelta(hours=hours),
            policy="v1",
            approvals=approvals,
        )
        before = self.grant.extension
        self.grant = grants.request_extension(self.grant, wanted)
        assert self.grant.extension == wanted
        if before:
            kept = next(each for each in self.grant.extensions if each.id == before.id)
            assert kept.answer is Answer.REPLACED

    @precondition(lambda self: self.live and self.grant.extension)
    @rule(voter=st.sampled_from([BOB, CAROL]))
    def an_extension_is_voted_for(self, voter: str) -> None:
        extension = self.grant.extension
        assert extension is not None
        voted = {each.person: each for each in extension.votes} | {voter: Vote(person=voter, at=self.now)}
        votes = tuple(voted.values())
        self.grant = grants.vote_extension(self.grant, votes, approvals=extension.approvals)
        if len(votes) >= extension.approvals:
            ground = replace(self.ground(Cause.APPROVAL, 1), until=extension.until)
            self.grant = grants.approve_extension(self.grant, ground)
            self.settle()

    @precondition(lambda self: self.live and self.grant.extension)
    @rule()
    def an_extension_is_denied(self) -> None:
        before = self.grant.until
        self.grant = grants.deny_extension(self.grant, person=BOB, now=self.now)
        assert self.grant.until == before

    @precondition(lambda self: self.live)
    @rule()
    def it_is_given_back(self) -> None:
        self.grant = grants.end(self.grant, reason=because(Why.GIVEN_BACK), by=ADA, now=self.now)

    @rule(minutes=st.integers(1, 300))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.settle()

    @invariant()
    def the_lease_ends_with_the_last_ground_that_stands(self) -> None:
        if self.live:
            assert self.standing()
            assert self.grant.until == max(each.until for each in self.standing())

    @invariant()
    def one_extension_waits_at_most_and_none_without_a_lease(self) -> None:
        waiting = [each for each in self.grant.extensions if each.answer is None]
        assert len(waiting) <= (1 if self.live else 0)
        assert len(self.grant.extensions) <= MOST_EXTENSIONS + 1


TestGrounds = Grounds.TestCase
TestGrounds.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
