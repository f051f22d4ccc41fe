"""Many leases that end at once are revoked in one batch, and anything unusual one by one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from math import inf
from typing import Any

import pytest

from bot.core.errors import Conflict, PermanentFailure, TemporaryFailure
from bot.core.grants import State
from bot.core.holds import HoldRecord, Phase, System
from bot.ports.changes import Change, Committed, Done, Due
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, TargetSystems
from bot.testing.cast import ADA, BOB, CAROL, DAN, MINUTE, PROD_DB, SCHEMA_MIGRATION
from bot.testing.story import Story
from bot.usecases.access import batches, outcomes
from bot.usecases.access.batches import HoldBatches
from bot.usecases.access.outcomes import LOOK_EVERY
from bot.usecases.access.views import View
from bot.usecases.job import Job

ACCOUNTS = ("ada@example.com", "bob@example.com", "carol@example.com", "dan@example.com")
MANY = 99


def all_have_it(story: Story, length: str = "2m") -> list[str]:
    """Give everybody access: Ada is on call, and the approvers approve the others."""
    first, *others = [story.ask(each, length=length).standing.grant.id for each in (ADA, BOB, CAROL, DAN)]
    for grant, approver in zip(others, (CAROL, BOB, BOB), strict=True):
        story.approve(approver, grant)
    story.run_due()
    assert story.target.accounts("orders_rw") == set(ACCOUNTS)
    return [first, *others]


def claimed(story: Story) -> list[Job]:
    found = story.ledger.claim(MANY, MANY, {}, ("hold",))
    return [Job(each, Deadline.after(0)) for each in found.claims]


def in_one_go(story: Story) -> list[Job]:
    return HoldBatches(story.ledger, story.find_target, story.reconciliation).do(claimed(story))


def hurried(story: Story) -> HoldBatches:
    """Revoke what is due in a hurry, and return the batches that did it."""
    made = HoldBatches(story.ledger, story.find_target, story.reconciliation)
    assert made.do(claimed(story), hurry=True) == []
    return made


def states(story: Story, grants: Sequence[str]) -> list[State]:
    return [story.grant(each).state for each in grants]


def noted_by(story: Story, then: Callable[[], object]) -> None:
    """Run ``then`` right before the first of several results is written."""
    commit_all = story.memory.commit_all

    def after_it(changes: Sequence[Change]) -> tuple[Committed | Conflict, ...]:
        story.memory.commit_all = commit_all  # type: ignore[method-assign]  # as it was
        then()
        return commit_all(changes)

    story.memory.commit_all = after_it  # type: ignore[method-assign]  # somebody is faster


def test_what_ends_at_once_is_taken_and_written_in_one_go(story: Story) -> None:
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)
    assert in_one_go(story) == []
    assert story.target.accounts("orders_rw") == set()
    assert states(story, grants) == [State.ENDED] * 4
    for grant in grants:
        assert story.history(grant)[-3:] == ["ending", "taken", "ended"]
        assert story.record(grant) is None
    assert claimed(story) == []


def test_somebody_who_is_approved_in_that_moment_loses_nothing(story: Story) -> None:
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)
    noted_by(story, lambda: story.ask(ADA, length="1h"))
    (left,) = in_one_go(story)
    assert left.claim.id == story.grant(grants[0]).gives[0].key
    assert story.target.accounts("orders_rw") == {ACCOUNTS[0]}
    story.reconciliation(left).run()
    assert story.target.accounts("orders_rw") == {ACCOUNTS[0]}
    assert story.target.count("grant") == 4
    assert story.grant(grants[0]).state is State.ENDED


def test_somebody_who_is_approved_while_it_is_taken_has_it_again_at_once(story: Story) -> None:
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)

    def again(verb: str) -> None:
        story.target.before = lambda _: None
        story.ask(ADA, length="1h")

    story.target.before = again
    assert in_one_go(story) == []
    story.run_due()
    assert story.target.accounts("orders_rw") == {ACCOUNTS[0]}
    assert states(story, grants) == [State.ENDED] * 4


def test_a_target_that_refuses_at_once_is_asked_for_each_and_each_is_written_as_failed(story: Story) -> None:
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)
    story.target.failing["revoke"] = TemporaryFailure("orders-db: the database is starting up")
    assert in_one_go(story) == []
    assert states(story, grants) == [State.ENDING] * 4
    records = [story.record(each) for each in grants]
    assert [each.failures for each in records if each] == [1] * 4
    assert claimed(story) == []
    story.target.failing.clear()
    story.pass_time(10)
    assert states(story, grants) == [State.ENDED] * 4
    assert story.target.accounts("orders_rw") == set()


def test_one_that_is_refused_keeps_back_no_other(story: Story) -> None:
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)
    refused = list[str]()

    def refuse_the_first(verb: str) -> None:
        story.target.failing.pop("revoke", None)
        if verb == "revoke" and not refused:
            refused.append(verb)
            story.target.failing["revoke"] = PermanentFailure("orders-db: there is no such role any more")

    story.target.before = refuse_the_first
    assert in_one_go(story) == []
    assert sorted(states(story, grants)) == [State.ENDED] * 3 + [State.ENDING]


def test_where_the_target_fails_slowly_one_is_written_as_failed_and_the_others_are_due_at_once(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "REFUSES_WITHIN", -1.0)
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)
    story.target.failing["revoke"] = TemporaryFailure("orders-db: the database does not answer")
    assert in_one_go(story) == []
    assert states(story, grants) == [State.ENDING] * 4
    records = [story.record(each) for each in grants]
    assert sorted(each.failures for each in records if each) == [0, 0, 0, 1]
    assert len(claimed(story)) == 3


def test_while_redis_is_away_one_failure_is_written_in_vain_and_no_more(story: Story) -> None:
    all_have_it(story)
    story.memory.advance(2 * MINUTE)
    story.target.failing["revoke"] = TemporaryFailure("orders-db: the database is starting up")
    made, heard = HoldBatches(story.ledger, story.find_target, story.reconciliation), list[Exception]()
    made.unwritten = lambda _, error: heard.append(error)
    jobs, commit = claimed(story), story.memory.commit

    def away(change: Change) -> Committed:
        raise TemporaryFailure("Redis does not answer")

    def then_away(verb: str) -> None:
        story.memory.commit = away  # type: ignore[method-assign]  # as if it hung

    story.target.before = then_away
    assert made.do(jobs) == []
    assert [str(each) for each in heard] == ["Redis does not answer"]
    assert story.target.count("revoke") == 1
    story.memory.commit = commit  # type: ignore[method-assign]  # as it was


def test_the_policy_in_force_is_followed_before_anything_is_taken(story: Story) -> None:
    all_have_it(story)
    story.memory.advance(2 * MINUTE)
    followed = list[int]()

    def follow() -> None:
        followed.append(story.target.count("revoke"))

    assert HoldBatches(story.ledger, story.find_target, story.reconciliation, follow).do(claimed(story)) == []
    assert (followed, story.target.count("revoke")) == ([0], 4)


def test_two_holds_of_one_grant_are_both_taken_in_one_go(story: Story) -> None:
    both = replace(PROD_DB, gives=(*PROD_DB.gives, *SCHEMA_MIGRATION.gives))
    story.enact(replace(story.policy, resources={**story.policy.resources, PROD_DB.name: both}))
    grant = story.ask(ADA, length="2m").standing.grant.id
    story.run_due()
    story.memory.advance(2 * MINUTE)
    assert len(story.grant(grant).gives) == 2
    assert in_one_go(story) == []
    assert states(story, [grant]) == [State.ENDED]
    assert story.target.access == {}


def test_a_claim_that_has_run_out_is_not_acted_on(story: Story) -> None:
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)
    jobs = claimed(story)
    for job in jobs:
        job.fence = Deadline.after(-1)
    assert HoldBatches(story.ledger, story.find_target, story.reconciliation).do(jobs) == []
    assert story.target.count("revoke") == 0
    story.run_due()
    assert states(story, grants) == [State.ENDED] * 4


def test_what_waits_behind_a_call_that_hangs_is_handed_back(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_have_it(story)
    story.memory.advance(2 * MINUTE)
    monkeypatch.setattr(batches, "LASTS", 0.01)
    handed_back = threading.Event()
    commit_all = story.memory.commit_all

    def watched(changes: Sequence[Change]) -> tuple[Committed | Conflict, ...]:
        written = commit_all(changes)
        if all(each.done and each.done.next_at for each in changes):
            handed_back.set()
        return written

    story.memory.commit_all = watched  # type: ignore[method-assign]  # to see it

    def hang(verb: str) -> None:
        handed_back.wait(10)

    story.target.before = hang
    assert in_one_go(story) == []
    story.target.before = lambda _: None
    assert (handed_back.is_set(), story.target.count("revoke")) == (True, 1)
    assert len(claimed(story)) == 3


def test_a_worker_that_was_thought_dead_leaves_a_look_to_whoever_is_next(story: Story) -> None:
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)

    def taken_over(verb: str) -> None:
        story.target.before = lambda _: None
        story.memory.advance(6)
        for job in claimed(story):
            story.ledger.commit(Change(done=Done(claim=job.claim), frees=True))

    story.target.before = taken_over
    assert in_one_go(story) == []
    story.pass_time(MINUTE)
    assert states(story, grants) == [State.ENDED] * 4
    assert story.target.accounts("orders_rw") == set()


@pytest.mark.parametrize(
    "unusual",
    [
        {"receipts": ()},
        {"look_again": True},
        {"failures": 2},
        {"phase": Phase.EMPTY, "baseline": None},
    ],
    ids=lambda unusual: next(iter(unusual)),
)
def test_an_unusual_hold_is_left_to_be_done_in_full(story: Story, unusual: dict[str, object]) -> None:
    story.ask(ADA, length="2m")
    story.run_due()
    key = Key.of(HoldRecord, story.grants_of(ADA)[0].gives[0].key)
    record = story.ledger.read({key}).find(HoldRecord, key.id)
    assert record is not None
    story.ledger.commit(Change(put={key: replace(record, **unusual)}))  # type: ignore[arg-type]  # as named
    story.memory.advance(2 * MINUTE)
    assert [job.claim.id for job in in_one_go(story)] == [key.id]
    assert story.target.count("revoke") == 0


@pytest.mark.parametrize("hurry", [False, True])
def test_what_was_theirs_before_us_ends_without_a_call(story: Story, hurry: bool) -> None:
    story.target.give_by_hand(ACCOUNTS[0], PROD_DB.gives[0])
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)
    made = HoldBatches(story.ledger, story.find_target, story.reconciliation)
    assert made.do(claimed(story), hurry=hurry) == []
    made.catch_up()
    assert states(story, grants) == [State.ENDED] * 4
    assert story.target.accounts("orders_rw") == {ACCOUNTS[0]}
    assert story.target.count("revoke") == 3
    assert story.history(grants[0])[-3:] == ["ending", "taken", "ended"]
    [told] = [entry for entry in story.audit() if entry.what == "taken" and entry.grant == grants[0]]
    assert told.facts["seen"] == "theirs"
    assert [entry.what for entry in story.audit()].count("taking") == 3
    assert story.record(grants[0]) is None


def test_what_is_not_given_yet_is_left_to_be_done_in_full(story: Story) -> None:
    grant = story.ask(ADA, length="2m").standing.grant.id
    (given,) = in_one_go(story)
    story.reconciliation(given).run()
    assert story.grant(grant).state is State.ACTIVE


def test_a_seat_is_free_once_it_is_gone(story: Story) -> None:
    first = seated(story, DAN, "2m")
    story.memory.advance(2 * MINUTE)
    assert in_one_go(story) == []
    assert states(story, [first]) == [State.ENDED]
    assert states(story, [seated(story, BOB, "2m")]) == [State.ACTIVE]


def seated(story: Story, person: str, length: str) -> str:
    grant = story.ask(person, SCHEMA_MIGRATION.name, length).standing.grant.id
    story.approve(CAROL, grant)
    story.run_due()
    assert story.grant(grant).state is State.ACTIVE
    return grant


def test_what_another_claimed_before_is_left_to_be_done_in_full(story: Story) -> None:
    story.ask(ADA, length="2m")
    story.run_due()
    story.memory.advance(2 * MINUTE)
    assert len(claimed(story)) == 1
    story.memory.advance(6)
    assert [job.claim.taken_over for job in in_one_go(story)] == [True]


# ------------------------------------------------------------------------------- what should be there


def ten_minutes_later(story: Story, length: str = "1h") -> list[str]:
    """Make it time to look at everything that is held."""
    grants = all_have_it(story, length)
    story.memory.advance(LOOK_EVERY.total_seconds())
    return grants


def looks_seen_at(story: Story, grants: Sequence[str]) -> list[datetime | None]:
    records = [story.record(each) for each in grants]
    return [each.seen_at for each in records if each]


def test_what_should_be_there_is_looked_at_and_written_in_one_go(story: Story) -> None:
    grants = ten_minutes_later(story)
    asked, written = story.target.count("has"), []
    commit_all = story.memory.commit_all
    story.memory.commit_all = lambda changes: written.append(len(changes)) or commit_all(changes)  # type: ignore[func-returns-value,method-assign]  # to count them
    assert in_one_go(story) == []
    assert (story.target.count("has") - asked, written) == (4, [4])
    assert looks_seen_at(story, grants) == [story.now] * 4
    assert claimed(story) == []
    story.memory.advance(LOOK_EVERY.total_seconds())
    assert len(claimed(story)) == 4


def test_what_is_not_as_it_should_be_is_left_to_be_done_in_full(story: Story) -> None:
    first, *others = ten_minutes_later(story)
    story.target.take_by_hand(ACCOUNTS[0], PROD_DB.gives[0])
    (left,) = in_one_go(story)
    assert left.claim.id == story.grant(first).gives[0].key
    assert looks_seen_at(story, others) == [story.now] * 3
    story.reconciliation(left).run()
    record = story.record(first)
    assert record
    assert record.missing


def test_at_a_system_that_is_not_known_yet_each_is_looked_at_in_full(story: Story) -> None:
    ten_minutes_later(story)
    story.target.system = System(id="orders", instance="restarted")
    left = in_one_go(story)
    assert len(left) == 4
    story.reconciliation(left[0]).run()
    known = story.memory.read({Key.of(TargetSystems)}).find(TargetSystems)
    assert known
    assert known.found["orders-db"] == story.target.system


def test_what_is_given_back_while_it_is_looked_at_is_not_written_as_live(story: Story) -> None:
    first, *_ = ten_minutes_later(story)

    def give_back(verb: str) -> None:
        story.target.before = lambda _: None
        story.give_back(ADA, first)

    story.target.before = give_back
    (left,) = in_one_go(story)
    assert left.claim.id == story.grant(first).gives[0].key
    story.reconciliation(left).run()
    assert story.grant(first).state is State.ENDED
    assert story.target.accounts("orders_rw") == set(ACCOUNTS[1:])


def test_a_look_that_fails_is_written_as_failed_and_keeps_back_no_other(story: Story) -> None:
    grants = ten_minutes_later(story)
    asked = list[str]()

    def fail_the_first(verb: str) -> None:
        story.target.failing.pop("has", None)
        if verb == "has" and not asked:
            story.target.failing["has"] = TemporaryFailure("orders-db: the database is starting up")
        asked.append(verb)

    story.target.before = fail_the_first
    assert in_one_go(story) == []
    story.target.before = lambda _: None
    story.target.failing.clear()
    records = [story.record(each) for each in grants]
    assert sorted(each.failures for each in records if each) == [0, 0, 0, 1]
    assert looks_seen_at(story, grants).count(story.now) == 3
    assert states(story, grants) == [State.ACTIVE] * 4


@pytest.mark.parametrize(("failure", "alone"), [(TemporaryFailure("away"), 0), (ZeroDivisionError(), 4)])
def test_what_cannot_be_written_of_a_look_is_looked_at_again(
    story: Story, failure: Exception, alone: int
) -> None:
    grants = ten_minutes_later(story)
    jobs = claimed(story)
    with unwritable(story, failure):
        left = HoldBatches(story.ledger, story.find_target, story.reconciliation).do(jobs)
    assert len(left) == alone
    for job in left:
        story.reconciliation(job).run()
    story.pass_time(MINUTE)
    assert all(at and at >= story.now - timedelta(seconds=MINUTE) for at in looks_seen_at(story, grants))


def test_what_was_seen_lately_is_not_looked_at_again_without_need(story: Story) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    hold, asked = story.grant(grant).gives[0].key, story.target.count("has")
    story.memory.advance(MINUTE)
    story.ledger.commit(Change(due=(Due.hold(hold, at=story.now),)))
    (left,) = in_one_go(story)
    story.reconciliation(left).run()
    assert story.target.count("has") == asked


@pytest.mark.parametrize(("over", "pressing"), [(0, False), (1, False), (2, True), (4, True)])
def test_a_lot_is_pressing_if_most_of_it_is_over(story: Story, over: int, pressing: bool) -> None:
    """A flood of mere looks delays nothing else."""
    grants = ten_minutes_later(story)
    for person, grant in list(zip((ADA, BOB, CAROL, DAN), grants, strict=True))[:over]:
        story.give_back(person, grant)
    made = HoldBatches(story.ledger, story.find_target, story.reconciliation)
    assert not made.pressing("hold:orders-db")
    made.do(claimed(story))
    assert made.pressing("hold:orders-db") is pressing


# ------------------------------------------------------------------------------------- in a hurry


def test_in_a_hurry_all_is_taken_first_and_written_down_later(story: Story) -> None:
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)
    made = hurried(story)
    assert story.target.accounts("orders_rw") == set()
    assert states(story, grants) == [State.ENDING] * 4
    assert {job.claim.id for job in made.behind()} == {story.grant(each).gives[0].key for each in grants}
    made.catch_up()
    assert made.behind() == []
    assert states(story, grants) == [State.ENDED] * 4
    assert claimed(story) == []


def test_somebody_who_is_approved_before_it_is_written_down_has_it_again_at_once(story: Story) -> None:
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)
    made = hurried(story)
    again = story.ask(ADA, length="1h").standing.grant.id
    made.catch_up()
    story.run_due()
    assert story.target.accounts("orders_rw") == {ACCOUNTS[0]}
    assert states(story, grants) == [State.ENDED] * 4
    assert story.grant(again).state is State.ACTIVE


def test_what_was_taken_in_a_hurry_by_a_worker_that_died_is_taken_again(story: Story) -> None:
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)
    hurried(story)
    story.pass_time(30)
    assert story.target.accounts("orders_rw") == set()
    assert states(story, grants) == [State.ENDED] * 4


def test_while_redis_is_away_it_is_kept_what_was_taken(story: Story) -> None:
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)
    made = hurried(story)
    with unwritable(story, TemporaryFailure("Redis does not answer")):
        made.catch_up()
    assert len(made.behind()) == 4
    made.catch_up()
    assert states(story, grants) == [State.ENDED] * 4


def test_while_redis_is_away_it_is_kept_no_longer_than_its_claims(story: Story) -> None:
    all_have_it(story)
    story.memory.advance(2 * MINUTE)
    made = hurried(story)
    for job in made.behind():
        job.deadline = Deadline.after(-1)
    with unwritable(story, TemporaryFailure("Redis does not answer")):
        made.catch_up()
    assert made.behind() == []


def test_one_that_cannot_be_written_down_keeps_back_no_other(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)
    made, poison = hurried(story), story.grant(grants[1]).gives[0].key
    change_if_gone = outcomes.change_if_gone

    def poisoned(view: View, *others: Any) -> Change:
        if view.key == poison:
            raise ZeroDivisionError("a fault of ours")
        return change_if_gone(view, *others)

    monkeypatch.setattr(outcomes, "change_if_gone", poisoned)
    heard = list[Exception]()
    made.unwritten = lambda _, error: heard.append(error)
    made.catch_up()
    assert {type(each) for each in heard} == {ZeroDivisionError}
    assert states(story, grants) == [State.ENDED, State.ENDING, State.ENDED, State.ENDED]
    monkeypatch.undo()
    story.pass_time(30)
    assert states(story, grants) == [State.ENDED] * 4


def test_no_more_than_so_much_waits_to_be_written_down(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_BEHIND", 4)
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)
    assert hurried(story).behind() == []
    assert states(story, grants) == [State.ENDED] * 4


def test_in_a_hurry_what_is_only_looked_at_waits_but_never_beyond_its_end(story: Story) -> None:
    grant = story.ask(ADA, length="10m").standing.grant.id
    story.run_due()
    asked = story.target.count("has")
    story.memory.advance(10 * MINUTE - 4)
    hold = story.grant(grant).gives[0].key
    story.ledger.commit(Change(due=(Due.hold(hold, at=story.now),)))
    made = hurried(story)
    assert (made.behind(), story.target.count("has")) == ([], asked)
    assert claimed(story) == []
    story.memory.advance(4)
    assert [job.claim.id for job in claimed(story)] == [hold]


@pytest.mark.parametrize("unusual", [{"receipts": ()}, {"failures": 2}, {"look_again": True}])
def test_in_a_hurry_an_unusual_hold_that_is_over_is_left_to_be_done_in_full(
    story: Story, unusual: dict[str, Any]
) -> None:
    first, *others = all_have_it(story)
    record = story.record(first)
    assert record
    story.ledger.commit(Change(put={Key.of(HoldRecord, record.hold.key): replace(record, **unusual)}))
    story.memory.advance(2 * MINUTE)
    made = HoldBatches(story.ledger, story.find_target, story.reconciliation)
    assert [job.claim.id for job in made.do(claimed(story), hurry=True)] == [record.hold.key]
    made.catch_up()
    assert states(story, others) == [State.ENDED] * 3


def test_in_a_hurry_it_is_written_down_all_the_same_after_a_while(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "WRITE_WITHIN", 0.0)
    grants = all_have_it(story)
    story.memory.advance(2 * MINUTE)
    assert hurried(story).behind() == []
    assert states(story, grants) == [State.ENDED] * 4


@pytest.mark.parametrize(
    "unusual",
    [
        {"seen_at": None},
        {"look_again": True},
        {"failures": 1},
        {"given_until": None},
        {"wished_by": BOB},
        {"phase": Phase.GIVING},
    ],
)
def test_in_a_hurry_nothing_waits_that_is_more_than_a_look(story: Story, unusual: dict[str, Any]) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    record = story.record(grant)
    assert record
    due = Due.hold(record.hold.key, at=story.now)
    changed = replace(record, **unusual)
    story.ledger.commit(Change(put={Key.of(HoldRecord, record.hold.key): changed}, due=(due,)))
    jobs = claimed(story)
    assert HoldBatches(story.ledger, story.find_target, story.reconciliation).do(jobs, hurry=True) == jobs


def test_how_quick_a_target_is_shows_in_the_quickest_of_the_last_lots(story: Story) -> None:
    all_have_it(story)
    story.memory.advance(2 * MINUTE)
    jobs = claimed(story)
    made = HoldBatches(story.ledger, story.find_target, story.reconciliation)
    [lane] = {job.claim.lane for job in jobs}
    assert made.waits(lane) == inf
    first, *others = jobs
    assert made.do([first]) == []
    quick = made.waits(lane)
    assert quick < inf
    story.target.before = lambda _: time.sleep(quick + 0.01)
    assert made.do(others) == []
    assert made.waits(lane) == quick
    assert made.waits("hold:another") == inf


@contextmanager
def unwritable(story: Story, failure: Exception) -> Iterator[None]:
    def fail(changes: Sequence[Change]) -> tuple[Committed | Conflict, ...]:
        raise failure

    commit_all = story.memory.commit_all
    story.memory.commit_all = fail  # type: ignore[method-assign]  # as if it were away
    yield
    story.memory.commit_all = commit_all  # type: ignore[method-assign]  # as it was
