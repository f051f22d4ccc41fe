"""A running system has only one name, and only a person can accept another system under it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.catalog import Catalog, Entitlement, Located, StrayMode, StrayRules
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.grants import State
from bot.core.holds import HoldRecord, System
from bot.core.reasons import Why
from bot.ports.changes import Change
from bot.ports.documents import Key, Strays
from bot.testing.cast import ADA, BOB, DAN, EMAILS, HOUR, MINUTE, PROD_DB, SECURITY, catalog
from bot.testing.story import Story
from bot.testing.target import FakeTarget, another_system
from bot.usecases.access.former import former_target
from bot.usecases.access.systems import accept_system

[ROLE] = PROD_DB.gives
BILLING = replace(
    PROD_DB, name="billing", gives=(Entitlement(target="billing-db", what=(("role", "orders_rw"),)),)
)
SAME = "billing-db is the same server as orders-db: use one name for it in access.yaml"


def policy(mode: StrayMode = StrayMode.ENFORCE) -> Catalog:
    both = catalog(PROD_DB, BILLING)
    notes = {"orders-db": "ended", "billing-db": "ended"}
    return replace(both, session_notes=notes, strays=StrayRules(mode=mode))


@pytest.fixture
def twins() -> Story:
    """Return a story in which orders-db and billing-db are one server."""
    billing = FakeTarget(lambda: story.now)
    story = Story(policy(), targets={"billing-db": billing}, begin=False)
    billing.access = story.target.access
    story.run_due("workspace", "groups")
    story.run_due()
    return story


def granted(story: Story, who: str, resource: str = "prod-db", length: str = "4h") -> str:
    grant = story.ask(who, resource, length=length).standing.grant.id
    story.run_due()
    if story.grant(grant).state is State.ASKED:
        story.approve(BOB, grant)
        story.run_due()
    return grant


def said(story: Story, why: Why) -> list[dict[str, object]]:
    return [dict(note.reason.facts) for note in story.messenger.notes_in(SECURITY) if note.reason.why is why]


def test_the_later_name_of_a_running_server_grants_nothing(twins: Story) -> None:
    grant = granted(twins, DAN, "billing")
    ended = twins.grant(grant)
    assert (ended.state, ended.trouble) == (State.ENDED, SAME)
    assert twins.target.access == {}
    assert said(twins, Why.SAME_SYSTEM) == [{"target": "billing-db", "other": "orders-db"}]
    assert twins.grant(granted(twins, ADA)).state is State.ACTIVE


def test_a_copy_of_a_server_is_a_system_of_its_own() -> None:
    copy = FakeTarget(lambda: story.now)
    copy.system = System(id="orders", instance="another machine")
    story = Story(policy(), targets={"billing-db": copy}, begin=False)
    story.run_due("workspace", "groups")
    story.run_due()
    assert story.grant(granted(story, DAN, "billing")).state is State.ACTIVE
    assert said(story, Why.SAME_SYSTEM) == []


def test_neither_name_takes_the_access_of_the_other_for_strays() -> None:
    """Access granted under the later name before anybody knew is kept, and ends on time."""
    billing = FakeTarget(lambda: story.now)
    billing.system = System(id="billing", instance="second")
    story = Story(policy(StrayMode.ASK), targets={"billing-db": billing}, begin=False)
    story.run_due("workspace", "groups")
    story.run_due()
    adas = granted(story, ADA, length="12h")
    grant = granted(story, DAN, "billing", length="2h")
    billing.access = story.target.access = {**billing.access, **story.target.access}
    for each in (billing, story.target):
        each.system = System(id="one", instance="restarted")
    story.memory.commit(with_receipts_of("one", story, grant))
    story.memory.commit(with_receipts_of("one", story, adas))
    story.pass_time(HOUR)
    assert EMAILS[DAN] in billing.accounts("orders_rw")
    found = story.memory.read({Key.of(Strays, "orders-db"), Key.of(Strays, "billing-db")}).all(Strays)
    assert [each.found for each in found] == [{}, {}]
    story.pass_time(HOUR)
    assert (story.grant(grant).state, billing.accounts("orders_rw")) == (State.ENDED, {EMAILS[ADA]})


def with_receipts_of(system: str, story: Story, grant: str) -> Change:
    record = story.record(grant)
    assert record
    receipts = tuple(replace(each, system=system) for each in record.receipts)
    return Change(put={Key.of(HoldRecord, record.hold.key): replace(record, receipts=receipts)})


def test_what_a_live_grant_needs_under_the_other_name_is_not_revoked() -> None:
    billing = FakeTarget(lambda: story.now)
    story = Story(policy(), targets={"billing-db": billing}, begin=False)
    billing.system = System(id="billing", instance="second")
    story.run_due("workspace", "groups")
    story.run_due()
    short = granted(story, ADA, "billing", length="1h")
    long = granted(story, ADA, length="4h")
    billing.access = story.target.access
    for each in (billing, story.target):
        each.system = System(id="orders", instance="first")
    story.memory.commit(with_receipts_of("orders", story, short))
    story.pass_time(11 * MINUTE)
    story.pass_time(HOUR)
    ended = story.grant(short)
    assert (ended.state, ended.kept_by, ended.left_by) == (State.ENDED, long, None)
    assert (story.has(ADA), billing.count("revoke")) == (True, 0)
    assert said(story, Why.LEFT_BY_OTHERS) == []


def apart(story_of: StrayMode = StrayMode.ASK, *, marks: bool = True) -> Story:
    """Return a story in which nobody has noticed yet that both names are one server, because billing-db was
    restarted."""
    billing, orders = FakeTarget(lambda: story.now), FakeTarget(lambda: story.now, marks=marks)
    billing.access, billing._ids = orders.access, orders._ids
    billing.system = System(id="orders", instance="before the restart")
    targets = {"orders-db": orders, "billing-db": billing}
    story = Story(policy(story_of), targets=targets, begin=False)
    story.target = orders
    story.run_due("workspace", "groups")
    story.run_due()
    return story


def together(story: Story) -> None:
    story.targets["billing-db"].system = story.target.system


def test_access_is_left_only_to_a_name_that_will_revoke_it() -> None:
    """orders-db has another login: for that login, what billing-db granted already existed."""
    story = apart(marks=False)
    short = granted(story, ADA, "billing", "1h")
    together(story)
    long = granted(story, ADA, "prod-db", "2h")
    assert story.grant(long).had_before
    story.pass_time(HOUR + 11 * MINUTE)
    assert story.grant(short).state is State.ENDED
    story.pass_time(4 * HOUR)
    assert story.target.access == {}


def test_access_is_not_left_to_a_grant_that_was_never_given() -> None:
    story = apart(StrayMode.REPORT)
    granted(story, ADA, "billing", "1h")
    together(story)
    story.pass_time(59 * MINUTE)
    story.target.failing["prepare"] = TemporaryFailure("orders-db does not answer")
    granted(story, ADA, "prod-db", "2h")
    story.pass_time(3 * MINUTE)
    story.give_back(ADA, "prod-db")
    story.pass_time(HOUR)
    assert story.target.access == {}


def test_a_restart_does_not_make_one_name_revoke_what_the_other_needs() -> None:
    """orders-db was looked at since the restart, billing-db was not."""
    story = apart(StrayMode.REPORT)
    short = granted(story, ADA, "billing", "1h")
    granted(story, ADA, "prod-db", "4h")
    together(story)
    story.pass_time(55 * MINUTE)
    for each in story.targets.values():
        each.system = System(id="orders", instance="after the restart")
    granted(story, DAN, "prod-db", "1h")
    story.memory.advance(5 * MINUTE + 1)
    story.run_due()
    assert story.grant(short).state is State.ENDED
    assert EMAILS[ADA] in story.target.accounts("orders_rw")
    assert story.targets["billing-db"].count("revoke") == 0


def test_a_target_that_gets_another_name_does_not_take_its_own_access_for_strays() -> None:
    one = replace(catalog(PROD_DB), strays=StrayRules(mode=StrayMode.ENFORCE, share=100))
    new = FakeTarget(lambda: story.now)
    story = Story(replace(one, located=Located(addresses={"orders-db": "A"})), targets={"orders": new})
    new.access, new._ids = story.target.access, story.target._ids
    granted(story, ADA, length="12h")
    gives = tuple(replace(each, target="orders") for each in PROD_DB.gives)
    renamed = replace(one, resources={"prod-db": replace(PROD_DB, gives=gives)})
    renamed = replace(renamed, session_notes={"orders": "ended"}, located=Located(addresses={"orders": "A"}))
    story.targets["orders-db"] = former_target("orders-db", [story.target])  # type: ignore[assignment]
    story.enact(renamed)
    story.pass_time(2 * HOUR)
    assert EMAILS[ADA] in new.accounts("orders_rw")
    [found] = story.memory.read({Key.of(Strays, "orders")}).all(Strays)
    assert found.found == {}


# ------------------------------------------------------------------------------------ another address


def moved_to(story: Story, system: System) -> FakeTarget:
    """Move the target to another system after Ada's grant was made, and return the former target."""
    before = story.target
    story.former_targets["orders-db"] = before
    story.target = story.targets["orders-db"] = FakeTarget(lambda: story.now)
    story.target.system = system
    return before


