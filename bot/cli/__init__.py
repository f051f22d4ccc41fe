"""The commands of the console script. Exit 0: good, 1: something is wrong, 2: wrong usage.

Larger ones have a module of their own here. What a command needs is imported when it runs, so that the help
is there at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import click

from bot.core.errors import Misconfigured

MODULES: Mapping[str, str] = {
    "audit": "Verify, export and read the record of everything that happened.",
    "doctor": "Show on one screen whether this deployment works.",
    "policy": "Decide which policy is in force.",
    "sandbox": "Try Rotakey on this machine, in a browser.",
    "sweep": "Revoke everything that is past its end, even without a worker.",
    "target": "Decide about a target.",
}
"""The commands that have a module of their own, with their line in the help."""


def main() -> None:
    """Run a command; wrong settings are reported in words, with exit code 1."""
    try:
        rotakey()
    except Misconfigured as mistake:
        click.echo(str(mistake), err=True)
        sys.exit(1)


class Commands(click.Group):
    """The commands of this module, and those of MODULES, each imported when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted((*super().list_commands(ctx), *MODULES))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in MODULES:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(import_module(f"bot.cli.{cmd_name}"), cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        room = formatter.width - 6 - max(map(len, self.list_commands(ctx)))
        short = {name: each.get_short_help_str(room) for name, each in self.commands.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted({**short, **MODULES}.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rotakey")
def rotakey() -> None:
    """Access to production while you are on call or approved, and not a second longer."""
    from bot.cli.settings import log_errors

    log_errors()


@rotakey.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen on; the port is $PORT."
)
def web(host: str) -> None:
    """Answer Slack over HTTP, or in Socket Mode if SLACK_APP_TOKEN is set."""
    from bot import config
    from bot.cli.settings import log_as_json, settings
    from bot.wiring import processes

    log_as_json()
    processes.serve(*settings(config.WEB, secrets=False), os.environ, host)


@rotakey.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen on, if $WORKER_PORT is set."
)
def worker(host: str) -> None:
    """Grant and revoke access, follow shifts, and post to Slack. Any number may run at once."""
    from bot import config
    from bot.cli.settings import log_as_json, settings
    from bot.wiring import processes

    log_as_json()
    processes.work(*settings(config.WORKER), os.environ, host)


@rotakey.command()
@click.argument("file", default="access.yaml", envvar="ACCESS_FILE", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Count unset variables as mistakes.")
@click.option(
    "--online", is_flag=True, help="Also look up the roles, schedules, groups and channels that it names."
)
def check(file: Path, strict: bool, online: bool) -> None:
    """Report all mistakes in access.yaml, each with its line.

    Needs no network and no variables: those that are not set here are only mentioned. Warnings leave the exit
    code at 0. With --online, it needs a worker's environment except REDIS_URL.
    """
    from bot import config

    text = config.bytes_of(file)
    found = config.check(text, name=str(file))
    mistakes = [each for each in found if strict or online or not each.unset]
    for each in found:
        click.echo(str(each) if each in mistakes else f"{each} (needed only where it runs)", err=True)
    if mistakes:
        sys.exit(1)
    copies = os.environ.get("REDIS_COPIES", "")
    asked_for = int(copies) if copies.isascii() and copies.isdigit() else 0
    for each in config.cautions(text, name=str(file), copies=asked_for):
        click.echo(str(each), err=True)
    click.echo(f"{file}: no mistakes")
    if online:
        from bot.cli.doctor import all_good, screen, screen_width
        from bot.cli.online import online_findings

        findings = online_findings(file, os.environ)
        for line in screen(findings, screen_width()):
            click.echo(line)
        sys.exit(0 if all_good(findings) else 1)


@rotakey.command()
def schema() -> None:
    """Print the JSON Schema of access.yaml, for your editor."""
    from bot import config

    click.echo(json.dumps(config.schema(), indent=2))
