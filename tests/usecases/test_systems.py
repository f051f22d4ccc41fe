"""One running system has one name, and another system is accepted by a person only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.catalog import Catalog, Entitlement, SweepMode, SweepRules
from bot.core.errors import TemporaryFailure
from bot.core.grants import State
from bot.core.holds import HoldRecord, System
from bot.core.reasons import Why
from bot.ports import Change, Key, Strays
from bot.testing.story import Story
from bot.testing.target import FakeTarget, another_system
from bot.testing.town import ADA, BOB, DAN, EMAILS, HOUR, MINUTE, PROD_DB, SECURITY, catalog
from bot.usecases.systems import accept_system

[ROLE] = PROD_DB.gives
BILLING = replace(
    PROD_DB, name="billing", gives=(Entitlement(target="billing-db", what=(("role", "orders_rw"),)),)
)
SAME = "billing-db is the same server as orders-db: use one name"


def policy(mode: SweepMode = SweepMode.ENFORCE) -> Catalog:
    both = catalog(PROD_DB, BILLING)
    notes = {"orders-db": "ended", "billing-db": "ended"}
    return replace(both, session_notes=notes, sweep=SweepRules(mode=mode))


@pytest.fixture
def twins() -> Story:
    """orders-db and billing-db are one server."""
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
    return [dict(note.reason.facts) for note in story.messenger.told(SECURITY) if note.reason.why is why]


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
    """What was granted under the later name before anybody knew is kept, and ends on time."""
    billing = FakeTarget(lambda: story.now)
    billing.system = System(id="billing", instance="second")
    story = Story(policy(SweepMode.ASK), targets={"billing-db": billing}, begin=False)
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
    granted(story, ADA, length="4h")
    billing.access = story.target.access
    for each in (billing, story.target):
        each.system = System(id="orders", instance="first")
    story.memory.commit(with_receipts_of("orders", story, short))
    story.pass_time(11 * MINUTE)
    story.pass_time(HOUR)
    assert story.grant(short).state is State.ENDED
    assert (story.has(ADA), billing.count("revoke")) == (True, 0)


# ------------------------------------------------------------------------------------ another address


def moved_to(story: Story, system: System) -> FakeTarget:
    """Ada's grant was made where the target was before its url was changed; return that."""
    before = story.target
    story.former_targets["orders-db"] = before
    story.target = story.targets["orders-db"] = FakeTarget(lambda: story.now)
    story.target.system = system
    return before


ELSEWHERE = System(id="elsewhere", instance="second")


def test_what_was_granted_at_the_former_address_is_revoked_there(story: Story) -> None:
    grant = granted(story, ADA, length="1h")
    before = moved_to(story, ELSEWHERE)
    story.pass_time(HOUR)
    assert (story.grant(grant).state, before.access) == (State.ENDED, {})


def test_a_request_at_the_new_address_waits_until_the_former_one_is_settled(story: Story) -> None:
    granted(story, ADA, length="1h")
    moved_to(story, ELSEWHERE)
    second = granted(story, ADA, length="4h")
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
    """It may be the same system, promoted: then the former server is an isolated old primary."""
    grant = granted(story, ADA, length="1h")
    before = moved_to(story, story.target.system)
    for verb in ("has", "revoke"):
        story.target.failing[verb] = TemporaryFailure("orders-db does not answer")
    story.pass_time(HOUR + MINUTE)
    ending = story.grant(grant)
    assert (ending.state, ending.overdue_since is not None) == (State.ENDING, True)
    assert before.access == {}, "but what can be done there is done"


# ------------------------------------------------------------------------------------ accepting


def upgraded(story: Story) -> str:
    """Ada's hour is over; the server was upgraded meanwhile: another identity, the same access, which now
    counts as the administrator's."""
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
