"""Records that an older version wrote to Redis are read, revoked at their target, and verified."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from redis import Redis

from bot.core.audit.anchor import Anchored, read_anchor
from bot.core.audit.proof import Findings, Trusts
from bot.core.errors import Refused
from bot.core.grants import Grant, State
from bot.core.reasons import Reason, Why
from bot.evidence.signing import SigningKey, TrustedKeys
from bot.ledger.connection import connect
from bot.ledger.redis_ledger import RedisLedger
from bot.ports.changes import Change, Due
from bot.ports.deadline import Deadline
from bot.ports.documents import Alert, Key, Seat
from bot.testing.cast import DAN, EVE, PROD_DB, SCHEMA_MIGRATION, catalog
from bot.testing.story import Story
from bot.testing.valkey import valkey
from bot.usecases.access.owing import keep_owed, look_through
from bot.usecases.audit import evidence, seal
from bot.usecases.audit.seal import SEAL, Sealing
from bot.usecases.job import Job
from bot.usecases.requests import finish
from tests.ledger.kept import kept, load

REVOKING = ("hold", "card", "alarm", "alert", "note")
KINDS_THEN = {
    *("account", "alert", "card", "email", "grant", "group", "hold", "home", "homepage", "note"),
    *("person", "policy", "policy-text", "roster", "seal-head", "seat", "shift", "stray-targets", "strays"),
}
LIVE = ("asked by rule", "approved", "had it before", "shift", "waiting")
OVER = {"ended": State.ENDED, "denied": State.DENIED, "withdrawn": State.WITHDRAWN}


class Bot(Story):
    """Today's bot on those records, with the target as it was then."""

    def __init__(self, client: Redis, what: dict[str, Any]) -> None:
        super().__init__(begin=False)
        self.grants: dict[str, str] = what["grants"]
        self.ledger = self.trail = self.primary = RedisLedger(client)
        self.memory.now = self.ledger.read().now
        entitlements = {dict(g.what)["role"]: g for each in catalog().resources.values() for g in each.gives}
        for account, role, by in what["access"]:
            place = self.target.stray if by == "ours" else self.target.give_by_hand
            place(account, entitlements[role])
        self.context = self.another_context()
        self.enact(self.policy)

    def open(self) -> set[str]:
        return {each for page in self.ledger.grants("open") for each in page}  # type: ignore[attr-defined]

    def owe_all_holds(self) -> None:
        """Make all holds due now, also those that wait after a failure."""
        now = self.ledger.read().now
        every = [each for page in self.ledger.holds() for each in page]  # type: ignore[attr-defined]
        self.ledger.commit(Change(due=tuple(Due.hold(each, at=now) for each in every)))


@pytest.fixture(scope="module")
def what() -> dict[str, Any]:
    return kept("redis-43a98f1")


@pytest.fixture
def filled(what: dict[str, Any]) -> Iterator[Redis]:
    with valkey() as server, connect(server.url) as client:
        load(client, what)
        yield client


@pytest.fixture
def bot(filled: Redis, what: dict[str, Any]) -> Bot:
    return Bot(filled, what)


def verified(ledger: RedisLedger, trusts: Trusts, anchored: Anchored, at: datetime) -> Findings:
    """Verify the audit as ``rotakey audit export`` and ``verify`` did at that time."""
    texts = list(evidence.export_lines(evidence.lines(ledger), "main", at))
    return evidence.examine(evidence.read_export(texts), trusts=trusts, anchored=anchored)


def test_every_record_can_be_read(filled: Redis) -> None:
    names = [name.partition(":doc:")[2] for name in filled.scan_iter(match="*:doc:*", count=1000)]
    keys = {Key(*name.split(":", 1)) for name in names}
    assert {key.kind for key in keys} == KINDS_THEN
    ledger = RedisLedger(filled)
    snap = ledger.read(keys)
    assert snap.documents.keys() == keys
    condition = ledger.condition()
    assert (condition.set_aside, condition.open, condition.overdue) == ((), 7, 1)


def test_who_has_what_is_as_it_was(filled: Redis, what: dict[str, Any]) -> None:
    grants = what["grants"]
    snap = RedisLedger(filled).read(Key.of(Grant, each) for each in grants.values())
    assert snap.leases.keys() == {grants[each] for each in LIVE}
    states = {name: found.state for name, each in grants.items() if (found := snap.find(Grant, each))}
    active = dict.fromkeys(LIVE, State.ACTIVE) | {"waiting": State.APPROVED}
    assert states == active | OVER | {"overdue": State.ENDING, "asked": State.ASKED}


