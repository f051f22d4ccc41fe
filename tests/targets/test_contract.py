"""The promises of the port for targets, tested with each target."""

from __future__ import annotations

import pkgutil
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

import bot.targets
from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Hold, Presence, Receipt, Seen
from bot.core.kept import Kept, line_of, read_line
from bot.kinds.table import TARGETS
from bot.ports.deadline import Deadline
from bot.ports.target import Holder, Target
from bot.sandbox.stack.servers import Postgres as Server
from bot.targets.postgres.target import Postgres
from bot.testing.postgres import Roles, fresh_roles
from bot.testing.target import FakeTarget
from bot.usecases.access.kept import revoke_kept
from tests.targets.aws_identity_center.stage import on_aws
from tests.targets.command.stage import on_a_program
from tests.targets.okta.stage import on_an_org
from tests.targets.webhook.stage import on_an_endpoint

UNTIL = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
ROLE = Entitlement(target="orders-db", what=(("role", "orders_rw"),))


def soon() -> Deadline:
    return Deadline.after(10)


class Stage(Protocol):
    """A target with one entitlement, and accounts of Ada, Bob and Carol that do not have it."""

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


class PostgresStage:
    secret = "sesame"

    def __init__(self, roles: Roles, silent: int) -> None:
        self._roles = roles
        self._silent = silent
        self._built: list[Postgres] = []
        self.target = self._at(roles.url("rotakey"))

    def account(self, name: str) -> str:
        return self._roles[name]

    def entitlement(self, *, missing: bool = False) -> Entitlement:
        role = self._roles["no such role" if missing else "orders_rw"]
        return Entitlement(target="orders-db", what=(("role", role),))

    def granted_by_an_administrator(self, name: str) -> None:
        self._roles.run("GRANT {orders_rw} TO {" + name + "}")

    def has_it(self, name: str) -> bool:
        return name in self._roles.members()

    def rename_account(self, name: str) -> None:
        self._roles.rename(name)

    def rename_entitlement(self) -> None:
        self._roles.rename("orders_rw")

    def losing(self, verb: str) -> Target | None:
        return None

    def down(self) -> Target:
        return self._at("postgresql://rotakey:sesame@127.0.0.1:1/orders")

    def silent(self) -> Target:
        return self._at(f"postgresql://rotakey:sesame@127.0.0.1:{self._silent}/orders")

    def refusing(self) -> Target:
        return self._at(self._roles.url("rotakey").replace("open%20sesame", "sesame"))

    def _at(self, url: str) -> Postgres:
        self._built.append(Postgres("orders-db", url))
        return self._built[-1]

    def close(self) -> None:
        for target in self._built:
            target.close()


@contextmanager
def on_postgres(server: Server) -> Iterator[Stage]:
    with fresh_roles(server.url) as roles, socket.create_server(("127.0.0.1", 0)) as silent:
        stage = PostgresStage(roles, silent.getsockname()[1])
        yield stage
        stage.close()


class MemoryStage:
    secret = "sesame"

    def __init__(self, *, marks: bool) -> None:
        self._now = UNTIL - timedelta(hours=1)
        self.target: FakeTarget = self._like(marks=marks)
        self._names: dict[str, str] = {}
        self._role = ROLE

    def _like(self, *, marks: bool) -> FakeTarget:
        made = FakeTarget(lambda: self._now, marks=marks)
        made.missing = {"nobody here", "no such role"}
        return made

    def account(self, name: str) -> str:
        return name

    def entitlement(self, *, missing: bool = False) -> Entitlement:
        return replace(ROLE, what=(("role", "no such role"),)) if missing else ROLE

    def granted_by_an_administrator(self, name: str) -> None:
        self.target.give_by_hand(name, ROLE)

    def has_it(self, name: str) -> bool:
        return self._names.get(name, name) in self.target.accounts(self._role["role"])

    def rename_account(self, name: str) -> None:
        self._names[name] = f"{name} renamed"
        self.target.rename(name, self._names[name])

    def rename_entitlement(self) -> None:
        self._role = replace(ROLE, what=(("role", "orders_rw renamed"),))
        self.target.rename_role(ROLE, self._role)

    def losing(self, verb: str) -> Target | None:
        losing = copy(self.target)
        losing.failing, losing.loses_answers = {verb: TemporaryFailure("no answer")}, {verb}
        return losing

    def down(self) -> Target:
        return self._failing(TemporaryFailure("does not answer"))

    def silent(self) -> Target:
        return self._failing(TemporaryFailure("too late"))

    def refusing(self) -> Target:
        return self._failing(PermanentFailure("refuses our credentials"))

    def _failing(self, failure: Exception) -> Target:
        made = self._like(marks=self.target.abilities.marks)
        made.failing = dict.fromkeys(CALLS, failure)
        return made


