"""The promises of the port for targets, tested with each target. The tests are in bot/testing."""

from __future__ import annotations

import pkgutil
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from dataclasses import replace
from datetime import timedelta

import pytest

import bot.targets
from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.kinds.table import TARGETS
from bot.ports.target import Target
from bot.sandbox.stack.servers import Postgres as Server
from bot.targets.postgres.target import Postgres
from bot.testing.postgres import Roles, fresh_roles
from bot.testing.target import FakeTarget
from bot.testing.target_contract import *  # noqa: F403 -- the tests
from bot.testing.target_contract import CALLS, UNTIL, Stage
from tests.targets.aws_identity_center.stage import on_aws
from tests.targets.command.stage import on_a_program
from tests.targets.okta.stage import on_an_org
from tests.targets.vault.stage import on_vault
from tests.targets.webhook.stage import on_an_endpoint

ROLE = Entitlement(target="orders-db", what=(("role", "orders_rw"),))


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
    "vault": (on_vault, "openbao"),
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
