"""A file is replaced completely or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.files import replace_whole


def test_who_reads_the_old_file_reads_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with path.open() as old:
        replace_whole(path, ["new", "er"])
        assert old.read() == "old"
    assert path.read_text() == "newer"
    assert path.stat().st_mode & 0o077 == 0, "nobody else may read it"


def test_what_fails_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    def texts() -> Iterator[str]:
        yield "half"
        raise RuntimeError

    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        replace_whole(path, texts())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
