"""Why a membership cannot be given or taken, and what an administrator does about it."""

from __future__ import annotations

from bot.core.errors import PermanentFailure
from bot.targets.postgres.look import Look, Pair
from bot.targets.postgres.troubles import NotAllowed


def why_not_give(name: str, look: Look, pair: Pair, *, ends_sessions: bool) -> PermanentFailure | None:
    """Also what would only be missed when the access has to end: that is too late."""
    account, role = quoted(pair.account), quoted(pair.role)
    if look.account is None:
        return PermanentFailure(
            f"{name} has no account {account}: run CREATE ROLE {account} LOGIN; or name the person's account"
            " there under people: accounts: in access.yaml"
        )
    if look.role is None:
        return PermanentFailure(f"{name} has no role {role}: run CREATE ROLE {role}; or correct access.yaml")
    if look.bot_is_superuser:
        return PermanentFailure(
            f"{name}: the bot connects as a superuser, {quoted(look.bot)}, whose grants cannot be told from"
            " an administrator's: give it a role of its own"
        )
    if pair.account == look.bot:
        return PermanentFailure(f"{name}: {account} is the bot's own role, which no person may use")
    if look.account_is_superuser:
        return PermanentFailure(
            f"{name}: {account} is a superuser: it can do everything anyway, and its sessions cannot be ended"
        )
    return _not_allowed(name, look, pair, ends_sessions=ends_sessions)


def why_not_taken(
    name: str, look: Look, pair: Pair, refusal: NotAllowed, *, ends_sessions: bool
) -> PermanentFailure:
    """``refusal`` is what the server said, for what we know no better."""
    if look.account_is_superuser:
        return PermanentFailure(
            f"{name}: {quoted(pair.account)} is a superuser now: only a superuser can end its sessions"
        )
    return _not_allowed(name, look, pair, ends_sessions=ends_sessions) or refusal


def _not_allowed(name: str, look: Look, pair: Pair, *, ends_sessions: bool) -> NotAllowed | None:
    role, bot = quoted(pair.role), quoted(look.bot)
    if not look.may_give:
        return NotAllowed(
            f"{name}: the bot may not give {role}: run GRANT {role} TO {bot} WITH ADMIN OPTION,"
            " INHERIT FALSE, SET FALSE; (before PostgreSQL 16 without INHERIT and SET)"
        )
    if ends_sessions and not look.may_end_sessions:
        return NotAllowed(
            f"{name}: the bot may not end sessions: run GRANT pg_signal_backend TO {bot};"
            " or set sessions: keep"
        )
    return None


def quoted(name: str) -> str:
    """As SQL that a person can copy."""
    return '"' + name.replace('"', '""') + '"'
