"""What every target promises, told of each of them."""

from __future__ import annotations

import pkgutil
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Protocol

import pytest

import bot.targets
from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Hold, Presence
from bot.ports import Deadline, Holder, Target
from bot.sandbox.servers import Postgres as Server
from bot.targets.postgres import Postgres
from bot.testing.postgres import Roles, fresh_roles

UNTIL = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)


def soon() -> Deadline:
    return Deadline.after(10)


class Stage(Protocol):
    """A target with one entitlement, and accounts of Ada, Bob and Carol that have not got it."""

    secret: str
    """Must not be in any message."""

    @property
    def target(self) -> Target: ...

    def account(self, name: str) -> str: ...

    def entitlement(self, *, missing: bool = False) -> Entitlement: ...

    def given_by_an_administrator(self, name: str) -> None: ...

    def down(self) -> Target:
        """The same, but nothing is there."""
        ...

    def silent(self) -> Target:
        """The same, but it lets us in and says nothing."""
        ...

    def refusing(self) -> Target:
        """The same, but our credentials are not taken."""
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

    def given_by_an_administrator(self, name: str) -> None:
        self._roles.run("GRANT {orders_rw} TO {" + name + "}")

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


STAGES: dict[str, tuple[Callable[..., AbstractContextManager[Stage]], str]] = {
    "postgres": (on_postgres, "server"),
    "postgres-15": (on_postgres, "older_server"),
}


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    build, server = STAGES[request.param]
    with build(request.getfixturevalue(server)) as stage:
        yield stage


def hold(stage: Stage, name: str, *, missing: bool = False) -> Hold:
    account = stage.account(name)
    return Hold(target="orders-db", account=account, entitlement=stage.entitlement(missing=missing))


def shown(stage: Stage, name: str) -> Presence:
    return stage.target.has(hold(stage, name), soon())


def test_no_target_is_missing_here() -> None:
    found = {module.name for module in pkgutil.iter_modules(bot.targets.__path__)}
    assert found == {name.partition("-")[0] for name in STAGES}


def test_ada_is_given_what_nobody_has(stage: Stage) -> None:
    assert shown(stage, "ada") is Presence.NONE
    assert stage.target.holders(stage.entitlement(), soon()) == ()

    stage.target.give(hold(stage, "ada"), UNTIL, soon())

    assert shown(stage, "ada") in {Presence.OURS, Presence.UNKNOWN}
    [holder] = stage.target.holders(stage.entitlement(), soon())
    assert holder.account == stage.account("ada")
    assert shown(stage, "bob") is Presence.NONE


def test_what_is_marked_is_known_as_ours(stage: Stage) -> None:
    if not stage.target.abilities.marks:
        pytest.skip("this target cannot tell whose making access is")
    stage.given_by_an_administrator("bob")
    stage.target.give(hold(stage, "ada"), UNTIL, soon())

    assert shown(stage, "ada") is Presence.OURS
    assert shown(stage, "bob") is Presence.THEIRS
    assert set(stage.target.holders(stage.entitlement(), soon())) == {
        Holder(account=stage.account("ada"), presence=Presence.OURS),
        Holder(account=stage.account("bob"), presence=Presence.THEIRS),
    }


def test_giving_again_changes_nothing(stage: Stage) -> None:
    stage.target.give(hold(stage, "ada"), UNTIL, soon())
    before = stage.target.holders(stage.entitlement(), soon())

    stage.target.give(hold(stage, "ada"), UNTIL, soon())
    stage.target.give(hold(stage, "ada"), None, soon())

    assert stage.target.holders(stage.entitlement(), soon()) == before


def test_what_was_given_is_taken_from_her_alone(stage: Stage) -> None:
    stage.target.give(hold(stage, "ada"), UNTIL, soon())
    stage.target.give(hold(stage, "carol"), UNTIL, soon())

    stage.target.take(hold(stage, "ada"), soon())

    assert shown(stage, "ada") is Presence.NONE
    assert shown(stage, "carol") is not Presence.NONE


def test_taking_what_is_gone_is_success(stage: Stage) -> None:
    stage.target.take(hold(stage, "ada"), soon())
    stage.target.give(hold(stage, "ada"), UNTIL, soon())
    stage.target.take(hold(stage, "ada"), soon())
    stage.target.take(hold(stage, "ada"), soon())

    assert shown(stage, "ada") is Presence.NONE


def test_she_can_be_given_it_again(stage: Stage) -> None:
    for _ in range(2):
        stage.target.give(hold(stage, "ada"), UNTIL, soon())
        stage.target.take(hold(stage, "ada"), soon())
    stage.target.give(hold(stage, "ada"), UNTIL, soon())

    assert shown(stage, "ada") is not Presence.NONE


def test_what_bob_has_from_an_administrator_is_not_taken(stage: Stage) -> None:
    if not stage.target.abilities.marks:
        pytest.skip("this target cannot tell whose making access is")
    stage.given_by_an_administrator("bob")

    stage.target.take(hold(stage, "bob"), soon())

    assert shown(stage, "bob") is Presence.THEIRS


def test_nothing_is_given_too_late(stage: Stage) -> None:
    with pytest.raises(TemporaryFailure):
        stage.target.give(hold(stage, "ada"), UNTIL, Deadline.after(0))

    assert shown(stage, "ada") is Presence.NONE


def test_an_account_that_is_not_there_is_named(stage: Stage) -> None:
    assert shown(stage, "nobody here") is Presence.NONE
    with pytest.raises(PermanentFailure, match=stage.account("nobody here")):
        stage.target.give(hold(stage, "nobody here"), UNTIL, soon())
    stage.target.take(hold(stage, "nobody here"), soon())


def test_what_is_not_there_to_give_is_named(stage: Stage) -> None:
    missing = hold(stage, "ada", missing=True)
    [(_, what)] = missing.entitlement.what

    assert stage.target.has(missing, soon()) is Presence.NONE
    assert stage.target.holders(missing.entitlement, soon()) == ()
    with pytest.raises(PermanentFailure, match=what):
        stage.target.give(missing, UNTIL, soon())
    stage.target.take(missing, soon())


CALLS: dict[str, Callable[[Stage, Target, Deadline], object]] = {
    "give": lambda stage, target, by: target.give(hold(stage, "ada"), UNTIL, by),
    "take": lambda stage, target, by: target.take(hold(stage, "ada"), by),
    "has": lambda stage, target, by: target.has(hold(stage, "ada"), by),
    "holders": lambda stage, target, by: target.holders(stage.entitlement(), by),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_target_that_is_down_may_come_back(stage: Stage, call: str) -> None:
    with pytest.raises(TemporaryFailure) as told:
        CALLS[call](stage, stage.down(), Deadline.after(0.5))
    assert stage.secret not in str(told.value)


@pytest.mark.parametrize("call", CALLS)
def test_a_target_that_says_nothing_holds_nobody_up(stage: Stage, call: str) -> None:
    with pytest.raises(TemporaryFailure):
        CALLS[call](stage, stage.silent(), Deadline.after(0.2))


@pytest.mark.parametrize("call", CALLS)
def test_refused_credentials_need_a_person(stage: Stage, call: str) -> None:
    target = stage.refusing()
    with pytest.raises(PermanentFailure) as told:
        CALLS[call](stage, target, soon())
    assert stage.secret not in f"{told.value} {target!r} {target}"
