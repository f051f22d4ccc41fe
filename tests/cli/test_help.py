"""The help is there at once, because it imports nothing of what the commands need."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from bot.cli import MODULES, rotakey
from bot.sandbox.example import POLICY

COMMAND = """
import sys
from bot.cli import main
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""
HEAVY = {
    "bot.config",
    "bot.ports",
    "bot.usecases",
    "flask",
    "psycopg",
    "pydantic",
    "redis",
    "slack_sdk",
    "structlog",
}


def imported_by(*arguments: str) -> set[str]:
    command = [sys.executable, "-c", COMMAND, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(ran.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("option", ["--help", "-h", "--version"])
def test_the_help_imports_none_of_what_the_commands_need(option: str) -> None:
    imported = imported_by(option)
    assert "click" in imported
    assert not imported & HEAVY


def test_a_policy_is_checked_without_slack_redis_or_a_web_server() -> None:
    imported = imported_by("check", str(POLICY))
    assert "bot.config" in imported
    assert not imported & {
        "flask",
        "gunicorn",
        "prometheus_client",
        "psycopg",
        "redis",
        "slack_bolt",
        "slack_sdk",
    }


def test_the_help_names_every_command_with_what_it_does() -> None:
    context = click.Context(rotakey)
    names = rotakey.list_commands(context)
    shown = dict(
        line.split(maxsplit=1) for line in rotakey.get_help(context).partition("Commands:\n")[2].splitlines()
    )
    assert list(shown) == names
    assert {name: shown[name] for name in MODULES} == MODULES
    for name in names:
        command = rotakey.get_command(context, name)
        assert command
        assert command.name == name
