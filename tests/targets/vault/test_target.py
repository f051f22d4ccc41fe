"""Vault, whatever it answers, grants what the token's policy lists, to one person, and takes that back."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.holds import Hold, Presence, Receipt, Seen
from bot.ports.deadline import Deadline
from bot.ports.target import Holder
from bot.sandbox.stack.openbao import program
from bot.targets.vault.api import Api
from bot.targets.vault.target import Vault
from tests.targets.vault.relay import Call, Relay
from tests.targets.vault.server import KV_PATH, PAGE, ROOT_TOKEN, Admin, OpenBao, documented_policy
from tests.targets.vault.stage import VaultStage, on_vault

READS = 'path "{}" {{ capabilities = ["read"] }}'


@pytest.fixture
def stage(openbao: OpenBao) -> Iterator[VaultStage]:
    with on_vault(openbao) as stage:
        yield stage


@pytest.fixture
def admin(stage: VaultStage) -> Admin:
    return stage.admin


@pytest.fixture
def relay(stage: VaultStage) -> Relay:
    return stage.relay


@pytest.fixture
def relayed(stage: VaultStage, relay: Relay) -> Vault:
    return stage.vault(relay.url)


def soon(seconds: float = 5) -> Deadline:
    return Deadline.after(seconds)


def hold_of(stage: VaultStage, name: str = "ada", *policies: str) -> Hold:
    what = (("policies", ",".join(sorted(policies)) or stage.policy),)
    return Hold(
        target="orders-db",
        account=stage.account(name),
        entitlement=Entitlement(target="orders-db", what=what),
    )


def granted(stage: VaultStage, name: str = "ada", target: Vault | None = None) -> Receipt:
    vault, hold = target or stage.target, hold_of(stage, name)
    return vault.grant(hold, [vault.prepare(hold, soon())], None, soon())


def seen(stage: VaultStage, *receipts: Receipt, name: str = "ada") -> Seen:
    return stage.target.has(hold_of(stage, name), receipts, soon())


def group_of(stage: VaultStage) -> dict[str, Any]:
    [found] = [each for name, each in stage.admin.groups().items() if name.startswith(f"{stage.prefix}-")]
    return dict(found)


def writes_group(call: Call) -> bool:
    return call[0] == "POST" and call[1].startswith("identity/group/name/")


# -------------------------------------------------------------------------- what a person has, and loses


def test_a_token_that_is_in_use_gets_it_and_loses_it_at_its_next_request(
    stage: VaultStage, admin: Admin
) -> None:
    def writes() -> int:
        headers = {"X-Vault-Token": stage.tokens["ada"]}
        order = {"data": {"by": "ada"}}
        return requests.post(f"{admin.url}/v1/{KV_PATH}", json=order, headers=headers, timeout=5).status_code

    assert writes() == 403
    receipt = granted(stage)
    assert writes() == 200

    stage.target.revoke(hold_of(stage), [receipt], soon())

    assert writes() == 403


def test_a_token_that_it_made_meanwhile_loses_it_too(stage: VaultStage, admin: Admin) -> None:
    admin.write_policy(
        stage.policy, READS.format(KV_PATH) + 'path "auth/token/create" { capabilities = ["update"] }'
    )
    receipt = granted(stage)
    child = admin.ask("POST", "auth/token/create", {}, token=stage.tokens["ada"])["auth"]["client_token"]
    assert admin.may(child)

    stage.target.revoke(hold_of(stage), [receipt], soon())

    assert admin.may(child) == []


def test_a_credential_that_was_issued_lasts_until_its_own_end(stage: VaultStage, admin: Admin) -> None:
    mount = f"pki-{stage.prefix}"
    admin.ask("POST", f"sys/mounts/{mount}", {"type": "pki"})
    root = {"common_name": "orders", "key_type": "ec", "ttl": "24h"}
    admin.ask("POST", "/".join((mount, "root", "generate", "internal")), root)
    admin.ask(
        "POST",
        f"{mount}/roles/ops",
        {"allow_any_name": True, "generate_lease": True, "key_type": "ec", "ttl": "1h"},
    )
    admin.write_policy(stage.policy, f'path "{mount}/issue/ops" {{ capabilities = ["update"] }}')
    receipt = granted(stage)
    name = {"common_name": "orders.example.com"}
    lease = admin.ask("POST", f"{mount}/issue/ops", name, token=stage.tokens["ada"])["lease_id"]

    stage.target.revoke(hold_of(stage), [receipt], soon())

    assert admin.ask("POST", "sys/leases/lookup", {"lease_id": lease})["data"]["ttl"] > 0
    with pytest.raises(requests.HTTPError, match="403"):
        admin.ask("POST", f"{mount}/issue/ops", name, token=stage.tokens["ada"])
    assert not stage.target.abilities.ends_sessions


def test_the_group_says_whose_it_is(stage: VaultStage) -> None:
    receipt = granted(stage)

    group = group_of(stage)

    assert receipt.facts == {
        "entity": stage.entities["ada"],
        "group": group["id"],
        "group_name": group["name"],
    }
    assert group["metadata"] == {"rotakey_group": group["name"], "rotakey_account": stage.account("ada")}
    assert group["member_entity_ids"] == [stage.entities["ada"]]
    assert group["policies"] == [stage.policy]


def test_several_policies_are_one_access(stage: VaultStage, admin: Admin) -> None:
    other = f"audit-{stage.prefix}"
    admin.write_policy(other, READS.format("secret/data/audit"))
    token = admin.bots_token([f"{other},{stage.policy}"], stage.prefix)
    vault, hold = stage.vault(token=token), hold_of(stage, "ada", stage.policy, other)

    receipt = vault.grant(hold, [vault.prepare(hold, soon())], None, soon())

    assert admin.may(stage.tokens["ada"], KV_PATH)
    assert admin.may(stage.tokens["ada"], "secret/data/audit")
    assert vault.has(hold, [receipt], soon()).presence is Presence.OURS
    assert seen(stage).presence is Presence.NONE, "one of them is another access"
    [holder] = vault.holders(hold.entitlement, soon()).holders
    assert holder.account == stage.account("ada")


def test_who_has_two_accesses_keeps_one_when_the_other_ends(stage: VaultStage, admin: Admin) -> None:
    """The one that gives more does not count as somebody else's: it ends."""
    other = f"audit-{stage.prefix}"
    admin.write_policy(other, READS.format("secret/data/audit"))
    token = admin.bots_token([stage.policy, f"{other},{stage.policy}"], stage.prefix)
    vault, more, less = stage.vault(token=token), hold_of(stage, "ada", stage.policy, other), hold_of(stage)
    of_more = vault.grant(more, [vault.prepare(more, soon())], None, soon())
    assert vault.has(less, [], soon()).presence is Presence.NONE
    vault.grant(less, [vault.prepare(less, soon())], None, soon())

    vault.revoke(more, [of_more], soon())

    assert admin.may(stage.tokens["ada"], "secret/data/audit") == []
    assert stage.has_it("ada")


