"""A worker checks each second whether Redis is still the same, and reports a change once."""

from __future__ import annotations

import time
from functools import partial
from operator import add
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.core.errors import TemporaryFailure
from bot.evidence.anchor_file import AnchorFile
from bot.ports.changes import Change, Entry, Snapshot
from bot.ports.documents import Key, PolicyInForce, Restore
from bot.ports.ledger import Ledger
from bot.testing.cast import ADA, SECURITY
from bot.testing.memory_ledger import MemoryLedger
from bot.testing.story import Story
from bot.usecases.access.owing import keep_owed
from bot.worker.watchdog import OWED_EVERY, PATIENCE, Watchdog


class Policy:
    """A stand-in for what the process follows."""

    security_channel = SECURITY

    def __init__(self, story: Story) -> None:
        self.story = story

    def enact(self, ledger: Ledger) -> None:
        self.story.enact(self.story.policy)


@pytest.fixture
def story() -> Story:
    story = Story(sealed=True)
    story.pass_time(60)
    return story


@pytest.fixture
def watchdog(story: Story) -> Watchdog:
    return Watchdog(story.guard, story.ledger, Policy(story))


def restore(story: Story) -> Restore | None:
    return story.memory.read({Key.of(Restore)}).find(Restore)


def test_a_redis_that_is_emptied_at_work_is_noticed_and_put_to_work_again(
    story: Story, watchdog: Watchdog
) -> None:
    story.ask(ADA)
    story.pass_time(60)
    assert story.has(ADA)
    story.memory.restore(MemoryLedger(story.now).backup())
    with capture_logs() as logs:
        for _ in range(5):
            watchdog.go_round()
    assert [(each["event"], each["had"], each["found"]) for each in logs] == [
        ("redis came back older", "seal 2", "no seal at all")
    ]
    story.run_due()
    assert restore(story)
    assert [note.reason.why for note in story.messenger.notes_in(SECURITY)] == ["restored"]
    assert story.memory.read({Key.of(PolicyInForce)}).find(PolicyInForce)
    story.ask(ADA, "schema-migration")
    story.pass_time(60)
    assert not story.has(ADA, "migrator")


def test_all_is_well_and_nothing_is_said(story: Story, watchdog: Watchdog) -> None:
    with capture_logs() as logs:
        for _ in range(3):
            story.pass_time(60)
            watchdog.go_round()
    assert logs == []


def test_an_anchor_that_cannot_be_read_is_said_once(story: Story, watchdog: Watchdog, tmp_path: Path) -> None:
    story.anchor = AnchorFile(tmp_path / "anchor")
    (tmp_path / "anchor").write_text("nonsense")
    with capture_logs() as logs:
        for _ in range(3):
            watchdog.go_round()
    [only] = logs
    assert only["event"] == "redis not compared with the anchor"
    assert "it is not a valid audit anchor" in only["error"]


def test_a_redis_that_is_away_is_waited_for(story: Story, watchdog: Watchdog) -> None:
    read = story.memory.read
    story.memory.read = away  # type: ignore[method-assign,assignment]
    watchdog.go_round()
    with pytest.raises(TemporaryFailure):
        watchdog.look()
    story.memory.read = read  # type: ignore[method-assign]
    story.memory.commit(Change(audit=(Entry(what="something"),)))
    watchdog.go_round()
    assert restore(story) is None


def test_whatever_cannot_be_compared_the_worker_starts(
    story: Story, watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story.guard, "look", broken)
    with capture_logs() as logs:
        for _ in range(3):
            watchdog.look()
    assert [each["log_level"] for each in logs] == ["error", "critical"]


def test_what_looks_like_a_redis_that_is_away_keeps_no_worker_from_starting(
    story: Story, watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody put something else in place of the seals."""
    monkeypatch.setattr(story.guard, "look", away)
    for _ in range(PATIENCE - 1):
        with pytest.raises(TemporaryFailure):
            watchdog.look()
    with capture_logs() as logs:
        for _ in range(3):
            watchdog.look()
    assert [each["event"] for each in logs] == ["redis not compared with the anchor"]


def broken(*_: object) -> Restore | None:
    raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")


def away(*_: object) -> Snapshot:
    raise TemporaryFailure("Redis does not answer")


def test_duties_that_are_lost_are_owed_again_in_ten_seconds(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = {"owed:all", "roster:pagerduty", "groups:all", "sweep:orders-db"}
    watchdog = Watchdog(
        story.guard, story.ledger, Policy(story), partial(keep_owed, story.context, story.memory)
    )
    watchdog.go_round()
    story.memory.lose(*lost)
    monkeypatch.setattr("time.monotonic", partial(add, time.monotonic(), OWED_EVERY - 5))
    watchdog.go_round()
    assert story.memory.not_due(lost) == lost
    monkeypatch.setattr("time.monotonic", partial(add, time.monotonic(), 5))
    watchdog.go_round()
    assert not story.memory.not_due(lost)
