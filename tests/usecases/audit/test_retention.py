"""Audit entries older than ninety days are dropped, one day an hour, and nobody can have younger ones
dropped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.core.audit.chain import (
    Beginning,
    Seal,
    Sealed,
    Written,
    beginning_seal,
    head_of,
    moment,
    read_seal,
    signed_seal,
    text_of,
)
from bot.core.audit.proof import Findings
from bot.core.catalog import Lengths
from bot.core.errors import PermanentFailure
from bot.core.grants import Grant
from bot.evidence.anchor_file import AnchorFile
from bot.ports.changes import Change, Claim, Entry
from bot.ports.documents import Card, Key, Restore, SealHead
from bot.testing.cast import (
    ADA,
    BOB,
    DAN,
    DAY,
    HOUR,
    NINE,
    ORDERS_SCHEDULE,
    PROD_DB,
    SECURITY,
    catalog,
    nobodys,
    shift,
)
from bot.testing.story import Story
from bot.usecases.audit.evidence import Line, Taken, examine, lines
from bot.usecases.audit.seal import newest
from bot.usecases.audit.sentences import sentence
from tests.usecases.audit.test_sealing import Pen

KEEP = 90 * DAY
MINUTE = 60


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """Return a story in which Dan has the database for ten minutes at nine on three days, and nothing happens
    for the next hundred."""
    policy = catalog(replace(PROD_DB, lengths=Lengths(default=HOUR, max=200 * DAY)))
    story = Story(replace(policy, keep=KEEP), sealed=True)
    story.anchor = AnchorFile(tmp_path / "anchor")
    story.sign_with(Pen())
    for _ in range(3):
        dans_day(story)
    return story


def dans_day(story: Story) -> str:
    grant = story.ask(DAN, length="10m").standing.grant.id
    story.approve(BOB, grant)
    story.pass_time(20 * MINUTE)
    assert not story.has(DAN)
    days_pass(story, 1)
    return grant


def days_pass(story: Story, days: float) -> None:
    """Let that many days pass at once; then something happens, and is sealed and anchored."""
    story.memory.now += timedelta(days=days)
    story.memory.commit(Change(audit=(Entry(what="something"),)))
    story.run_due()
    story.pass_time(MINUTE)


def days(story: Story) -> list[int]:
    """Return the days of March of the entries that are kept."""
    return sorted({each.at.day for each in story.memory.written_entries(count=100_000) if each.at.month == 3})


def ended(story: Story) -> list[str]:
    return [entry.grant or "" for entry in story.audit() if entry.what == "ended"]


def documents(story: Story, grants: Iterable[str]) -> int:
    keys = [Key.of(shape, each) for each in grants for shape in (Grant, Card)]
    return len(story.memory.read(keys).documents)


def examined(story: Story) -> Findings:
    file = story.anchor
    return examine(lines(story.memory), Pen().trusts, file.read() if file else None)


def restore(story: Story) -> Restore | None:
    return story.memory.read({Key.of(Restore)}).find(Restore)


def test_a_day_an_hour_is_dropped_and_what_is_left_is_proved(story: Story) -> None:
    grants = ended(story)
    assert len(grants) == 3
    days_pass(story, 86.5)
    story.pass_time(2 * HOUR)
    assert days(story) == [2, 3, 4, 5]
    assert documents(story, grants) == 6
    days_pass(story, 2)
    story.pass_time(3 * HOUR)
    assert days(story) == [3, 4, 5], "only the first day is older than ninety days"
    assert documents(story, grants) == 4
    days_pass(story, 50)
    story.pass_time(HOUR)
    assert days(story) == [4, 5]
    assert documents(story, grants) == 2
    story.pass_time(30 * MINUTE)
    assert days(story) == [4, 5], "at most a day in an hour"
    story.pass_time(40 * MINUTE)
    assert days(story) == [5]
    assert documents(story, grants) == 0
    found = examined(story)
    assert found.wrong == ()
    assert "what was written before 2026-03-04T" in sentence(found.notes[0])
    assert restore(story) is None


def test_what_is_kept_for_ever_is_kept(story: Story) -> None:
    story.enact(replace(story.policy, keep=None))
    before = len(story.audit())
    days_pass(story, 1_000)
    story.pass_time(3 * HOUR)
    assert len(story.audit()) > before
    assert days(story) == [2, 3, 4, 5]


def test_a_grant_that_is_still_live_is_restated_and_stays(story: Story) -> None:
    grant = story.ask(DAN, length="150d").standing.grant.id
    story.approve(BOB, grant)
    story.pass_time(MINUTE)
    days_pass(story, 1)
    days_pass(story, 100)
    story.pass_time(8 * HOUR)
    assert days(story) == [6], "what is behind the last seal that was passed ninety days ago stays"
    [*_, last] = [entry for entry in story.audit(grant) if entry.what == "restated"]
    assert last.facts["person"] == DAN
    assert last.facts["resource"] == "prod-db"
    assert last.facts["state"] == "active"
    assert last.facts["by"] == [BOB]
    assert documents(story, [grant]) == 2
    assert story.live(grant)
    days_pass(story, 60)
    assert not story.has(DAN)


def test_a_clock_of_redis_that_runs_ahead_makes_nothing_old(story: Story) -> None:
    story.clock_ahead = timedelta(days=400)
    days_pass(story, 400)
    story.pass_time(3 * HOUR)
    assert days(story) == [2, 3, 4, 5]


def test_a_clock_of_the_machine_that_runs_ahead_makes_nothing_old(story: Story) -> None:
    story.clock_ahead = timedelta(days=-400)
    story.pass_time(3 * HOUR)
    assert days(story) == [2, 3, 4, 5]


def forged(story: Story, at: datetime) -> None:
    """Make all seals in Redis again, as if they were made at ``at``."""
    previous, made = read_seal(story.memory.seals()[0].text).previous, []
    for each in story.memory.seals(count=1_000):
        seal = replace(read_seal(each.text), at=at, previous=previous)
        seal = replace(seal, head=head_of(seal))
        made.append(Sealed(number=seal.number, text=text_of(seal)))
        previous = seal.head
    story.memory.restore({**story.memory.backup(), "_seals": made})


def test_nothing_is_dropped_behind_seals_that_somebody_made_anew(story: Story) -> None:
    days_pass(story, 200)
    seals = story.memory.seals(count=1_000)
    forged(story, story.now - timedelta(days=300))
    made = story.memory.seals(count=1_000)
    # only the oldest: the newest are compared with the anchor every second
    story.memory.restore({**story.memory.backup(), "_seals": [*made[:3], *seals[3:]]})
    with pytest.raises(PermanentFailure, match="the audit is damaged, so nothing is dropped: seal 4 was not"):
        story.retention().run(claim_to_keep(story), timedelta(days=90), None)
    assert days(story) == [2, 3, 4, 5]


def test_what_is_young_is_not_old_by_another_date(story: Story) -> None:
    """All seals are made again before a worker looks that has followed none of them."""
    forged(story, story.now - timedelta(days=300))
    story.memory.commit(Change(put={Key.of(SealHead): None}))
    story.sealing = replace(story.sealing, signer=None)
    story.anchor = None
    story.guard = story.another_guard()
    days_pass(story, 1)
    days_pass(story, 1)
    story.pass_time(5 * HOUR)
    assert story.guard.newest_seen()
    assert restore(story) is None
    assert days(story) == [2, 3, 4, 5, 6, 7]


def claim_to_keep(story: Story) -> Claim:
    story.memory.now += timedelta(hours=1)
    [claim] = story.memory.claim(1, 9, {}, ("keep",)).claims
    return claim


def test_a_worker_that_has_followed_nothing_drops_nothing(story: Story) -> None:
    story.anchor = None
    story.guard = story.another_guard()
    days_pass(story, 200)
    story.pass_time(HOUR)
    assert days(story) == [2, 3, 4, 5]


def test_while_a_restore_stands_nothing_is_dropped(story: Story) -> None:
    restored = Restore(noticed_at=story.now, anchored="seal 9", found="seal 8", seal=99)
    story.memory.commit(Change(put={Key.of(Restore): restored}))
    days_pass(story, 200)
    story.pass_time(HOUR)
    assert days(story) == [2, 3, 4, 5]


def test_without_the_key_nothing_is_dropped(story: Story) -> None:
    story.guard.look(SECURITY)
    days_pass(story, 88)
    story.memory.now += timedelta(days=1)
    retention = replace(story.retention(), signer=None)
    with pytest.raises(PermanentFailure, match="were signed until now: set AUDIT_KEY here too"):
        retention.run(claim_to_keep(story), timedelta(days=89), None)
    assert days(story) == [2, 3, 4, 5]


def test_a_worker_that_slept_meanwhile_cries_no_restore(story: Story) -> None:
    sleeper = story.another_guard()
    sleeper.look(SECURITY)
    story.memory.restore(story.memory.backup())
    days_pass(story, 200)
    for _ in range(4):
        story.pass_time(HOUR)
    assert days(story) == [5]
    for _ in range(3):
        sleeper.look(SECURITY)
    assert restore(story) is None
    remembered = sleeper.newest_seen()
    assert remembered
    assert remembered.given_up == ()


@pytest.mark.parametrize("key", [None, "another"])
def test_a_beginning_without_our_signature_excuses_nothing(story: Story, key: str | None) -> None:
    kept = story.guard.newest_seen()
    assert kept
    head = newest(story.memory.read({Key.of(SealHead)}), story.memory)
    begins = Beginning(seal=head.number, head=head.head, at=moment(story.now))
    seal = beginning_seal(
        begins, number=head.number + 1, last=head.last, previous=head.head, at=story.now, key=key
    )
    if key:
        seal = signed_seal(seal, b"another")
    story.memory.restore(
        {**story.memory.backup(), "_seals": [Sealed(number=seal.number, text=text_of(seal))]}
    )
    story.memory.advance(MINUTE)
    story.guard.look(SECURITY)
    assert restore(story)
    assert story.guard.newest_seen() == kept


def test_a_shift_begins_although_the_grant_of_the_one_before_is_dropped() -> None:
    first = shift(ADA, schedule=ORDERS_SCHEDULE, start=NINE, end=NINE + timedelta(hours=1))
    second = replace(first, start=NINE + timedelta(hours=24), end=NINE + timedelta(hours=25))
    story = Story(rota={"PORDERS": (nobodys(first), nobodys(second))})
    story.pass_time(MINUTE)
    grant = story.shift_grant(ADA)
    assert grant
    story.pass_time(2 * HOUR)
    story.memory.commit(Change(put={Key.of(shape, grant.id): None for shape in (Grant, Card)}))
    assert not story.has(ADA, "orders_ops")
    story.pass_time(22.5 * HOUR)
    assert story.has(ADA, "orders_ops")


class Folder:
    """An archive in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, list[Line]] = {}
        self.lost = 0

    def write(self, found: Iterable[Written | Sealed], first: Seal, last: Seal, now: datetime) -> str:
        name = f"{first.number}-{last.number}"
        self.kept[name] = [Taken(at=now, since_seal=first.number), *found]
        return name

    def read(self, name: str) -> Iterator[Line]:
        lines = self.kept[name]
        yield from lines[: len(lines) - self.lost]