# ------------------------------------------------------------------------------------ finding a person


def test_a_person_is_found_by_an_alias_if_a_mount_is_named(stage: VaultStage, admin: Admin) -> None:
    stage.rename_account("ada")
    with pytest.raises(
        PermanentFailure, match=f"no entity named {stage.account('ada')}: make it, .* mount_acc"
    ):
        stage.target.prepare(hold_of(stage), soon())
    accessor = admin.accessor("token")
    vault = stage.vault(mount=accessor)

    receipt = granted(stage, "ada", vault)

    assert stage.has_it("ada")
    assert receipt.facts["entity"] == stage.entities["ada"]
    nobody = Hold(target="orders-db", account="nobody", entitlement=stage.entitlement())
    with pytest.raises(
        PermanentFailure, match=f"no alias nobody on the auth mount {accessor}: ask them to log"
    ):
        vault.prepare(nobody, soon())


def test_a_disabled_entity_is_granted_nothing(stage: VaultStage, admin: Admin) -> None:
    receipt = stage.target.prepare(hold_of(stage), soon())
    admin.ask("POST", f"identity/entity/id/{stage.entities['ada']}", {"disabled": True})

    disabled = f"entity of {stage.account('ada')} is disabled: enable it"
    with pytest.raises(PermanentFailure, match=disabled):
        stage.target.prepare(hold_of(stage), soon())
    with pytest.raises(PermanentFailure, match=disabled):
        stage.target.grant(hold_of(stage), [receipt], None, soon())


def test_an_entity_that_was_replaced_is_prepared_anew(stage: VaultStage, admin: Admin) -> None:
    first = stage.target.prepare(hold_of(stage), soon())
    admin.ask("DELETE", f"identity/entity/id/{stage.entities['ada']}")
    new = admin.entity(stage.account("ada"))

    with pytest.raises(TemporaryFailure, match="was replaced meanwhile"):
        stage.target.grant(hold_of(stage), [first], None, soon(1))

    second = granted(stage)
    assert second.facts["entity"] == new
    assert group_of(stage)["member_entity_ids"] == [new]


