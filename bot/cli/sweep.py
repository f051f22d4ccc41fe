"""``rotakey sweep``: revoke what is past its end, from a machine that shares nothing with the bot's."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

import click

from bot import config
from bot.cli.lengths import Length
from bot.core import durations
from bot.core.errors import Misconfigured, TemporaryFailure
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, PolicyInForce
from bot.ports.ledger import Ledger
from bot.usecases.access.outcomes import hold_name
from bot.usecases.access.sweep import Past
from bot.usecases.audit.evidence import plain
from bot.wiring import adapters, components
from bot.worker.sweep import Sweep


@click.command()
@click.option("--once", is_flag=True, required=True, help="Sweep once and exit. Required; meant for cron.")
@click.option("--within", type=Length(), default="60s", show_default=True, help="The longest to keep trying.")
def sweep(once: bool, within: float) -> None:  # noqa: ARG001 -- nothing else can be wished for
    """Revoke everything that is past its end, even if no worker is running.

    Grants nothing, does not need Slack, and is safe while workers run. Needs REDIS_URL, ACCESS_FILE and
    the variables of the targets in it. Exit 0: nothing past its end is left.
    """
    env = config.Environment.read(os.environ, needs=(("REDIS_URL",),))
    targets = config.targets_of(config.bytes_of(env.access_file), name=str(env.access_file))
    for name, why in targets.skipped.items():
        click.echo(f"SKIPPED {name}: {why}", err=True)
    ledger = components.ledger_of(env, targets.workspace)
    it = Sweep(ledger, adapters.targets_alone(targets), Deadline.after(within))
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: it.stop())
    try:
        _look_at_policy(ledger, targets)
        left = _report(it.run(), ledger)
        for key in it.unreadable:
            click.echo(f"UNREADABLE {key.kind} {key.id}: nobody knows what it held; see rotakey doctor")
    except TemporaryFailure as failure:
        raise Misconfigured(f"the sweep could not finish: {failure}") from failure
    sys.exit(1 if left or it.unreadable or targets.skipped else 0)


def _look_at_policy(ledger: Ledger, targets: config.Targets) -> None:
    """Raise Misconfigured if no bot ever worked here: a sweep of the wrong Redis would find all well for
    ever."""
    force = ledger.read({Key.of(PolicyInForce)}).find(PolicyInForce)
    if force is None:
        raise Misconfigured(
            f"no bot has ever used workspace {targets.workspace} in this Redis: check REDIS_URL, and"
            " workspace: in access.yaml; if Redis has lost everything, see docs/operating.md"
        )
    if force.version != targets.version:
        click.echo(
            "note: this access.yaml is not the one in force; make sure that it has the same targets", err=True
        )


def _report(swept: Sequence[Past], ledger: Ledger) -> int:
    """Print a line for each, and return how many are left."""
    now = ledger.read().now
    for each in swept:
        ago = durations.rough((now - each.since).total_seconds())
        what = f"{hold_name(each.hold)}, {ago} past its end"
        line = f"STILL THERE {what}: {each.trouble}" if each.still_there else f"{each.how}: {what}"
        click.echo(plain(line))
    left = sum(each.still_there for each in swept)
    if not swept and sys.stdout.isatty():  # cron mails all output
        click.echo("nothing is past its end")
    elif left:
        click.echo(f"{left} of {len(swept)} still there: revoke them by hand, or sweep again")
    return left