ELSEWHERE = System(id="elsewhere", instance="second")
TWIN = replace(PROD_DB, name="prod-db-too")
"""Another resource that gives the same role."""


def test_what_was_granted_at_the_former_address_is_revoked_there(story: Story) -> None:
    grant = granted(story, ADA, length="1h")
    before = moved_to(story, ELSEWHERE)
    story.pass_time(HOUR)
    assert (story.grant(grant).state, before.access) == (State.ENDED, {})


def test_a_request_at_the_new_address_waits_until_the_former_one_is_settled(story: Story) -> None:
    granted(story, ADA, length="1h")
    moved_to(story, ELSEWHERE)
    story.enact(replace(story.policy, resources={**story.policy.resources, TWIN.name: TWIN}))
    second = granted(story, ADA, TWIN.name, length="4h")
    assert story.grant(second).trouble == another_system("orders-db")
    story.pass_time(HOUR + MINUTE)
    third = granted(story, ADA, length="1h")
    assert (story.grant(third).state, story.has(ADA)) == (State.ACTIVE, True)


def test_a_new_address_of_the_same_system_is_used_at_once(story: Story) -> None:
    grant = granted(story, ADA, length="1h")
    access, before = story.target.access, moved_to(story, story.target.system)
    story.target.access = access
    story.target._ids = before._ids
    calls = len(before.calls)
    story.pass_time(HOUR)
    assert (story.grant(grant).state, access) == (State.ENDED, {})
    assert len(before.calls) == calls