def test_an_entity_that_was_merged_into_another_loses_it_there(stage: VaultStage, admin: Admin) -> None:
    receipt = granted(stage)
    new = admin.entity(f"merged-{stage.account('ada')}")
    merge = {"from_entity_ids": [stage.entities["ada"]], "to_entity_id": new}
    admin.ask("POST", "identity/entity/merge", merge)
    assert group_of(stage)["member_entity_ids"] == [new]
    assert seen(stage, receipt).presence is Presence.OURS
    assert stage.has_it("ada")

    stage.target.revoke(hold_of(stage), [receipt], soon())

    assert not stage.has_it("ada")
    assert seen(stage, receipt).gone


# --------------------------------------------------------------------------------- somebody else's doing


@pytest.mark.parametrize("how", ["entity", "group", "group of groups", "both"])
def test_what_others_gave_is_theirs(stage: VaultStage, admin: Admin, how: str) -> None:
    other, ada = f"audit-{stage.prefix}", stage.entities["ada"]
    admin.write_policy(other, READS.format("secret/data/audit"))
    hold = hold_of(stage, "ada", stage.policy, other) if how == "both" else hold_of(stage)
    name = f"ops-{stage.prefix.rpartition('-')[2]}"
    if how in ("entity", "both"):
        admin.ask("POST", f"identity/entity/id/{ada}", {"policies": [stage.policy]})
    if how == "group":
        admin.group(name, policies=[stage.policy], member_entity_ids=[ada])
    if how == "both":
        assert stage.target.has(hold, [], soon()).presence is Presence.NONE, "half of it is not it"
        admin.group(name, policies=[other], member_entity_ids=[ada])
    if how == "group of groups":
        inner = admin.group(f"inner-{name}", member_entity_ids=[ada])
        admin.group(name, policies=[stage.policy], member_group_ids=[inner])

    look = stage.target.has(hold, [], soon())

    assert look.presence is Presence.THEIRS
    expected = {"entity": "its entity", "both": f"its entity and the group {name}"}
    assert look.grantor == expected.get(how, f"the group {name}")
    stage.target.revoke(hold, [], soon())
    assert stage.has_it("ada")


def test_another_rotakey_at_the_same_vault_keeps_to_itself(stage: VaultStage, admin: Admin) -> None:
    prefix = f"{stage.prefix}-second"
    second = stage.vault(token=admin.bots_token([stage.policy], prefix), prefix=prefix)
    first_receipt, hold = granted(stage), hold_of(stage)

    assert second.has(hold, [], soon()).presence is Presence.NONE, "what ends is nobody's own"
    assert second.holders(hold.entitlement, soon()).holders == ()
    second_receipt = granted(stage, "ada", second)
    assert second_receipt.facts["group"] != first_receipt.facts["group"]
    assert len(stage.target.holders(hold.entitlement, soon()).holders) == 1

    stage.target.revoke(hold, [first_receipt], soon())

    assert seen(stage, first_receipt).gone
    assert second.has(hold, [second_receipt], soon()).presence is Presence.OURS
    assert stage.has_it("ada")


@pytest.mark.parametrize("emptied", [{"member_entity_ids": []}, {"policies": []}])
def test_a_group_that_somebody_emptied_gives_nothing_and_is_still_removed(
    stage: VaultStage, admin: Admin, emptied: dict[str, Any]
) -> None:
    receipt = granted(stage)
    admin.ask("POST", f"identity/group/id/{receipt.facts['group']}", emptied)

    look = seen(stage, receipt)

    assert look.presence is Presence.NONE
    assert look.receipts == (receipt,)
    assert not look.gone
    assert stage.target.holders(stage.entitlement(), soon()).holders == ()
    stage.target.revoke(hold_of(stage), [receipt], soon())
    assert seen(stage, receipt).gone
    assert f"{stage.prefix}-" not in "".join(admin.groups())


def test_a_group_that_somebody_deleted_is_made_again(stage: VaultStage, admin: Admin) -> None:
    first = granted(stage)
    admin.ask("DELETE", f"identity/group/id/{first.facts['group']}")
    assert seen(stage, first).gone

    second = stage.target.grant(hold_of(stage), [first], None, soon())

    assert stage.has_it("ada")
    assert second.facts["group"] == group_of(stage)["id"] != first.facts["group"]
    assert seen(stage, first).receipts != (first,), "that one is gone"


def test_members_that_somebody_added_do_not_stay_in_it(stage: VaultStage, admin: Admin) -> None:
    receipt = granted(stage)
    both = [stage.entities["ada"], stage.entities["bob"]]
    admin.ask("POST", f"identity/group/id/{receipt.facts['group']}", {"member_entity_ids": both})

    assert stage.target.grant(hold_of(stage), [receipt], None, soon()) == receipt

    assert group_of(stage)["member_entity_ids"] == [stage.entities["ada"]]


