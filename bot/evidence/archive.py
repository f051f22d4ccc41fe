"""The archive of the audit: files of whole seals in a folder, as ``rotakey audit export`` writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from bot.core.audit.chain import Seal, Sealed, Written
from bot.core.errors import PermanentFailure
from bot.files import replace_whole
from bot.usecases.audit.evidence import Damaged, Line, export_lines, read_export


class ArchiveFolder:
    """An archive in a folder. Implements Archive. Several workers and several workspaces may share it."""

    def __init__(self, folder: Path, workspace: str) -> None:
        self._folder = folder
        self._workspace = workspace

    def write(self, found: Iterable[Written | Sealed], first: Seal, last: Seal, now: datetime) -> str:
        path = self._folder / f"audit-{self._workspace}-{first.number:010}-{last.number:010}.jsonl"
        texts = export_lines(found, self._workspace, now, since_seal=first.number)
        try:
            replace_whole(path, (f"{text}\n" for text in texts))
        except OSError as error:
            raise PermanentFailure(
                f"the audit archive {path} cannot be written: {error.strerror}; let the worker write to its"
                " folder, or name another one under audit in access.yaml"
            ) from error
        return str(path)

    def read(self, name: str) -> Iterator[Line]:
        try:
            with Path(name).open(encoding="utf-8") as texts:
                yield from read_export(texts)
        except (OSError, ValueError, Damaged) as error:
            raise PermanentFailure(
                f"the audit archive {name} cannot be read back: {error}; check the folder under audit in"
                " access.yaml"
            ) from error
