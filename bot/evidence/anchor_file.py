"""The anchor of the audit in a file: one line, replaced whole, and never by an older one."""

from __future__ import annotations

from pathlib import Path

from bot.core.audit.anchor import Anchored, read_anchor, says_more, text_of
from bot.core.errors import PermanentFailure
from bot.files import alone_in, replace_whole


class AnchorFile:
    """An anchor in a file. Implements Anchor. Several workers of one machine may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Anchored | None:
        try:
            return read_anchor(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise PermanentFailure(
                f"the audit anchor {self._path} cannot be read: {why}; inspect it, and move it away only"
                " once it is clear that Redis has lost nothing"
            ) from error

    def write(self, anchored: Anchored) -> None:
        try:
            with alone_in(self._path.parent):
                if says_more(anchored, self.read()):
                    replace_whole(self._path, [text_of(anchored)])
        except OSError as error:
            raise PermanentFailure(
                f"the audit anchor {self._path} cannot be written: {error.strerror}; let the worker write to"
                " its folder, or name another file under audit in access.yaml"
            ) from error
