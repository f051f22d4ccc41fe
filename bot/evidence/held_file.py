"""Open holds in a file beside the anchor: a line for each change, on disk before access is granted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bot.core.errors import PermanentFailure
from bot.core.kept import Kept, latest, line_of, read_line
from bot.files import alone_in, replace_whole

SUFFIX = ".holds"
COMPACT_AT = 1 << 20
"""The bytes from which on lines that no longer count are dropped, whenever they have doubled."""
REMEMBERED = timedelta(days=30)
"""The time after which a hold that is over, or past its end, is dropped. Another worker may have revoked what
this file still has as open; if nobody did, the ledger says so for as long."""


def beside(anchor: str) -> Path:
    """Return the path of the file for an anchor's path."""
    return Path(anchor + SUFFIX)


@dataclass(frozen=True, kw_only=True)
class Content:
    """The content of a file: the last word about each hold, by its key, and the numbers of damaged lines."""

    holds: Mapping[str, Kept]
    damaged: tuple[int, ...] = ()


class HeldFile:
    """Open holds in a file. Implements HeldBook. Several workers of one machine may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._compact_at = COMPACT_AT

    def write(self, kept: Kept) -> None:
        try:
            with alone_in(self._path.parent):
                with os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
                    end = _end_of_lines(file.fileno())
                    file.truncate(end)  # a line that a crash cut short: what it is about was not done
                    file.seek(end)
                    file.write(line_of(kept).encode())
                    file.flush()
                    os.fsync(file.fileno())
                if end >= self._compact_at:
                    self._compact(kept.at)
        except OSError as error:
            raise PermanentFailure(
                f"{self._path} cannot be written: {error.strerror}; nothing is granted without it at targets"
                " that cannot show what is Rotakey's: let the worker write to its folder"
            ) from error

    def read(self) -> Content:
        """Read the file; one that is not there says nothing. Raise PermanentFailure."""
        try:
            text = self._path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return Content(holds={})
        except OSError as error:
            raise PermanentFailure(f"{self._path} cannot be read: {error.strerror}") from error
        found, damaged = list[Kept](), list[int]()
        for number, line in enumerate(text.split("\n")[:-1], 1):
            try:
                found.append(read_line(line))
            except ValueError:
                damaged.append(number)
        return Content(holds=latest(found), damaged=tuple(damaged))

    def _compact(self, now: datetime) -> None:
        """Drop the lines that no longer count. A file with damaged lines stays as it is."""
        content = self.read()
        if not content.damaged:
            lines = [
                line_of(each)
                for each in content.holds.values()
                if not (each.gone or each.until) or now - max(each.at, each.until or each.at) < REMEMBERED
            ]
            replace_whole(self._path, lines)
        self._compact_at = max(COMPACT_AT, 2 * self._path.stat().st_size)


def _end_of_lines(file: int) -> int:
    """Return where the last whole line ends."""
    end = os.fstat(file).st_size
    while end > 0:
        begin = max(0, end - 65_536)
        found = os.pread(file, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
