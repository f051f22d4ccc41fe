"""Receipts at a PostgreSQL server: the memberships that they name, and those that are ours."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from bot.core.errors import PermanentFailure
from bot.core.holds import Receipt
from bot.targets.postgres.look import Look, Membership

SESSIONS = "sessions"
"""The fact with the pids of the sessions that were open when the membership was first seen absent or not
usable; at a replica ``sessions@host:port``. A session that began later cannot have the role. (A login without
pg_read_all_stats cannot read when a session began, and the clock it began by may have been set since.)"""
MOST_PIDS = 400
"""The most pids that are recorded. If there are more, none are; the next look counts what is open then."""
SUPERUSER = "SUPERUSER"
"""The grantor named for everything that a superuser account has."""
EVIDENCE = 2
"""The number of role, account and grantor that must still have their names before oids count at a server that
replaces the receipt's: pg_upgrade keeps oids, but restoring a dump assigns them differently."""


@dataclass(frozen=True, kw_only=True)
class Named:
    """One receipt as it applies here. ``grantors`` None: any grantor counts."""

    receipt: Receipt
    role: int
    member: int
    grantors: frozenset[int] | None

    @property
    def pair(self) -> tuple[int, int]:
        return self.role, self.member

    def names(self, row: Membership) -> bool:
        grantor_counts = self.grantors is None or row.grantor in self.grantors
        return (row.role, row.member) == self.pair and grantor_counts


def receipt_for(look: Look, role: int, member: int, grantor: int) -> Receipt:
    by = next((row.by for row in look.memberships if row.grantor == grantor), look.name_of(grantor))
    if grantor == look.server.me:
        by = look.server.bot
    facts = {
        "role": str(role),
        "role_name": look.name_of(role) or "",
        "member": str(member),
        "member_name": look.name_of(member) or "",
        "grantor": str(grantor),
        "grantor_name": by or "",
        "timeline": look.server.timeline,
    }
    return Receipt(system=look.server.identifier, facts=facts)


def oid(receipt: Receipt, fact: str) -> int:
    """Return the oid in this fact. Raise PermanentFailure if the receipt is not one of PostgreSQL's."""
    found = receipt.facts.get(fact, "")
    if not (found.isascii() and found.isdigit()):
        raise PermanentFailure(f"a receipt of this hold has no {fact}, so it is not a PostgreSQL receipt")
    return int(found)


def oids(receipts: Iterable[Receipt], *facts: str) -> set[int]:
    return {oid(receipt, fact) for receipt in receipts for fact in facts}


def is_elsewhere(look: Look, receipts: Iterable[Receipt]) -> bool:
    """Return whether a receipt was made at another system."""
    return any(receipt.system != look.server.identifier for receipt in receipts)


def named_here(look: Look, receipts: Sequence[Receipt]) -> tuple[Named, ...]:
    """Return what the receipts of this very system name; one that was moved here may name two pairs."""
    found: list[Named] = []
    for receipt in receipts:
        if receipt.system != look.server.identifier:
            continue
        pair = (oid(receipt, "role"), oid(receipt, "member"))
        if receipt.moved_from is None:
            grantors = frozenset({oid(receipt, "grantor"), look.server.me})
            found.append(Named(receipt=receipt, role=pair[0], member=pair[1], grantors=grantors))
            continue
        pairs = [pair] if _kept_oids(look, receipt) else []
        if look.role and look.account:
            pairs.append((look.role.oid, look.account.oid))
        found += [
            Named(receipt=receipt, role=role, member=member, grantors=None)
            for role, member in dict.fromkeys(pairs)
        ]
    return tuple(found)


def _kept_oids(look: Look, receipt: Receipt) -> bool:
    """Return whether the oids of a server that was replaced still mean the same roles here."""
    for found, fact in ((look.role, "role"), (look.account, "member")):
        if found and found.oid != oid(receipt, fact):
            return False
    same = (
        look.name_of(oid(receipt, fact)) == receipt.facts.get(f"{fact}_name")
        for fact in ("role", "member", "grantor")
    )
    return sum(same) >= EVIDENCE


def ours(look: Look, named: Collection[Named]) -> tuple[Membership, ...]:
    """Return the memberships that a receipt names, and those that our login granted by name."""
    return tuple(
        row for row in look.memberships if is_marked(look, row) or any(each.names(row) for each in named)
    )


def is_marked(look: Look, row: Membership) -> bool:
    """Return whether our login granted it to the account and role that have the hold's names now."""
    by_name = look.role and look.account and (row.role, row.member) == (look.role.oid, look.account.oid)
    return bool(by_name) and row.grantor == look.server.me


def grantor_of_others(
    look: Look, mine: Collection[Membership], pairs: Collection[tuple[int, int]]
) -> str | None:
    """Return who else granted the account the role in usable form; None if nobody did. A superuser has every
    role."""
    for row in look.memberships:
        if (row.role, row.member) in pairs and row not in mine and row.usable:
            return row.by or f"a dropped role (oid {row.grantor})"
    for role, member in pairs:
        account = look.of_oid(member)
        if account and account.is_superuser and look.of_oid(role) and member != look.server.me:
            return SUPERUSER
    return None


def pairs_of(look: Look, named: Iterable[Named]) -> set[tuple[int, int]]:
    """Return all pairs in question: the one that has the hold's names now, and those that receipts name."""
    by_name = {(look.role.oid, look.account.oid)} if look.role and look.account else set()
    return by_name | {each.pair for each in named}


def prepared_pair(look: Look, last: Receipt) -> tuple[int, int]:
    """Return the role and account, by oid, that a grant for this receipt is about."""
    if last.moved_from is not None and look.role and look.account:
        return look.role.oid, look.account.oid
    return oid(last, "role"), oid(last, "member")


def completed_receipt(look: Look, last: Receipt, role: int, member: int) -> Receipt:
    """Return the receipt of a membership that was just granted. Its grantor is our login, unless the one by
    the receipt's grantor already existed."""
    was_there = any(
        (row.role, row.member, row.grantor) == (role, member, oid(last, "grantor"))
        for row in look.memberships
    )
    grantor = oid(last, "grantor") if was_there else look.server.me
    return receipt_for(look, role, member, grantor)


# ------------------------------------------------------------------------------------------ sessions


def recorded_sessions(named: Iterable[Named], pair: tuple[int, int], where: str = "") -> set[int] | None:
    """Return the pids of the sessions that may still use the role; None if any may. ``where`` is empty for
    the primary."""
    texts = [each.receipt.facts.get(_fact(where)) for each in named if each.pair == pair]
    if not texts or None in texts:
        return None
    return {int(pid) for text in texts if text for pid in text.split()}


def with_sessions(receipt: Receipt, pids: Collection[int], where: str = "") -> Receipt:
    facts = {name: value for name, value in receipt.facts.items() if name != _fact(where)}
    if len(pids) <= MOST_PIDS:
        facts[_fact(where)] = " ".join(map(str, sorted(pids)))
    return replace(receipt, facts=facts)


def without_sessions(receipt: Receipt) -> Receipt:
    kept = {name: value for name, value in receipt.facts.items() if name.partition("@")[0] != SESSIONS}
    return replace(receipt, facts=kept)


def _fact(where: str) -> str:
    return f"{SESSIONS}@{where}" if where else SESSIONS
