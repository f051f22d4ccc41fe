"""The file that the workspace's memory is kept in."""

import threading
from pathlib import Path

from bot.doubles.slack.memory import SNAPSHOT, Memory
from bot.doubles.snapshots import write_snapshot

REST = 0.05


class Shelf:
    """A file that is written soon after each change, and once more when closed."""

    def __init__(self, memory: Memory, path: Path) -> None:
        self._memory = memory
        self._path = path
        self._closing = threading.Event()
        self._written = 0
        self._thread = threading.Thread(target=self._keep_writing, name="shelf", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._write_news()

    def _keep_writing(self) -> None:
        while not self._closing.wait(REST):
            self._memory.wait_for_change(self._written, 0.5)
            self._write_news()

    def _write_news(self) -> None:
        if self._memory.version != self._written:
            saved = self._memory.snapshot()
            write_snapshot(self._path, SNAPSHOT, saved)
            self._written = saved.version
