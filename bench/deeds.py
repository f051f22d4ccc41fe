"""What was given and taken at databases that do nothing: a file to which any process appends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path


class Deeds:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def append(self, verb: str, target: str, account: str) -> None:
        """``verb`` is give or take."""
        os.write(self._file, f"{time.time():.6f} {verb} {target} {account}\n".encode())

    def taken(self) -> dict[str, float]:
        """When, by account."""
        return {account: at for at, verb, _, account in self._all() if verb == "take"}

    def holders(self, target: str) -> list[str]:
        """Accounts, by the last that was done."""
        last = {account: verb for _, verb, where, account in self._all() if where == target}
        return [account for account, verb in last.items() if verb == "give"]

    def _all(self) -> Iterator[tuple[float, str, str, str]]:
        with self._path.open() as lines:
            for line in lines:
                at, verb, target, account = line.split()
                yield float(at), verb, target, account
