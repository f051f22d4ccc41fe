"""Ada, Bob and Carol get roles at a real PostgreSQL, and lose them again."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import psycopg
import pytest
from psycopg import errors, sql

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Hold, Presence, Receipt
from bot.ports.target import Abilities, Holder
from bot.sandbox.stack.servers import Postgres as Server
from bot.targets.postgres import connections, target
from bot.targets.postgres.target import Postgres
from bot.testing.polling import until
from bot.testing.postgres import Roles, fresh_roles
from tests.targets.conftest import Standby
from tests.targets.postgres.scenes import (
    bot,
    granted,
    hold,
    may_take_the_role,
    orders_rw,
    presence,
    soon,
    waits_for_a_lock,
)


def test_it_says_what_it_can_do(roles: Roles) -> None:
    with bot(roles) as ending, bot(roles, "keep") as keeping:
        assert ending.abilities == Abilities(marks=True, keeps_end=False, ends_sessions=True)
        assert keeping.abilities == Abilities(marks=True, keeps_end=False, ends_sessions=False)


def test_ada_can_use_what_she_is_given_at_once(roles: Roles, postgres: Postgres) -> None:
    if roles.version >= 160_000:
        roles.run("ALTER ROLE {ada} NOINHERIT")
    ada = roles.session("ada")
    assert not may_take_the_role(roles, ada)

    granted(postgres, orders_rw(roles, "ada"))

    assert may_take_the_role(roles, ada)
    [(inherits,)] = ada.execute("SELECT pg_has_role(%s, 'USAGE')", (roles["orders_rw"],))
    assert inherits
    assert roles.members() == {"ada": {"rotakey"}}


def test_she_cannot_give_it_on(roles: Roles, postgres: Postgres) -> None:
    granted(postgres, orders_rw(roles, "ada"))

    with pytest.raises(errors.InsufficientPrivilege):
        roles.run("GRANT {orders_rw} TO {bob}", by=roles.session("ada"))


def test_names_may_be_anything_a_name_can_be(roles: Roles, postgres: Postgres) -> None:
    hostile = 'a"; DROP ROLE x; --'
    longest = "é" * 30 + "\";'"  # 63 bytes
    for name in (hostile, longest):
        roles.admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
    try:
        roles.admin.execute(
            sql.SQL("GRANT {} TO {} WITH ADMIN OPTION").format(
                sql.Identifier(hostile), sql.Identifier(roles["rotakey"])
            )
        )
        granted(postgres, hold(longest, hostile))
        assert presence(postgres, hold(longest, hostile)) is Presence.OURS
        postgres.revoke(hold(longest, hostile), [], soon())
        assert presence(postgres, hold(longest, hostile)) is Presence.NONE
    finally:
        for name in (hostile, longest):
            roles.admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.mark.parametrize("name", ["x" * 64, "é" * 32, "a\0b", "", "\ud800"])
def test_a_name_that_cannot_be_one_is_never_sent(name: str) -> None:
    nowhere = Postgres("orders-db", "postgresql://127.0.0.1:1/")
    for impossible in (hold(name, "orders_rw"), hold("ada", name)):
        with pytest.raises(PermanentFailure, match=r"63 bytes|is not a valid name"):
            granted(nowhere, impossible)
        with pytest.raises(PermanentFailure, match=r"63 bytes|is not a valid name"):
            nowhere.has(impossible, [], soon())
        nowhere.revoke(impossible, [], soon())
    with pytest.raises(PermanentFailure, match=r"63 bytes|is not a valid name"):
        nowhere.holders(hold("ada", name).entitlement, soon())


def test_what_an_administrator_granted_beside_ours_stays(newer: Roles) -> None:
    with bot(newer) as postgres:
        receipts = granted(postgres, orders_rw(newer, "bob"))
        newer.run("GRANT {orders_rw} TO {bob}")
        bob = newer.session("bob")
        assert presence(postgres, orders_rw(newer, "bob"), receipts) is Presence.OURS

        postgres.revoke(orders_rw(newer, "bob"), receipts, soon())

        seen = postgres.has(orders_rw(newer, "bob"), receipts, soon())
        assert (seen.presence, seen.grantor, seen.gone) == (Presence.THEIRS, "postgres", True)
        assert newer.members() == {"bob": {"postgres"}}
        assert may_take_the_role(newer, bob)


def test_what_somebody_else_may_only_grant_on_is_no_access(newer: Roles) -> None:
    newer.run("GRANT {orders_rw} TO {carol} WITH ADMIN OPTION, INHERIT FALSE, SET FALSE")
    with bot(newer) as postgres:
        assert presence(postgres, orders_rw(newer, "carol")) is Presence.NONE
        assert postgres.holders(orders_rw(newer, "carol").entitlement, soon()).holders == ()


@pytest.mark.parametrize("options", ["INHERIT FALSE, SET FALSE", "INHERIT FALSE, SET FALSE, ADMIN TRUE"])
def test_what_is_ours_but_of_no_use_is_granted_again(newer: Roles, options: str) -> None:
    """An interrupted revocation leaves such a membership, and the role may be granted again then."""
    with bot(newer) as postgres:
        receipts = granted(postgres, orders_rw(newer, "ada"))
        newer.run("GRANT {orders_rw} TO {ada} WITH " + options + " GRANTED BY {rotakey}")
        ada = newer.session("ada")
        assert not may_take_the_role(newer, ada)
        assert presence(postgres, orders_rw(newer, "ada"), receipts) is Presence.USELESS
        assert presence(postgres, orders_rw(newer, "ada")) is Presence.USELESS

        receipts = granted(postgres, orders_rw(newer, "ada"))

        assert presence(postgres, orders_rw(newer, "ada"), receipts) is Presence.OURS
        assert may_take_the_role(newer, ada)


@pytest.mark.parametrize("sessions", ["end", "keep"])
def test_what_hangs_on_ours_goes_with_it(newer: Roles, sessions: Literal["end", "keep"]) -> None:
    with bot(newer, sessions) as postgres:
        granted(postgres, orders_rw(newer, "ada"))
        newer.run("GRANT {orders_rw} TO {ada} WITH ADMIN OPTION GRANTED BY {rotakey}")
        newer.run("GRANT {orders_rw} TO {bob}", by=newer.session("ada"))

        postgres.revoke(orders_rw(newer, "ada"), [], soon())

        assert newer.members() == {}


def test_access_through_another_role_does_not_count(roles: Roles, postgres: Postgres) -> None:
    roles.create("dba")
    roles.run("GRANT {orders_rw} TO {dba}; GRANT {dba} TO {bob}")
    assert presence(postgres, orders_rw(roles, "bob")) is Presence.NONE

    granted(postgres, orders_rw(roles, "bob"))
    postgres.revoke(orders_rw(roles, "bob"), [], soon())

    assert roles.members() == {"dba": {"postgres"}}


def test_strays_are_among_the_holders(roles: Roles, postgres: Postgres) -> None:
    granted(postgres, orders_rw(roles, "ada"))
    roles.run("GRANT {orders_rw} TO {bob}")
    roles.run("GRANT {orders_rw} TO {carol}", by=roles.session("rotakey"))

    assert postgres.holders(orders_rw(roles, "ada").entitlement, soon()).holders == (
        Holder(account=roles["ada"], presence=Presence.OURS),
        Holder(account=roles["bob"], presence=Presence.THEIRS),
        Holder(account=roles["carol"], presence=Presence.OURS),
    )


def test_a_superuser_has_every_role_there_is(roles: Roles, postgres: Postgres) -> None:
    roles.run("ALTER ROLE {bob} SUPERUSER")

    seen = postgres.has(orders_rw(roles, "bob"), [], soon())
    assert (seen.presence, seen.grantor) == (Presence.THEIRS, "SUPERUSER")
    assert presence(postgres, hold(roles["bob"], "no such role")) is Presence.NONE
    with pytest.raises(PermanentFailure, match="is a superuser"):
        postgres.prepare(orders_rw(roles, "bob"), soon())


def test_nobody_has_access_as_the_bot_itself(roles: Roles, postgres: Postgres) -> None:
    with pytest.raises(PermanentFailure, match="the bot's own role"):
        granted(postgres, orders_rw(roles, "rotakey"))


CALLS: dict[str, Callable[[Postgres, Hold, list[Receipt]], object]] = {
    "prepare": lambda target, hold, _: target.prepare(hold, soon()),
    "grant": lambda target, hold, receipts: target.grant(hold, receipts, None, soon()),
    "revoke": lambda target, hold, receipts: target.revoke(hold, receipts, soon()),
    "has": lambda target, hold, receipts: target.has(hold, receipts, soon()),
    "holders": lambda target, hold, _: target.holders(hold.entitlement, soon()),
    "ready": lambda target, hold, _: target.ready(hold, soon()),
}


ANY = Receipt(system="1", facts={"role": "1", "member": "2", "grantor": "3"})


class TestSuperuserLogin:
    """A login as a superuser: PostgreSQL records its grants as those of the first superuser."""

    @pytest.mark.parametrize("call", CALLS)
    def test_it_is_refused_with_the_sql_that_makes_the_right_role(
        self, roles: Roles, server: Server, call: str
    ) -> None:
        roles.run("GRANT {orders_rw} TO {bob}")
        superuser = Postgres("orders-db", server.url)
        nobody = hold("nobody", roles["orders_rw"])
        for each in (orders_rw(roles, "bob"), nobody):
            with pytest.raises(PermanentFailure, match="connects as a superuser") as raised:
                CALLS[call](superuser, each, [ANY])
        superuser.close()
        assert roles.members() == {"bob": {"postgres"}}

        statements = _statements_in(raised.value)
        assert statements[0].startswith("CREATE ROLE rotakey LOGIN PASSWORD '…';")
        try:
            for statement in statements:
                roles.admin.execute(sql.SQL(statement))
            right = Postgres("orders-db", server.url_for("rotakey", "…"))
            right.ready(orders_rw(roles, "ada"), soon())
            right.close()
        finally:
            roles.admin.execute("DROP ROLE rotakey")

    @pytest.mark.parametrize("call", [call for call in CALLS if call != "grant"])
    def test_one_that_became_a_superuser_is_refused_and_healed_by_the_sql(
        self, roles: Roles, postgres: Postgres, call: str
    ) -> None:
        receipts = granted(postgres, orders_rw(roles, "ada"))
        roles.run("ALTER ROLE {rotakey} SUPERUSER")
        with pytest.raises(PermanentFailure, match="connects as a superuser") as raised:
            CALLS[call](postgres, orders_rw(roles, "ada"), receipts)
        assert roles.members() == {"ada": {"rotakey"}}

        for statement in _statements_in(raised.value):
            roles.admin.execute(sql.SQL(statement))
        postgres.revoke(orders_rw(roles, "ada"), receipts, soon())
        assert postgres.has(orders_rw(roles, "ada"), receipts, soon()).gone
        assert roles.members() == {}


def test_the_bot_does_not_have_what_it_may_grant(roles: Roles, postgres: Postgres) -> None:
    assert presence(postgres, orders_rw(roles, "rotakey")) is Presence.NONE


def test_a_standby_is_not_the_place_to_grant(roles: Roles, standby: Standby) -> None:
    target = Postgres("orders-db", standby.url_of(roles.url("rotakey")))
    for call in CALLS.values():
        with pytest.raises(TemporaryFailure, match="this server is a standby"):
            call(target, orders_rw(roles, "ada"), [ANY])
    target.close()


class TestRefused:
    def test_it_says_how_to_let_the_bot_give(self, roles: Roles, postgres: Postgres) -> None:
        roles.run("REVOKE {orders_rw} FROM {rotakey}")
        with pytest.raises(PermanentFailure) as told:
            granted(postgres, orders_rw(roles, "ada"))

        roles.admin.execute(_sql_in(told.value))
        granted(postgres, orders_rw(roles, "ada"))

    def test_it_says_before_giving_that_it_could_not_end_sessions(
        self, roles: Roles, postgres: Postgres
    ) -> None:
        roles.run("REVOKE pg_signal_backend FROM {rotakey}")
        with pytest.raises(PermanentFailure) as told:
            granted(postgres, orders_rw(roles, "ada"))
        assert roles.members() == {}

        roles.admin.execute(_sql_in(told.value))
        granted(postgres, orders_rw(roles, "ada"))

    def test_it_says_how_to_let_the_bot_take(self, roles: Roles, postgres: Postgres) -> None:
        granted(postgres, orders_rw(roles, "ada"))
        roles.session("ada")
        roles.run("REVOKE pg_signal_backend FROM {rotakey}")
        with pytest.raises(PermanentFailure) as told:
            postgres.revoke(orders_rw(roles, "ada"), [], soon())

        roles.admin.execute(_sql_in(told.value))
        postgres.revoke(orders_rw(roles, "ada"), [], soon())


def _sql_in(failure: Exception) -> sql.SQL:
    """Return the statement that the message says to run."""
    [statement] = _statements_in(failure)
    return sql.SQL(statement)


def _statements_in(failure: Exception) -> list[str]:
    return re.findall(r"((?:GRANT|REVOKE|CREATE|ALTER) [^;]*;)", str(failure).partition("run ")[2])


def test_a_role_that_is_dropped_meanwhile_needs_no_revoking(roles: Roles, postgres: Postgres) -> None:
    granted(postgres, orders_rw(roles, "ada"))
    granted(postgres, orders_rw(roles, "bob"))

    roles.run("DROP ROLE {ada}")
    postgres.revoke(orders_rw(roles, "ada"), [], soon())
    roles.run("DROP ROLE {orders_rw}")
    postgres.revoke(orders_rw(roles, "bob"), [], soon())


def test_an_account_that_is_dropped_at_this_moment_needs_no_revoking(
    roles: Roles, postgres: Postgres
) -> None:
    granted(postgres, orders_rw(roles, "ada"))
    roles.run("BEGIN; DROP ROLE {ada}")
    with ThreadPoolExecutor(1) as pool:
        taking = pool.submit(postgres.revoke, orders_rw(roles, "ada"), [], soon())
        with psycopg.connect(roles.url("bob"), autocommit=True) as bob:
            until(lambda: waits_for_a_lock(bob))
        roles.run("COMMIT")
        taking.result()

    assert roles.members() == {}


def test_many_at_once_do_not_disturb_each_other(roles: Roles) -> None:
    people = [f"person {number}" for number in range(12)]
    for each in people:
        roles.login(each)

    def comes_and_stays(name: str) -> None:
        with bot(roles) as postgres:
            granted(postgres, orders_rw(roles, name))
            postgres.revoke(orders_rw(roles, name), [], soon())
            granted(postgres, orders_rw(roles, name))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(comes_and_stays, [*people, *people[:4], *people[:4]]))

    assert roles.members() == {name: {"rotakey"} for name in people}


def test_one_target_serves_many_threads(roles: Roles, postgres: Postgres) -> None:
    def comes_and_goes(name: str) -> None:
        for _ in range(3):
            granted(postgres, orders_rw(roles, name))
            postgres.revoke(orders_rw(roles, name), [], soon())

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(comes_and_goes, ["ada", "bob", "carol"] * 2))

    assert roles.members() == {}
    bots = "SELECT FROM pg_stat_activity WHERE usename = %s"
    until(lambda: len(roles.admin.execute(bots, (roles["rotakey"],)).fetchall()) <= 2)


def test_a_connection_is_not_kept_for_long(
    roles: Roles, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    bots = "SELECT pid FROM pg_stat_activity WHERE usename = %s"
    backends = set()
    for kept_seconds in (30, 30, 0):
        monkeypatch.setattr(connections, "KEPT_SECONDS", kept_seconds)
        presence(postgres, orders_rw(roles, "ada"))
        until(lambda: len(roles.admin.execute(bots, (roles["rotakey"],)).fetchall()) == 1)
        backends |= set(roles.admin.execute(bots, (roles["rotakey"],)).fetchall())

    assert len(backends) == 2


def test_a_connection_that_died_is_made_anew(roles: Roles, postgres: Postgres) -> None:
    granted(postgres, orders_rw(roles, "ada"))
    roles.admin.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
        (roles["rotakey"],),
    )

    assert presence(postgres, orders_rw(roles, "ada")) is Presence.OURS


def test_what_the_administrator_is_told_to_run_is_enough(newer_server: Server) -> None:
    """The statement is run unchanged, by an administrator who is not a superuser."""
    told = re.findall(r"^    (\w+ .*;)$", target.__doc__ or "", re.MULTILINE)
    assert len(told) == 3
    with psycopg.connect(newer_server.url, autocommit=True) as superuser:
        superuser.execute("CREATE ROLE admin LOGIN CREATEROLE PASSWORD 'x'")
        superuser.execute("GRANT pg_signal_backend TO admin WITH ADMIN OPTION")
        with psycopg.connect(newer_server.url_for("admin", "x"), autocommit=True) as admin:
            admin.execute("CREATE ROLE orders_rw; CREATE ROLE ada LOGIN PASSWORD 'x'")
            for statement in told:
                admin.execute(sql.SQL(statement))
        rotakey = Postgres("orders-db", newer_server.url_for("rotakey", "..."))
        ada = psycopg.connect(newer_server.url_for("ada", "x"))

        granted(rotakey, hold("ada", "orders_rw"))
        assert presence(rotakey, hold("ada", "orders_rw")) is Presence.OURS
        rotakey.revoke(hold("ada", "orders_rw"), [], soon())
        assert presence(rotakey, hold("ada", "orders_rw")) is Presence.NONE

        with pytest.raises(psycopg.OperationalError):
            ada.execute("SELECT 1")
        ada.close()
        rotakey.close()
        for role in ("rotakey", "ada", "orders_rw", "admin"):
            superuser.execute(sql.SQL("DROP OWNED BY {r}; DROP ROLE {r}").format(r=sql.Identifier(role)))


def test_before_postgresql_16_one_membership_serves_all(older_server: Server) -> None:
    with fresh_roles(older_server.url) as roles, bot(roles) as postgres:
        granted(postgres, orders_rw(roles, "ada"))
        roles.run("GRANT {orders_rw} TO {ada}")
        ada = roles.session("ada")

        postgres.revoke(orders_rw(roles, "ada"), [], soon())

        assert roles.members() == {}
        with pytest.raises(psycopg.OperationalError):
            ada.execute("SELECT 1")