def test_a_group_renamed_to_what_the_token_may_not_delete_is_named(stage: VaultStage, admin: Admin) -> None:
    receipt = granted(stage)
    new = f"mine-{stage.prefix.rpartition('-')[2]}"
    admin.ask("POST", f"identity/group/id/{receipt.facts['group']}", {"name": new})

    with pytest.raises(
        PermanentFailure, match=f"renamed the group {receipt.facts['group_name']} to {new}, .*: delete"
    ):
        stage.target.revoke(hold_of(stage), [receipt], soon())

    assert seen(stage, receipt).presence is Presence.OURS
    admin.ask("DELETE", f"identity/group/name/{new}")
    assert seen(stage, receipt).gone


def test_a_group_whose_receipt_was_lost_is_found_by_its_mark_when_renamed(
    stage: VaultStage, relay: Relay, relayed: Vault
) -> None:
    hold = hold_of(stage)
    prepared = relayed.prepare(hold, soon())
    relay.faults.loses = writes_group
    with pytest.raises(TemporaryFailure):
        relayed.grant(hold, [prepared], None, soon(1))
    stage.rename_entitlement()
    stage.rename_account("ada")

    look = seen(stage, prepared)

    assert look.presence is Presence.OURS
    stage.target.revoke(hold, look.receipts, soon())
    assert not stage.has_it("ada")


def test_only_groups_that_bear_the_whole_mark_are_counted(stage: VaultStage, admin: Admin) -> None:
    receipt = granted(stage)
    name = f"{receipt.facts['group_name'][:-1]}_"
    metadata = {"rotakey_group": name, "rotakey_account": stage.account("bob")}
    bob = [stage.entities["bob"]]
    admin.group(name, policies=[stage.policy], member_entity_ids=bob, metadata=metadata)

    found = stage.target.holders(stage.entitlement(), soon()).holders

    assert found == (Holder(account=stage.account("ada"), presence=Presence.OURS),)


# -------------------------------------------------------------------------------------- the bot's token


def test_the_documented_policy_allows_nothing_else(stage: VaultStage, admin: Admin) -> None:
    others = admin.group(f"admins-{stage.prefix.rpartition('-')[2]}", policies=["default"])
    name = f"identity/group/name/{stage.prefix}-x"
    mine = {"policies": stage.policy, "member_entity_ids": [stage.entities["bob"]], "metadata": {"a": "b"}}
    for method, path, body in (
        ("POST", name, {**mine, "policies": "bot-1"}),
        ("POST", name, {**mine, "policies": f"{stage.policy},bot-1"}),
        ("POST", name, {**mine, "policies": [stage.policy, "bot-1"]}),
        ("POST", name, {**mine, "member_group_ids": [others]}),
        ("POST", name, {**mine, "id": others}),
        ("POST", name, {**mine, "type": "external"}),
        ("POST", "identity/group/name/admins", mine),
        ("POST", f"identity/group/id/{others}", mine),
        ("POST", "identity/group", mine),
        ("DELETE", f"identity/group/id/{others}", None),
        ("DELETE", f"identity/group/name/admins-{stage.prefix.rpartition('-')[2]}", None),
        ("POST", f"identity/entity/id/{stage.entities['bob']}", {"policies": [stage.policy]}),
        ("PUT", f"sys/policies/acl/{stage.policy}", {"policy": READS.format("*")}),
        ("GET", f"sys/policies/acl/{stage.policy}", None),
        ("GET", KV_PATH, None),
        ("GET", "sys/auth", None),
        ("POST", "auth/token/create", {}),
    ):
        with pytest.raises(requests.HTTPError, match="403"):
            admin.ask(method, path, body, token=stage.token)
    admin.ask("POST", name, mine, token=stage.token)


def test_a_policy_that_the_token_may_not_give_is_a_matter_for_its_policy(
    stage: VaultStage, admin: Admin
) -> None:
    admin.write_policy(other := f"audit-{stage.prefix}", READS.format("secret/data/audit"))
    hold = hold_of(stage, "ada", other)
    prepared = stage.target.prepare(hold, soon())

    with pytest.raises(
        PermanentFailure, match=r"is not allowed: give the bot's token the policy of docs/vault\.md"
    ):
        stage.target.grant(hold, [prepared], None, soon())

    assert admin.may(stage.tokens["ada"], "secret/data/audit") == []


