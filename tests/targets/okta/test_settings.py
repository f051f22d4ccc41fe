"""The settings of an org: which address and which credential it takes, and what it says of mistakes."""

from __future__ import annotations

import sys

import pytest

from bot import config
from bot.config import load
from bot.core.errors import PermanentFailure
from bot.kinds import table
from bot.settings import TargetSettings
from tests.targets.okta.stage import key_pair

ENVIRON = {
    "OKTA_ORG_URL": "https://example.okta.com",
    "OKTA_API_TOKEN": "00sesame",
    "OKTA_PRIVATE_KEY": key_pair()[0],
    "OTHER": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nsesame\n-----END ENCRYPTED PRIVATE KEY-----",
}
TOKEN = '{kind: okta, url: "${OKTA_ORG_URL}", token: "${OKTA_API_TOKEN}"}'
APP = '{kind: okta, url: "${OKTA_ORG_URL}", client_id: 0oa1, private_key: "${OKTA_PRIVATE_KEY}"}'


def file(okta: str, group: str = "prod-oncall") -> str:
    return f"""\
targets:
  okta: {okta}
resources:
  prod:
    title: Production
    gives: [{{target: okta, group: {group}}}]
    approvers: [U02BOB]
audit: {{anchor: {{file: /var/lib/rotakey/anchor}}}}
"""


def settings(okta: str, **environ: str) -> TargetSettings:
    return load(file(okta), environ={**ENVIRON, **environ}).targets["okta"]


@pytest.mark.parametrize("okta", [TOKEN, APP])
def test_either_credential_is_enough(okta: str) -> None:
    found = settings(okta)
    assert found.servers == {"example.okta.com"}
    assert all(value in ENVIRON.values() or value.startswith("---") for _, value in found.systems())
    assert found.sessions_end == "kept"
    assert repr(table.build_target("okta", found)) == "Okta('okta')"
    assert "sesame" not in f"{found!r} {found}"


@pytest.mark.parametrize("okta", [TOKEN, APP])
def test_a_file_is_checked_without_its_variables(okta: str) -> None:
    mistakes = config.check(file(okta), environ={})
    assert [each.text for each in mistakes if "variable" not in each.text] == []


@pytest.mark.parametrize(
    ("okta", "says"),
    [
        (
            TOKEN.replace(', token: "${OKTA_API_TOKEN}"', ""),
            "needs a token, or a client_id and a private_key",
        ),
        (APP.replace("client_id: 0oa1, ", ""), "needs a token, or a client_id and a private_key; add one"),
        (APP.replace(', private_key: "${OKTA_PRIVATE_KEY}"', ""), "needs a token, or a client_id"),
        (
            TOKEN.replace("}}", "}").replace("kind: okta", "kind: okta, client_id: 0oa1"),
            "has both a token and",
        ),
        (
            TOKEN.replace("${OKTA_API_TOKEN}", "00sesame"),
            "is a secret, and this file must not contain secrets",
        ),
        (APP.replace("${OKTA_PRIVATE_KEY}", "${OTHER}"), "is not an unencrypted private key in PEM form"),
        (
            TOKEN.replace("${OKTA_ORG_URL}", "https://example-admin.okta.com"),
            "Admin Console; leave out -admin",
        ),
        (TOKEN.replace("${OKTA_ORG_URL}", "http://example.okta.com"), "is not encrypted"),
        (
            TOKEN.replace("${OKTA_ORG_URL}", "https://example.okta.com/api"),
            "is not the address of an Okta org",
        ),
        (
            TOKEN.replace("${OKTA_ORG_URL}", "https://a:b@example.okta.com"),
            "is not the address of an Okta org",
        ),
        (TOKEN.replace("${OKTA_ORG_URL}", "example.okta.com"), "is not a valid URL"),
    ],
)
def test_a_mistake_says_what_to_write(okta: str, says: str) -> None:
    [mistake] = config.check(file(okta), environ=ENVIRON)
    assert says in mistake.text
    assert "sesame" not in str(mistake)


@pytest.mark.parametrize("group", ['""', '" x"', '"x\\n"'])
def test_a_group_has_a_name(group: str) -> None:
    [mistake] = config.check(file(TOKEN, group), environ=ENVIRON)
    assert "is not a valid group name; write the name of a group in Okta" in mistake.text


def test_what_becomes_of_sessions_is_said() -> None:
    found = settings(TOKEN.replace("kind: okta", "kind: okta, sessions: clear"))
    assert found.sessions_end == "Okta sessions are closed when it ends; sessions in apps stay open."


def test_a_slash_at_the_end_changes_nothing() -> None:
    found = settings(TOKEN, OKTA_ORG_URL="https://example.okta.com/")
    assert dict(found.systems())["url"] == "https://example.okta.com"


def test_two_names_of_one_org_are_noticed() -> None:
    text = file(TOKEN).replace("resources:", f"  again: {APP}\nresources:")
    assert any("same" in each.text for each in config.check(text, environ=ENVIRON))


def test_the_library_is_needed_only_for_a_service_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "bot.targets.okta.service_app", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    assert table.build_target("okta", settings(TOKEN))
    with pytest.raises(PermanentFailure, match=r"run pip install 'rotakey\[okta\]'"):
        table.build_target("okta", settings(APP))
