"""The promises of the port for targets, as tests that any target can be put to.

A module of tests imports all names from here, and has a fixture ``stage`` that yields a ``Stage``. This needs
pytest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import pytest

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Hold, Presence, Receipt, Seen
from bot.core.kept import Kept, line_of, read_line
from bot.ports.deadline import Deadline
from bot.ports.target import Holder, Target
from bot.usecases.access.kept import revoke_kept

UNTIL = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)


def soon() -> Deadline:
    return Deadline.after(10)


class Stage(Protocol):
    """A target with one entitlement, and accounts of Ada, Bob and Carol that do not have it. It may also have
    ``lists_others = False`` if the system cannot list cheaply what others granted."""

    secret: str
    """Must not be in any message."""

    @property
    def target(self) -> Target: ...

    def account(self, name: str) -> str: ...

    def entitlement(self, *, missing: bool = False) -> Entitlement: ...

    def granted_by_an_administrator(self, name: str) -> None: ...

    def has_it(self, name: str) -> bool:
        """Return whether the account can use the entitlement, as the system itself says; also if it was
        renamed."""
        ...

    def rename_account(self, name: str) -> None:
        """Rename the account. ``account`` still returns the first name."""
        ...

    def rename_entitlement(self) -> None:
        """Rename what is granted."""
        ...

    def losing(self, verb: str) -> Target | None:
        """Return the same target, but it does what ``verb`` says and loses the answer. None if that cannot be
        staged."""
        ...

    def down(self) -> Target:
        """Return the same target, but nothing answers there."""
        ...

    def silent(self) -> Target:
        """Return the same target, but it accepts the connection and never answers."""
        ...

    def refusing(self) -> Target:
        """Return the same target, but it rejects our credentials."""
        ...


def hold(stage: Stage, name: str, *, missing: bool = False) -> Hold:
    account = stage.account(name)
    return Hold(target="orders-db", account=account, entitlement=stage.entitlement(missing=missing))


def look_at(stage: Stage, name: str, *receipts: Receipt) -> Seen:
    return stage.target.has(hold(stage, name), receipts, soon())


def grant_to(stage: Stage, name: str) -> Receipt:
    prepared = stage.target.prepare(hold(stage, name), soon())
    return stage.target.grant(hold(stage, name), [prepared], UNTIL, soon())


def revoke_from(stage: Stage, name: str, *receipts: Receipt) -> Seen:
    stage.target.revoke(hold(stage, name), receipts, soon())
    return look_at(stage, name, *receipts)


def skip_without_marks(stage: Stage) -> None:
    if not stage.target.abilities.marks:
        pytest.skip("this target cannot tell whose making access is")


def elsewhere(receipt: Receipt) -> Receipt:
    """Return the receipt as if it had been made at another system."""
    return replace(receipt, system=f"not {receipt.system}")


def test_preparing_makes_nothing_usable(stage: Stage) -> None:
    receipt = stage.target.prepare(hold(stage, "ada"), soon())

    assert not stage.has_it("ada")
    assert receipt.system
    look = look_at(stage, "ada", receipt)
    assert look.presence is Presence.NONE
    assert look.system
    assert look.system.id == receipt.system


def test_a_dry_run_changes_nothing(stage: Stage) -> None:
    stage.target.ready(hold(stage, "ada"), soon())

    assert not stage.has_it("ada")


def test_preparing_again_gives_an_equal_receipt_if_nothing_has_changed(stage: Stage) -> None:
    if stage.target.abilities.marks:
        prepared = [stage.target.prepare(hold(stage, "ada"), soon()) for _ in range(2)]
        assert prepared[0] == prepared[1]


def test_ada_is_granted_what_nobody_has(stage: Stage) -> None:
    assert look_at(stage, "ada").presence is Presence.NONE
    assert stage.target.holders(stage.entitlement(), soon()).holders == ()

    receipt = grant_to(stage, "ada")

    assert stage.has_it("ada")
    look = look_at(stage, "ada", receipt)
    assert look.presence is Presence.OURS
    assert look.receipts == (receipt,)
    [holder] = stage.target.holders(stage.entitlement(), soon()).holders
    assert holder.account == stage.account("ada")
    assert look_at(stage, "bob").presence is Presence.NONE


def test_what_is_marked_is_ours_without_a_receipt_and_gets_one(stage: Stage) -> None:
    skip_without_marks(stage)
    grant_to(stage, "ada")

    look = look_at(stage, "ada")

    assert look.presence is Presence.OURS
    assert look.receipts
    assert revoke_from(stage, "ada", *look.receipts).gone


def test_what_is_not_marked_and_not_named_is_not_ours(stage: Stage) -> None:
    stage.granted_by_an_administrator("bob")

    look = look_at(stage, "bob")

    assert look.presence is Presence.THEIRS
    assert look.receipts == ()


def test_holders_are_told_apart(stage: Stage) -> None:
    skip_without_marks(stage)
    stage.granted_by_an_administrator("bob")
    grant_to(stage, "ada")

    found = stage.target.holders(stage.entitlement(), soon())

    adas = Holder(account=stage.account("ada"), presence=Presence.OURS)
    bobs = Holder(account=stage.account("bob"), presence=Presence.THEIRS)
    assert set(found.holders) == ({adas, bobs} if getattr(stage, "lists_others", True) else {adas})
    assert found.system == look_at(stage, "ada").system


def test_granting_again_changes_nothing(stage: Stage) -> None:
    receipt = grant_to(stage, "ada")
    before = stage.target.holders(stage.entitlement(), soon())

    for until in (UNTIL, None):
        assert stage.target.grant(hold(stage, "ada"), [receipt], until, soon()) == receipt

    assert stage.target.holders(stage.entitlement(), soon()) == before


def test_what_was_granted_is_revoked_from_her_alone(stage: Stage) -> None:
    hers, carols = grant_to(stage, "ada"), grant_to(stage, "carol")

    assert revoke_from(stage, "ada", hers).gone

    assert not stage.has_it("ada")
    assert stage.has_it("carol")
    assert look_at(stage, "carol", carols).presence is Presence.OURS


def test_revoking_what_is_gone_is_success(stage: Stage) -> None:
    stage.target.revoke(hold(stage, "ada"), [], soon())
    receipt = grant_to(stage, "ada")
    for _ in range(2):
        assert revoke_from(stage, "ada", receipt).gone


def test_a_receipt_that_was_only_prepared_can_be_revoked(stage: Stage) -> None:
    """A worker may die before it grants."""
    receipt = stage.target.prepare(hold(stage, "ada"), soon())

    assert revoke_from(stage, "ada", receipt).gone


def test_without_rotakey_it_stays_and_a_file_of_open_holds_is_enough_to_revoke_it(stage: Stage) -> None:
    kept = Kept(hold=hold(stage, "ada"), receipts=(grant_to(stage, "ada"),), at=UNTIL)
    assert stage.has_it("ada")

    from_file = read_line(line_of(kept))
    for _ in range(2):
        assert revoke_kept(from_file, lambda _: stage.target, soon()).trouble == ""
        assert not stage.has_it("ada")


def test_she_can_be_granted_it_again(stage: Stage) -> None:
    for _ in range(2):
        assert revoke_from(stage, "ada", grant_to(stage, "ada")).gone

    assert look_at(stage, "ada", grant_to(stage, "ada")).presence is Presence.OURS


def test_what_bob_has_from_an_administrator_is_not_revoked(stage: Stage) -> None:
    stage.granted_by_an_administrator("bob")

    assert revoke_from(stage, "bob").presence is Presence.THEIRS
    assert stage.has_it("bob")


@pytest.mark.parametrize("what", ["account", "entitlement", "both"])
def test_what_was_renamed_is_found_and_revoked(stage: Stage, what: str) -> None:
    receipt = grant_to(stage, "ada")
    if what != "entitlement":
        stage.rename_account("ada")
    if what != "account":
        stage.rename_entitlement()

    look = look_at(stage, "ada", receipt)
    assert look.presence is Presence.OURS
    assert [each.system for each in look.receipts] == [receipt.system]

    assert revoke_from(stage, "ada", receipt).gone
    assert not stage.has_it("ada")


def test_what_was_renamed_since_it_was_prepared_is_granted(stage: Stage) -> None:
    receipt = stage.target.prepare(hold(stage, "ada"), soon())
    stage.rename_account("ada")
    stage.rename_entitlement()

    completed = stage.target.grant(hold(stage, "ada"), [receipt], UNTIL, soon())

    assert stage.has_it("ada")
    assert revoke_from(stage, "ada", completed).gone


def test_nothing_is_granted_at_another_system(stage: Stage) -> None:
    receipt = elsewhere(stage.target.prepare(hold(stage, "ada"), soon()))

    with pytest.raises(PermanentFailure, match="rotakey target accept orders-db"):
        stage.target.grant(hold(stage, "ada"), [receipt], UNTIL, soon())

    assert not stage.has_it("ada")


def test_another_system_never_says_gone(stage: Stage) -> None:
    receipt = elsewhere(stage.target.prepare(hold(stage, "ada"), soon()))

    look = look_at(stage, "ada", receipt)

    assert look.presence is Presence.ELSEWHERE
    assert look.receipts == (receipt,)
    assert "rotakey target accept orders-db" in (look.why or "")
    assert not look.gone


def test_at_another_system_only_what_is_marked_by_name_is_revoked(stage: Stage) -> None:
    skip_without_marks(stage)
    hers, carols = grant_to(stage, "ada"), grant_to(stage, "carol")
    stage.rename_account("carol")
    stage.granted_by_an_administrator("bob")
    bobs = stage.target.prepare(hold(stage, "bob"), soon())

    for name, receipt in (("ada", hers), ("bob", bobs), ("carol", carols)):
        assert revoke_from(stage, name, elsewhere(receipt)).presence is Presence.ELSEWHERE

    assert not stage.has_it("ada")
    assert stage.has_it("bob")
    assert stage.has_it("carol")


def test_an_accepted_system_settles_what_is_there(stage: Stage) -> None:
    receipt = grant_to(stage, "ada")
    moved = replace(receipt, moved_from="another")

    look = look_at(stage, "ada", moved)
    assert look.presence is Presence.OURS
    assert look.receipts == (receipt,)

    assert revoke_from(stage, "ada", *look.receipts).gone
    assert not stage.has_it("ada")


def test_a_lost_answer_leaves_what_the_receipt_names(stage: Stage) -> None:
    losing = stage.losing("grant")
    if losing is None:
        pytest.skip("its answers cannot be lost on purpose")
    receipt = losing.prepare(hold(stage, "ada"), soon())
    with pytest.raises(TemporaryFailure):
        losing.grant(hold(stage, "ada"), [receipt], UNTIL, soon())

    assert look_at(stage, "ada", receipt).presence is Presence.OURS
    assert revoke_from(stage, "ada", receipt).gone


def test_nothing_is_granted_too_late(stage: Stage) -> None:
    receipt = stage.target.prepare(hold(stage, "ada"), soon())
    with pytest.raises(TemporaryFailure):
        stage.target.grant(hold(stage, "ada"), [receipt], UNTIL, Deadline.after(0))

    assert not stage.has_it("ada")


def test_an_account_that_is_not_there_is_named(stage: Stage) -> None:
    assert look_at(stage, "nobody here").presence is Presence.NONE
    for call in (stage.target.prepare, stage.target.ready):
        with pytest.raises(PermanentFailure, match=stage.account("nobody here")):
            call(hold(stage, "nobody here"), soon())
    stage.target.revoke(hold(stage, "nobody here"), [], soon())


def test_what_is_not_there_to_grant_is_named(stage: Stage) -> None:
    missing = hold(stage, "ada", missing=True)
    *_, (_, what) = missing.entitlement.what

    assert stage.target.has(missing, [], soon()).presence is Presence.NONE
    assert stage.target.holders(missing.entitlement, soon()).holders == ()
    for call in (stage.target.prepare, stage.target.ready):
        with pytest.raises(PermanentFailure, match=what):
            call(missing, soon())
    stage.target.revoke(missing, [], soon())


CALLS: dict[str, Callable[[Stage, Target, Receipt, Deadline], object]] = {
    "prepare": lambda stage, target, _, by: target.prepare(hold(stage, "ada"), by),
    "grant": lambda stage, target, receipt, by: target.grant(hold(stage, "ada"), [receipt], UNTIL, by),
    "revoke": lambda stage, target, receipt, by: target.revoke(hold(stage, "ada"), [receipt], by),
    "has": lambda stage, target, receipt, by: target.has(hold(stage, "ada"), [receipt], by),
    "holders": lambda stage, target, _, by: target.holders(stage.entitlement(), by),
    "ready": lambda stage, target, _, by: target.ready(hold(stage, "ada"), by),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_target_that_is_down_may_come_back(stage: Stage, call: str) -> None:
    receipt = stage.target.prepare(hold(stage, "ada"), soon())
    with pytest.raises(TemporaryFailure) as raised:
        CALLS[call](stage, stage.down(), receipt, Deadline.after(0.3))
    assert stage.secret not in str(raised.value)


@pytest.mark.parametrize("call", CALLS)
def test_a_target_that_says_nothing_holds_nobody_up(stage: Stage, call: str) -> None:
    receipt = stage.target.prepare(hold(stage, "ada"), soon())
    with pytest.raises(TemporaryFailure):
        CALLS[call](stage, stage.silent(), receipt, Deadline.after(0.2))


@pytest.mark.parametrize("call", CALLS)
def test_refused_credentials_need_a_person(stage: Stage, call: str) -> None:
    receipt = stage.target.prepare(hold(stage, "ada"), soon())
    target = stage.refusing()
    with pytest.raises(PermanentFailure) as raised:
        CALLS[call](stage, target, receipt, soon())
    assert stage.secret not in f"{raised.value} {target!r} {target}"