@pytest.mark.parametrize("missing", ["create", "update", "delete"])
def test_a_capability_that_is_missing_is_named_before_granting(
    stage: VaultStage, admin: Admin, missing: str
) -> None:
    name = f"narrow-{stage.prefix}"
    rest = ", ".join(f'"{each}"' for each in ("create", "update", "delete") if each != missing)
    admin.write_policy(
        name,
        'path "identity/lookup/*" { capabilities = ["update"] }'
        'path "sys/*" { capabilities = ["list", "update"] }'
        'path "auth/token/*" { capabilities = ["read", "update"] }'
        f'path "identity/group/name/*" {{ capabilities = [{rest}] }}',
    )
    vault = stage.vault(token=admin.token([name]))

    for call in (vault.prepare, vault.ready):
        with pytest.raises(PermanentFailure, match=f"may not {missing} identity/group/name/{stage.prefix}-"):
            call(hold_of(stage), soon())


def test_a_token_that_is_not_valid_is_told_from_one_that_may_not(stage: VaultStage, admin: Admin) -> None:
    name = f"narrow-{stage.prefix}"
    admin.write_policy(name, READS.format("auth/token/lookup-self"))
    token = admin.token([name])
    vault, hold = stage.vault(token=token), hold_of(stage)
    with pytest.raises(
        PermanentFailure, match=r"\(POST identity/lookup/group\) is not allowed: give the bot's"
    ):
        vault.has(hold, [], soon())

    admin.ask("POST", "auth/token/revoke", {"token": token})

    with pytest.raises(PermanentFailure, match="refuses the bot's token: it has expired, was revoked"):
        vault.has(hold, [], soon())


def test_a_token_that_is_about_to_end_grants_nothing_but_revokes(stage: VaultStage, admin: Admin) -> None:
    receipt = granted(stage)
    [policy] = admin.ask("POST", "auth/token/lookup", {"token": stage.token})["data"]["policies"]
    token = admin.token([policy], period="", ttl="9m", explicit_max_ttl="9m")
    vault = stage.vault(token=token)

    with pytest.raises(
        PermanentFailure, match=r"expires in (9m|8m\d\ds), so what it grants could not be revoked"
    ):
        vault.prepare(hold_of(stage, "carol"), soon())
    vault.revoke(hold_of(stage), [receipt], soon())

    assert not stage.has_it("ada")


def test_a_token_is_renewed_when_a_third_of_its_time_is_over(
    stage: VaultStage, relay: Relay, relayed: Vault
) -> None:
    left = [24 * 3_600]

    def older(call: Call, status: int, body: Any) -> tuple[int, Any]:
        if call[1] == "auth/token/lookup-self":
            body["data"]["ttl"] = left[0]
        if call[1] == "auth/token/renew-self":
            left[0] = body["auth"]["lease_duration"]
        return status, body

    relay.faults.changes = older
    renewal = ("POST", "auth/token/renew-self")
    relayed.has(hold_of(stage), [], soon())
    assert renewal not in relay.calls
    left[0] = 15 * 3_600

    relayed.has(hold_of(stage), [], soon())
    assert renewal not in relay.calls, "it is not looked at with each call"
    for _ in range(2):
        stage.vault(relay.url).has(hold_of(stage), [], soon())
    assert relay.calls.count(renewal) == 1
    assert left[0] == 24 * 3_600


def test_a_token_that_cannot_be_renewed_stops_no_call(stage: VaultStage, relay: Relay) -> None:
    def fails(call: Call, status: int, body: Any) -> tuple[int, Any]:
        return (500, {"errors": ["no"]}) if call[1].startswith("auth/token/") else (status, body)

    relay.faults.changes = fails

    assert stage.vault(relay.url).has(hold_of(stage), [], soon()).presence is Presence.NONE


def test_warnings_about_the_token(stage: VaultStage, admin: Admin) -> None:
    def warnings(**how: Any) -> str:
        policies = how.pop("policies", None)
        token = (
            admin.token(policies, **how)
            if policies
            else admin.bots_token([stage.policy], stage.prefix, **how)
        )
        return "\n".join(stage.vault(token=token).warnings([stage.entitlement()], [], soon()))

    assert warnings() == ""
    assert warnings(period="1h") == "", "it is renewed"
    assert "will expire (it has 3d" in warnings(period="", ttl="73h")
    assert "will expire" in warnings(explicit_max_ttl="73h")
    wide = f"wide-{stage.prefix}"
    admin.write_policy(wide, 'path "*" { capabilities = ["create", "read", "update", "delete", "list"] }')
    assert f"may write groups that do not begin with {stage.prefix}-" in warnings(policies=[wide])
    assert f"may change policies (sys/policies/acl/{stage.policy})" in warnings(policies=[wide])
    root = stage.vault(token=ROOT_TOKEN).warnings([stage.entitlement()], [], soon())
    assert [each[:35] for each in root] == ["the bot's token is a root token, wh"]


