"""The anchor file is one line, which is replaced atomically, and only by newer ones."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.core.audit.anchor import ENDED_MOST, Anchored, Ended, ended_lately, policy_mark, read_anchor, text_of
from bot.core.errors import PermanentFailure
from bot.evidence.anchor_file import AnchorFile

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
ANCHORED = Anchored(number=7, head="7" * 64, last="1772442000000-0", ended=(Ended(grant="g1", at=NINE),))


def test_what_was_never_written_is_not_there(tmp_path: Path) -> None:
    assert AnchorFile(tmp_path / "anchor").read() is None


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    file = AnchorFile(tmp_path / "anchor")
    file.write(ANCHORED)
    assert file.read() == ANCHORED
    assert len((tmp_path / "anchor").read_text().splitlines()) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["anchor"], "nothing is left lying about"


def test_it_never_goes_backwards(tmp_path: Path) -> None:
    file = AnchorFile(tmp_path / "anchor")
    file.write(ANCHORED)
    file.write(replace(ANCHORED, number=6))
    file.write(replace(ANCHORED, head="8" * 64))
    assert file.read() == ANCHORED
    file.write(replace(ANCHORED, number=8))
    assert file.read() == replace(ANCHORED, number=8)


def test_it_keeps_the_newest_policy_that_was_in_force(tmp_path: Path) -> None:
    file = AnchorFile(tmp_path / "anchor")
    older, newer = (policy_mark(f"v{n}", NINE + timedelta(microseconds=n * 1_500)) for n in (1, 2))
    file.write(replace(ANCHORED, policy=newer))
    assert file.read() == replace(ANCHORED, policy=newer)
    for behind in (None, older):
        file.write(replace(ANCHORED, number=8, policy=behind))
        assert file.read() == replace(ANCHORED, policy=newer)
    file.write(replace(ANCHORED, number=8, policy=newer))
    assert file.read() == replace(ANCHORED, number=8, policy=newer)


def test_a_policy_that_differs_is_written_at_once(tmp_path: Path) -> None:
    file = AnchorFile(tmp_path / "anchor")
    file.write(ANCHORED)
    first, second = policy_mark("v1", NINE), policy_mark("v2", NINE + timedelta(seconds=1))
    for each in (first, second):
        file.write(replace(ANCHORED, policy=each))
        assert file.read() == replace(ANCHORED, policy=each)


def test_workers_of_one_machine_may_share_it(tmp_path: Path) -> None:
    def write(first: int) -> None:
        for number in range(first, 100, 4):
            AnchorFile(tmp_path / "anchor").write(replace(ANCHORED, number=number))

    workers = [threading.Thread(target=write, args=(first,)) for first in range(1, 5)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert AnchorFile(tmp_path / "anchor").read() == replace(ANCHORED, number=99)


@pytest.mark.parametrize("text", ["", "nonsense", "{}", '{"seal":1,"head":"x","last":"","ended":[]}', "7:77"])
def test_what_is_no_anchor_is_neither_taken_for_one_nor_overwritten(text: str, tmp_path: Path) -> None:
    path = tmp_path / "anchor"
    path.write_text(text)
    for attempt in (AnchorFile(path).read, lambda: AnchorFile(path).write(ANCHORED)):
        with pytest.raises(PermanentFailure, match="it is not a valid audit anchor; inspect it"):
            attempt()
    assert path.read_text() == text


def test_what_people_copy_can_be_read_too() -> None:
    short = f"7:{'7' * 64}"
    assert ANCHORED.short == short
    assert read_anchor(f" {short}\n") == Anchored(number=7, head="7" * 64)
    assert read_anchor("7" * 64) == Anchored(number=0, head="7" * 64)
    assert read_anchor(text_of(ANCHORED)) == ANCHORED


@pytest.mark.parametrize("grant", [None, 7, "", "\ud800", "a b", "g" * 65, ["g"]])
def test_what_cannot_be_the_id_of_a_grant_is_dropped(grant: object) -> None:
    said = json.loads(text_of(ANCHORED))
    line = json.dumps({**said, "ended": [[grant, "2026-03-02T09:00:00.000Z"], *said["ended"]]})
    assert read_anchor(line) == ANCHORED


def test_of_very_many_that_ended_the_latest_are_kept() -> None:
    many = [Ended(grant=f"g{n}", at=NINE.replace(second=n % 60, minute=n // 60)) for n in range(1_500)]
    kept = ended_lately(many[:700], many[700:], NINE.replace(hour=10))
    assert kept == tuple(many[-ENDED_MOST:])
