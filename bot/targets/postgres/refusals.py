"""Reasons why a membership cannot be granted or revoked, and the SQL for an administrator to run."""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Receipt
from bot.targets.postgres.look import Look, Membership, Role, Server
from bot.targets.postgres.statements import ONE_ROW_PER_GRANTOR
from bot.targets.postgres.troubles import NotAllowed

BOOTSTRAP = 10
"""The oid of the superuser that initdb makes, which has to stay one."""


def refuse_server(name: str, server: Server, role: str, version: int, *, ends_sessions: bool) -> None:
    """Raise if nothing can be done over this connection: the server is a standby, or our login is a
    superuser, whose grants PostgreSQL records as if an administrator had made them."""
    if server.in_recovery:
        raise TemporaryFailure(f"{name}: this server is a standby: point the target's url to the primary")
    if not server.bot_is_superuser:
        return
    grants = f"{admin_grant(role, '{}', version)} "
    if ends_sessions:
        grants += "GRANT pg_signal_backend TO {}; "
    if server.me == BOOTSTRAP:
        statements = f"CREATE ROLE rotakey LOGIN PASSWORD '…'; {grants.format('rotakey', 'rotakey')}"
        then = "and put that login into the target's url"
    else:
        bot = quote(server.bot)
        statements = f"ALTER ROLE {bot} NOSUPERUSER; {grants.replace('{}', bot)}"
        then = "so that it is an ordinary role"
    raise PermanentFailure(
        f"{name}: the bot connects as a superuser, {quote(server.bot)}, whose grants look like an"
        f" administrator's: run {statements}{then}"
    )


def grantable(name: str, look: Look, role: int, account: int, *, ends_sessions: bool) -> tuple[Role, Role]:
    """Return the role and the account of these oids; 0 means there is none. Raise PermanentFailure also for
    anything that would only be noticed when the access has to end, because that is too late."""
    found_account, found_role = look.of_oid(account), look.of_oid(role)
    if found_account is None:
        by_name = quote(look.pair.account)
        raise PermanentFailure(
            f"{name} has no account {by_name}: run CREATE ROLE {by_name} LOGIN; or name the person's account"
            " under people: accounts: in access.yaml"
        )
    if found_role is None:
        by_name = quote(look.pair.role)
        raise PermanentFailure(
            f"{name} has no role {by_name}: run CREATE ROLE {by_name}; or correct access.yaml"
        )
    if found_account.oid == look.server.me:
        raise PermanentFailure(
            f"{name}: {quote(found_account.name)} is the bot's own role, which no person may use: name"
            " another account in access.yaml"
        )
    if found_account.is_superuser:
        raise PermanentFailure(
            f"{name}: {quote(found_account.name)} is a superuser, so it can do everything anyway, and its"
            " sessions cannot be ended: name another account in access.yaml"
        )
    if missing := _not_allowed(name, look, found_role.oid, ends_sessions=ends_sessions):
        raise missing
    return found_role, found_account


def why_not_revoked(
    name: str, look: Look, row: Membership, refusal: NotAllowed, *, ends_sessions: bool
) -> PermanentFailure:
    """Return what an administrator can do, or ``refusal``, the server's own error, if nothing better is
    known."""
    if row.grantor != look.server.me and look.version >= ONE_ROW_PER_GRANTOR:
        by = quote(row.by or "?")
        return NotAllowed(f"{name}: the bot may not revoke what {by} granted: run {revoke_sql(look, row)}")
    if too_strong := _superuser_now(name, look, row.member):
        return too_strong
    missing = _not_allowed(name, look, row.role, ends_sessions=ends_sessions)
    if missing and row.grantor != look.server.me:
        return NotAllowed(f"{missing}; or run {revoke_sql(look, row)}")
    return missing or refusal


def why_not_ended(name: str, look: Look, account: int, refusal: NotAllowed) -> PermanentFailure:
    """Return the same for sessions of an account, by its oid, whose membership is gone."""
    return _superuser_now(name, look, account) or _may_not_end_sessions(name, look) or refusal


def why_elsewhere(name: str, look: Look, receipts: Sequence[Receipt]) -> str:
    """Return what differs, and what a person can do about it."""
    old = next(each.system for each in receipts if each.system != look.server.identifier)
    pair = (look.role.oid, look.account.oid) if look.role and look.account else None
    left = (row for row in look.memberships if (row.role, row.member) == pair and row.usable)
    remains = " ".join(revoke_sql(look, row) for row in left)
    return (
        f"{name} is a different system now: its identifier is {look.server.identifier}, but the access was"
        f" granted at {old}. If it is the same one, upgraded or restored, run rotakey target accept {name}"
        + (f"; to remove by hand what is left there, run {remains}" if remains else "")
    )


def revoke_sql(look: Look, row: Membership) -> str:
    role, account = (quote(look.name_of(each) or "?") for each in (row.role, row.member))
    grantor = f" GRANTED BY {quote(row.by)}" if row.by and look.version >= ONE_ROW_PER_GRANTOR else ""
    return f"REVOKE {role} FROM {account}{grantor};"


def admin_grant(role: str, bot: str, version: int) -> str:
    options = ", INHERIT FALSE, SET FALSE" if version >= ONE_ROW_PER_GRANTOR else ""
    return f"GRANT {quote(role)} TO {bot} WITH ADMIN OPTION{options};"


def quote(name: str) -> str:
    """Return the name quoted as SQL that a person can copy."""
    return '"' + name.replace('"', '""') + '"'


def _not_allowed(name: str, look: Look, role: int, *, ends_sessions: bool) -> NotAllowed | None:
    found, bot = look.of_oid(role), quote(look.server.bot)
    if found and not found.may_grant:
        return NotAllowed(
            f"{name}: the bot may not grant {quote(found.name)}:"
            f" run {admin_grant(found.name, bot, look.version)}"
        )
    return _may_not_end_sessions(name, look) if ends_sessions else None


def _may_not_end_sessions(name: str, look: Look) -> NotAllowed | None:
    if look.server.may_end_sessions:
        return None
    return NotAllowed(
        f"{name}: the bot may not end sessions: run GRANT pg_signal_backend TO {quote(look.server.bot)};"
        " or set sessions: keep"
    )


def _superuser_now(name: str, look: Look, oid: int) -> PermanentFailure | None:
    account = look.of_oid(oid)
    if account is None or not account.is_superuser:
        return None
    return PermanentFailure(
        f"{name}: {quote(account.name)} is a superuser now, and only a superuser can end its sessions: make"
        " it an ordinary role, or end them by hand"
    )
