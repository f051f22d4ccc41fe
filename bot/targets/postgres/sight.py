"""The judgement of a hold from one look: who granted the access, which receipts still name something, and
why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Presence, Receipt, Seen
from bot.targets.postgres import statements
from bot.targets.postgres.connections import Connection
from bot.targets.postgres.look import Look, Membership
from bot.targets.postgres.receipts import (
    Named,
    grantor_of_others,
    ours,
    pairs_of,
    receipt_for,
    recorded_sessions,
    with_sessions,
    without_sessions,
)
from bot.targets.postgres.replicas import Replica, share
from bot.targets.postgres.sessions import open_sessions

CONFIRMED_WITHIN = 1.0
"""Seconds that a look waits for the synchronous standbys."""


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """A receipt that may have to be kept, with what it names and which of our memberships are among that."""

    receipt: Receipt
    pair: tuple[int, int]
    rows: tuple[Membership, ...] = ()
    sessions: int = 0
    why: str | None = None

    @property
    def is_usable(self) -> bool:
        return any(row.usable for row in self.rows)

    @property
    def names_something(self) -> bool:
        return bool(self.rows or self.sessions)


@dataclass(frozen=True, kw_only=True)
class Sight:
    connection: Connection
    look: Look
    receipts: Sequence[Receipt]
    named: Sequence[Named]
    ends_sessions: bool
    replicas: Sequence[Replica]

    def judge(self) -> Seen:
        mine = ours(self.look, self.named)
        kept = [self._with_sessions(each) for each in self._named_or_marked(mine)]
        others = grantor_of_others(self.look, mine, pairs_of(self.look, self.named))
        presence = Presence.THEIRS if others else Presence.NONE
        if mine:
            # ours is usable only if it is what the hold names now: a renamed account or role may have a
            # successor of the same name, which has nothing yet
            role, account = self.look.role, self.look.account
            now = (role.oid, account.oid) if role and account else None
            usable = any(row.usable and now in (None, (row.role, row.member)) for row in mine)
            presence = Presence.OURS if usable else Presence.USELESS
        seen = Seen(
            presence=presence,
            system=self.look.server.system,
            position=self.look.server.position,
            grantor=None if mine else others,
            receipts=tuple(each.receipt for each in kept if each.names_something),
            sessions=sum(each.sessions for each in kept),
            why=next((each.why for each in kept if each.why), None),
        )
        server = self.look.server
        if mine and (self.replicas or server.has_standbys or server.at_work):
            # whatever a receipt without a membership here still names elsewhere is asked once all is revoked
            return replace(seen, receipts=tuple(each.receipt for each in kept))
        if mine or not self.receipts:
            return seen
        if server.at_work:
            why = "an earlier grant is still being executed"
            return replace(seen, presence=Presence.UNKNOWN, receipts=tuple(self.receipts), why=why)
        return self._with_standbys(seen, kept)

    def _named_or_marked(self, mine: Sequence[Membership]) -> list[_Kept]:
        """Return what is ours. A receipt that was moved here is copied for each membership that it names
        here."""
        look, found = self.look, []
        for each in self.named:
            rows = tuple(row for row in mine if each.names(row))
            if each.receipt.moved_from is None:
                found.append(_Kept(receipt=each.receipt, pair=each.pair, rows=rows))
                continue
            found += [_kept_row(look, row) for row in rows]
            if not rows:
                receipt = receipt_for(look, *each.pair, look.server.me)
                found.append(_Kept(receipt=receipt, pair=each.pair))
        unnamed = [row for row in mine if not any(each.names(row) for each in self.named)]
        return [*found, *(_kept_row(look, row) for row in unnamed)]

    def _with_sessions(self, kept: _Kept) -> _Kept:
        if kept.is_usable:
            return replace(kept, receipt=without_sessions(kept.receipt))
        if not self._counts_sessions(kept):
            return kept
        pids = open_sessions(self.connection, kept.pair[1], recorded_sessions(self.named, kept.pair))
        why = f"{len(pids)} open sessions may still use it" if pids else None
        return replace(kept, receipt=with_sessions(kept.receipt, pids), sessions=len(pids), why=why)

    def _counts_sessions(self, kept: _Kept) -> bool:
        """Return whether sessions count. They stay open if the account has the role from somebody else."""
        if not self.ends_sessions or kept.pair[1] == self.look.server.me:
            return False
        mine = ours(self.look, self.named)
        in_use = any((row.role, row.member) == kept.pair and row.usable for row in mine)
        return not in_use and grantor_of_others(self.look, mine, {kept.pair}) is None

    def _with_standbys(self, seen: Seen, kept: Sequence[_Kept]) -> Seen:
        """Add the sessions at the replicas; if there are none, whether the standbys have confirmed it."""
        counted = [self._at_replicas(each) if self._counts_sessions(each) else each for each in kept]
        if unchecked := next((each.why for each in counted if each.why and not each.sessions), None):
            return replace(seen, presence=Presence.UNKNOWN, receipts=tuple(self.receipts), why=unchecked)
        seen = replace(
            seen,
            receipts=tuple(each.receipt for each in counted if each.names_something),
            sessions=sum(each.sessions for each in counted),
            why=next((each.why for each in counted if each.why), None),
        )
        if not seen.gone or not self.look.server.has_standbys:
            return seen
        seconds = min(CONFIRMED_WITHIN, self.connection.deadline.seconds_left() / 3)
        if self.connection.finishes(statements.CONFIRMATION, seconds):
            return seen
        return replace(
            seen,
            confirmed=False,
            receipts=tuple(each.receipt for each in counted),
            why="revoked; a standby has not confirmed it yet",
        )

    def _at_replicas(self, kept: _Kept) -> _Kept:
        """Return what is open at the replicas. ``why`` without sessions: a replica could not be asked."""
        for place, replica in enumerate(self.replicas):
            deadline = share(self.connection.deadline, self.replicas[place:])
            only = recorded_sessions(self.named, kept.pair, replica.where)
            try:
                pids = replica.open_sessions(self.look.server.identifier, kept.pair, only, deadline)
            except (TemporaryFailure, PermanentFailure) as failure:
                why = f"revoked; sessions at {replica.where} could not be checked: {failure}"
                return replace(kept, sessions=0, why=why)
            kept = replace(
                kept,
                receipt=with_sessions(kept.receipt, pids, replica.where),
                sessions=kept.sessions + len(pids),
                why=f"{len(pids)} open sessions at {replica.where} may still use it" if pids else kept.why,
            )
        return kept


def _kept_row(look: Look, row: Membership) -> _Kept:
    receipt = receipt_for(look, row.role, row.member, row.grantor)
    return _Kept(receipt=receipt, pair=(row.role, row.member), rows=(row,))
