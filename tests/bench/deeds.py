"""What was given and taken at databases that do nothing: a file to which any process appends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from bot.core.catalog import Entitlement
from bot.core.holds import Hold


class Deeds:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._held: dict[tuple[str, str], dict[str, None]] = {}
        self._read_to = 0
        self._lock = Lock()

    def append(self, verb: str, hold: Hold) -> None:
        """``verb`` is give or take."""
        role = hold.entitlement["role"]
        os.write(self._file, f"{time.time():.6f} {verb} {hold.target} {hold.account} {role}\n".encode())

    def taken(self) -> dict[str, float]:
        """When, by account."""
        return {account: at for at, verb, _, account, _ in self._all() if verb == "take"}

    def holders(self, entitlement: Entitlement) -> list[str]:
        """Accounts, by the last that was done. Only what was appended since the last call is read."""
        with self._lock:
            for line in self._new_lines():
                _, verb, target, account, role = line.split()
                held = self._held.setdefault((target, role), {})
                if verb == "give":
                    held[account] = None
                else:
                    held.pop(account, None)
            return list(self._held.get((entitlement.target, entitlement["role"]), ()))

    def _new_lines(self) -> list[str]:
        with self._path.open("rb") as lines:
            lines.seek(self._read_to)
            new = lines.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read_to += len(whole)
        return whole.decode().splitlines()

    def _all(self) -> Iterator[tuple[float, str, str, str, str]]:
        with self._path.open() as lines:
            for line in lines:
                at, verb, target, account, role = line.split()
                yield float(at), verb, target, account, role


class Hanging:
    """The targets that answer no call: a file beside that of the deeds, looked at ten times a second."""

    def __init__(self, deeds: Path) -> None:
        self._path = deeds.with_suffix(".hanging")
        self._looked_at = 0.0
        self._names: frozenset[str] = frozenset()

    def let_hang(self, *names: str) -> None:
        """These from now on, and no others."""
        beside = self._path.with_suffix(".new")
        beside.write_text(" ".join(names), "utf-8")
        beside.replace(self._path)

    def hangs(self, name: str) -> bool:
        if time.monotonic() - self._looked_at > 0.1:
            self._looked_at = time.monotonic()
            self._names = frozenset(self._path.read_text("utf-8").split() if self._path.exists() else ())
        return name in self._names