@contextmanager
def in_memory(marks: bool) -> Iterator[Stage]:
    yield MemoryStage(marks=marks)


STAGES: dict[str, tuple[Callable[..., AbstractContextManager[Stage]], str]] = {
    "postgres": (on_postgres, "newer_server"),
    "postgres-15": (on_postgres, "older_server"),
    "command": (on_a_program, "without_ends"),
    "okta": (on_an_org, "with_a_token"),
    "okta-app": (on_an_org, "with_a_service_app"),
    "aws-identity-center": (on_aws, "aws"),
    "webhook": (on_an_endpoint, "without_ends"),
    "memory": (in_memory, "with_marks"),
    "memory-unmarked": (in_memory, "without_marks"),
}
IN_MEMORY = {"memory"}
"""FakeTarget is not a kind, but tests use it, so it keeps the same promises."""


@pytest.fixture
def with_marks() -> bool:
    return True


@pytest.fixture
def without_ends() -> bool:
    """The suite's end is long over by the clock of a real endpoint."""
    return False


@pytest.fixture
def without_marks() -> bool:
    return False


@pytest.fixture
def with_a_token() -> bool:
    return False


@pytest.fixture
def with_a_service_app() -> bool:
    return True


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    build, server = STAGES[request.param]
    with build(request.getfixturevalue(server)) as stage:
        yield stage


def hold(stage: Stage, name: str, *, missing: bool = False) -> Hold:
    account = stage.account(name)
    return Hold(target="orders-db", account=account, entitlement=stage.entitlement(missing=missing))


def seen(stage: Stage, name: str, *receipts: Receipt) -> Seen:
    return stage.target.has(hold(stage, name), receipts, soon())


def granted(stage: Stage, name: str) -> Receipt:
    prepared = stage.target.prepare(hold(stage, name), soon())
    return stage.target.grant(hold(stage, name), [prepared], UNTIL, soon())


def revoked(stage: Stage, name: str, *receipts: Receipt) -> Seen:
    stage.target.revoke(hold(stage, name), receipts, soon())
    return seen(stage, name, *receipts)


def marked(stage: Stage) -> None:
    if not stage.target.abilities.marks:
        pytest.skip("this target cannot tell whose making access is")


def elsewhere(receipt: Receipt) -> Receipt:
    """Return the receipt as if it had been made at another system."""
    return replace(receipt, system=f"not {receipt.system}")


def test_no_target_is_missing_here() -> None:
    """A stage is named like its kind, or like that with something after it."""
    found = {module.name.replace("_", "-") for module in pkgutil.iter_modules(bot.targets.__path__)}
    kinds = {
        next((kind for kind in found if f"{name}-".startswith(f"{kind}-")), name.partition("-")[0])
        for name in STAGES
    }
    assert found == kinds - IN_MEMORY == set(TARGETS)


