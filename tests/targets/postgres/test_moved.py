"""Access at a PostgreSQL whose roles, login or whole server were replaced after it was granted."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Presence, Receipt
from bot.sandbox.stack.servers import packaged_binaries
from bot.targets.postgres import refusals, revocation
from bot.targets.postgres.target import Postgres
from bot.testing.postgres import Roles, fresh_roles
from tests.targets.conftest import OLDER, Replicated, Upgraded, running, standing_by
from tests.targets.postgres.scenes import (
    alive,
    bot,
    granted,
    hold,
    may_take_the_role,
    orders_rw,
    presence,
    soon,
    with_the_role,
)


@contextmanager
def logged_in_as(roles: Roles, name: str) -> Iterator[Postgres]:
    target = Postgres("orders-db", roles.url(name))
    try:
        yield target
    finally:
        target.close()


def new_login(roles: Roles) -> None:
    roles.login("rotakey two")
    roles.run("GRANT {orders_rw} TO {rotakey two} WITH ADMIN OPTION" + roles.no_use)
    roles.run("GRANT pg_signal_backend TO {rotakey two}")


def sql_in(text: str) -> list[sql.SQL]:
    return [sql.SQL(each) for each in re.findall(r"REVOKE [^;]*;", text)]


class TestRotatedLogin:
    def test_what_the_old_login_granted_is_ours_by_its_receipt(
        self, roles: Roles, postgres: Postgres
    ) -> None:
        kept = granted(postgres, orders_rw(roles, "ada"))
        new_login(roles)
        with logged_in_as(roles, "rotakey two") as rotated:
            assert presence(rotated, orders_rw(roles, "ada"), kept) is Presence.OURS
            assert presence(rotated, orders_rw(roles, "ada")) is Presence.THEIRS

    def test_before_16_the_new_login_revokes_it(self, older_server: Replicated) -> None:
        with fresh_roles(older_server.url) as roles, bot(roles) as postgres:
            kept = granted(postgres, orders_rw(roles, "ada"))
            ada = with_the_role(roles, "ada")
            new_login(roles)
            with logged_in_as(roles, "rotakey two") as rotated:
                rotated.revoke(orders_rw(roles, "ada"), kept, soon())
                assert rotated.has(orders_rw(roles, "ada"), kept, soon()).gone
            assert not alive(ada)

    def test_from_16_on_it_says_what_an_administrator_runs(self, newer: Roles) -> None:
        with bot(newer) as postgres:
            kept = granted(postgres, orders_rw(newer, "ada"))
        new_login(newer)
        with logged_in_as(newer, "rotakey two") as rotated:
            with pytest.raises(PermanentFailure, match=r"may not revoke what .*rotakey.* granted") as raised:
                rotated.revoke(orders_rw(newer, "ada"), kept, soon())
            assert not rotated.has(orders_rw(newer, "ada"), kept, soon()).gone

            [statement] = sql_in(str(raised.value))
            newer.admin.execute(statement)
            assert rotated.has(orders_rw(newer, "ada"), kept, soon()).gone

    def test_from_16_on_a_login_that_inherits_the_old_one_revokes_it(self, newer: Roles) -> None:
        with bot(newer) as postgres:
            kept = granted(postgres, orders_rw(newer, "ada"))
        new_login(newer)
        newer.run("GRANT {rotakey} TO {rotakey two}")
        ada = with_the_role(newer, "ada")
        with logged_in_as(newer, "rotakey two") as rotated:
            rotated.revoke(orders_rw(newer, "ada"), kept, soon())
            assert rotated.has(orders_rw(newer, "ada"), kept, soon()).gone
        assert not alive(ada)

    def test_it_can_be_granted_again_by_the_new_login(self, roles: Roles, postgres: Postgres) -> None:
        kept = granted(postgres, orders_rw(roles, "ada"))
        roles.run(f"REVOKE {{orders_rw}} FROM {{ada}}{' GRANTED BY {rotakey}' * (roles.version >= 160_000)}")
        new_login(roles)
        with logged_in_as(roles, "rotakey two") as rotated:
            completed = rotated.grant(orders_rw(roles, "ada"), kept, None, soon())

            seen = rotated.has(orders_rw(roles, "ada"), [completed], soon())
            assert (seen.presence, seen.receipts) == (Presence.OURS, (completed,))
            assert roles.members()["ada"] == {"rotakey two"}
            rotated.revoke(orders_rw(roles, "ada"), [completed], soon())
            assert "ada" not in roles.members()


def test_before_16_what_a_dropped_login_granted_is_ours_by_its_receipt(older_server: Replicated) -> None:
    with fresh_roles(older_server.url) as roles:
        with bot(roles) as postgres:
            kept = granted(postgres, orders_rw(roles, "ada"))
        roles.run("DROP OWNED BY {rotakey}; DROP ROLE {rotakey}")
        roles.run("CREATE ROLE {rotakey} LOGIN PASSWORD 'open sesame'; GRANT pg_signal_backend TO {rotakey}")
        roles.run("GRANT {orders_rw} TO {rotakey} WITH ADMIN OPTION")
        ada = with_the_role(roles, "ada")
        with bot(roles) as again:
            assert presence(again, orders_rw(roles, "ada"), kept) is Presence.OURS
            unnamed = again.has(orders_rw(roles, "ada"), [], soon())
            assert unnamed.presence is Presence.THEIRS
            assert unnamed.grantor
            assert unnamed.grantor.startswith("a dropped role (oid ")

            again.revoke(orders_rw(roles, "ada"), kept, soon())

            assert again.has(orders_rw(roles, "ada"), kept, soon()).gone
        assert not alive(ada)
        assert "ada" not in roles.members()


def test_a_namesake_of_a_renamed_account_keeps_what_it_has(roles: Roles, postgres: Postgres) -> None:
    kept = granted(postgres, orders_rw(roles, "ada"))
    roles.rename("ada")
    roles.login("ada")
    roles.run("GRANT {orders_rw} TO {ada}")
    ada = roles.session("ada")

    postgres.revoke(orders_rw(roles, "ada"), kept, soon())

    seen = postgres.has(orders_rw(roles, "ada"), kept, soon())
    assert (seen.presence, seen.grantor, seen.gone) == (Presence.THEIRS, "postgres", True)
    assert roles.members() == {"ada": {"postgres"}}
    assert may_take_the_role(roles, ada)


def test_an_account_made_again_since_it_was_prepared_is_prepared_again(
    roles: Roles, postgres: Postgres
) -> None:
    receipt = postgres.prepare(orders_rw(roles, "ada"), soon())
    roles.run("DROP ROLE {ada}; CREATE ROLE {ada} LOGIN")

    with pytest.raises(TemporaryFailure, match="replaced after this was prepared"):
        postgres.grant(orders_rw(roles, "ada"), [receipt], None, soon())

    assert roles.members() == {}
    assert postgres.prepare(orders_rw(roles, "ada"), soon()) != receipt


def test_a_receipt_of_another_kind_is_refused(roles: Roles, postgres: Postgres) -> None:
    system = postgres.prepare(orders_rw(roles, "ada"), soon()).system
    with pytest.raises(PermanentFailure, match="not a PostgreSQL receipt"):
        postgres.has(orders_rw(roles, "ada"), [Receipt(system=system, facts={"group": "7"})], soon())


# -------------------------------------------------------------------------------- another server


def accepted(receipts: list[Receipt], target: Postgres, of: Receipt) -> list[Receipt]:
    """Return the receipts as they are after a person said that the server is the same one, moved."""
    system = target.holders(hold("ada", "orders_rw").entitlement, soon()).system
    assert system
    assert system.id != of.system
    return [replace(each, system=system.id, moved_from=each.system) for each in receipts]


@pytest.fixture
def restored(older_server: Replicated, newer_server: Replicated) -> Iterator[tuple[Roles, list[Receipt]]]:
    """Dump what Ada was granted at one server, restore it into another, and return her receipts."""
    with fresh_roles(older_server.url) as roles:
        with bot(roles) as postgres:
            kept = granted(postgres, orders_rw(roles, "ada"))
        dump = subprocess.run(
            [packaged_binaries() / "pg_dumpall", "--roles-only", "-d", older_server.url],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        mine = [line for line in dump.splitlines() if roles["ada"].partition(" ")[2] in line]
        with psycopg.connect(newer_server.url, autocommit=True) as admin:
            admin.execute(sql.SQL("\n".join(mine)))
            try:
                yield roles.at(newer_server.url, admin), kept
            finally:
                roles.at(newer_server.url, admin).drop()


class TestDumpAndRestore:
    """pg_dumpall of PostgreSQL 15 does not write who granted a membership."""

    def test_it_is_another_system_that_proves_nothing(self, restored: tuple[Roles, list[Receipt]]) -> None:
        roles, kept = restored
        roles.run("GRANT pg_signal_backend TO {rotakey}")
        with bot(roles) as postgres:
            with pytest.raises(PermanentFailure, match="is a different system now"):
                postgres.grant(orders_rw(roles, "ada"), kept, None, soon())
            postgres.revoke(orders_rw(roles, "ada"), kept, soon())

            seen = postgres.has(orders_rw(roles, "ada"), kept, soon())
            assert (seen.presence, seen.gone, seen.receipts) == (Presence.ELSEWHERE, False, tuple(kept))
            assert seen.system
            assert kept[0].system in (seen.why or "")
            assert seen.system.id in (seen.why or "")
            assert roles.members() == {"ada": {"postgres"}}

            [statement] = sql_in(seen.why or "")
            roles.admin.execute(statement)
            assert roles.members() == {}
            assert presence(postgres, orders_rw(roles, "ada"), kept) is Presence.ELSEWHERE

    def test_once_accepted_what_is_there_by_name_is_ours(self, restored: tuple[Roles, list[Receipt]]) -> None:
        roles, kept = restored
        ada = with_the_role(roles, "ada")
        with bot(roles) as postgres:
            moved = accepted(kept, postgres, kept[0])
            seen = postgres.has(orders_rw(roles, "ada"), moved, soon())
            assert seen.presence is Presence.OURS
            [receipt] = seen.receipts
            assert (receipt.system, receipt.moved_from) == (moved[0].system, None)
            assert receipt.facts["grantor_name"] == "postgres"

            with pytest.raises(PermanentFailure) as raised:
                postgres.revoke(orders_rw(roles, "ada"), seen.receipts, soon())
            [statement] = sql_in(str(raised.value))
            assert statement.as_string().endswith('GRANTED BY "postgres";')
            roles.admin.execute(statement)
            assert postgres.has(orders_rw(roles, "ada"), seen.receipts, soon()).sessions == 1
            postgres.revoke(orders_rw(roles, "ada"), seen.receipts, soon())
            assert postgres.has(orders_rw(roles, "ada"), seen.receipts, soon()).gone
        assert not alive(ada)

    @pytest.mark.parametrize("grantor", ["rotakey", "carol"])
    def test_oids_that_belong_to_others_now_do_not_count(
        self, restored: tuple[Roles, list[Receipt]], grantor: str
    ) -> None:
        """Two new servers that are set up alike give the same oids to different accounts."""
        roles, kept = restored
        roles.run("REVOKE {orders_rw} FROM {ada}; GRANT {orders_rw} TO {bob}")
        if grantor == "carol":
            roles.run("DROP ROLE {ada}")
        facts = {"role": roles.oid("orders_rw"), "member": roles.oid("bob"), "grantor": roles.oid(grantor)}
        with bot(roles) as postgres:
            [moved] = accepted(kept, postgres, kept[0])
            clash = replace(moved, facts={**moved.facts, **facts})

            assert postgres.has(orders_rw(roles, "ada"), [clash], soon()).gone
            postgres.revoke(orders_rw(roles, "ada"), [clash], soon())

        assert roles.members() == {"bob": {"postgres"}}


def test_an_upgraded_server_is_another_system_with_the_same_oids() -> None:
    if not OLDER.is_dir():
        pytest.skip("PostgreSQL 15 is not installed here (Debian: apt-get install postgresql-15)")
    with running(OLDER) as old, tempfile.TemporaryDirectory(prefix="rotakey-") as folder:
        with fresh_roles(old.url, stays=True) as roles, bot(roles) as postgres:
            kept = granted(postgres, orders_rw(roles, "ada"))
        old.stop()
        new = Upgraded(Path(folder) / "new", old)
        try:
            new.start()
            with psycopg.connect(new.url, autocommit=True) as admin:
                _after_the_upgrade(roles.at(new.url, admin), kept)
        finally:
            new.remove()


def _after_the_upgrade(roles: Roles, kept: list[Receipt]) -> None:
    with bot(roles) as postgres:
        seen = postgres.has(orders_rw(roles, "ada"), kept, soon())
        assert seen.presence is Presence.ELSEWHERE
        assert [each.as_string() for each in sql_in(seen.why or "")] == [
            f'REVOKE "{roles["orders_rw"]}" FROM "{roles["ada"]}" GRANTED BY "postgres";'
        ]
        roles.rename("ada")  # found by its oid from now on
        moved = accepted(kept, postgres, kept[0])
        found = postgres.has(orders_rw(roles, "ada"), moved, soon())
        assert found.presence is Presence.OURS
        assert [each.facts["member"] for each in found.receipts] == [kept[0].facts["member"]]

        with pytest.raises(PermanentFailure) as raised:
            postgres.revoke(orders_rw(roles, "ada"), moved, soon())
        for statement in sql_in(str(raised.value)):
            roles.admin.execute(statement)
        assert postgres.has(orders_rw(roles, "ada"), found.receipts, soon()).gone
        assert roles.members() == {}


def test_a_restored_backup_is_the_same_system_and_shows_what_was_revoked(
    server: Replicated, roles: Roles, postgres: Postgres
) -> None:
    kept = granted(postgres, orders_rw(roles, "ada"))
    with standing_by(server, alone=True) as restored:
        postgres.revoke(orders_rw(roles, "ada"), kept, soon())
        before = postgres.has(orders_rw(roles, "ada"), kept, soon())
        assert before.gone
        back = Postgres("orders-db", restored.url_of(roles.url("rotakey")))

        seen = back.has(orders_rw(roles, "ada"), kept, soon())
        assert (seen.presence, seen.receipts) == (Presence.OURS, tuple(kept))
        assert seen.system
        assert before.system
        assert seen.system.id == before.system.id
        assert seen.system.instance != before.system.instance

        back.revoke(orders_rw(roles, "ada"), kept, soon())
        assert back.has(orders_rw(roles, "ada"), kept, soon()).gone
        back.close()


def swaps_names(roles: Roles, one: str, other: str) -> None:
    roles.run("ALTER ROLE {" + one + "} RENAME TO in_between")
    roles.run("ALTER ROLE {" + other + "} RENAME TO {" + one + "}")
    roles.run("ALTER ROLE in_between RENAME TO {" + other + "}")


def test_names_that_change_while_we_grant_give_nobody_else_the_role(
    roles: Roles, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = postgres.prepare(orders_rw(roles, "ada"), soon())
    between = iter([lambda: swaps_names(roles, "ada", "bob")])
    find = refusals.grantable

    def found(*arguments: Any, **options: Any) -> Any:
        pair = find(*arguments, **options)
        next(between, lambda: None)()
        return pair

    monkeypatch.setattr("bot.targets.postgres.target.grantable", found)
    postgres.grant(orders_rw(roles, "ada"), [receipt], None, soon())

    assert roles.members() == {"bob": {"rotakey"}}, "her account, as it is called now"


def test_names_that_change_while_we_revoke_leave_everybody_else_the_role(
    roles: Roles, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    hers = granted(postgres, orders_rw(roles, "ada"))
    roles.run("GRANT {orders_rw} TO {bob}")
    between = iter([lambda: swaps_names(roles, "ada", "bob")])
    run = revocation.Revocation.run

    def swapped(this: revocation.Revocation) -> None:
        next(between, lambda: None)()
        run(this)

    monkeypatch.setattr(revocation.Revocation, "run", swapped)
    postgres.revoke(orders_rw(roles, "ada"), hers, soon())

    assert roles.members() == {"ada": {"postgres"}}, "his account, as it is called now"
