"""An org, its server, and our target there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.core.catalog import Entitlement
from bot.core.holds import Hold
from bot.doubles.okta import Org, Served, serve
from bot.ports.target import Target
from tests.targets.okta.stage import GROUP, login, made_from, peopled


@pytest.fixture
def org() -> Org:
    return peopled()


@pytest.fixture
def served(org: Org) -> Iterator[Served]:
    with serve(org) as served:
        yield served


@pytest.fixture
def target(served: Served) -> Target:
    return made_from(served.url)


@pytest.fixture
def hold() -> Hold:
    entitlement = Entitlement(target="orders-db", what=(("group", GROUP),))
    return Hold(target="orders-db", account=login("ada"), entitlement=entitlement)
