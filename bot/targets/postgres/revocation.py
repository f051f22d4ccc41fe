"""One revocation: the memberships that are ours, and the sessions that may still use them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.targets.postgres import statements
from bot.targets.postgres.connections import Connection
from bot.targets.postgres.look import Look, Membership
from bot.targets.postgres.receipts import (
    SUPERUSER,
    Named,
    grantor_of_others,
    ours,
    recorded_sessions,
)
from bot.targets.postgres.refusals import why_not_ended, why_not_revoked
from bot.targets.postgres.replicas import Replica, share
from bot.targets.postgres.sessions import end_all
from bot.targets.postgres.statements import ONE_ROW_PER_GRANTOR
from bot.targets.postgres.troubles import NotAllowed


@dataclass(frozen=True, kw_only=True)
class Revocation:
    name: str
    connection: Connection
    look: Look
    named: Sequence[Named]
    ends_sessions: bool
    replicas: Sequence[Replica]

    def run(self) -> None:
        """Revoke and end as much as we may. Raise PermanentFailure for the first membership, or sessions,
        that the server did not let us, after all others were tried."""
        refusals: list[PermanentFailure] = []
        mine = ours(self.look, self.named)
        for row in sorted(mine, key=lambda each: each.grantor != self.look.server.me):
            try:
                self._revoke(row)
            except NotAllowed as refusal:
                refusals.append(
                    why_not_revoked(self.name, self.look, row, refusal, ends_sessions=self.ends_sessions)
                )
        there = {(row.role, row.member) for row in mine}
        absent = {each.pair for each in self.named} - there
        for pair in absent:
            try:
                self._end_sessions_left(pair)
            except NotAllowed as refusal:
                refusals.append(why_not_ended(self.name, self.look, pair[1], refusal))
        for pair in there | absent:
            if self._ends_sessions_of(pair):
                self._end_at_replicas(pair)
        if refusals:
            raise refusals[0]

    def _revoke(self, row: Membership) -> None:
        role, account = self.look.name_of(row.role), self.look.name_of(row.member)
        if role is None or account is None:  # dropped, and the membership with it
            return
        ends_sessions = self._ends_sessions_of((row.role, row.member))
        grantor = None
        if self.look.version >= ONE_ROW_PER_GRANTOR:
            grantor = None if row.grantor == self.look.server.me else row.by
            if ends_sessions:
                self._disable(row, account, role, grantor)
                self._end_sessions(row)
        self.connection.change(
            statements.revoke(account, role, grantor),
            statements.must_be_gone(row.role, row.member, row.grantor, self.look.version),
        )
        if ends_sessions and self.look.version < ONE_ROW_PER_GRANTOR:
            self._end_sessions(row)

    def _disable(self, row: Membership, account: str, role: str, grantor: str | None) -> None:
        version = self.look.version
        self.connection.change(
            statements.disable(account, role, grantor),
            statements.must_be_gone(row.role, row.member, row.grantor, version, usable=True),
        )

    def _end_sessions(self, row: Membership) -> None:
        only = None if row.usable else recorded_sessions(self.named, (row.role, row.member))
        allowed = self.look.server.may_end_sessions
        end_all(self.connection, row.member, allowed=allowed, only=only)

    def _end_sessions_left(self, pair: tuple[int, int]) -> None:
        """End the sessions that outlived their membership."""
        if self._ends_sessions_of(pair):
            only, allowed = recorded_sessions(self.named, pair), self.look.server.may_end_sessions
            end_all(self.connection, pair[1], allowed=allowed, only=only)

    def _ends_sessions_of(self, pair: tuple[int, int]) -> bool:
        """Return whether these sessions end. They stay if the account also has the role from somebody else. A
        superuser has it anyway, but sessions that remain of ours are still not forgotten."""
        if not self.ends_sessions or pair[1] == self.look.server.me:
            return False
        mine = ours(self.look, self.named)
        others = grantor_of_others(self.look, mine, {pair})
        is_left = pair in {(row.role, row.member) for row in mine}
        return others is None or (others == SUPERUSER and is_left)

    def _end_at_replicas(self, pair: tuple[int, int]) -> None:
        """End the sessions at the replicas. The next look sees and reports what fails here."""
        system, deadline = self.look.server.identifier, self.connection.deadline
        for place, replica in enumerate(self.replicas):
            only = recorded_sessions(self.named, pair, replica.where)
            with suppress(TemporaryFailure, PermanentFailure):
                replica.end_sessions(system, pair, only, share(deadline, self.replicas[place:]))