def test_while_the_new_address_does_not_answer_the_former_one_proves_nothing(story: Story) -> None:
    """It may be the same system, promoted; then the former server is an isolated old primary."""
    grant = granted(story, ADA, length="1h")
    before = moved_to(story, story.target.system)
    for verb in ("has", "revoke"):
        story.target.failing[verb] = TemporaryFailure("orders-db does not answer")
    story.pass_time(HOUR + MINUTE)
    ending = story.grant(grant)
    assert (ending.state, ending.overdue_since is not None) == (State.ENDING, True)
    assert before.access == {}, "but what can be done there is done"


def without_receipts(story: Story, grant: str) -> Change:
    record = story.record(grant)
    assert record
    return Change(put={Key.of(HoldRecord, record.hold.key): replace(record, receipts=())})


def test_a_hold_from_before_receipts_is_looked_for_at_the_former_address_too(story: Story) -> None:
    grant = granted(story, ADA, length="1h")
    story.memory.commit(without_receipts(story, grant))
    before = moved_to(story, ELSEWHERE)
    story.pass_time(HOUR + MINUTE)
    assert (story.grant(grant).state, before.access, story.target.access) == (State.ENDED, {}, {})


def test_a_hold_from_before_receipts_that_ended_before_any_look_is_revoked_there_too(story: Story) -> None:
    grant = granted(story, ADA, length="1h")
    story.memory.commit(without_receipts(story, grant))
    before = moved_to(story, ELSEWHERE)
    story.memory.advance(HOUR + MINUTE)
    story.run_due()
    assert (story.grant(grant).state, before.access) == (State.ENDED, {})