def test_a_root_token_works(stage: VaultStage) -> None:
    granted(stage, "ada", stage.vault(token=ROOT_TOKEN))

    assert stage.has_it("ada")


# ------------------------------------------------------------------------------ another or an odd system


def test_another_cluster_at_the_same_address_never_says_gone(
    stage: VaultStage, relay: Relay, relayed: Vault
) -> None:
    def moved(call: Call, status: int, body: Any) -> tuple[int, Any]:
        return status, {**body, "cluster_id": "another"} if call[1] == "sys/health" else body

    receipt = granted(stage, "ada", relayed)
    relay.faults.changes = moved

    for _ in range(2):
        look = relayed.has(hold_of(stage), [receipt], soon())
        assert look.presence is Presence.ELSEWHERE
        assert look.system is not None
        assert look.system.id == "another"
        relayed.revoke(hold_of(stage), [receipt], soon())
    assert not stage.has_it("ada"), "its name, its mark and its member are certainly ours"
    with pytest.raises(PermanentFailure, match="rotakey target accept orders-db"):
        relayed.grant(hold_of(stage), [receipt], None, soon())


@pytest.mark.parametrize("changed", [{"metadata": {}}, {"member_entity_ids": ["bob", "ada"]}])
def test_at_another_cluster_a_group_that_may_not_be_ours_stays(
    stage: VaultStage, admin: Admin, changed: dict[str, Any]
) -> None:
    receipt = granted(stage)
    if "member_entity_ids" in changed:
        changed = {"member_entity_ids": [stage.entities[each] for each in changed["member_entity_ids"]]}
    admin.ask("POST", f"identity/group/id/{receipt.facts['group']}", changed)
    elsewhere = Receipt(system="another", facts=receipt.facts)

    stage.target.revoke(hold_of(stage), [elsewhere], soon())

    assert stage.has_it("ada")


def test_a_vault_that_was_sealed_or_restarted_empty(tmp_path: Path) -> None:
    with OpenBao(tmp_path) as server:
        admin = Admin(server.url)
        admin.write_policy("prod-admin", READS.format(KV_PATH))
        admin.entity("ada")
        hold = Hold(
            target="vault",
            account="ada",
            entitlement=Entitlement(target="vault", what=(("policies", "prod-admin"),)),
        )
        vault = Vault("vault", Api("vault", server.url, admin.bots_token(["prod-admin"])))
        receipt = vault.grant(hold, [vault.prepare(hold, soon())], None, soon())
        admin.ask("PUT", "sys/seal")
        with pytest.raises(TemporaryFailure, match="vault is sealed, or has no active node: unseal it"):
            vault.has(hold, [receipt], soon(1))

        server.stop()
        server.start()

        again = Vault("vault", Api("vault", server.url, ROOT_TOKEN))
        assert again.has(hold, [receipt], soon()).presence is Presence.ELSEWHERE
        with pytest.raises(PermanentFailure, match="belongs to another Vault"):
            vault.has(hold, [], soon())


def test_a_namespace_is_a_system_of_its_own(stage: VaultStage, openbao: OpenBao) -> None:
    stage.admin.ask("POST", f"sys/namespaces/team-{stage.prefix}", {})
    admin = Admin(openbao.url, f"team-{stage.prefix}")
    admin.write_policy("prod-admin", READS.format(KV_PATH))
    token, entity = admin.persons_token("ada")
    bot = admin.bots_token(["prod-admin"])
    here = Vault("v", Api("v", openbao.url, bot, f"/{admin.namespace}/"), admin.accessor("token"))
    hold = Hold(
        target="v", account="ada", entitlement=Entitlement(target="v", what=(("policies", "prod-admin"),))
    )

    receipt = here.grant(hold, [here.prepare(hold, soon())], None, soon())

    assert receipt.facts["entity"] == entity
    assert admin.may(token) == ["read"]
    assert receipt.system.endswith(f" {admin.namespace}")
    assert stage.target.has(hold, [receipt], soon()).presence is Presence.ELSEWHERE
    here.revoke(hold, [receipt], soon())
    assert admin.may(token) == []


def test_a_namespace_that_is_not_there_is_not_a_group_that_is_gone(
    stage: VaultStage, openbao: OpenBao
) -> None:
    away = Vault("v", Api("v", openbao.url, stage.token, "no-such-team"))

    for call in (
        lambda: away.has(hold_of(stage), [], soon()),
        lambda: away.holders(stage.entitlement(), soon()),
        lambda: away.revoke(hold_of(stage), [], soon()),
    ):
        with pytest.raises(PermanentFailure, match="404: namespace not found"):
            call()


