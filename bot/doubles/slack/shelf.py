"""The workspace's memory in one JSON file, written whole or not at all."""

import json
import os
import threading
from pathlib import Path

from bot.doubles.slack.memory import Memory

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
            saved = self._memory.to_json()
            write(self._path, saved)
            self._written = saved["version"]


def write(path: Path, saved: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(saved), encoding="utf-8")
    os.replace(beside, path)
