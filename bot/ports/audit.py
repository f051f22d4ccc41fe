"""The sealed audit, and the anchor that is kept outside the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from bot.core.audit.anchor import Anchored
from bot.core.audit.chain import Sealed, Written
from bot.ports.changes import Entry


class AuditTrail(Protocol):
    """The audit, oldest first. Every method raises TemporaryFailure if Redis does not answer."""

    def entries(self, after: str = "", count: int = 100) -> Sequence[tuple[str, datetime, Entry]]:
        """Return up to ``count`` entries after the one named ``after``, each with its name and time."""
        ...

    def written_entries(self, after: str = "", count: int = 100) -> Sequence[Written]:
        """Return the same entries as they are stored, even if one cannot be read. Once a name is there, no
        lower one is ever added."""
        ...

    def seals(self, after: int = 0, count: int = 100) -> Sequence[Sealed]:
        """Return up to ``count`` seals with numbers above ``after``, each as it is stored."""
        ...


class Signer(Protocol):
    """The key that seals are signed with."""

    @property
    def key(self) -> str:
        """Return the name of its public key, by which keys are told apart."""
        ...

    def sign(self, head: str) -> bytes: ...

    def trusts(self, head: str, signature: bytes) -> bool:
        """Return whether this is this key's own signature on the head."""
        ...


class Anchor(Protocol):
    """The place outside Redis where the newest seal is kept. Both methods raise PermanentFailure if that
    cannot be read or written, or has something else in it."""

    def read(self) -> Anchored | None:
        """Return the seal that was kept; None if nothing was yet."""
        ...

    def write(self, anchored: Anchored) -> None:
        """Keep it, unless a newer one is kept already; it is on disk when this returns."""
        ...