@pytest.mark.parametrize(
    ("status", "body", "failure", "says"),
    [
        (200, "<!doctype html>Please sign in", TemporaryFailure, "did not answer as Vault does"),
        (200, {}, TemporaryFailure, "did not answer as Vault does"),
        (200, [], TemporaryFailure, "did not answer as Vault does"),
        (200, {"data": None}, TemporaryFailure, "did not answer as Vault does"),
        (200, {"data": {"id": "x", "name": "y"}}, TemporaryFailure, "did not answer as Vault does"),
        (404, {"errors": []}, PermanentFailure, r"answered 404$"),
        (404, "not found", PermanentFailure, r"answered 404$"),
        (400, {"errors": ["bad  \n thing"]}, PermanentFailure, "400: bad thing"),
        (
            307,
            None,
            TemporaryFailure,
            "307, as a node that stands by does; .*: let the url lead to the active",
        ),
        (412, {"errors": ["behind"]}, TemporaryFailure, "it is not active"),
        (472, {"errors": []}, TemporaryFailure, "it is not active"),
        (473, {"errors": []}, TemporaryFailure, "it is not active"),
        (500, {"errors": ["storage"]}, TemporaryFailure, "500: storage"),
        (503, {"errors": ["Vault is sealed"]}, TemporaryFailure, "503: Vault is sealed"),
    ],
)
def test_any_other_answer_is_a_failure(
    stage: VaultStage,
    relay: Relay,
    relayed: Vault,
    status: int,
    body: Any,
    failure: type[Exception],
    says: str,
) -> None:
    receipt = granted(stage)
    relay.faults.changes = lambda call, was, same: (
        (status, body) if call[1].startswith("identity/") else (was, same)
    )
    for call in (
        lambda: relayed.has(hold_of(stage), [receipt], soon(3)),
        lambda: relayed.revoke(hold_of(stage), [receipt], soon(3)),
    ):
        with pytest.raises(failure, match=says):
            call()


@pytest.mark.parametrize(
    ("status", "body", "failure", "says"),
    [
        (200, {"initialized": True}, PermanentFailure, "does not say which cluster it is"),
        (200, "<!doctype html>", PermanentFailure, "does not say which cluster it is"),
        (404, "nothing here", PermanentFailure, r"\(health\) answered 404"),
        (501, {"initialized": False}, PermanentFailure, "is not initialized"),
        (472, {"standby": True}, TemporaryFailure, "it is not active"),
        (503, {"sealed": True}, TemporaryFailure, "is sealed"),
        (502, "", TemporaryFailure, "502"),
    ],
)
def test_what_does_not_say_that_it_is_a_vault_in_order_is_asked_nothing_more(
    stage: VaultStage,
    relay: Relay,
    relayed: Vault,
    status: int,
    body: Any,
    failure: type[Exception],
    says: str,
) -> None:
    relay.faults.changes = lambda *_: (status, body)

    with pytest.raises(failure, match=says):
        relayed.has(hold_of(stage), [], soon(3))

    assert {path for _, path in relay.calls} == {"sys/health"}
    assert all("X-Vault-Token" not in headers for _, headers in relay.heard)


def test_a_rate_limit_passes(stage: VaultStage, admin: Admin, relay: Relay, relayed: Vault) -> None:
    quota = f"sys/quotas/rate-limit/{stage.prefix}"
    admin.ask("POST", quota, {"rate": 0.01, "path": "identity/"})
    try:
        with suppress(TemporaryFailure):  # one call is free
            stage.target.has(hold_of(stage), [], soon(3))
        with pytest.raises(TemporaryFailure, match=r"429: .*rate limit quota exceeded"):
            stage.target.has(hold_of(stage), [], soon(3))
    finally:
        admin.ask("DELETE", quota)

    relay.faults.changes = lambda *_: (429, {"errors": []}, {"Retry-After": "37"})
    with pytest.raises(TemporaryFailure) as raised:
        relayed.has(hold_of(stage), [], soon())
    assert raised.value.retry_after == 37


def test_what_lags_behind_does_not_keep_a_group_from_being_deleted(
    stage: VaultStage, relay: Relay, relayed: Vault
) -> None:
    granted(stage)
    relay.faults.changes = lambda call, status, body: (
        (204, None) if call[1].startswith("identity/lookup/group") else (status, body)
    )

    relayed.revoke(hold_of(stage), [], soon())

    assert not stage.has_it("ada")


# ------------------------------------------------------------------------------------------- in time


def test_nothing_is_sent_after_the_deadline(stage: VaultStage, relay: Relay, relayed: Vault) -> None:
    hold = hold_of(stage)
    receipt = relayed.prepare(hold, soon())
    relay.faults.before = lambda call: time.sleep(0.4) if call[1] == "identity/lookup/entity" else None

    with pytest.raises(TemporaryFailure, match="did not answer in time"):
        relayed.grant(hold, [receipt], None, soon(0.3))

    time.sleep(0.3)
    assert not any(map(writes_group, relay.calls))


