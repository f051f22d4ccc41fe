"""A worker sleeps at any point while others go on; then it wakes, and does what it was about to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.core.catalog import SourceRules
from bot.core.errors import Refused
from bot.core.grants import State
from bot.ports.changes import Change, Committed
from bot.ports.deadline import Deadline
from bot.ports.ledger import CLAIM_SECONDS
from bot.testing.cast import ADA, MINUTE, catalog
from bot.testing.fuse import Died, Fuse
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from bot.usecases.job import Job

Step = Callable[[Story], object]


def begun(*, keeps_end: bool) -> Story:
    story = Story(replace(catalog(), sources={"pagerduty": SourceRules(every=3_600, stale_after=7_200)}))
    story.targets["orders-db"] = FakeTarget(lambda: story.now, keeps_end=keeps_end)
    return story


# ------------------------------------------------------------------------ what the sleeper was about to do


def to_give(story: Story) -> None:
    story.ask(ADA, length="2m")


def to_take(story: Story) -> None:
    story.ask(ADA, length="2m")
    story.run_due()
    story.memory.advance(2 * MINUTE)


def to_take_what_was_given_back(story: Story) -> None:
    story.ask(ADA, length="2m")
    story.run_due()
    story.give_back(ADA)


def to_keep_for_another(story: Story) -> None:
    story.ask(ADA, length="2m")
    story.ask(ADA, length="4m")
    story.run_due()
    story.memory.advance(2 * MINUTE)


def to_give_what_never_came(story: Story) -> None:
    story.ask(ADA, length="20m")
    story.memory.advance(16 * MINUTE)


SLEEPERS = (to_give, to_take, to_take_what_was_given_back, to_keep_for_another, to_give_what_never_came)


# ------------------------------------------------------------------------------------- what happens meanwhile


def another_takes_over(story: Story) -> None:
    story.memory.advance(CLAIM_SECONDS + 0.001)
    story.run_due()


def all_is_over(story: Story) -> None:
    another_takes_over(story)
    story.pass_time(7 * MINUTE)


def all_is_over_and_ada_asks_again(story: Story) -> None:
    all_is_over(story)
    story.ask(ADA, length="2m", reason="once more")
    story.run_due()
    story.pass_time(MINUTE)


def ada_asks_again(story: Story) -> None:
    another_takes_over(story)
    story.ask(ADA, length="6m", reason="once more")
    story.run_due()


def ada_asks_and_nobody_has_come_yet(story: Story) -> None:
    story.memory.advance(CLAIM_SECONDS + 0.001)
    story.ask(ADA, length="6m", reason="once more")


def ada_gives_it_back(story: Story) -> None:
    try:
        story.give_back(ADA)
    except Refused:
        return
    another_takes_over(story)


MEANWHILE = (
    another_takes_over,
    all_is_over,
    all_is_over_and_ada_asks_again,
    ada_asks_again,
    ada_asks_and_nobody_has_come_yet,
    ada_gives_it_back,
)


@pytest.mark.parametrize("keeps_end", [False, True])
@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("about", SLEEPERS)
def test_a_worker_that_wakes_late_does_no_lasting_harm(about: Step, meanwhile: Step, keeps_end: bool) -> None:
    naps = 0
    while slept(about, meanwhile, naps, keeps_end=keeps_end):
        naps += 1
    assert naps > 5


def slept(about: Step, meanwhile: Step, nap: int, *, keeps_end: bool) -> bool:
    """Tell the story with a nap at that point, and return whether there is such a point."""
    story = begun(keeps_end=keeps_end)
    about(story)
    fuse = Fuse(story, everywhere=True)
    claim = story.claim("hold")
    assert claim is not None
    fuse.left, fuse.burn = nap, lambda: _do(meanwhile, story)
    story.reconciliation(Job(claim, Deadline.after(0))).run()
    napped, fuse.left = fuse.burnt, None
    story.pass_time(30)
    live = any(story.live(grant.id) for grant in story.grants_of(ADA))
    assert story.has(ADA) is live, nap
    story.pass_time(8 * MINUTE)
    assert not story.has(ADA), nap
    finished(story, nap)
    return napped


def finished(story: Story, nap: int) -> None:
    grants = {entry.grant for entry in story.audit() if entry.grant}
    for each in grants:
        happened = story.history(each)
        assert story.grant(each).state is State.ENDED, (nap, happened)
        assert all(happened.count(once) <= 1 for once in ("approved", "active", "ending")), (nap, happened)
        assert happened.count("ended") == 1, (nap, happened)
        assert story.record(each) is None, nap


def _do(meanwhile: Step, story: Story) -> None:
    meanwhile(story)


def test_a_worker_that_gives_late_and_dies_is_cleaned_up_after(story: Story) -> None:
    """It slept right before sending, and nobody ever hears from it again."""
    grant = story.ask(ADA, length="1h").standing.grant.id
    claim = story.claim("hold")
    assert claim is not None

    def sleeps(verb: str) -> None:
        if verb == "grant":
            story.target.before = lambda _: None
            story.give_back(ADA, grant)
            another_takes_over(story)
            assert story.grant(grant).state is State.ENDED

    def dies(verb: str) -> None:
        if verb == "grant":
            story.target.after = lambda _: None
            raise Died

    story.target.before, story.target.after = sleeps, dies
    with pytest.raises(Died):
        story.reconciliation(Job(claim, Deadline.after(0))).run()
    assert story.has(ADA)
    story.pass_time(2 * CLAIM_SECONDS)
    assert not story.has(ADA)
    story.pass_time(2 * CLAIM_SECONDS)
    assert story.record(grant) is None


def test_who_is_approved_right_before_the_take_loses_nothing(story: Story) -> None:
    story.ask(ADA, length="1h")
    story.run_due()
    story.give_back(ADA)
    commit = story.memory.commit

    def another_is_first(change: Change) -> Committed:
        if any(entry.what == "taking" for entry in change.audit):
            story.memory.commit = commit  # type: ignore[method-assign]
            story.ask(ADA, length="2h")
        return commit(change)

    story.memory.commit = another_is_first  # type: ignore[method-assign]
    story.run_due()
    assert story.has(ADA)
    assert story.target.count("revoke") == 0
    assert [grant.state for grant in story.grants_of(ADA)] == [State.ACTIVE]


def test_what_was_given_as_its_lease_ended_is_never_called_active(story: Story) -> None:
    grant = story.ask(ADA, length="10s").standing.grant.id
    commit = story.memory.commit

    def too_slow(change: Change) -> Committed:
        if any(entry.what == "active" for entry in change.audit):
            story.memory.commit = commit  # type: ignore[method-assign]
            story.memory.advance(10)
        return commit(change)

    story.memory.commit = too_slow  # type: ignore[method-assign]
    story.pass_time(60)
    assert "active" not in story.history(grant)
    assert (story.grant(grant).state, story.has(ADA)) == (State.ENDED, False)


def test_a_worker_whose_claim_has_run_out_begins_nothing(story: Story) -> None:
    story.ask(ADA)
    claim = story.claim("hold")
    assert claim is not None
    story.reconciliation(Job(claim, Deadline.after(-CLAIM_SECONDS))).run()
    assert story.target.calls == []


def test_a_worker_that_wakes_with_its_fence_passed_gives_nothing(story: Story) -> None:
    grant = story.ask(ADA).standing.grant.id
    claim = story.claim("hold")
    assert claim is not None
    job = Job(claim, Deadline.after(0.05 - Job(claim, Deadline.after(0)).fence.seconds_left()))

    def sleeps(verb: str) -> None:
        while verb == "grant" and not job.fence.is_over:
            pass

    story.target.before = sleeps
    story.reconciliation(job).run()
    assert not story.has(ADA)
    story.target.before = lambda _: None
    story.pass_time(CLAIM_SECONDS + 1)
    assert story.grant(grant).state is State.ACTIVE


def test_a_worker_that_lost_its_claim_does_not_try_again_what_cannot_help(story: Story) -> None:
    """It tries once to write what it did; then the holder of the claim has to look again."""
    grant = story.ask(ADA).standing.grant.id
    claim = story.claim("hold")
    assert claim is not None
    tries: list[Change] = []
    commit = story.memory.commit

    def counted(change: Change) -> Committed:
        tries.append(change)
        return commit(change)

    def sleeps(verb: str) -> None:
        if verb == "grant":
            story.target.after = lambda _: None
            story.memory.advance(CLAIM_SECONDS + 1)
            story.run_due()
            story.memory.commit = counted  # type: ignore[method-assign]

    story.target.after = sleeps
    story.reconciliation(Job(claim, Deadline.after(0))).run()
    assert [change.done is not None for change in tries] == [True, False]
    assert story.grant(grant).state is State.ACTIVE
