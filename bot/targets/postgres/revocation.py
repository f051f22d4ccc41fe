"""One revocation: the memberships that are ours, and the sessions that may still use them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
        for pair in absent:  # sessions may have outlived the membership
            try:
                if self._ends_sessions_of(pair):
                    self._end_sessions(pair, recorded_sessions(self.named, pair))
            except NotAllowed as refusal:
                refusals.append(why_not_ended(self.name, self.look, pair[1], refusal))
        for pair in filter(self._ends_sessions_of, there | absent):
            system, deadline = self.look.server.identifier, self.connection.deadline
            for place, replica in enumerate(self.replicas):
                only = recorded_sessions(self.named, pair, replica.where)
                # the next look sees and reports what fails here
                with suppress(TemporaryFailure, PermanentFailure):
                    replica.end_sessions(system, pair, only, share(deadline, self.replicas[place:]))
        if refusals:
            raise refusals[0]

    def _revoke(self, row: Membership) -> None:
        role, account = self.look.name_of(row.role), self.look.name_of(row.member)
        if role is None or account is None:  # dropped, and the membership with it
            return
        pair, version = (row.role, row.member), self.look.version
        ends_sessions = self._ends_sessions_of(pair)
        counted = ends_sessions and not row.usable
        only = recorded_sessions(self.named, pair) if counted else None
        grantor = None
        if version >= ONE_ROW_PER_GRANTOR:
            grantor = None if row.grantor == self.look.server.me else row.by
            if ends_sessions:
                self.connection.change(
                    statements.disable(account, role, grantor),
                    statements.must_be_gone(*pair, row.grantor, version, usable=True),
                )
                self._end_sessions(pair, only)
        self.connection.change(
            statements.revoke(account, role, grantor),
            statements.must_be_gone(*pair, row.grantor, version),
        )
        if ends_sessions and version < ONE_ROW_PER_GRANTOR:
            self._end_sessions(pair, only)

    def _end_sessions(self, pair: tuple[int, int], only: Collection[int] | None) -> None:
        allowed = self.look.server.may_end_sessions
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
