"""``rotakey target``: decide about a target, on a host that can reach it."""

from __future__ import annotations

import getpass
import os
import sys

import click

from bot import config
from bot.cli.settings import log_errors
from bot.core.errors import Misconfigured, PermanentFailure, TemporaryFailure
from bot.usecases.access.systems import accept_system
from bot.wiring import adapters, components


@click.group()
def target() -> None:
    """Decide about a target."""


@target.command()
@click.argument("name")
@click.option("--by", help="The person who accepts it. Default: the account you are logged in with.")
@click.option("--yes", is_flag=True, help="Accept without confirmation.")
def accept(name: str, by: str | None, yes: bool) -> None:
    """Confirm that the system that now answers as NAME is the one where Rotakey granted access.

    Use it after an upgrade, a restore or a move to other hardware. Until then nothing is granted there, and
    nothing counts as gone. Afterwards a worker looks by object id and by name, treats what it finds as
    granted by Rotakey, and revokes what is past its end. Needs REDIS_URL, ACCESS_FILE and the variables of
    the targets in it. Exit 0: everything held there could be checked.
    """
    log_errors()
    env = config.Environment.read(os.environ, needs=(("REDIS_URL",),))
    targets = config.targets_of(config.bytes_of(env.access_file), name=str(env.access_file))
    if not yes:
        click.confirm(
            f"All access at {name} that a grant accounts for will count as granted by Rotakey, no matter who"
            " granted it according to the system, and will be revoked when the grant ends. Continue?",
            abort=True,
        )
    ledger, find = components.ledger_of(env, targets.workspace), adapters.targets_alone(targets)
    try:
        accepted = accept_system(ledger, ledger, find, name, by=by or getpass.getuser())
    except (TemporaryFailure, PermanentFailure) as failure:
        raise Misconfigured(str(failure)) from failure
    for each in accepted.moved:
        click.echo(f"accepted: {each}")
    for each in accepted.unread:
        click.echo(f"NOT CHECKED {each}", err=True)
    if not accepted.moved and not accepted.unread:
        click.echo(f"nothing to accept: everything held at {name} was granted on the system that answers")
    sys.exit(1 if accepted.unread else 0)
