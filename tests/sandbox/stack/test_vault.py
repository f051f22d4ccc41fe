"""The sandbox's OpenBao, as seen from outside the bot, and what of it outlives the sandbox."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bot.core.catalog import Entitlement
from bot.core.holds import Hold, Presence
from bot.sandbox.stack.openbao import program
from bot.sandbox.stack.system import Wanted
from bot.sandbox.stack.vault import Vault, bots_policy, remove_vault, run_vault
from bot.targets.vault.api import Api
from bot.targets.vault.target import Vault as Target
from tests.targets.postgres.scenes import soon
from tests.targets.vault.server import documented_policy

ADA, DAN = "ada@example.com", "dan@example.com"
ADMIN, BOTH = "prod-admin", "prod-audit,prod-read"
WANTED = Wanted(target="vault", accounts=frozenset([ADA, DAN]), roles=frozenset([ADMIN, BOTH]))
NOBODY: list[object] = []

needs_openbao = pytest.mark.skipif(program() is None, reason="OpenBao is not installed here")


def hold(role: str = ADMIN) -> Hold:
    return Hold(
        target="vault", account=ADA, entitlement=Entitlement(target="vault", what=(("policies", role),))
    )


def target_at(vault: Vault) -> Target:
    return Target("vault", Api("vault", vault.values["url"], vault.values["token"]))


def members(vault: Vault) -> dict[str, list[object]]:
    return {each["role"]: each["members"] for each in vault.state()["roles"]}


def test_the_bots_policy_is_the_documented_one() -> None:
    assert bots_policy([ADMIN, BOTH]) == documented_policy([ADMIN, BOTH])


@needs_openbao
def test_it_shows_what_the_bot_gave_and_what_an_administrator_did(tmp_path: Path) -> None:
    with run_vault(tmp_path, WANTED) as vault:
        target = target_at(vault)
        entitlements = [hold(role).entitlement for role in (ADMIN, BOTH)]
        assert target.warnings(entitlements, [], soon()) == ()
        assert members(vault) == {ADMIN: NOBODY, BOTH: NOBODY}
        receipts = {}
        for role in (ADMIN, BOTH):
            receipts[role] = target.grant(hold(role), [target.prepare(hold(role), soon())], None, soon())
        dan = vault.admin.entities()[DAN]["id"]
        vault.admin.group("auditors", policies=["prod-audit"], member_entity_ids=[dan])
        adas = {"account": ADA, "grantor": "rotakey"}
        assert members(vault) == {ADMIN: [adas], BOTH: [adas]}
        vault.admin.ask("POST", f"identity/entity/id/{dan}", {"policies": ["prod-read"]})
        assert members(vault)[BOTH] == [adas, {"account": DAN, "grantor": "administrator"}]
        state = vault.state()
        assert (state["name"], state["kind"], state["error"]) == ("vault", "vault", None)
        for role, receipt in receipts.items():
            target.revoke(hold(role), [receipt], soon())
        assert members(vault) == {ADMIN: NOBODY, BOTH: [{"account": DAN, "grantor": "administrator"}]}
        vault.admin.ask("PUT", "sys/seal")
        state = vault.state()
        assert state["roles"] == NOBODY
        assert state["error"].startswith("503 Server Error: ")


@needs_openbao
@pytest.mark.parametrize("crash", [False, True])
def test_a_second_start_is_the_same_system_with_the_same_access(tmp_path: Path, crash: bool) -> None:
    with run_vault(tmp_path, WANTED) as vault:
        target = target_at(vault)
        receipt = target.grant(hold(), [target.prepare(hold(), soon())], None, soon())
        old = vault.token
        if crash:
            vault.server.kill()
    carol = "carol@example.com"
    more = Wanted(target="vault", accounts=WANTED.accounts | {carol}, roles=WANTED.roles | {"prod-more"})
    with run_vault(tmp_path, more) as again:
        assert members(again)[ADMIN] == [{"account": ADA, "grantor": "rotakey"}]
        assert set(members(again)) == {ADMIN, BOTH, "prod-more"}
        assert set(again.admin.entities()) == {ADA, DAN, carol}
        assert again.token != old
        assert target_at(again).has(hold(), [receipt], soon()).presence is Presence.OURS
        target_at(again).revoke(hold(), [receipt], soon())
        assert members(again)[ADMIN] == NOBODY


@needs_openbao
def test_the_variables_of_this_shell_lead_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VAULT_ADDR", "BAO_ADDR", "VAULT_API_ADDR", "BAO_API_ADDR", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("BAO_SEAL_TYPE", "transit")
    with run_vault(tmp_path, WANTED) as vault:
        assert members(vault) == {ADMIN: NOBODY, BOTH: NOBODY}


@needs_openbao
def test_only_this_account_can_read_what_it_keeps_and_all_of_it_is_removed(tmp_path: Path) -> None:
    with run_vault(tmp_path, WANTED) as vault:
        keys = tmp_path / "openbao" / "keys.json"
        assert stat.S_IMODE(keys.stat().st_mode) == 0o600
        assert stat.S_IMODE(keys.parent.stat().st_mode) == 0o700
        log = vault.server.log.read_text("utf-8")
        assert not any(each in log + repr(vault) for each in vault.secrets)
        assert len(vault.secrets) == 3
    keys.unlink()
    with run_vault(tmp_path, WANTED) as another:
        assert members(another) == {ADMIN: NOBODY, BOTH: NOBODY}
    remove_vault(tmp_path)
    remove_vault(tmp_path)
    assert list(tmp_path.iterdir()) == []
