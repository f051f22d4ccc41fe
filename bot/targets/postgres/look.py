"""What one look at the server shows of an account and a role."""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.holds import Presence
from bot.targets.postgres import statements
from bot.targets.postgres.connections import Connection

LONGEST_NAME = 63


@dataclass(frozen=True)
class Pair:
    """An account and a role, by name."""

    account: str
    role: str


@dataclass(frozen=True)
class Look:
    """``at`` is the server's own clock, in epoch seconds; ``account`` and ``role`` are None where there is
    none of that name."""

    at: float
    bot: str
    bot_is_superuser: bool
    may_give: bool
    may_end_sessions: bool
    account: int | None
    account_is_superuser: bool | None
    role: int | None
    ours: bool
    theirs: bool

    @property
    def presence(self) -> Presence:
        """A superuser has every access already."""
        if self.ours:
            return Presence.OURS
        has_it = self.theirs or (self.role is not None and self.account_is_superuser)
        return Presence.THEIRS if has_it else Presence.NONE


def look_at(connection: Connection, pair: Pair) -> Look:
    [[row]] = connection.ask(statements.look(pair.account, pair.role, connection.info.server_version))
    return Look(*row)


def unfit(name: str) -> str:
    """Why it can be no name, else nothing. A longer one PostgreSQL would cut short and take for another."""
    if not name or not name.isprintable():
        return "is no name: it is empty, or has characters that cannot be shown"
    if len(name.encode()) > LONGEST_NAME:
        return f"is longer than the {LONGEST_NAME} bytes PostgreSQL allows"
    return ""
