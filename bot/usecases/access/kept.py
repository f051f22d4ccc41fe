"""Targets that cannot show what is ours: their open holds are kept outside the ledger as well, and can be
revoked from there if the ledger is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Hold, Receipt, Seen
from bot.core.kept import Kept
from bot.ports.deadline import Deadline
from bot.ports.target import Abilities, Holders, Target


class HeldBook(Protocol):
    """The place outside the ledger where open holds are kept."""

    def write(self, kept: Kept) -> None:
        """Write it down; it is on disk when this returns. Raise PermanentFailure."""
        ...


class NoBook:
    """The book of a policy without an anchor file, which the check of access.yaml refuses. Nothing is granted
    with it."""

    def __init__(self, target: str) -> None:
        self._target = target

    def write(self, kept: Kept) -> None:
        if not kept.gone:
            raise PermanentFailure(
                f"{self._target} cannot show what is Rotakey's, so open holds have to be kept in a file: name"
                " one in access.yaml under audit: {anchor: {file: …}}"
            )


class Booked:
    """A target whose open holds are written into a book. Implements Target.

    A hold is in the book before its access is granted, and so is what was seen to be gone. Because the book
    has its end, ``grant`` is called again when the end moves.
    """

    def __init__(self, target: Target, book: HeldBook, now: Callable[[], datetime]) -> None:
        self._target = target
        self._book = book
        self._now = now

    @property
    def abilities(self) -> Abilities:
        return replace(self._target.abilities, hears_end=True)

    def prepare(self, hold: Hold, not_after: Deadline) -> Receipt:
        return self._target.prepare(hold, not_after)

    def grant(
        self, hold: Hold, receipts: Sequence[Receipt], until: datetime | None, not_after: Deadline
    ) -> Receipt:
        self._write(hold, receipts, until)
        completed = self._target.grant(hold, receipts, until, not_after)
        if completed != receipts[-1]:
            self._write(hold, (*receipts[:-1], completed), until)
        return completed

    def revoke(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> None:
        self._target.revoke(hold, receipts, deadline)

    def has(self, hold: Hold, receipts: Sequence[Receipt], deadline: Deadline) -> Seen:
        seen = self._target.has(hold, receipts, deadline)
        if receipts and seen.gone:
            with suppress(PermanentFailure):  # a line too many does no harm, and must not hold up revoking
                self._write(hold, receipts, gone=True)
        return seen

    def holders(self, entitlement: Entitlement, deadline: Deadline) -> Holders:
        return self._target.holders(entitlement, deadline)

    def ready(self, hold: Hold, deadline: Deadline) -> None:
        self._target.ready(hold, deadline)

    def __getattr__(self, name: str) -> object:
        """Return what else the target can do, such as ``warnings`` and ``close``."""
        return getattr(self._target, name)

    def _write(
        self, hold: Hold, receipts: Sequence[Receipt], until: datetime | None = None, *, gone: bool = False
    ) -> None:
        kept = Kept(hold=hold, receipts=tuple(receipts), at=self._now(), until=until, gone=gone)
        self._book.write(kept)


# ------------------------------------------------------------------------------------ revoking from it


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The fate of a hold of the book. ``trouble`` is empty if nothing of ours is left."""

    kept: Kept
    trouble: str = ""


def revoke_kept(kept: Kept, find: Callable[[str], Target], deadline: Deadline) -> Outcome:
    """Revoke what was kept, without the ledger, and say whether it was seen to be gone."""
    hold = kept.hold
    try:
        target = find(hold.target)
        target.revoke(hold, kept.receipts, deadline)
        seen = target.has(hold, kept.receipts, deadline)
    except (TemporaryFailure, PermanentFailure) as failure:
        return Outcome(kept=kept, trouble=str(failure))
    return Outcome(kept=kept, trouble="" if seen.gone else seen.why or "it is still there after revoking it")
