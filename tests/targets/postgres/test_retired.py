"""A target that access.yaml no longer describes the same way keeps no connection to its database."""

from __future__ import annotations

import pytest

from bot import config
from bot.core.catalog import version_of
from bot.core.holds import Presence
from bot.ports.documents import PolicyInForce, PolicyText
from bot.testing.polling import until
from bot.testing.postgres import Roles
from bot.wiring.adapters import Adapters
from tests.targets.postgres.scenes import orders_rw, presence

POLICY = """
targets: {{orders-db: {target}}}
resources:
  prod-db: {{title: Orders, gives: [{{target: orders-db, role: orders_rw}}], approvers: [U02BOB]}}
"""
AS_IT_WAS = POLICY.format(target='{kind: postgres, url: "${ORDERS_DB_URL}"}')
CHANGED = POLICY.format(target='{kind: postgres, url: "${ORDERS_DB_URL}", sessions: keep}')
CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"


def connected(roles: Roles) -> int:
    [(count,)] = roles.admin.execute(CONNECTED, (roles["rotakey"],)).fetchall()
    return int(count)


@pytest.mark.parametrize(("then", "left"), [(CHANGED, 0), (AS_IT_WAS, 1), (AS_IT_WAS + "# indeed\n", 1)])
def test_only_what_has_changed_is_let_go(roles: Roles, then: str, left: int) -> None:
    environ = {"ORDERS_DB_URL": roles.url("rotakey")}
    adapters = Adapters(config.Environment.read(environ), environ, config.load(AS_IT_WAS, environ=environ))
    assert presence(adapters.target("orders-db"), orders_rw(roles, "ada")) is Presence.NONE
    assert connected(roles) == 1
    adapters.follow(PolicyInForce(version=version_of(then)), PolicyText(text=then))
    until(lambda: connected(roles) == left)
    assert presence(adapters.target("orders-db"), orders_rw(roles, "ada")) is Presence.NONE
    adapters.close()