def test_all_that_is_held_is_revoked_and_what_is_theirs_stays(bot: Bot) -> None:
    assert bot.target.accounts("orders_ops") == {"carol@example.com"}
    bot.owe_all_holds()
    bot.run_due(*REVOKING)
    assert bot.grant(bot.grants["overdue"]).state is State.ENDED, "it was tried again at once"
    assert bot.grant(bot.grants["waiting"]).state is State.ACTIVE, "no worker had seen it yet"
    assert bot.target.accounts("orders_ops") == {"carol@example.com", "eve@example.com"}
    for name in LIVE:
        grant = bot.grant(bot.grants[name])
        finish.give_back(bot.context, person=grant.person, which=grant.id, op=bot.op())
    bot.run_due(*REVOKING)
    assert {bot.grant(bot.grants[name]).state for name in LIVE} == {State.ENDED}
    assert bot.open() == {bot.grants["asked"]}
    left = {(account, access.by.value) for (account, _), access in bot.target.access.items()}
    assert left == {("eve@example.com", "theirs"), ("old-account@example.com", "ours")}
    [stray] = [each for each in bot.ledger.read({Key.of(Alert, "G9")}).all(Alert) if each.hold]
    assert stray.hold
    assert (stray.hold.account, stray.hold.entitlement) == ("old-account@example.com", PROD_DB.gives[0])


def why_refused(bot: Bot, resource: str) -> Reason:
    with pytest.raises(Refused) as refused:
        bot.ask(EVE, resource, "1h", "now")
    return refused.value.reason


def test_what_only_one_may_hold_is_known_to_be_held(bot: Bot) -> None:
    """Dan holds the seat. The first look through everything finds that, even if his resource left the
    policy."""
    bot.run_due("workspace", "groups")
    reason = why_refused(bot, SCHEMA_MIGRATION.name)
    assert (reason.why, reason.facts["by_person"]) == (Why.HELD_BY_OTHER, DAN)
    other = replace(SCHEMA_MIGRATION, name="hotfix")
    bot.enact(replace(catalog(), resources={"hotfix": other}, version="v2"))
    keep_owed(bot.context, bot.ledger)  # type: ignore[arg-type]
    claim = bot.claim("owed")
    assert claim is not None
    look_through(bot.ledger, bot.ledger, Job(claim, Deadline.after(0)))  # type: ignore[arg-type]
    assert bot.ledger.read({Key.of(Seat, SCHEMA_MIGRATION.name)}).find(Seat, SCHEMA_MIGRATION.name) is None
    reason = why_refused(bot, "hotfix")
    assert (reason.why, reason.facts.get("by_person")) == (Why.HELD_BY_OTHER, None)


def test_a_lease_that_is_lost_is_revoked_too(bot: Bot, filled: Redis) -> None:
    for name in LIVE:
        filled.delete(f"rotakey:{{main}}:lease:{bot.grants[name]}")
    bot.owe_all_holds()
    bot.run_due(*REVOKING)
    assert {bot.grant(bot.grants[name]).state for name in (*LIVE, "overdue")} == {State.ENDED}


def test_its_audit_verifies_and_goes_on_under_another_key(
    bot: Bot, filled: Redis, what: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, old = RedisLedger(filled), what["public_key"].encode()
    anchored, then = read_anchor(what["anchor"]), datetime.fromisoformat(what["at"])
    found = verified(ledger, TrustedKeys([old]).trusts, anchored, then)
    assert (found.wrong, found.seals) == ((), anchored.number)
    monkeypatch.setattr(seal, "SETTLES", timedelta())
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    new = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    bot.sealed = True
    bot.sealing = Sealing(ledger=ledger, trail=ledger, signer=SigningKey(pem), new_id=bot.new_id)
    ledger.commit(Change(due=(Due(member=SEAL, at=ledger.read().now),)))
    bot.run_due("seal")
    found = verified(ledger, TrustedKeys([old, new]).trusts, anchored, ledger.read().now)
    assert (found.wrong, found.seals) == ((), anchored.number + 1)


def test_the_first_commit_gives_it_the_number_of_its_shape(filled: Redis) -> None:
    name = "rotakey:{main}:schema"
    ledger = RedisLedger(filled)
    ledger.read()
    assert filled.get(name) is None
    ledger.commit(Change())
    assert filled.get(name) == "1"
