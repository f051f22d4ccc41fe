"""Security people confirm that a system that was upgraded or restored is the same one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from bot.core.catalog import Catalog, InGroup, Named, SecurityRules
from bot.core.document import Document
from bot.core.errors import TemporaryFailure
from bot.core.grants import State
from bot.core.holds import HoldRecord, Receipt, Replacement, System
from bot.core.people import Group
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change
from bot.ports.documents import Key, TargetSystems
from bot.ports.slack import AlertView
from bot.testing.cast import ADA, BOB, DAN, EMAILS, EVE, HOUR, MINUTE, PROD_DB, SECURITY, catalog
from bot.testing.story import Story
from bot.testing.target import FakeTarget, another_system
from bot.usecases.access.systems import note_system

Refusal = Callable[[Callable[[], object]], Reason]
[ROLE] = PROD_DB.gives
UPGRADED = System(id="upgraded", instance="second")
ASKED = Replacement(target="orders-db", earlier=("orders",), system="upgraded")


def policy(*who: str) -> Catalog:
    rules = SecurityRules(channel=SECURITY, people=tuple(Named(person=each) for each in who))
    return replace(catalog(), security=rules)


@pytest.fixture
def story() -> Story:
    """Return a story in which Eve is one of the security people."""
    return Story(policy(EVE))


def granted(story: Story, who: str, length: str) -> str:
    grant = story.ask(who, length=length).standing.grant.id
    if story.grant(grant).state is State.ASKED:
        story.approve(BOB, grant)
    story.run_due()
    return grant


def upgrade(story: Story, *who: str) -> None:
    """Give the target another identity, with the same access, which counts as the administrator's there."""
    story.target.system = UPGRADED
    for each in who:
        story.target.give_by_hand(EMAILS[each], ROLE)


def overdue(story: Story, who: str = ADA) -> str:
    """Upgrade the target, and let an hour pass."""
    grant = granted(story, who, "1h")
    upgrade(story, who)
    story.pass_time(HOUR + MINUTE)
    assert story.grant(grant).overdue_since
    return grant


def alert(story: Story) -> AlertView:
    [found] = story.messenger.alerts_in(SECURITY)
    return found


def accepted(story: Story) -> Sequence[Replacement]:
    systems = story.ledger.read({Key.of(TargetSystems)}).find(TargetSystems)
    return systems.accepted if systems else ()


def test_one_click_settles_what_is_overdue_there(story: Story) -> None:
    grant = overdue(story)
    view = alert(story)
    assert (view.verbs, view.replacement) == (("try_now", "removed", "same_system"), ASKED)
    story.same_system(EVE, grant, ASKED.digest)
    story.run_due("alert")
    assert alert(story).became == because(Why.OVERDUE_ACCEPTED, by_person=EVE)
    story.run_due()
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, False)
    assert alert(story).over
    said, moved = (
        [each for each in story.audit() if each.what == what]
        for what in ("said to be the same system", "system accepted")
    )
    assert [(each.by, each.facts["from"], each.facts["to"]) for each in (*said, *moved)] == [
        (EVE, ["orders"], "upgraded"),
        (EVE, ["orders"], "upgraded"),
    ]


def test_all_that_is_held_there_is_settled_by_it(story: Story) -> None:
    """Dan's four hours go on: what he has there counts as granted by Rotakey, and ends with his grant."""
    live = granted(story, DAN, "4h")
    grant = overdue(story)
    story.target.give_by_hand(EMAILS[DAN], ROLE)
    story.pass_time(11 * MINUTE)
    assert story.grant(live).trouble == another_system("orders-db")
    story.same_system(EVE, grant, ASKED.digest)
    story.pass_time(11 * MINUTE)
    assert (story.grant(live).state, story.grant(live).trouble) == (State.ACTIVE, None)
    record = story.record(live)
    assert record
    assert record.elsewhere is None
    story.pass_time(4 * HOUR)
    assert (story.grant(live).state, story.target.accounts("orders_rw")) == (State.ENDED, set())


def test_only_security_people_may_and_only_of_what_others_hold(story: Story, refusal: Refusal) -> None:
    grant = overdue(story, DAN)
    for who in (BOB, DAN):
        against = refusal(lambda who=who: story.same_system(who, grant, ASKED.digest))  # type: ignore[misc]
        assert against.why is Why.NOT_SECURITY
    story.enact(policy(DAN))
    assert refusal(lambda: story.same_system(DAN, grant, ASKED.digest)) == because(Why.OWN_SYSTEM)
    story.run_due()
    assert (accepted(story), story.has(DAN)) == ((), True)


def test_members_read_long_ago_do_not_count(refusal: Refusal) -> None:
    """For *Try now* they would count for a day, but this may grant what is still live there."""
    group = InGroup(group="slack/security")
    story = Story(replace(policy(), security=SecurityRules(channel=SECURITY, people=(group,))))
    story.directory.members[group.group] = Group(name=group.group, members=(EVE,), read_at=story.now)
    grant = overdue(story)
    story.directory.away = True
    story.memory.advance(2 * HOUR)
    story.run_due("hold")
    assert refusal(lambda: story.same_system(EVE, grant, ASKED.digest)).why is Why.GROUP_STALE
    assert accepted(story) == ()
    story.try_now(EVE, grant)


