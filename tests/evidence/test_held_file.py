"""The file of open holds survives crashes, several workers, damage and its own growth."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.core.errors import PermanentFailure
from bot.core.kept import Kept, line_of
from bot.evidence import held_file
from bot.evidence.held_file import Content, HeldFile, beside
from tests.core.test_kept import ADA, FIRST, NINE, SECOND, kept


def holds_of(count: int) -> list[Kept]:
    return [replace(kept(FIRST), hold=replace(ADA, account=f"account {n}")) for n in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return beside(str(tmp_path / "anchor"))


def test_it_stands_beside_the_anchor_and_only_its_owner_reads_it(path: Path) -> None:
    assert path.name == "anchor.holds"
    assert HeldFile(path).read() == Content(holds={})
    HeldFile(path).write(kept(FIRST))
    assert path.stat().st_mode & 0o777 == 0o600
    assert HeldFile(path).read() == Content(holds={ADA.key: kept(FIRST)})


def test_the_last_word_about_a_hold_counts_even_if_the_clock_was_set_back(path: Path) -> None:
    HeldFile(path).write(kept(FIRST, at=9))
    HeldFile(path).write(kept(SECOND, at=1))
    assert HeldFile(path).read().holds == {ADA.key: kept(SECOND, at=1)}


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_line_that_a_crash_cut_short_does_not_count_and_damages_none(path: Path, cut: int) -> None:
    [one, other, third] = holds_of(3)
    file = HeldFile(path)
    file.write(one)
    path.write_bytes(path.read_bytes() + line_of(other).encode()[:-cut])
    assert file.read() == Content(holds={one.hold.key: one})

    file.write(third)
    assert file.read() == Content(holds={each.hold.key: each for each in (one, third)})


def test_a_file_that_is_one_torn_line_begins_again(path: Path) -> None:
    path.write_text("x" * 200_000)
    HeldFile(path).write(kept(FIRST))
    assert path.read_text() == line_of(kept(FIRST))
    assert HeldFile(path).read() == Content(holds={ADA.key: kept(FIRST)})


def test_damage_is_named_and_hides_nothing_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_file, "COMPACT_AT", 1)
    [one, other] = holds_of(2)
    path.write_text(f"{line_of(one)}\x00 nonsense\n{{}}\n")
    file = HeldFile(path)
    for _ in range(2):
        file.write(other)
        assert file.read() == Content(holds={each.hold.key: each for each in (one, other)}, damaged=(2, 3))


def test_lines_that_no_longer_count_are_dropped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_file, "COMPACT_AT", 20_000)
    file = HeldFile(path)
    [endless, old, *_] = holds_of(3)
    file.write(replace(endless, until=None))
    file.write(old)
    for n in range(1_000):
        file.write(replace(kept(FIRST, at=n), at=NINE + timedelta(days=40, seconds=n)))
    assert path.stat().st_size < 60_000
    assert set(file.read().holds) == {endless.hold.key, ADA.key}


def test_what_is_open_is_never_dropped_before_its_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_file, "COMPACT_AT", 1)
    file = HeldFile(path)
    late = replace(holds_of(1)[0], until=NINE + timedelta(days=365))
    file.write(late)
    for n in range(20):
        file.write(kept(FIRST, at=n + 300 * 86_400))
    assert file.read().holds[late.hold.key] == late


def test_a_file_that_cannot_be_written_or_read_is_a_clear_failure(tmp_path: Path) -> None:
    folder = tmp_path / "no such folder" / "anchor.holds"
    with pytest.raises(PermanentFailure, match="let the worker write to its folder"):
        HeldFile(folder).write(kept(FIRST))
    with pytest.raises(PermanentFailure, match="cannot be read: Is a directory"):
        HeldFile(tmp_path).read()


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from bot.evidence import held_file
from tests.core.test_kept import ADA, FIRST, kept
held_file.COMPACT_AT = 10_000
file = held_file.HeldFile(Path(sys.argv[1]))
for n in range(200):
    file.write(replace(kept(FIRST), hold=replace(ADA, account=f"{sys.argv[2]} {n}")))
"""


def test_several_workers_share_it(path: Path) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], env={**os.environ})
        for name in ("one", "two")
    ]
    assert [each.wait(60) for each in running] == [0, 0]
    content = HeldFile(path).read()
    assert len(content.holds) == 400
    assert content.damaged == ()