def test_with_an_archive_what_is_dropped_is_there(story: Story) -> None:
    archive = story.archive = Folder()
    entries = story.memory.written_entries(count=100_000)
    days_pass(story, 200)
    for _ in range(4):
        story.pass_time(HOUR)
    assert days(story) == [5]
    archived = [line for kept in archive.kept.values() for line in kept if isinstance(line, Written)]
    assert archived[: len(entries) - 10] == list(entries[: len(archived)])[: len(entries) - 10]
    dropped = [entry.facts["archive"] for entry in story.audit() if entry.what == "old entries dropped"]
    assert dropped == list(archive.kept)[-len(dropped) :]


@pytest.mark.parametrize("lost", [1, 2])
def test_what_cannot_be_read_back_from_the_archive_is_not_dropped(story: Story, lost: int) -> None:
    archive = story.archive = Folder()
    archive.lost = lost
    days_pass(story, 200)
    story.pass_time(2 * HOUR)
    assert days(story) == [2, 3, 4, 5]
    with pytest.raises(PermanentFailure, match="cannot be trusted, so nothing is dropped"):
        story.retention().run(claim_to_keep(story), timedelta(days=90), archive)


def test_an_entry_that_somebody_changed_does_not_go_into_the_archive(story: Story) -> None:
    story.archive = Folder()
    backup = dict(story.memory.backup())
    ms, number, text = backup["_audit"][0]  # type: ignore[index]
    backup["_audit"][0] = (ms, number, text.replace("v1", "v9"))  # type: ignore[index]
    assert json.loads(text) != json.loads(text.replace("v1", "v9"))
    story.memory.restore(backup)
    days_pass(story, 200)
    story.pass_time(2 * HOUR)
    assert days(story) == [2, 3, 4, 5]


def test_grants_that_only_entries_of_others_name_are_not_dropped(story: Story) -> None:
    """Somebody writes entries by hand about a grant that ended a moment ago."""
    grant = ended(story)[-1]
    story.memory.commit(Change(audit=(Entry(what="asked", grant="nobody"),)))
    days_pass(story, 88.9)
    story.pass_time(3 * HOUR)
    assert 2 not in days(story)
    assert documents(story, [grant]) == 2