def test_it_counts_for_the_system_that_was_shown(story: Story, refusal: Refusal) -> None:
    grant = overdue(story)
    story.target.system = System(id="third", instance="third")
    story.same_system(EVE, grant, ASKED.digest)
    story.run_due()
    assert story.has(ADA), "a third one answers, of which nobody has said anything"
    view = alert(story)
    assert view.replacement == replace(ASKED, system="third")
    assert refusal(lambda: story.same_system(EVE, grant, ASKED.digest)) == because(Why.SYSTEM_CHANGED)
    story.same_system(EVE, grant, view.replacement.digest)
    story.run_due()
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, False)


@pytest.mark.parametrize(
    "said",
    [replace(ASKED, target="vault"), replace(ASKED, earlier=("another",)), replace(ASKED, system="another")],
)
def test_what_is_said_of_others_does_not_count(story: Story, said: Replacement) -> None:
    overdue(story)
    story.memory.commit(Change(put={Key.of(TargetSystems): TargetSystems(accepted=(said,))}))
    story.pass_time(5 * MINUTE)
    assert (story.has(ADA), alert(story).replacement) == (True, ASKED)


def test_if_it_does_not_help_that_is_said(story: Story) -> None:
    grant = overdue(story)
    story.target.failing["revoke"] = TemporaryFailure("orders-db refuses")
    story.same_system(EVE, grant, ASKED.digest)
    story.run_due()
    still = because(Why.OVERDUE_STILL, by_person=EVE, trouble="orders-db refuses")
    view = alert(story)
    assert (view.became, view.verbs, view.replacement) == (still, ("try_now", "removed"), None)


def test_the_button_comes_when_another_system_answers_and_goes_when_it_does_not(story: Story) -> None:
    grant = granted(story, ADA, "1h")
    story.target.failing["revoke"] = TemporaryFailure("orders-db does not answer")
    story.pass_time(HOUR + MINUTE)
    assert alert(story).verbs == ("try_now", "removed")
    before = story.target.system
    story.target.failing.clear()
    upgrade(story, ADA)
    story.pass_time(5 * MINUTE)
    assert (alert(story).verbs[-1], alert(story).reason.facts["trouble"]) == (
        "same_system",
        another_system("orders-db"),
    )
    story.target.system = before
    story.target.failing["revoke"] = TemporaryFailure("orders-db does not answer")
    story.pass_time(5 * MINUTE)
    assert story.grant(grant).overdue_since
    assert (alert(story).verbs, alert(story).replacement) == (("try_now", "removed"), None)


def test_it_is_asked_about_though_the_former_address_is_known_and_fails(story: Story) -> None:
    """The upgraded server has another address, and the old one is switched off."""
    grant = granted(story, ADA, "1h")
    story.former_targets["orders-db"] = before = story.target
    story.target = story.targets["orders-db"] = FakeTarget(lambda: story.now)
    upgrade(story, ADA)
    for verb in ("has", "revoke"):
        before.failing[verb] = TemporaryFailure("the old server does not answer")
    story.pass_time(HOUR + MINUTE)
    assert alert(story).replacement == ASKED
    story.same_system(EVE, grant, ASKED.digest)
    story.run_due()
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, False)


def test_what_was_granted_at_yet_another_system_is_not_said_to_be_there(story: Story) -> None:
    """Nobody has said that the third system is the upgraded one, so that access may still be at it."""
    grant = overdue(story)
    record = story.record(grant)
    assert record
    third = Receipt(system="third", facts=record.receipts[0].facts)
    both = replace(record, receipts=(*record.receipts, third))
    systems = TargetSystems(accepted=(replace(ASKED, by=EVE),))
    documents: dict[Key, Document | None] = {
        Key.of(HoldRecord, record.hold.key): both,
        Key.of(TargetSystems): systems,
    }
    story.memory.commit(Change(put=documents))
    story.pass_time(5 * MINUTE)
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDING, True)
    story.pass_time(HOUR)
    assert alert(story).replacement == replace(ASKED, earlier=("orders", "third"))


def test_without_security_people_nobody_is_asked(refusal: Refusal) -> None:
    story = Story(policy())
    grant = overdue(story)
    assert (alert(story).verbs, alert(story).replacement) == (("try_now", "removed"), None)
    assert refusal(lambda: story.same_system(EVE, grant, ASKED.digest)).why is Why.NO_SECURITY_PEOPLE


def test_a_click_delivered_twice_is_said_once(story: Story) -> None:
    grant = overdue(story)
    for _ in range(2):
        story.same_system(EVE, grant, ASKED.digest, op="click-1")
    story.run_due()
    assert [each.what for each in story.audit()].count("said to be the same system") == 1


def test_a_target_that_went_back_keeps_what_was_granted_there(story: Story) -> None:
    """Both directions were accepted once, so each receipt is settled at the system that it names."""
    back = Replacement(target="orders-db", earlier=("upgraded",), system="orders", by=EVE)
    systems = TargetSystems(accepted=(replace(ASKED, by=EVE), back))
    story.memory.commit(Change(put={Key.of(TargetSystems): systems}))
    grant = granted(story, ADA, "1h")
    upgrade(story, ADA)
    story.pass_time(11 * MINUTE)
    record = story.record(grant)
    assert record
    assert [each.system for each in record.receipts] == ["upgraded"]
    story.pass_time(HOUR)
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, False)


def test_what_was_said_is_kept_while_systems_come_and_go(story: Story) -> None:
    grant = overdue(story)
    story.same_system(EVE, grant, ASKED.digest)
    there = System(id="other", instance="other")
    assert note_system(story.ledger, "vault", there, ["orders-db", "vault"], None)
    assert accepted(story) == (replace(ASKED, by=EVE),)
    assert note_system(story.ledger, "vault", UPGRADED, ["vault"], None)
    assert accepted(story) == (), "a target that left the file"
