"""People, targets, Slack, the pager and the clock act in any order, and the promises hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.core.catalog import Entitlement, InGroup, SourceRules
from bot.core.errors import PermanentFailure, Refused, TemporaryFailure
from bot.core.grants import LIVE, State
from bot.ports.ledger import CLAIM_SECONDS
from bot.testing.cast import (
    ADA,
    BOB,
    CAROL,
    DAN,
    EMAILS,
    EVE,
    HOUR,
    MINUTE,
    PROD_DB,
    SCHEMA_MIGRATION,
    SHIFT_ENDS,
    catalog,
    nobodys,
    shift,
)
from bot.testing.fuse import Died, Fuse
from bot.testing.story import Story, shown_terms
from bot.testing.target import FakeTarget
from bot.usecases.requests import ask, votes

SECRET = Entitlement(target="vault", what=(("role", "secret"),))
PEOPLE = st.sampled_from([ADA, DAN, BOB])
APPROVERS = st.sampled_from([BOB, CAROL])
RESOURCES = st.sampled_from(["prod-db", "schema-migration", "orders-on-call", "hotfix", "deploy"])
TARGETS = st.sampled_from(["orders-db", "vault"])
SHIFTS = st.sampled_from(
    [
        (),
        (shift(ADA),),
        (shift(DAN),),
        (shift(ADA, end=SHIFT_ENDS.replace(hour=10)),),
        (shift(ADA, end=None),),
        (shift(ADA), shift(DAN, level=2)),
    ]
)
MIGRATOR = SCHEMA_MIGRATION.gives[0]
DEPLOYER = Entitlement(target="orders-db", what=(("role", "deployer"),))
HOTFIX = replace(SCHEMA_MIGRATION, name="hotfix", gives=(DEPLOYER, MIGRATOR))
DEPLOY = replace(SCHEMA_MIGRATION, name="deploy", gives=(DEPLOYER,))
"""Two seats, and each of them alone by another resource, too."""
ROLES = ("orders_rw", "orders_ops", "migrator", "deployer")


class Anything(RuleBasedStateMachine):
    """The state machine. The vault ends access by itself. Eve's role was granted by somebody else, and nobody
    takes it from her."""

    KEPT_BY_OTHERS: ClassVar[set[str]] = {EMAILS[EVE]}

    def __init__(self) -> None:
        super().__init__()
        by_rule = (*PROD_DB.approve_automatically, InGroup(group="slack/dba"))
        self.prod_db = replace(PROD_DB, gives=(*PROD_DB.gives, SECRET), approve_automatically=by_rule)
        prod_db = self.prod_db
        self.policy = replace(catalog(prod_db, HOTFIX, DEPLOY), sources={"pagerduty": SourceRules(every=300)})
        self.story = Story(self.policy, rota={"PORDERS": ()})
        self.story.targets["vault"] = FakeTarget(lambda: self.story.now, keeps_end=True)
        self.story.target.give_by_hand(EMAILS[EVE], PROD_DB.gives[0])
        self.fuse = Fuse(self.story)
        self.well = True
        self.seen: dict[str, str] = {}
        """The terms that approvers were shown, by the id of the request or extension."""

    # --------------------------------------------------------------------------------- what people do

    @rule(who=PEOPLE, resource=RESOURCES, minutes=st.sampled_from([1, 5, 60]), why=st.sampled_from("ab"))
    def ask(self, who: str, resource: str, minutes: int, why: str) -> None:
        with self.spared():
            self.story.ask(who, resource, f"{minutes}m", why)

    @rule(who=PEOPLE, hours=st.sampled_from([1, 3]))
    def ask_for_later(self, who: str, hours: int) -> None:
        start = self.story.now + timedelta(hours=hours)
        wish = ask.Wish(person=who, resource="prod-db", length=HOUR, reason="later", starts_at=start)
        with self.spared():
            ask.request(self.story.context, wish, self.story.op())

    def polls(self, who: str) -> list[str]:
        """Return what waits for approvers: requests and extensions."""
        with self.fuse.off():
            held = self.story.grants_of(who)
        asked = [grant.id for grant in held if grant.state is State.ASKED]
        return asked + [grant.extension.id for grant in held if grant.extension]

    @rule(by=APPROVERS, who=PEOPLE)
    def approve(self, by: str, who: str) -> None:
        for poll in self.polls(who):
            with self.spared():
                self.story.approve(by, poll)

    @rule(who=PEOPLE)
    def see_the_terms(self, who: str) -> None:
        with self.fuse.off():
            self.seen |= {poll: shown_terms(self.story.context, poll) for poll in self.polls(who)}

    @rule(by=APPROVERS, who=PEOPLE)
    def click_on_what_was_seen(self, by: str, who: str) -> None:
        """Click a card as it was shown. If it has changed since, nothing is decided."""
        for poll in [each for each in self.polls(who) if each in self.seen]:
            with self.fuse.off():
                now = shown_terms(self.story.context, poll)
            with self.spared():
                votes.approve(
                    self.story.context,
                    person=by,
                    grant=poll,
                    length=None,
                    op=self.story.op(),
                    terms=self.seen[poll],
                )
                assert now == self.seen[poll]

    @rule(more=st.booleans(), approvals=st.sampled_from([1, 2]))
    def policy_changes(self, more: bool, approvals: int) -> None:
        gives = (*PROD_DB.gives, SECRET) if more else PROD_DB.gives
        changed = replace(self.prod_db, gives=gives, approvals=approvals)
        with self.fuse.off():
            self.story.enact(replace(self.policy, resources={**self.policy.resources, PROD_DB.name: changed}))

    @rule(who=PEOPLE, resource=RESOURCES)
    def give_back(self, who: str, resource: str) -> None:
        with self.spared():
            self.story.give_back(who, resource)

    @rule(by=APPROVERS, who=PEOPLE, resource=RESOURCES)
    def revoke(self, by: str, who: str, resource: str) -> None:
        with self.spared():
            self.story.revoke(by, who, resource)

    @rule(who=PEOPLE, resource=RESOURCES, minutes=st.sampled_from([1, 30, 600]))
    def extend(self, who: str, resource: str, minutes: int) -> None:
        with self.spared():
            self.story.extend(who, resource, minutes * MINUTE)

    # ------------------------------------------------------------------------------ what the world does

    @rule(shifts=SHIFTS, schedule=st.sampled_from(["PDBPRIM", "PORDERS"]))
    def rota_changes(self, shifts: tuple[object, ...], schedule: str) -> None:
        self.story.source.rota[schedule] = tuple(nobodys(each) for each in shifts)  # type: ignore[arg-type]

    @rule(
        name=TARGETS, verb=st.sampled_from(["grant", "revoke", "has"]), lost=st.booleans(), good=st.booleans()
    )
    def target_fails(self, name: str, verb: str, lost: bool, good: bool) -> None:
        self.well = False
        target = self.story.targets[name]
        target.failing[verb] = TemporaryFailure("down") if good else PermanentFailure("no")
        (target.loses_answers.add if lost else target.loses_answers.discard)(verb)

    @rule()
    def the_world_recovers(self) -> None:
        """Let every pause pass: five minutes at most. A target is looked at every ten, and a second time if
        something is missing, before anything is decided."""
        self.fuse.left = None
        for target in self.story.targets.values():
            target.failing.clear()
        self.story.pass_time(12 * MINUTE)
        self.well = True

    @rule(name=TARGETS)
    def somebody_takes_by_hand(self, name: str) -> None:
        self.well = False
        target = self.story.targets[name]
        for account, what in list(target.access):
            if account != EMAILS[EVE]:
                target.take_by_hand(account, what)

    @rule(slack=st.booleans(), pager=st.booleans(), posts=st.booleans())
    def others_are_away(self, slack: bool, pager: bool, posts: bool) -> None:
        self.story.directory.away, self.story.source.away, self.story.messenger.away = slack, pager, posts

    @rule(who=PEOPLE, gone=st.booleans())
    def person_changes(self, who: str, gone: bool) -> None:
        self.story.directory.change(who, deactivated=gone)

    # --------------------------------------------------------------------------------- what time does

    @rule(seconds=st.sampled_from([0.001, 1, 7, 60, 300, HOUR]))
    def time_passes(self, seconds: float) -> None:
        with self.spared():
            self.story.pass_time(seconds)

    @rule(seconds=st.sampled_from([1, 30, 3 * HOUR]))
    def all_processes_are_down(self, seconds: float) -> None:
        self.story.memory.advance(seconds)

    @rule(after=st.integers(0, 30))
    def a_process_is_to_die(self, after: int) -> None:
        self.well, self.fuse.left = False, after

    @contextmanager
    def spared(self) -> Iterator[None]:
        """Accept refusals as answers. A process that dies is followed by another."""
        try:
            yield
        except (Refused, TemporaryFailure):
            return
        except Died:
            self.story.context = self.story.another_context()
            self.story.memory.advance(CLAIM_SECONDS + 0.001)

    # ----------------------------------------------------------------------------------- what must hold

    @invariant()
    def only_one_has_the_seat(self) -> None:
        """Even across two resources that give the same, and even if another hold of the grant is gone."""
        for role in ("migrator", "deployer"):
            assert len(self.story.target.accounts(role)) <= 1

    @invariant()
    def a_lease_ends_with_the_last_ground_that_stands(self) -> None:
        with self.fuse.off():
            for grant in (each for who in (ADA, DAN, BOB) for each in self.story.grants_of(who)):
                if grant.state in LIVE and self.story.live(grant.id):
                    assert self.story.lease(grant.id) == max(each.until for each in grant.stands_on)
                    assert len([each for each in grant.extensions if not each.answer]) <= 1

    @invariant()
    def nobody_has_the_same_twice(self) -> None:
        """There is one grant for one access."""
        with self.fuse.off():
            for who in (ADA, DAN, BOB):
                live = [
                    (grant.resource, tuple(sorted(grant.holds)))
                    for grant in self.story.grants_of(who)
                    if grant.state in LIVE and self.story.live(grant.id)
                ]
                assert len(live) == len(set(live))

    @precondition(lambda self: self.well and not self.story.messenger.away)
    @invariant()
    def the_card_says_what_is_true(self) -> None:
        self.story.run_due()
        for grant in (each for who in (ADA, DAN, BOB) for each in self.story.grants_of(who)):
            for message in self.story.messenger.cards_of(grant.id).values():
                assert message.view.grant.state is grant.state
                if self.story.live(grant.id):
                    assert message.view.grant.until == self.story.lease(grant.id)

    @invariant()
    def what_others_gave_stays(self) -> None:
        assert EMAILS[EVE] in self.story.target.accounts("orders_rw")

    @precondition(lambda self: self.well)
    @invariant()
    def while_all_is_well_access_is_what_is_live(self) -> None:
        self.story.run_due()
        self.access_is_what_is_live()

    @invariant()
    def each_step_is_taken_once(self) -> None:
        with self.fuse.off():
            for grant in {entry.grant for entry in self.story.audit() if entry.grant}:
                happened = self.story.history(grant)
                for once in ("asked", "approved", "active", "ending", "ended", "denied", "lapsed", "overdue"):
                    assert happened.count(once) <= 1, happened
                state = self.story.grant(grant).state
                assert state in LIVE or not self.story.live(grant)
                assert ("ended" in happened) is (state is State.ENDED)

    def teardown(self) -> None:
        """Check that access is what is live once the world is well again, and that it is gone in the end."""
        story = self.story
        story.directory.away = story.source.away = story.messenger.away = False
        self.the_world_recovers()
        self.access_is_what_is_live()
        story.source.rota = {"PDBPRIM": (), "PORDERS": ()}
        story.memory.advance(26 * HOUR)
        story.pass_time(15 * MINUTE)
        self.access_is_what_is_live()
        assert not [claim for claim in self.owed() if claim.startswith(("hold:", "card:", "note:", "alarm:"))]

    def access_is_what_is_live(self) -> None:
        live = {
            (hold.account, hold.entitlement["role"])
            for who in (ADA, DAN, BOB, CAROL)
            for grant in self.story.grants_of(who)
            if self.story.live(grant.id)
            for hold in grant.gives
        }
        there = {
            (account, role)
            for target in self.story.targets.values()
            for role in (*ROLES, "secret")
            for account in target.accounts(role)
        }
        assert there - {(EMAILS[EVE], "orders_rw")} == live

    def owed(self) -> list[str]:
        snap = self.story.memory
        snap.advance(400 * 86_400)
        return [claim.member for claim in snap.claim(1_000, 1_000, {}).claims]


def test_whatever_happens_access_is_what_is_live_and_ends() -> None:
    run_state_machine_as_test(
        Anything,
        settings=settings(
            max_examples=150,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
