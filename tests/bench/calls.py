"""A log of what workers did at databases that do nothing, and the targets among them that hang."""

from __future__ import annotations

import os
import time
from pathlib import Path
from threading import Lock

from bot.core.catalog import Entitlement
from bot.core.holds import Hold

GRANT, REVOKE = "grant", "revoke"


class CallLog:
    """The grants and revocations of all processes that append to the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._holders: dict[tuple[str, str], dict[str, None]] = {}
        self._read_to = 0
        self._lock = Lock()

    def append(self, verb: str, hold: Hold) -> None:
        role = hold.entitlement["role"]
        os.write(self._file, f"{time.time():.6f} {verb} {hold.target} {hold.account} {role}\n".encode())

    def revocations(self) -> dict[str, float]:
        """Return when each account was revoked last, in epoch seconds."""
        with self._path.open() as lines:
            calls = (line.split() for line in lines)
            return {account: float(at) for at, verb, _, account, _ in calls if verb == REVOKE}

    def holders(self, entitlement: Entitlement) -> list[str]:
        """Return the accounts whose last call was a grant. Only what was appended since the last time is
        read."""
        with self._lock:
            for line in self._new_lines():
                _, verb, target, account, role = line.split()
                holders = self._holders.setdefault((target, role), {})
                if verb == GRANT:
                    holders[account] = None
                else:
                    holders.pop(account, None)
            return list(self._holders.get((entitlement.target, entitlement["role"]), ()))

    def _new_lines(self) -> list[str]:
        with self._path.open("rb") as lines:
            lines.seek(self._read_to)
            new = lines.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read_to += len(whole)
        return whole.decode().splitlines()


class HangingTargets:
    """The names of the targets that answer no call, in a file beside the log of the calls."""

    def __init__(self, calls: Path) -> None:
        self._path = calls.with_suffix(".hanging")
        self._read_at = 0.0
        self._names: frozenset[str] = frozenset()

    def set(self, *names: str) -> None:
        """Let these hang from now on, and no others."""
        beside = self._path.with_suffix(".new")
        beside.write_text(" ".join(names), "utf-8")
        beside.replace(self._path)

    def __contains__(self, name: str) -> bool:
        """Return whether the target hangs. The file is read ten times a second at most."""
        if time.monotonic() - self._read_at > 0.1:
            self._read_at = time.monotonic()
            self._names = frozenset(self._path.read_text("utf-8").split() if self._path.exists() else ())
        return name in self._names