def test_a_new_address_that_refuses_does_not_keep_the_former_one_from_being_revoked_at(story: Story) -> None:
    granted(story, ADA, length="1h")
    before = moved_to(story, ELSEWHERE)
    for verb in ("has", "revoke", "prepare", "grant"):
        story.target.failing[verb] = PermanentFailure("orders-db: password authentication failed")
    story.pass_time(2 * HOUR)
    assert before.access == {}


def test_what_is_looked_at_once_more_is_looked_for_at_the_former_address(story: Story) -> None:
    """A claim was taken over at the end, and the address changed within the next seconds."""
    grant = granted(story, ADA, length="1h")
    record = story.record(grant)
    assert record
    story.memory.commit(Change(put={Key.of(HoldRecord, record.hold.key): replace(record, look_again=True)}))
    story.memory.advance(HOUR)
    story.run_due()
    moved_to(story, ELSEWHERE)
    story.pass_time(MINUTE)
    assert story.record(grant) is None


# ------------------------------------------------------------------------------------ accepting


def upgraded(story: Story) -> str:
    """Let Ada's hour pass on a server that was upgraded meanwhile: another identity with the same access,
    which now counts as the administrator's."""
    grant = granted(story, ADA, length="1h")
    story.target.system = System(id="upgraded", instance="second")
    story.target.give_by_hand(EMAILS[ADA], ROLE)
    story.pass_time(HOUR + MINUTE)
    assert story.grant(grant).overdue_since
    return grant


def test_once_a_person_accepts_it_the_system_is_settled(story: Story) -> None:
    grant = upgraded(story)
    accepted = accept_system(story.ledger, story.memory, story.find_target, "orders-db", by="root")
    assert accepted.moved == ("orders_rw on orders-db for ada@example.com",)
    story.run_due()
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, False)
    [entry] = [each for each in story.audit() if each.what == "system accepted"]
    assert (entry.by, entry.facts["from"], entry.facts["to"]) == ("root", ["orders"], "upgraded")


def test_a_look_that_began_before_does_not_undo_the_acceptance(story: Story) -> None:
    grant = granted(story, ADA, length="1h")
    story.target.system = System(id="upgraded", instance="second")
    story.target.give_by_hand(EMAILS[ADA], ROLE)
    story.memory.advance(HOUR)

    def accepted(verb: str) -> None:
        if verb == "has":
            story.target.after = lambda _: None
            accept_system(story.ledger, story.memory, story.find_target, "orders-db", by="root")

    story.target.after = accepted
    story.run_due()
    story.pass_time(MINUTE)
    assert story.grant(grant).state is State.ENDED


def test_accepting_twice_changes_nothing(story: Story) -> None:
    granted(story, ADA)
    for _ in range(2):
        assert (
            accept_system(story.ledger, story.memory, story.find_target, "orders-db", by="root").moved == ()
        )


def test_what_cannot_be_looked_at_is_named(story: Story) -> None:
    upgraded(story)
    story.target.failing["has"] = TemporaryFailure("orders-db does not answer")
    accepted = accept_system(story.ledger, story.memory, story.find_target, "orders-db", by="root")
    assert accepted.moved == ()
    assert accepted.unread == ("orders_rw on orders-db for ada@example.com: orders-db does not answer",)


def test_what_lives_on_gets_receipts_of_the_accepted_system(story: Story) -> None:
    grant = granted(story, ADA, length="4h")
    story.target.system = System(id="upgraded", instance="second")
    story.pass_time(11 * MINUTE)
    assert story.grant(grant).trouble == another_system("orders-db")
    accept_system(story.ledger, story.memory, story.find_target, "orders-db", by="root")
    story.run_due()
    record = story.record(grant)
    assert record
    assert [(each.system, each.moved_from) for each in record.receipts] == [("upgraded", None)]
    assert story.grant(grant).trouble is None
