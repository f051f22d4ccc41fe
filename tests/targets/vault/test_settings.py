"""The settings of a Vault, and policies as they are written and as cards show them."""

from __future__ import annotations

import pytest

from bot.config import cautions, check, load, targets_of
from bot.kinds.table import build_target
from bot.targets.vault.settings import VaultSettings
from bot.targets.vault.target import Vault

TEXT = """\
targets:
  vault: {kind: vault}
  team: {kind: vault, url: "https://vault.example.com/", token: "${TEAM_TOKEN}", namespace: team-a/}
resources:
  prod-admin:
    title: Administration
    gives: [{target: vault, policies: [prod-read, prod-admin, prod-read]}, {target: team, policies: [ops]}]
    approvers: [U02BOB]
"""
ENVIRON = {"VAULT_ADDR": "https://vault.example.com:8200", "VAULT_TOKEN": "hvs.1", "TEAM_TOKEN": "hvs.2"}


def said(old: str, new: str, **environ: str) -> list[str]:
    assert old in TEXT
    return [str(each).partition(": ")[2] for each in check(TEXT.replace(old, new), environ=ENVIRON | environ)]


def test_address_and_token_come_from_the_usual_variables() -> None:
    policy = load(TEXT, environ=ENVIRON)
    found = policy.targets["vault"]
    assert isinstance(found, VaultSettings)
    assert (found.url, found.token.get_secret_value()) == ("https://vault.example.com:8200", "hvs.1")
    assert isinstance(build_target("vault", found), Vault)
    assert set(targets_of(TEXT, environ=ENVIRON).variables["vault"]) == {"VAULT_ADDR", "VAULT_TOKEN"}
    assert [
        each for each in check(TEXT, environ={**ENVIRON, "VAULT_TOKEN": ""}) if "VAULT_TOKEN" in str(each)
    ]


def test_a_set_of_policies_is_one_entitlement_however_it_is_written() -> None:
    gives = load(TEXT, environ=ENVIRON).catalog.resources["prod-admin"].gives
    assert [str(each) for each in gives] == ["prod-admin,prod-read on vault", "ops on team"]
    other = TEXT.replace("prod-read, prod-admin, prod-read", "prod-admin, prod-read")
    assert load(other, environ=ENVIRON).catalog.resources["prod-admin"].gives == gives


@pytest.mark.parametrize(
    ("policies", "objection"),
    [
        ("[]", "policies"),
        ("[root]", "cannot be given: Vault attaches it to no group; write the name of another policy"),
        ("[Prod]", "is not a valid policy name; write it in lower case, without spaces and commas"),
        ('["a,b"]', "is not a valid policy name"),
        ('["a b"]', "is not a valid policy name"),
        ("prod-admin", "policies"),
    ],
)
def test_policies_that_vault_does_not_have(policies: str, objection: str) -> None:
    [mistake] = said("[prod-read, prod-admin, prod-read]", policies)
    assert "resources.prod-admin.gives[0].policies" in mistake
    assert objection in mistake


@pytest.mark.parametrize(
    ("old", "new", "objection"),
    [
        ("https://vault.example.com/", "https://", "is not a valid URL"),
        ("https://vault.example.com/", "https://vault.example.com:0", "is not a valid URL"),
        ("https://vault.example.com/", "https://vault.example.com:x", "is not a valid URL"),
        ("https://vault.example.com/", "https://bot:secret@vault.example.com", "must not contain a login"),
        ("https://vault.example.com/", "https://vault.example.com/?a=b", "must not contain a login"),
        ("namespace: team-a/", 'namespace: "a b"', "is not a valid namespace"),
        (
            "namespace: team-a/",
            'mount_accessor: "auth/oidc"',
            "is not a valid accessor; copy it from: bao auth",
        ),
        ("namespace: team-a/", "group_prefix: Rotakey", "is not a valid prefix"),
        ('token: "${TEAM_TOKEN}"', "token: hvs.2", "is a secret"),
    ],
)
def test_settings_that_cannot_work(old: str, new: str, objection: str) -> None:
    [mistake] = said(old, new)
    assert objection in mistake
    assert "secret@" not in mistake


def test_an_account_that_no_metadata_can_hold() -> None:
    account = "é" * 250
    assert VaultSettings.account_objection("ada@example.com") is None
    assert VaultSettings.account_objection(account) is None
    assert VaultSettings.account_objection(account + "é" * 7) == "is longer than 512 bytes; shorten it"


def test_one_namespace_is_one_server_however_its_address_is_written() -> None:
    servers = [
        VaultSettings(kind="vault", url=url, namespace=namespace).servers
        for url, namespace in (
            ("https://Vault.example.com", "team-a"),
            ("https://vault.example.com:443/", "/team-a/"),
            ("https://vault.example.com", "team-b"),
            ("https://vault.example.com", None),
        )
    ]
    assert servers[0] == servers[1]
    assert len(set(servers)) == 3


def test_what_can_be_read_on_the_way_and_what_gives_nothing_is_pointed_out() -> None:
    text = TEXT.replace("[ops]", "[default]").replace(
        "https://vault.example.com/", "http://vault.example.com"
    )
    found = "\n".join(str(each) for each in cautions(text, environ=ENVIRON))
    assert (
        "targets.team.url: warning: is not encrypted: anyone on the way can read the token; write https://"
        in found
    )
    assert "gives the policy default, which tokens have anyway" in found
    here = TEXT.replace("https://vault.example.com/", "http://127.0.0.1:8200")
    assert "encrypted" not in "".join(str(each) for each in cautions(here, environ=ENVIRON))
