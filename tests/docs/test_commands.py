"""Everything that the documents say to type exists: in Slack, in a shell, and as a Redis URL."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest

from bot import config
from bot.cli import rotakey
from bot.ledger.connection import connect
from bot.slack.grammar import verbs
from tests.docs.texts import DOCUMENTS, OPERATING, SPANS, USING, VARIABLES, all_blocks, spans
from tests.paths import ROOT

SAID_WITH = {"revokeall": "revoke", "waiting": "approve"}
"""Commands that begin with the verb of another one."""
NOT_IN_THE_TABLE = {"help", "unknown", "waiting", "later"}
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


# ---------------------------------------------------------------------------------------------- Slack


def typed_in_slack() -> Iterator[str]:
    """Yield everything after /access, also in the table, where a row has /access only once."""
    for row in re.findall(r"(?m)^\| (`/access [^|]*)\|", USING):
        yield from (span.removeprefix("/access ") for span in re.findall(r"`([^`]+)`", row))
    yield from (span.removeprefix("/access ") for span in SPANS if span.startswith("/access "))


def command_in(text: str) -> str:
    return type(verbs.parse(text.replace("@ada", "<@U02ADA|ada>"))).__name__.casefold()


@pytest.mark.parametrize("text", sorted(set(typed_in_slack())))
def test_what_is_to_be_typed_in_slack_is_understood(text: str) -> None:
    command = command_in(text)
    assert SAID_WITH.get(command, command) == text.partition(" ")[0]


def test_the_table_has_every_command() -> None:
    known = {each.__name__.casefold() for each in verbs.Command.__args__}
    assert {command_in(each) for each in typed_in_slack()} >= known - NOT_IN_THE_TABLE


def test_every_length_in_the_table_is_one() -> None:
    [row] = re.findall(r"(?m)^\| `/access request [^|]*\|([^|]*)\|", USING)
    named = [each for each in re.findall(r"`([^`]+)`", row) if each != "request"]
    assert len(named) == 5
    for each in named:
        command = verbs.parse(f"request prod-db {each} because orders are stuck")
        assert isinstance(command, verbs.Request)
        assert command.length, each


# ---------------------------------------------------------------------------------------------- a shell


def typed_in_a_shell() -> list[str]:
    code = [text for language in ("sh", "crontab") for _, text in all_blocks(language)]
    lines = "\n".join(code).splitlines()
    commands = [part.strip() for line in lines for part in re.split(" &&? ", line.partition(" #")[0])]
    return sorted({each for each in (*commands, *SPANS) if re.match(r"(make|rotakey|pip|export) ", each)})


@pytest.mark.parametrize("line", typed_in_a_shell())
def test_what_is_to_be_typed_in_a_shell_exists(line: str) -> None:
    program, *words = line.split()
    match program:
        case "make":
            assert re.search(rf"^{words[0]}:", MAKEFILE, re.MULTILINE)
            named = [name for word in words[1:] for name in re.findall(r'^(\w+)="?', word)]
            assert [each for each in named if f"$({each})" not in MAKEFILE] == []
        case "rotakey":
            assert_runs(words)
        case "pip":
            assert set(re.findall(r"\[(\w+)\]", line)) <= set(project()["optional-dependencies"])
        case _:
            named = [each.partition("=")[0] for each in words]
            assert set(named) <= {each.name.upper() for each in fields(config.Environment)} | VARIABLES.keys()


def assert_runs(words: list[str]) -> None:
    """Check that there is such a command, and that it takes these options and that many arguments."""
    command: click.Command = rotakey
    while isinstance(command, click.Group) and words and words[0] != "--help":
        found = command.get_command(click.Context(command), words.pop(0))
        assert found, words
        command = found
    if words:
        command.make_parser(click.Context(command)).parse_args(words)


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return found


@pytest.mark.parametrize("command", rotakey.list_commands(click.Context(rotakey)))
def test_every_command_is_mentioned(command: str) -> None:
    assert any(re.search(rf"(rotakey|make) {command}\b", text) for text in DOCUMENTS.values())


# ---------------------------------------------------------------------------------------------- Redis


@pytest.mark.parametrize(
    "url", sorted({each for each in SPANS if re.match(r"(rediss?(\+\w+)?|unix)://.", each)})
)
def test_the_addresses_of_redis_are_understood(url: str, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    assert config.Environment.read({"REDIS_URL": url}).redis_url
    connect(url.replace("/etc/ssl/ca.pem", str(ca))).close()


def test_every_form_of_an_address_of_redis_is_mentioned() -> None:
    mentioned = {each.partition("://")[0] for each in spans(OPERATING) if "://" in each}
    assert mentioned >= {"redis", "rediss", "unix", "redis+sentinel", "redis+cluster", "rediss+sentinel"}
