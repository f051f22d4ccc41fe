"""The facts about a Redis server that ``rotakey doctor`` shows."""

from __future__ import annotations

import pytest

from bot.core.errors import TemporaryFailure
from bot.ledger.connection import connect
from bot.ledger.server import RedisServer
from bot.ports.ledger import ServerFacts
from bot.testing.valkey import valkey
from tests.ledger.test_checks import EVERY_SECOND, FORGETS, allowed


def test_a_good_one_has_a_name_and_nothing_against_it() -> None:
    with valkey() as server, connect(server.url) as client:
        facts = RedisServer(client).facts()
    assert facts.name.split()[0] in ("Redis", "Valkey")
    assert (facts.objections, facts.warnings, facts.replicas) == ((), (), 0)


@pytest.mark.parametrize(
    ("options", "objections", "warnings"),
    [(["--appendonly", "no"], (FORGETS,), ()), (["--appendfsync", "everysec"], (), (EVERY_SECOND,))],
)
def test_what_is_set_badly_comes_along(
    options: list[str], objections: tuple[str, ...], warnings: tuple[str, ...]
) -> None:
    with valkey(*options) as server, connect(server.url) as client:
        facts = RedisServer(client).facts()
    assert (facts.objections, facts.warnings) == (objections, warnings)


def test_one_that_may_tell_nothing_is_still_a_redis() -> None:
    with valkey() as server, allowed(server.url) as client:
        facts = RedisServer(client).facts()
    assert facts == ServerFacts(name="Redis", warnings=facts.warnings)
    assert facts.warnings[0].startswith("Redis does not report its role, ")


def test_one_that_is_away_is_a_temporary_failure() -> None:
    with connect("unix:///nowhere/socket") as client, pytest.raises(TemporaryFailure):
        RedisServer(client).facts()
