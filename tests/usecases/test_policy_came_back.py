"""Redis comes back with a policy that is not the anchor's: nothing is granted until a person applies one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.core.errors import Refused
from bot.core.reasons import Why
from bot.evidence.anchor_file import AnchorFile
from bot.ports.changes import Change, Entry
from bot.ports.documents import Key, PolicyInForce
from bot.testing.cast import ADA, SECURITY
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.story import Story
from bot.usecases.audit.restore import accept_restore
from bot.usecases.enact import enact, start_with

MINUTE = 60


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(sealed=True)
    story.anchor = AnchorFile(tmp_path / "anchor")
    a_while(story)
    return story


def a_while(story: Story) -> None:
    """Let something happen, be sealed, and be remembered."""
    story.memory.commit(Change(audit=(Entry(what="something"),)))
    story.pass_time(MINUTE)


def force(story: Story) -> PolicyInForce:
    found = story.memory.read({Key.of(PolicyInForce)}).find(PolicyInForce)
    assert found
    return found


def is_held_back(story: Story) -> bool:
    story.pass_time(10)
    return force(story).held_back is not None


def comes_back(story: Story, backup: object) -> None:
    """Restore the backup while the worker keeps running, and accept it."""
    story.memory.restore(backup)  # type: ignore[arg-type]
    story.pass_time(10)
    accept_restore(story.ledger, story.memory, None, by="carol", why="disk lost")


def fresh_worker(story: Story) -> None:
    """Replace the worker by one that knows only the anchor."""
    story.guard = story.another_guard()


def test_the_anchor_has_the_policy_in_force(story: Story) -> None:
    assert story.anchor
    kept = story.anchor.read()
    assert kept
    assert kept.policy
    assert kept.policy.version == "v1"
    story.enact(story.policy)
    a_while(story)
    kept = story.anchor.read()
    assert kept
    assert kept.policy
    assert kept.policy.version == "v2"
    assert not is_held_back(story)


@pytest.mark.parametrize("fresh", [False, True])
def test_the_policy_before_is_held_back_until_a_person_applies_it(story: Story, fresh: bool) -> None:
    backup = story.memory.backup()
    story.enact(story.policy)
    a_while(story)
    if fresh:
        fresh_worker(story)
    comes_back(story, backup)
    assert is_held_back(story)
    with pytest.raises(Refused, match="policy_closed"):
        story.ask(ADA)
    story.run_due()
    whys = [note.reason.why for note in story.messenger.notes_in(SECURITY)]
    assert whys.count(Why.POLICY_CAME_BACK) == 1
    enact(story.ledger, story._policies["v1"], "v1", by="carol")
    assert not is_held_back(story)
    a_while(story)
    assert story.ask(ADA).standing.grant.approved_at
    fresh_worker(story)
    assert not is_held_back(story)


def test_or_until_a_process_starts_with_the_one_that_was_in_force(story: Story) -> None:
    backup = story.memory.backup()
    story.enact(story.policy)
    a_while(story)
    comes_back(story, backup)
    assert is_held_back(story)
    assert start_with(story.ledger, story._policies["v2"], "v2")
    assert not is_held_back(story)
    assert story.ask(ADA).standing.grant.approved_at


def test_no_start_puts_another_one_in_the_place_of_the_one_that_was(story: Story) -> None:
    """A Redis that came back empty has never seen any version."""
    story.enact(story.policy)
    a_while(story)
    story.memory.restore(MemoryLedger(story.now).backup())
    for version in ("v1", "v0"):
        story._policies[version] = replace(story.policy, version=version)
        assert start_with(story.ledger, story._policies[version], version)
        assert is_held_back(story)
    accept_restore(story.ledger, story.memory, None, by="carol", why="disk lost")
    assert is_held_back(story)
    assert start_with(story.ledger, story._policies["v2"], "v2")
    assert not is_held_back(story)


def test_what_a_person_applied_before_any_worker_looked_counts(story: Story) -> None:
    backup = story.memory.backup()
    story.enact(story.policy)
    a_while(story)
    story.memory.restore(backup)
    enact(story.ledger, story._policies["v1"], "v1", by="carol")
    assert not is_held_back(story)
    accept_restore(story.ledger, story.memory, None, by="carol", why="disk lost")
    assert not is_held_back(story)


def test_a_worker_that_slept_through_a_change_holds_nothing_back(story: Story) -> None:
    sleeper = story.guard
    fresh_worker(story)
    start_with(story.ledger, replace(story.policy, version="v2"), "v2")
    story._policies["v2"] = replace(story.policy, version="v2")
    a_while(story)
    story.enact(story._policies["v1"])
    a_while(story)
    sleeper.look(SECURITY)
    assert not is_held_back(story)


def test_an_anchor_of_an_older_rotakey_knows_no_policy(story: Story, tmp_path: Path) -> None:
    file = tmp_path / "anchor"
    kept = AnchorFile(file).read()
    assert kept
    file.unlink()
    AnchorFile(file).write(replace(kept, policy=None))
    fresh_worker(story)
    assert not is_held_back(story)
    again = AnchorFile(file).read()
    assert again
    assert again.policy
