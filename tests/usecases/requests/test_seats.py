"""Access with one holder is held by one account at a time, whichever resource gave it, and since when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.core.catalog import Catalog, Entitlement, Named
from bot.core.errors import Conflict, TemporaryFailure
from bot.core.grants import Grant, HoldState, State
from bot.core.holds import System
from bot.core.reasons import Reason, Why
from bot.ports.changes import Change, Snapshot
from bot.ports.documents import EntitlementsNoted, Key, Seat, TargetSystems
from bot.testing.cast import (
    ADA,
    BOB,
    CAROL,
    DAN,
    EMAILS,
    EVE,
    HOUR,
    MINUTE,
    NINE,
    ON_SHIFT,
    SCHEMA_MIGRATION,
    catalog,
    nobodys,
    shift,
)
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from bot.usecases.access.owing import INDEXED, keep_owed
from bot.usecases.requests import look
from bot.usecases.requests.admit import admission

Refusal = Callable[[Callable[[], object]], Reason]

MIGRATION = SCHEMA_MIGRATION.name
[MIGRATOR] = SCHEMA_MIGRATION.gives
DEPLOYER = Entitlement(target="orders-db", what=(("role", "deployer"),))
HOTFIX = replace(SCHEMA_MIGRATION, name="hotfix", title="Hotfix", gives=(DEPLOYER, MIGRATOR))
DEPLOY = replace(SCHEMA_MIGRATION, name="deploy", title="Deploy", gives=(DEPLOYER,))
FOR_MANY = replace(SCHEMA_MIGRATION, one_holder=False)
THREE = catalog(HOTFIX, DEPLOY)


@pytest.fixture
def three() -> Story:
    return Story(THREE)


def held(story: Story, who: str, resource: str = MIGRATION, length: str = "1h") -> str:
    grant = story.ask(who, resource, length, f"{who} migrates").standing.grant.id
    story.approve(CAROL if who == BOB else BOB, grant)
    story.run_due()
    assert story.grant(grant).state is State.ACTIVE
    return grant


def refused(story: Story, refusal: Refusal, who: str, resource: str = MIGRATION) -> Reason:
    reason = refusal(lambda: story.ask(who, resource, "1h", "now"))
    assert reason.why is Why.HELD_BY_OTHER
    assert reason.facts["resource"] == resource
    return reason


def test_switched_on_while_several_hold_it_nobody_else_gets_it(refusal: Refusal) -> None:
    story = Story(catalog(FOR_MANY))
    held(story, DAN)
    held(story, EVE, length="2h")
    story.enact(catalog())
    reason = refused(story, refusal, BOB)
    assert reason.facts["by_person"] == EVE, "she has it longest"
    assert reason.facts["until_at"] == int(story.now.timestamp()) + 2 * HOUR
    assert refusal(lambda: story.extend(EVE, MIGRATION, HOUR)).facts["by_person"] == DAN
    story.give_back(EVE)
    story.run_due()
    assert refused(story, refusal, BOB).facts["by_person"] == DAN
    story.give_back(DAN)
    story.run_due()
    assert held(story, BOB)


def test_of_two_resources_that_give_the_same_one_is_held(three: Story, refusal: Refusal) -> None:
    waiting = three.ask(EVE, MIGRATION, "1h").standing.grant.id
    held(three, DAN, "hotfix")
    assert refused(three, refusal, EVE, "deploy").facts["by_person"] == DAN
    assert refusal(lambda: three.approve(BOB, waiting)).why is Why.HELD_BY_OTHER
    three.give_back(DAN)
    three.run_due()
    assert three.approve(BOB, waiting).live


def test_who_holds_it_by_another_resource_may_have_it_by_this_one_too(three: Story) -> None:
    held(three, DAN, "hotfix")
    assert held(three, DAN)


def test_a_resource_with_several_seats_gets_all_or_none(three: Story, refusal: Refusal) -> None:
    asked = three.ask(EVE, "hotfix", "1h").standing.grant.id
    held(three, DAN, "deploy")
    assert refusal(lambda: three.approve(BOB, asked)).why is Why.HELD_BY_OTHER
    three.run_due()
    assert three.target.accounts("migrator") == set()
    three.give_back(DAN)
    three.run_due()
    three.approve(BOB, asked)
    assert refused(three, refusal, DAN).facts["by_person"] == EVE
    assert refused(three, refusal, DAN, "deploy").facts["by_person"] == EVE


def test_a_seat_is_taken_while_the_hold_is_kept_by_another_grant(three: Story, refusal: Refusal) -> None:
    first = held(three, DAN)
    second = held(three, DAN, "hotfix", "4h")
    three.pass_time(HOUR + MINUTE)
    ended = three.grant(first)
    assert (ended.state, ended.kept_by) == (State.ENDED, second)
    assert set(ended.holds.values()) == {HoldState.KEPT}
    reason = refused(three, refusal, EVE)
    assert (reason.facts["by_person"], three.has(DAN, "migrator")) == (DAN, True)
    assert reason.facts["until_at"] == int(NINE.timestamp()) + 4 * HOUR


def test_the_other_name_of_a_server_is_the_same_seat(refusal: Refusal) -> None:
    billing = replace(
        SCHEMA_MIGRATION, name="billing-migration", gives=(replace(MIGRATOR, target="billing-db"),)
    )
    story = Story(catalog(billing))
    one = System(id="orders", instance="this machine")
    held(story, DAN)
    assert story.ask(EVE, "billing-migration", "1h").standing.grant.state is State.ASKED
    both = TargetSystems(found={"orders-db": one, "billing-db": one})
    story.memory.commit(Change(put={Key.of(TargetSystems): both}))
    assert refused(story, refusal, BOB, "billing-migration").facts["by_person"] == DAN


def test_it_is_free_as_soon_as_the_hold_is_gone_and_not_before(three: Story, refusal: Refusal) -> None:
    grant = held(three, DAN, "hotfix")
    three.target.failing["revoke"] = TemporaryFailure("down")
    three.give_back(DAN)
    three.pass_time(MINUTE)
    assert "until_at" not in refused(three, refusal, EVE, "deploy").facts
    del three.target.failing["revoke"]
    three.pass_time(5 * MINUTE)
    assert three.grant(grant).state is State.ENDED
    assert held(three, EVE, "deploy")


def test_people_who_share_a_login_are_one_holder(refusal: Refusal) -> None:
    accounts = {who: {"orders-db": "ops"} for who in (DAN, EVE)}
    people = replace(catalog().people, accounts=accounts)
    story = Story(replace(catalog(), people=people, shared_accounts={"orders-db": ("ops",)}))
    held(story, DAN)
    assert held(story, EVE)
    assert story.target.accounts("migrator") == {"ops"}
    assert refused(story, refusal, BOB).facts["by_person"] in (DAN, EVE)


def test_one_person_with_two_accounts_is_two_holders(story: Story, refusal: Refusal) -> None:
    held(story, DAN)
    people = replace(catalog().people, accounts={DAN: {"orders-db": "dan_ops"}})
    story.enact(replace(catalog(), people=people))
    assert refused(story, refusal, DAN).facts["by_person"] == DAN


def test_a_hidden_resource_does_not_tell_who_has_it(refusal: Refusal) -> None:
    story = Story(catalog(replace(HOTFIX, hidden=True, who_may_ask=(Named(person=DAN),))))
    held(story, DAN, "hotfix")
    facts = refused(story, refusal, EVE).facts
    assert set(facts) == {"resource", "until_at"}
    [offer] = [each for each in look.offers(story.context, person=EVE) if each.outcome == "held"]
    assert (offer.resource.name, offer.reason.facts) == (MIGRATION, facts)


def test_what_somebody_else_holds_is_offered_as_held(story: Story) -> None:
    held(story, DAN)
    offers = {each.resource.name: each for each in look.offers(story.context, person=EVE)}
    assert (offers[MIGRATION].outcome, offers[MIGRATION].reason.facts["by_person"]) == ("held", DAN)
    own = {each.resource.name: each.outcome for each in look.home_view(story.context, DAN).offers}
    assert own[MIGRATION] == "ask"


def test_what_may_not_be_requested_is_not_offered_as_held(story: Story) -> None:
    held(story, DAN)
    story.enact(catalog(replace(SCHEMA_MIGRATION, who_may_ask=())))
    assert MIGRATION not in {each.resource.name for each in look.offers(story.context, person=EVE)}


def test_what_is_gone_is_free_although_the_grant_has_not_ended_yet() -> None:
    secret = Entitlement(target="vault", what=(("role", "secret"),))
    vault = FakeTarget(lambda: story.now)
    story = Story(catalog(replace(HOTFIX, gives=(secret, MIGRATOR))), targets={"vault": vault})
    grant = held(story, DAN, "hotfix")
    vault.failing["revoke"] = TemporaryFailure("down")
    story.give_back(DAN)
    story.run_due()
    assert (story.grant(grant).state, story.has(DAN, "migrator")) == (State.ENDING, False)
    assert held(story, EVE)


@pytest.mark.parametrize("stuck", [0, 40])
def test_a_shift_that_waits_for_another_resource_begins_at_once(stuck: int) -> None:
    on_shift = replace(SCHEMA_MIGRATION, on_shift=ON_SHIFT)
    story = Story(catalog(on_shift, HOTFIX), rota={"PORDERS": ()})
    held(story, DAN, "hotfix", "62m")
    story.source.rota["PORDERS"] = (nobodys(shift(ADA)),)
    if stuck:
        story.target.failing["revoke"] = TemporaryFailure("down")
    story.pass_time(62 * MINUTE - 1)
    assert story.target.accounts("migrator") == {EMAILS[DAN]}
    story.pass_time(1 + stuck)
    story.target.failing.clear()
    story.pass_time(30 if stuck else 6)
    assert story.target.accounts("migrator") == {EMAILS[ADA]}


def test_a_record_that_cannot_be_read_may_be_that_of_a_holder(three: Story, refusal: Refusal) -> None:
    three.memory.corrupt(Key.of(Grant, held(three, DAN, "hotfix")))
    assert set(refused(three, refusal, EVE).facts) == {"resource"}


def test_nobody_is_given_it_by_who_did_not_read_who_has_it(story: Story) -> None:
    grant = story.grant(story.ask(DAN, MIGRATION, "1h").standing.grant.id)
    ground = story.grant(held(story, EVE)).grounds[0]
    with pytest.raises(Conflict, match="the holders of schema-migration were not read"):
        admission(grant, ground, SCHEMA_MIGRATION, catalog(), Snapshot(now=NINE))


# ------------------------------------------------------------------------------------ an older version


def as_an_older_version(story: Story, grant: str) -> None:
    """Write a Seat as an older version did, without the indexes of entitlements."""
    found = story.grant(grant)
    index = {(f"gives:{hold.entitlement.key}", grant): False for hold in found.gives}
    seat = Seat(grant=grant, person=found.person, until=found.until)
    put = {Key.of(Seat, found.resource): seat, INDEXED: None}
    story.memory.commit(Change(put=put, index=index))


def seat_of(story: Story, resource: str) -> Seat | None:
    return story.memory.read({Key.of(Seat, resource)}).find(Seat, resource)


def test_what_an_older_version_gave_is_known_at_once(three: Story, refusal: Refusal) -> None:
    as_an_older_version(three, held(three, DAN, "hotfix"))
    assert refused(three, refusal, EVE).facts["by_person"] == DAN
    assert refused(three, refusal, EVE, "deploy").facts["by_person"] == DAN


def without(*names: str) -> Catalog:
    left = {name: each for name, each in THREE.resources.items() if name not in names}
    return replace(THREE, resources=left, version="v2")


def test_what_an_older_version_gave_is_indexed_although_its_resource_has_left(
    three: Story, refusal: Refusal
) -> None:
    grant = held(three, DAN, "hotfix")
    as_an_older_version(three, grant)
    three.enact(without("hotfix"))
    keep_owed(three.context, three.memory)
    three.run_due()
    assert "by_person" not in refused(three, refusal, EVE).facts, "nobody knows who may know of it"
    assert seat_of(three, "hotfix") is None
    assert three.memory.read({INDEXED}).find(EntitlementsNoted) == EntitlementsNoted(at=three.now)
    three.give_back(DAN, grant)
    three.run_due()
    assert held(three, EVE)
    listed = {name for name, members in three.memory._indexes.items() if grant in members}
    assert listed == set()


def test_a_grant_that_ends_while_it_is_indexed_is_not_in_the_index(three: Story) -> None:
    grant = held(three, DAN, "hotfix")
    as_an_older_version(three, grant)
    commit_all = three.memory.commit_all

    def ending_before(changes: object) -> object:
        three.memory.commit_all = commit_all  # type: ignore[method-assign]
        three.give_back(DAN, grant)
        three.run_due("hold")
        assert three.grant(grant).state is State.ENDED
        return commit_all(changes)  # type: ignore[arg-type]

    keep_owed(three.context, three.memory)
    claim = three.claim("owed")
    assert claim is not None
    three.memory.commit_all = ending_before  # type: ignore[assignment, method-assign]
    three.do(claim)
    assert not [name for name, members in three.memory._indexes.items() if grant in members]


def test_a_seat_that_an_older_version_wrote_is_removed_when_it_is_met(story: Story) -> None:
    story.memory.commit(Change(put={Key.of(Seat, MIGRATION): Seat(grant="gone", person=EVE)}))
    held(story, DAN)
    assert seat_of(story, MIGRATION) is None