@pytest.mark.parametrize("where", ["identity/lookup/entity", "identity/group/name/", "identity/lookup/group"])
def test_a_call_that_hangs_holds_nobody_up(
    stage: VaultStage, relay: Relay, relayed: Vault, where: str
) -> None:
    hold = hold_of(stage)
    receipt = relayed.prepare(hold, soon())
    relay.faults.silent = lambda call: call[1].startswith(where)

    began = time.monotonic()
    with pytest.raises(TemporaryFailure, match="did not answer in time"):
        relayed.grant(hold, [receipt], None, soon(0.3))

    assert time.monotonic() - began < 0.6


def test_a_write_that_vault_did_not_keep_is_not_a_grant(
    stage: VaultStage, relay: Relay, relayed: Vault
) -> None:
    hold = hold_of(stage)
    receipt = relayed.prepare(hold, soon())

    def another(call: Call, status: int, body: Any) -> tuple[int, Any]:
        if call[1] == "identity/lookup/group" and body:
            body["data"]["member_entity_ids"] = [stage.entities["bob"]]
        return status, body

    relay.faults.changes = another
    with pytest.raises(TemporaryFailure, match="did not show the group"):
        relayed.grant(hold, [receipt], None, soon(1))


# -------------------------------------------------------------------------------------------- secrets


def test_no_failure_quotes_the_token(stage: VaultStage, relay: Relay, relayed: Vault) -> None:
    def quotes(call: Call, status: int, body: Any) -> tuple[int, Any]:
        quoted = {"errors": [f"token {stage.token} is bad"]}
        return (400, quoted) if call[1].startswith("identity/") else (status, body)

    relay.faults.changes = quotes

    with pytest.raises(PermanentFailure) as raised:
        relayed.has(hold_of(stage), [], soon())

    assert "token … is bad" in str(raised.value)
    assert stage.token not in f"{raised.value!r}{relayed!r}{vars(relayed)!r}"
    receipt = granted(stage)
    assert stage.token not in f"{receipt}"


def test_a_policy_that_is_missing_is_named(stage: VaultStage) -> None:
    hold = hold_of(stage, "ada", stage.policy, "no-such", "nor-this")

    for call in (stage.target.prepare, stage.target.ready):
        with pytest.raises(PermanentFailure, match="has no policy no-such and no policy nor-this: write it"):
            call(hold, soon())


CALLS: list[Callable[[Vault, Hold], object]] = [
    lambda vault, hold: vault.has(hold, [], soon()),
    lambda vault, hold: vault.holders(hold.entitlement, soon()),
    lambda vault, hold: vault.ready(hold, soon()),
]


@pytest.mark.parametrize("call", CALLS)
def test_looking_writes_nothing(
    stage: VaultStage, relay: Relay, relayed: Vault, call: Callable[[Vault, Hold], object]
) -> None:
    granted(stage)
    call(relayed, hold_of(stage))

    reading = ("identity/lookup/entity", "identity/lookup/group", "sys/capabilities-self")
    assert all(method == "GET" or path in reading for method, path in relay.calls)


# ------------------------------------------------------------------------------------------- the page


def test_the_commands_of_the_page_make_the_token_and_find_what_is_left(
    stage: VaultStage, admin: Admin, tmp_path: Path
) -> None:
    (tmp_path / "rotakey.hcl").write_text(documented_policy([stage.policy], stage.prefix))
    make, look = (block.partition("```")[0] for block in PAGE.read_text("utf-8").split("```sh\n")[1:])
    program_folder = program()
    assert program_folder
    environ = {
        "VAULT_ADDR": admin.url,
        "VAULT_TOKEN": ROOT_TOKEN,
        "HOME": str(tmp_path),
        "PATH": f"{program_folder.parent}:{os.environ['PATH']}",
    }

    def run(commands: str) -> str:
        shell = ["/bin/sh", "-ec", commands]
        done = subprocess.run(shell, cwd=tmp_path, env=environ, capture_output=True, check=False, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    token = next(line.split()[1] for line in run(make).splitlines() if line.split()[:1] == ["token"])
    receipt = granted(stage, "ada", stage.vault(token=token))
    assert stage.vault(token=token).warnings([stage.entitlement()], [], soon()) == ()

    assert stage.account("ada") in run(look.replace("NAME", receipt.facts["group_name"]))

    assert not stage.has_it("ada")
    admin.ask("DELETE", "sys/policies/acl/rotakey")
