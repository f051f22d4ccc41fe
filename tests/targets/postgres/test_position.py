"""The position of a PostgreSQL server, which tells a removal by hand from a failover or a restored backup."""

from __future__ import annotations

import psycopg

from bot.core.holds import Position, Presence
from bot.targets.postgres.target import Postgres
from bot.testing.postgres import Roles
from tests.targets.conftest import Replicated, standing_by
from tests.targets.postgres.scenes import granted, orders_rw, soon


def position(target: Postgres, roles: Roles) -> Position:
    found = target.has(orders_rw(roles, "ada"), (), soon()).position
    assert found
    return found


def test_it_goes_on_in_the_same_timeline(roles: Roles, postgres: Postgres) -> None:
    before = position(postgres, roles)
    kept = granted(postgres, orders_rw(roles, "ada"))
    then = postgres.has(orders_rw(roles, "ada"), kept, soon())
    assert then.presence is Presence.OURS
    assert then.position
    assert then.position.timeline == before.timeline
    assert then.position.at > before.at
    roles.run("REVOKE {orders_rw} FROM {ada} GRANTED BY {rotakey}")
    gone = postgres.has(orders_rw(roles, "ada"), kept, soon())
    assert gone.presence is Presence.NONE
    assert gone.position
    assert gone.position.at > then.position.at


def test_a_standby_that_takes_over_goes_on_in_another_one_at_once(
    server: Replicated, roles: Roles, postgres: Postgres
) -> None:
    """The control file shows the old timeline until a checkpoint."""
    before = position(postgres, roles)
    with standing_by(server) as standby:
        taken_over = Postgres("orders-db", standby.url_of(roles.url("rotakey")))
        roles.admin.execute("CHECKPOINT")
        with psycopg.connect(standby.url, autocommit=True) as admin:
            admin.execute("SELECT pg_promote()")
        after = position(taken_over, roles)
        taken_over.close()
    assert int(after.timeline) > int(before.timeline)


def test_a_restored_backup_is_in_the_past(server: Replicated, roles: Roles, postgres: Postgres) -> None:
    with standing_by(server, alone=True) as restored:
        kept = granted(postgres, orders_rw(roles, "ada"))
        roles.admin.execute("SELECT pg_logical_emit_message(false, 'rotakey', repeat('x', 1000000))")
        now = postgres.has(orders_rw(roles, "ada"), kept, soon()).position
        back = Postgres("orders-db", restored.url_of(roles.url("rotakey")))
        seen = back.has(orders_rw(roles, "ada"), kept, soon())
        back.close()
    assert now
    assert seen.presence is Presence.NONE
    assert seen.position
    assert seen.position.at < now.at
