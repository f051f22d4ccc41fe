"""The settings of endpoints and programs: what is refused, what is warned of, and what an entry says."""

from __future__ import annotations

import pytest

from bot.config import cautions, check, load
from bot.targets.command.settings import CommandSettings

SECRET = "whsec_b3BlbiBzZXNhbWUgb3BlbiBzZXNhbWUgb3BlbiBzZXNhbWU="
ENVIRON = {"HOOK_SECRET": SECRET, "HOOK_URL": "https://access.example.com/rotakey"}
TEXT = """\
targets:
  hook: {kind: webhook, url: "https://access.example.com/rotakey", secret: "${HOOK_SECRET}"}
  script: {kind: command, run: [grant-access, --region, eu]}
resources:
  prod:
    title: Production
    gives: [{target: hook, role: admin, region: eu}, {target: script, team: core}]
    approvers: [U02BOB]
audit: {anchor: {file: /var/lib/rotakey/anchor}}
"""


def said(good: str, bad: str, **environ: str) -> list[str]:
    text = TEXT.replace(good, bad, 1)
    assert text != TEXT or environ
    return [str(each).removeprefix("access.yaml:") for each in check(text, environ={**ENVIRON, **environ})]


def test_what_is_given_is_sent_as_it_is_written() -> None:
    policy = load(TEXT, environ=ENVIRON)
    first, second = policy.catalog.resources["prod"].gives
    assert first.what == (("region", "eu"), ("role", "admin"))
    assert str(first) == "eu, admin on hook"
    assert second.what == (("team", "core"),)
    assert policy.catalog.session_notes == {"hook": "endpoint", "script": "program"}


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        (", role: admin, region: eu", "", "7: resources.prod.gives[0]: says nothing about what is granted;"
            " add keys that your endpoint understands"),
        ("role: admin", "Role: admin", "7: resources.prod.gives[0]: has a key that is not small letters,"
            " digits and _; rename it"),
        ("role: admin", "role: 7", '7: resources.prod.gives[0].role: 7 is a number; put it in quotes, "7"'),
        ("role: admin", 'role: ""', '[0].role: "" is not a valid text; write 1 to 300 characters on one'),
        ("role: admin", 'role: "a\\nb"', "is not a valid text; write 1 to 300 characters on one line"),
        ("https://access", "ftp://access", '2: targets.hook.url: "ftp://…" is not a'
            " valid URL; write one that starts with https://"),
        ("https://access.example.com/rotakey", "https://", '2: targets.hook.url: "https://…" is not a valid'
            " URL; write one that starts with https://"),
        ("https://access.example.com/", "https://eve:sesame@access.example.com/", "2: targets.hook.url: must"
            " not contain a login or a #; the signature is what proves who is asking"),
        ("access.example.com/", "access.example.com:99999/", "is not a valid URL; write one that starts with"
            " https:// and names a host"),
        ('"${HOOK_SECRET}"', "whsec_abc", "2: targets.hook.secret: is a secret, and this file must not"),
        ("grant-access,", "/bin/sh,", "3: targets.script.run: does not begin with the name of a program;"
            " write the name that it has in COMMAND_DIR, without a folder"),
        ("grant-access,", "../sh,", "3: targets.script.run: does not begin with the name of a program"),
        ("grant-access,", "-c,", "3: targets.script.run: does not begin with the name of a program"),
        ("run: [grant-access, --region, eu]", "run: []", "3: targets.script.run: "),
        ("run: [", "folder: /bin, run: [", "3: targets.script.folder: unknown key; remove it"),
        ("--region", '"${COMMAND_DIR}"', "3: targets.script.run[1]: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(good: str, bad: str, told: str) -> None:
    [mistake] = said(good, bad, COMMAND_DIR="/opt")
    assert told in mistake
    assert "sesame" not in mistake


@pytest.mark.parametrize("secret", ["sesame", "whsec_", "whsec_c2VzYW1l", "whsec_not base64"])
def test_a_secret_that_signs_badly_is_refused_without_being_shown(secret: str) -> None:
    [mistake] = said("", "", HOOK_SECRET=secret)
    assert (
        "is not a valid signing secret; write whsec_ and the base64 text of 24 to 64 random bytes" in mistake
    )
    assert secret.removeprefix("whsec_") not in mistake or secret == "whsec_"


def test_an_address_that_is_not_encrypted_is_a_warning_except_here() -> None:
    def warned(url: str) -> list[str]:
        text = TEXT.replace("https://access.example.com/rotakey", url)
        return [str(each) for each in cautions(text, environ=ENVIRON) if "encrypted" in str(each)]

    assert warned("https://access.example.com/") == []
    assert warned("http://127.0.0.1:8080/") == warned("http://localhost/") == warned("http://[::1]/") == []
    assert warned("http://access.example.com/") == [
        "access.yaml:2: targets.hook.url: warning: is not encrypted: anyone on the way can read who gets"
        " which access; write https://"
    ]


def test_the_url_may_be_a_variable_and_two_names_for_one_endpoint_are_a_mistake() -> None:
    twice = TEXT.replace(
        "  script:", '  other: {kind: webhook, url: "${HOOK_URL}", secret: "${HOOK_SECRET}"}\n  script:'
    )
    [mistake] = [str(each) for each in check(twice, environ=ENVIRON)]
    assert "targets.other: is the same system as hook on line 2 (same address); give both one name" in mistake


def test_only_the_environment_says_where_programs_are() -> None:
    settings = load(TEXT, environ={**ENVIRON, "COMMAND_DIR": "/opt/commands"}).targets["script"]
    assert isinstance(settings, CommandSettings)
    assert (settings.folder, settings.run) == ("/opt/commands", ("grant-access", "--region", "eu"))
    without = load(TEXT, environ=ENVIRON).targets["script"]
    assert isinstance(without, CommandSettings)
    assert without.folder == ""


def test_open_holds_need_an_anchor_in_a_file() -> None:
    for audit in ("", 'audit: {anchor: {channel: "#audit"}}'):
        text = TEXT.replace("audit: {anchor: {file: /var/lib/rotakey/anchor}}", audit)
        told = [str(each).removeprefix("access.yaml:") for each in check(text, environ=ENVIRON)]
        assert told == [
            f"{line}: targets.{name}: cannot show what Rotakey granted there, so workers keep that in a file"
            " beside the anchor; write audit: {anchor: {file: /var/lib/rotakey/anchor}}"
            for line, name in ((2, "hook"), (3, "script"))
        ]
