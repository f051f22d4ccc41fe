"""``rotakey doctor``: one screen that shows whether this deployment works."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

import click

from bot.core.errors import Misconfigured, PermanentFailure, TemporaryFailure
from bot.usecases.audit import restore
from bot.usecases.audit.evidence import plain
from bot.usecases.doctor import access
from bot.usecases.doctor.findings import Finding, Grade
from bot.wiring.doctor import Examination

GOOD = frozenset({Grade.OK, Grade.LOOK_AT})
COLOURS = {Grade.WRONG: "red", Grade.NOT_KNOWN: "magenta", Grade.LOOK_AT: "yellow", Grade.OK: "green"}
WIDEST, NARROWEST = 110, 60
LONGEST_ABOUT = 20


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--accept-restore", is_flag=True, help="Accept a Redis that came back with older data.")
@click.option("--by", help="The person who accepts it. Default: the account you are logged in with.")
@click.option("--why", default="", help="The reason for accepting it, for the audit.")
@click.option("--yes", is_flag=True, help="Accept without confirmation.")
def doctor(as_json: bool, accept_restore: bool, by: str | None, why: str, yes: bool) -> None:
    """Show on one screen whether this deployment works, and if it does not, what to do.

    Run it with a worker's environment, best on a host where one runs. It changes nothing. Exit 0: nothing is
    wrong.
    """
    if accept_restore:
        with Examination(os.environ) as it:
            accept(it, by=by or getpass.getuser(), why=why, asked=not yes)
        return
    if by or why or yes:
        raise click.UsageError("--by, --why and --yes need --accept-restore")
    with Examination(os.environ) as it:
        findings = it.findings()
    good = all_good(findings)
    if as_json:
        click.echo(json.dumps({"good": good, "findings": [asdict(each) for each in findings]}, indent=2))
    else:
        for line in screen(findings, screen_width()):
            click.echo(line)
    sys.exit(0 if good else 1)


def all_good(findings: Sequence[Finding]) -> bool:
    return all(each.grade in GOOD for each in findings)


def screen_width() -> int:
    return min(max(shutil.get_terminal_size((WIDEST, 40)).columns, NARROWEST), WIDEST)


def accept(it: Examination, *, by: str, why: str, asked: bool) -> None:
    """Say what was lost, and go on once somebody accepts it."""
    try:
        lost = list(access.look_at_restore(it.ledger))
        if lost and asked:
            for line in screen(lost, WIDEST):
                click.echo(line)
            click.confirm(
                "From now on this Redis is trusted, and access is granted again. Continue?", abort=True
            )
        accepted = restore.accept_restore(it.ledger, it.ledger, it.signer(), by=by, why=why)
    except (TemporaryFailure, PermanentFailure) as failure:
        raise Misconfigured(str(failure)) from failure
    had = "" if accepted.failover else f"it once had {accepted.anchored}, and now has "
    click.echo(f"accepted by {by}: {had}{accepted.found}")


def screen(findings: Sequence[Finding], width: int) -> Iterator[str]:
    """Yield the lines of the findings by their grade, the worst first; what is good takes the fewest
    words."""
    margin = max((len(each.about) for each in findings if len(each.about) <= LONGEST_ABOUT), default=0) + 4
    for grade, alike in groupby(findings, key=lambda each: each.grade):
        yield click.style(grade.upper(), fg=COLOURS[grade], bold=True)
        for each in alike:
            yield from _lines(each, margin, width)
        yield ""
    counts = {grade: sum(each.grade is grade for each in findings) for grade in Grade}
    told = ", ".join(f"{count} {grade}" for grade, count in counts.items() if count)
    worst = findings[0].grade if findings else Grade.OK
    yield click.style(told, fg=COLOURS[worst], bold=True)


def _lines(it: Finding, margin: int, width: int) -> Iterator[str]:
    about = click.style(f"  {it.about}".ljust(margin), fg=COLOURS[it.grade])
    lines = textwrap.wrap(plain(it.what), width - margin, break_long_words=False)
    if len(it.about) > margin - 4:
        yield from textwrap.wrap(it.about, width, initial_indent="  ", subsequent_indent="  ")
        about = " " * margin
    yield about + "".join(lines[:1])
    yield from (" " * margin + line for line in lines[1:])
    for n, line in enumerate(textwrap.wrap(plain(it.do), width - margin - 2)):
        yield " " * margin + ("→ " if n == 0 else "  ") + line
