"""Work that is lost from the due set becomes due again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.core.catalog import Catalog
from bot.core.errors import TemporaryFailure
from bot.core.grants import Grant, State
from bot.core.reasons import Why, because
from bot.ports.changes import Change
from bot.ports.documents import Key, LookedThrough, Note
from bot.ports.ledger import CLAIM_SECONDS
from bot.testing.cast import ADA, BOB, DAN, DAY, HOUR, MINUTE, SECURITY, catalog
from bot.testing.story import Story
from bot.usecases.access import owing
from bot.usecases.access.owing import PAUSE, keep_owed
from bot.usecases.audit.seal import SEAL
from bot.usecases.context import Context
from bot.usecases.enact import ALWAYS_OWED, standing_duties


def owed(story: Story) -> set[str]:
    return set(story.memory._due)


def hold_of(story: Story, grant: str) -> str:
    return f"hold:{story.grant(grant).gives[0].key}"


def owed_again(story: Story) -> list[Any]:
    return [entry.facts["members"] for entry in story.audit() if entry.what == "owed again"]


def test_an_end_that_nobody_would_have_come_to(story: Story) -> None:
    adas = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    story.memory.lose(hold_of(story, adas))
    story.pass_time(15 * MINUTE)
    assert owed_again(story) == [[hold_of(story, adas)]]
    story.pass_time(45 * MINUTE)
    assert not story.has(ADA)
    assert story.grant(adas).state is State.ENDED


def test_a_taking_back_that_nobody_would_have_gone_on_with(story: Story) -> None:
    adas = story.ask(ADA).standing.grant.id
    story.run_due()
    hold = hold_of(story, adas)
    story.target.failing["revoke"] = TemporaryFailure("down")
    story.give_back(ADA, adas)
    story.run_due()
    story.memory.corrupt(Key.of(Grant, adas))
    story.memory.read({Key.of(Grant, adas)})
    story.memory.lose(hold)
    story.target.failing.clear()
    story.pass_time(16 * MINUTE)
    assert not story.has(ADA)


def test_an_ask_that_nobody_would_have_closed(story: Story) -> None:
    dans = story.ask(DAN).standing.grant.id
    story.run_due()
    story.memory.lose(f"ask:{dans}", f"people:{DAN}")
    story.pass_time(15 * MINUTE)
    assert owed_again(story) == [[f"ask:{dans}", f"people:{DAN}"]]
    story.pass_time(2 * DAY)
    assert story.grant(dans).state is State.LAPSED


def test_a_request_that_no_approver_would_have_seen(story: Story) -> None:
    dans = story.ask(DAN).standing.grant.id
    story.memory.lose(f"card:{dans}")
    story.run_due()
    assert story.messenger.cards_of(dans) == {}
    story.pass_time(15 * MINUTE)
    assert owed_again(story) == [[f"card:{dans}"]]
    assert set(story.messenger.cards_of(dans)) == {"CDB-ACCESS"}
    story.pass_time(HOUR)
    assert owed_again(story) == [[f"card:{dans}"]]


def test_a_note_that_nobody_would_have_sent(story: Story) -> None:
    note = Note(id="N1", channel=ADA, reason=because(Why.GIVEN_BACK))
    story.memory.commit(Change(put={Key.of(Note, "N1"): note}))
    story.pass_time(15 * MINUTE)
    assert owed_again(story) == [["note:N1"]]
    assert story.messenger.notes_in(ADA) == [note]


def test_an_alarm_that_nobody_would_have_repeated(story: Story) -> None:
    adas = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    story.target.failing["revoke"] = TemporaryFailure("down")
    story.pass_time(HOUR + 10 * MINUTE)
    assert story.grant(adas).overdue_since
    lost = [f"alarm:{adas}", f"alert:{adas}"]
    story.memory.lose(*lost)
    said = len(story.messenger.notes_in(SECURITY))
    story.pass_time(15 * MINUTE)
    assert owed_again(story) == [[f"alarm:{adas}"]]
    story.pass_time(HOUR)
    assert len(story.messenger.notes_in(SECURITY)) == said + 1


def test_a_look_that_has_too_little_time_goes_on_where_it_stopped(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It used to start over each time, kept a worker busy forever, and never reached the end."""
    monkeypatch.setattr(owing, "AT_A_TIME", 0.0)
    story.memory.page = 1
    adas, dans = (story.ask(each).standing.grant.id for each in (ADA, DAN))
    story.run_due()
    note = Note(id="N1", channel=ADA, reason=because(Why.GIVEN_BACK))
    story.memory.commit(Change(put={Key.of(Note, "N1"): note}))
    lost = [f"ask:{dans}", hold_of(story, adas), "note:N1"]
    story.memory.lose(*lost)
    story.pass_time(15 * MINUTE)
    assert len(owed_again(story)) == 1
    for _ in range(10):
        story.pass_time(PAUSE.total_seconds())
    assert sorted(owed_again(story)) == sorted([each] for each in lost)
    assert story.memory.read({Key.of(LookedThrough)}).find(LookedThrough) is None


