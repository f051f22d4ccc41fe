"""``rotakey sweep``: revoke what is past its end, from a machine that shares nothing with the bot's."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import click

from bot import config
from bot.cli.lengths import Length
from bot.core import durations
from bot.core.errors import Misconfigured, PermanentFailure, TemporaryFailure
from bot.core.kept import Kept, latest
from bot.evidence.held_file import HeldFile
from bot.ports.deadline import Deadline
from bot.ports.documents import Key, PolicyInForce
from bot.ports.ledger import Ledger
from bot.usecases.access.kept import Outcome, revoke_kept
from bot.usecases.access.outcomes import hold_name
from bot.usecases.access.sweep import Past
from bot.usecases.access.views import look
from bot.usecases.audit.evidence import plain
from bot.usecases.job import CALL_SECONDS
from bot.wiring import adapters, components
from bot.worker.sweep import Sweep

AT_ONCE = 8
"""Holds that are revoked at the same time."""


@click.command()
@click.option("--once", is_flag=True, required=True, help="Sweep once and exit. Required; meant for cron.")
@click.option(
    "--from",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Redis is lost: revoke by a worker's file of open holds. May be repeated, for several workers.",
)
@click.option("--all", "everything", is_flag=True, help="With --from: also what is not past its end yet.")
@click.option("--within", type=Length(), default="60s", show_default=True, help="The longest to keep trying.")
def sweep(
    once: bool,  # noqa: ARG001 -- nothing else can be wished for
    files: tuple[Path, ...],
    everything: bool,
    within: float,
) -> None:
    """Revoke everything that is past its end, even if no worker is running.

    Grants nothing, does not need Slack, and is safe while workers run. Needs REDIS_URL, ACCESS_FILE and
    the variables of the targets in it. Exit 0: nothing past its end is left.

    With --from it does not need Redis. If REDIS_URL is set all the same and Redis answers, what a live grant
    needs is left alone.
    """
    if everything and not files:
        raise click.UsageError("--all needs --from FILE")
    env = config.Environment.read(os.environ, needs=() if files else (("REDIS_URL",),))
    targets = config.targets_of(config.bytes_of(env.access_file), name=str(env.access_file))
    for name, why in targets.skipped.items():
        click.echo(f"SKIPPED {name}: {why}", err=True)
    if files:
        left = _sweep_files(files, env, targets, Deadline.after(within), everything=everything)
        sys.exit(1 if left or targets.skipped else 0)
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


# ---------------------------------------------------------------------------------- without the ledger


def _sweep_files(
    files: Sequence[Path],
    env: config.Environment,
    targets: config.Targets,
    until: Deadline,
    *,
    everything: bool,
) -> int:
    """Revoke by the files of open holds, print a line for each hold, and return how many are left."""
    books = [HeldFile(file) for file in files]
    try:
        contents = [book.read() for book in books]
    except PermanentFailure as failure:
        raise Misconfigured(str(failure)) from failure
    damaged = [f"{file}:{n}" for file, content in zip(files, contents, strict=True) for n in content.damaged]
    for each in damaged:
        click.echo(f"UNREADABLE {each}: nobody knows what it held; look at that line")
    said = [kept for content in contents for kept in content.holds.values()]
    now, in_use = components.wall(), _users(env, targets.workspace)
    last = latest(sorted(said, key=lambda each: each.at))
    still_open = [each for each in last.values() if not each.gone]
    due = [each for each in still_open if everything or each.is_past(now)]
    find = adapters.targets_alone(targets)

    def revoke(kept: Kept) -> Outcome | None:
        if in_use(kept.hold.key):
            return None
        return revoke_kept(kept, find, until.sooner(Deadline.after(CALL_SECONDS)))

    left, unwritten = 0, set[str]()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for kept, outcome in zip(due, pool.map(revoke, due), strict=True):
            left += bool(outcome and outcome.trouble)
            click.echo(plain(f"{_how(outcome)}: {hold_name(kept.hold)}"))
            if outcome and not outcome.trouble:
                unwritten |= _note_gone(books, replace(kept, at=components.wall(), gone=True))
    for each in sorted(unwritten):
        click.echo(f"note: {each}", err=True)
    if rest := len(still_open) - len(due):
        click.echo(f"{rest} more not past their end; --all revokes them, too")
    elif not due and sys.stdout.isatty():
        click.echo("nothing is open")
    return left + len(damaged)


def _note_gone(books: Sequence[HeldFile], kept: Kept) -> set[str]:
    """Write that it is gone into the files, and return why that could not be: then the next sweep revokes it
    once more, which does no harm."""
    unwritten = set()
    for book in books:
        try:
            book.write(kept)
        except PermanentFailure as failure:
            unwritten.add(str(failure))
    return unwritten


def _how(outcome: Outcome | None) -> str:
    if outcome is None:
        return "left alone, because a live grant needs it"
    return f"STILL THERE, because {outcome.trouble}" if outcome.trouble else "revoked"


def _users(env: config.Environment, workspace: str) -> Callable[[str], bool]:
    """Return a function that says whether a live grant needs a hold, as far as Redis can say."""
    if not env.redis_url:
        return lambda _: False
    ledger = components.ledger_of(env, workspace)
    try:
        ledger.read()
    except TemporaryFailure as failure:
        click.echo(f"note: going by the files alone, because Redis cannot be read: {failure}", err=True)
        return lambda _: False

    def is_used(key: str) -> bool:
        view = look(ledger, key)
        return bool(view and view.live)

    return is_used
