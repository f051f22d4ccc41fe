"""Entries dropped from Redis are in the archive, and verify together with what Redis still has."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.core.audit.chain import read_seal
from bot.core.errors import PermanentFailure
from bot.evidence.archive import ArchiveFolder
from bot.testing.cast import HOUR, MINUTE
from bot.testing.story import Story
from bot.usecases.audit.evidence import lines
from tests.cli.test_audit import Auditor, auditor, head, server  # noqa: F401 -- fixtures
from tests.usecases.audit.test_retention import days, days_pass, ended, story  # noqa: F401 -- fixtures


def test_archive_and_redis_are_one_audit(story: Story, auditor: Auditor, tmp_path: Path) -> None:  # noqa: F811
    folder = tmp_path / "archive"
    folder.mkdir()
    story.archive = ArchiveFolder(folder, "main")
    written, grant = len(story.audit()), ended(story)[0]
    days_kept = sum(each.at.day == 5 for each in story.memory.written_entries(count=100_000))
    days_pass(story, 100)
    story.pass_time(5 * HOUR)
    story.archive = None
    story.pass_time(10 * MINUTE)
    assert days(story) == [5]
    auditor.take_over(story)
    kept, files = auditor.export(), sorted(folder.iterdir())
    assert files[0].name.startswith("audit-main-0000000001-")
    proved = auditor.runs("verify", kept, *reversed(files), "--anchor", head(story))
    assert proved.exit_code == 0, proved.output
    assert proved.output.startswith(f"good: {written + len(story.audit()) - days_kept} entries, ")
    part = auditor.runs("verify", kept, *files[1:])
    assert part.exit_code == 0
    assert "(up to seal 1) was dropped" in part.output
    lost = auditor.runs("verify", kept, *files[:-1])
    assert lost.exit_code == 1
    assert "missing before seal" in lost.output
    told = auditor.runs("show", grant, *files)
    assert told.exit_code == 0
    assert "  ended" in told.output


def test_what_cannot_be_written_or_read_back_is_said(story: Story, tmp_path: Path) -> None:  # noqa: F811
    first = read_seal(story.memory.seals()[0].text)
    archive = ArchiveFolder(tmp_path / "nowhere", "main")
    with pytest.raises(
        PermanentFailure, match="cannot be written: No such file or directory; let the worker"
    ):
        archive.write(lines(story.memory), first, first, story.now)
    archive = ArchiveFolder(tmp_path, "main")
    name = archive.write(lines(story.memory), first, first, story.now)
    assert len(list(archive.read(name))) > 1
    text = Path(name).read_text()
    for cut in (text[:-20], text[40:], ""):
        Path(name).write_text(cut)
        with pytest.raises(PermanentFailure, match="cannot be read back: "):
            list(archive.read(name))