def test_a_look_that_a_newer_version_began_begins_anew(story: Story) -> None:
    adas = story.ask(ADA).standing.grant.id
    story.run_due()
    newer = LookedThrough(began=story.now + DAY * timedelta(seconds=1), part="of a newer version", cursor=7)
    story.memory.commit(Change(put={Key.of(LookedThrough): newer}))
    story.memory.lose(hold_of(story, adas))
    story.pass_time(15 * MINUTE)
    assert owed_again(story) == [[hold_of(story, adas)]]
    assert story.memory.read({Key.of(LookedThrough)}).find(LookedThrough) is None


def test_where_nothing_is_lost_nothing_is_written(story: Story) -> None:
    story.ask(ADA)
    dans = story.ask(DAN).standing.grant.id
    story.run_due()
    story.approve(BOB, dans)
    story.pass_time(8 * HOUR)
    assert owed_again(story) == []


@pytest.mark.parametrize("lost", standing_duties(catalog()))
def test_a_duty_that_is_always_owed_is_lost_while_others_are_owed(lost: str) -> None:
    story = Story(sealed=True)
    story.ask(ADA)
    story.run_due()
    story.memory.lose(lost)
    story.pass_time(HOUR)
    assert lost not in owed(story)
    keep_owed(story.context, story.memory)
    assert owed_again(story) == [[lost]]
    story.pass_time(MINUTE)
    keep_owed(story.context, story.memory)
    assert set(standing_duties(story.policy)) <= owed(story)
    assert owed_again(story) == [[lost]]


def test_a_worker_died_at_an_end_that_was_then_lost(story: Story) -> None:
    """Its open claim does not hide that the work is no longer due."""
    adas = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    story.pass_time(HOUR - 1)
    story.memory.advance(1)
    claim = story.claim("hold")
    assert claim is not None
    story.memory.lose(claim.member)
    story.pass_time(15 * MINUTE + CLAIM_SECONDS)
    assert not story.has(ADA)
    assert story.grant(adas).state is State.ENDED
    assert owed_again(story) == [[claim.member]]


@pytest.mark.parametrize("kind", ["card", "hold", "people"])
def test_whatever_a_worker_died_at_and_was_lost_is_found_by_its_claim(kind: str) -> None:
    story = Story(sealed=True)
    story.ask(ADA, length="1h")
    if kind == "people":
        story.run_due()
        story.memory.advance(15 * MINUTE)
    claim = story.claim(kind)
    assert claim is not None
    story.memory.lose(claim.member)
    keep_owed(story.context, story.memory)
    assert owed_again(story) == [[claim.member]]
    story.pass_time(CLAIM_SECONDS)
    keep_owed(story.context, story.memory)
    assert owed_again(story) == [[claim.member]]
    assert not story.memory._claims


def test_in_an_ordinary_day_nothing_is_owed_again() -> None:
    story = Story(sealed=True)
    story.ask(ADA)
    story.ask(DAN)
    for _ in range(3 * 60):
        story.pass_time(MINUTE)
        keep_owed(story.context, story.memory)
    assert owed_again(story) == []


def test_everything_is_lost(story: Story) -> None:
    """The worker notices that nothing at all is due, and makes it due again."""
    adas = story.ask(ADA, length="1h").standing.grant.id
    dans = story.ask(DAN).standing.grant.id
    story.run_due()
    story.memory.lose()
    story.pass_time(2 * HOUR)
    assert story.has(ADA)
    keep_owed(story.context, story.memory)
    story.run_due()
    assert not story.has(ADA)
    assert story.grant(adas).state is State.ENDED
    story.pass_time(2 * DAY)
    assert story.grant(dans).state is State.LAPSED
    assert set(standing_duties(story.policy)) - {SEAL} <= owed(story)


def unfollowed(story: Story) -> None:
    """Put a policy in force that no process here can read."""

    def load(*_: object) -> Catalog:
        raise TemporaryFailure("this process cannot read the policy in force")

    story.context = Context(story.ledger, story.directory, load, story.new_id)


def none_in_force(story: Story) -> None:
    story.memory.corrupt(Key("policy"))
    story.context = story.another_context()


@pytest.mark.parametrize("without", [unfollowed, none_in_force])
def test_without_a_policy_to_follow_what_every_policy_needs_is_owed_again(
    story: Story, without: Callable[[Story], None]
) -> None:
    adas = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    without(story)
    story.memory.lose()
    keep_owed(story.context, story.memory)
    assert owed(story) == set(ALWAYS_OWED)
    story.run_due("owed")
    assert hold_of(story, adas) in owed(story)