def test_the_settings_say_whether_it_can_mark(stage: Stage, request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["stage"]
    if kind.partition("-")[0] not in IN_MEMORY:
        assert TARGETS[kind if kind in TARGETS else kind.partition("-")[0]].settings.marks == (
            stage.target.abilities.marks
        )


def test_preparing_makes_nothing_usable(stage: Stage) -> None:
    receipt = stage.target.prepare(hold(stage, "ada"), soon())

    assert not stage.has_it("ada")
    assert receipt.system
    look = seen(stage, "ada", receipt)
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
    assert seen(stage, "ada").presence is Presence.NONE
    assert stage.target.holders(stage.entitlement(), soon()).holders == ()

    receipt = granted(stage, "ada")

    assert stage.has_it("ada")
    look = seen(stage, "ada", receipt)
    assert look.presence is Presence.OURS
    assert look.receipts == (receipt,)
    [holder] = stage.target.holders(stage.entitlement(), soon()).holders
    assert holder.account == stage.account("ada")
    assert seen(stage, "bob").presence is Presence.NONE


def test_what_is_marked_is_ours_without_a_receipt_and_gets_one(stage: Stage) -> None:
    marked(stage)
    granted(stage, "ada")

    look = seen(stage, "ada")

    assert look.presence is Presence.OURS
    assert look.receipts
    assert revoked(stage, "ada", *look.receipts).gone


def test_what_is_not_marked_and_not_named_is_not_ours(stage: Stage) -> None:
    stage.granted_by_an_administrator("bob")

    look = seen(stage, "bob")

    assert look.presence is Presence.THEIRS
    assert look.receipts == ()


def test_holders_are_told_apart(stage: Stage) -> None:
    marked(stage)
    stage.granted_by_an_administrator("bob")
    granted(stage, "ada")

    found = stage.target.holders(stage.entitlement(), soon())

    assert set(found.holders) == {
        Holder(account=stage.account("ada"), presence=Presence.OURS),
        Holder(account=stage.account("bob"), presence=Presence.THEIRS),
    }
    assert found.system == seen(stage, "ada").system


def test_granting_again_changes_nothing(stage: Stage) -> None:
    receipt = granted(stage, "ada")
    before = stage.target.holders(stage.entitlement(), soon())

    for until in (UNTIL, None):
        assert stage.target.grant(hold(stage, "ada"), [receipt], until, soon()) == receipt

    assert stage.target.holders(stage.entitlement(), soon()) == before


def test_what_was_granted_is_revoked_from_her_alone(stage: Stage) -> None:
    hers, carols = granted(stage, "ada"), granted(stage, "carol")

    assert revoked(stage, "ada", hers).gone

    assert not stage.has_it("ada")
    assert stage.has_it("carol")
    assert seen(stage, "carol", carols).presence is Presence.OURS


def test_revoking_what_is_gone_is_success(stage: Stage) -> None:
    stage.target.revoke(hold(stage, "ada"), [], soon())
    receipt = granted(stage, "ada")
    for _ in range(2):
        assert revoked(stage, "ada", receipt).gone


def test_a_receipt_that_was_only_prepared_can_be_revoked(stage: Stage) -> None:
    """A worker may die before it grants."""
    receipt = stage.target.prepare(hold(stage, "ada"), soon())

    assert revoked(stage, "ada", receipt).gone


def test_without_rotakey_it_stays_and_a_file_of_open_holds_is_enough_to_revoke_it(stage: Stage) -> None:
    kept = Kept(hold=hold(stage, "ada"), receipts=(granted(stage, "ada"),), at=UNTIL)
    assert stage.has_it("ada")

    from_file = read_line(line_of(kept))
    for _ in range(2):
        assert revoke_kept(from_file, lambda _: stage.target, soon()).trouble == ""
        assert not stage.has_it("ada")


def test_she_can_be_granted_it_again(stage: Stage) -> None:
    for _ in range(2):
        assert revoked(stage, "ada", granted(stage, "ada")).gone

    assert seen(stage, "ada", granted(stage, "ada")).presence is Presence.OURS


def test_what_bob_has_from_an_administrator_is_not_revoked(stage: Stage) -> None:
    stage.granted_by_an_administrator("bob")

    assert revoked(stage, "bob").presence is Presence.THEIRS
    assert stage.has_it("bob")


@pytest.mark.parametrize("what", ["account", "entitlement", "both"])
def test_what_was_renamed_is_found_and_revoked(stage: Stage, what: str) -> None:
    receipt = granted(stage, "ada")
    if what != "entitlement":
        stage.rename_account("ada")
    if what != "account":
        stage.rename_entitlement()

    look = seen(stage, "ada", receipt)
    assert look.presence is Presence.OURS
    assert [each.system for each in look.receipts] == [receipt.system]

    assert revoked(stage, "ada", receipt).gone
    assert not stage.has_it("ada")


def test_what_was_renamed_since_it_was_prepared_is_granted(stage: Stage) -> None:
    receipt = stage.target.prepare(hold(stage, "ada"), soon())
    stage.rename_account("ada")
    stage.rename_entitlement()

    completed = stage.target.grant(hold(stage, "ada"), [receipt], UNTIL, soon())

    assert stage.has_it("ada")
    assert revoked(stage, "ada", completed).gone


def test_nothing_is_granted_at_another_system(stage: Stage) -> None:
    receipt = elsewhere(stage.target.prepare(hold(stage, "ada"), soon()))

    with pytest.raises(PermanentFailure, match="rotakey target accept orders-db"):
        stage.target.grant(hold(stage, "ada"), [receipt], UNTIL, soon())

    assert not stage.has_it("ada")


def test_another_system_never_says_gone(stage: Stage) -> None:
    receipt = elsewhere(stage.target.prepare(hold(stage, "ada"), soon()))

    look = seen(stage, "ada", receipt)

    assert look.presence is Presence.ELSEWHERE
    assert look.receipts == (receipt,)
    assert "rotakey target accept orders-db" in (look.why or "")
    assert not look.gone


def test_at_another_system_only_what_is_marked_by_name_is_revoked(stage: Stage) -> None:
    marked(stage)
    hers, carols = granted(stage, "ada"), granted(stage, "carol")
    stage.rename_account("carol")
    stage.granted_by_an_administrator("bob")
    bobs = stage.target.prepare(hold(stage, "bob"), soon())

    for name, receipt in (("ada", hers), ("bob", bobs), ("carol", carols)):
        assert revoked(stage, name, elsewhere(receipt)).presence is Presence.ELSEWHERE

    assert not stage.has_it("ada")
    assert stage.has_it("bob")
    assert stage.has_it("carol")


def test_an_accepted_system_settles_what_is_there(stage: Stage) -> None:
    receipt = granted(stage, "ada")
    moved = replace(receipt, moved_from="another")

    look = seen(stage, "ada", moved)
    assert look.presence is Presence.OURS
    assert look.receipts == (receipt,)

    assert revoked(stage, "ada", *look.receipts).gone
    assert not stage.has_it("ada")


def test_a_lost_answer_leaves_what_the_receipt_names(stage: Stage) -> None:
    losing = stage.losing("grant")
    if losing is None:
        pytest.skip("its answers cannot be lost on purpose")
    receipt = losing.prepare(hold(stage, "ada"), soon())
    with pytest.raises(TemporaryFailure):
        losing.grant(hold(stage, "ada"), [receipt], UNTIL, soon())

    assert seen(stage, "ada", receipt).presence is Presence.OURS
    assert revoked(stage, "ada", receipt).gone


def test_nothing_is_granted_too_late(stage: Stage) -> None:
    receipt = stage.target.prepare(hold(stage, "ada"), soon())
    with pytest.raises(TemporaryFailure):
        stage.target.grant(hold(stage, "ada"), [receipt], UNTIL, Deadline.after(0))

    assert not stage.has_it("ada")


def test_an_account_that_is_not_there_is_named(stage: Stage) -> None:
    assert seen(stage, "nobody here").presence is Presence.NONE
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
