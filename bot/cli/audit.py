"""``rotakey audit``: verify, export and show the record of everything that happened."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from bot import config
from bot.core.audit.anchor import Anchored, read_anchor
from bot.core.errors import Misconfigured, PermanentFailure, TemporaryFailure
from bot.files import replace_whole
from bot.ledger.redis_ledger import RedisLedger
from bot.usecases.audit import evidence
from bot.usecases.audit.sentences import sentence
from bot.wiring import components


class NotLooked(click.ClickException):
    """Nothing was found wrong, because nothing could be looked at."""

    exit_code = 2


class AnchorText(click.ParamType[Anchored, str]):
    name = "FILE|HEAD"

    def convert(self, value: str, param: Any, ctx: Any) -> Anchored:
        """Read a file that a worker keeps, or what people copy from a channel or from this command."""
        try:
            path = Path(value)
            return read_anchor(path.read_text("utf-8") if path.is_file() else value)
        except (OSError, ValueError):
            self.fail(
                f"{value!r} is not a valid anchor; name a worker's anchor file, or paste NUMBER:HEAD",
                param,
                ctx,
            )


EXPORT = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """Verify, export and read the record of everything that happened.

    Without FILE, the record is read from Redis. That needs REDIS_URL, and ACCESS_FILE for the workspace.
    """


@audit.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=EXPORT)
@click.option(
    "--public-key",
    "keys",
    type=click.File("rb"),
    multiple=True,
    help="Require seals to be signed with this key.",
)
@click.option(
    "--anchor", type=AnchorText(), help="Require this seal: without it, the audit was truncated or restored."
)
def verify(files: tuple[Path, ...], keys: tuple[IO[bytes], ...], anchor: Anchored | None) -> None:
    """Check that nothing was changed, added, removed or truncated, in FILE or in Redis.

    Several files are verified together, in any order; they may overlap. Exit 0: the record is intact. 1: it
    is not, and the output says why. 2: it could not be checked.
    """
    with _looking():
        trusts = components.trust([each.read() for each in keys]) if keys else None
        damaged: list[str] = []
        found = evidence.examine(_lines(files, damaged), trusts, anchor)
    if not files and not found.entries:
        raise NotLooked("the audit is empty: check REDIS_URL, and workspace: in access.yaml")
    for each in (*damaged, *map(sentence, found.wrong)):
        click.echo(f"WRONG: {evidence.plain(each)}")
    for each in map(sentence, found.notes):
        click.echo(f"note: {evidence.plain(each)}")
    if damaged or found.wrong:
        click.echo(f"not good: checked {found.entries} entries and {found.seals} seals")
        sys.exit(1)
    click.echo(f"good: {found.entries} entries, {found.seals} seals")
    if found.head:
        click.echo(f"for --anchor next time, keep this somewhere else: {found.head.short}")


DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@audit.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--since", type=DAY, help="Export only seals made at or after this time (UTC), with their entries."
)
@click.option("--until", type=DAY, help="Export only seals made up to this time (UTC).")
def export(file: Path | None, since: datetime | None, until: datetime | None) -> None:
    """Write entries and seals as JSON lines to FILE, completely or not at all, or to standard output.

    With --since or --until, export a part, made of whole seals. Several parts can be verified together.
    """
    with _looking():
        ledger, workspace = _ledger()
        start = evidence.before(ledger, since.replace(tzinfo=UTC)) if since else None
        found = evidence.lines(ledger, since=start, until=until.replace(tzinfo=UTC) if until else None)
        texts = evidence.export_lines(found, workspace, ledger.read().now, start.number + 1 if start else 0)
        lines = (f"{text}\n" for text in texts)
        if file is None:
            sys.stdout.writelines(lines)
            return
        try:
            replace_whole(file, lines)
        except OSError as error:
            raise NotLooked(f"{file} cannot be written: {error.strerror}; name another file") from error


@audit.command()
@click.argument("grant")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=EXPORT)
def show(grant: str, files: tuple[Path, ...]) -> None:
    """Show everything that happened to one grant, a line for each step, from FILE or from Redis."""
    known = False
    with _looking():
        for line in evidence.story(_lines(files, []), grant):
            click.echo(line)
            known = True
    if not known:
        click.echo(f"the audit has no entry about {evidence.plain(grant)}; check the grant's id", err=True)
        sys.exit(1)


def _lines(files: Sequence[Path], damaged: list[str]) -> Iterator[evidence.Line]:
    """Yield the lines that can be read, and add what is wrong with the others to ``damaged``."""
    if not files:
        ledger = _ledger()[0]
        yield evidence.Taken(at=ledger.read().now)
        yield from evidence.lines(ledger)
    elif len(files) == 1:
        yield from _whole(files[0], damaged, named=False)
    else:
        yield from evidence.merge([_whole(each, damaged, named=True) for each in files], damaged.append)


def _whole(file: Path, damaged: list[str], *, named: bool) -> Iterator[evidence.Line]:
    try:
        with file.open(encoding="utf-8", errors="replace") as texts:
            yield from evidence.read_export(texts)
    except evidence.Damaged as error:
        damaged.append(f"{file}: {error}" if named else str(error))


def _ledger() -> tuple[RedisLedger, str]:
    env = config.Environment.read(os.environ, needs=(("REDIS_URL",),))
    named = config.targets_of(config.bytes_of(env.access_file), name=str(env.access_file))
    return components.ledger_of(env, named.workspace), named.workspace


@contextmanager
def _looking() -> Iterator[None]:
    """Turn a failure to look into NotLooked, so that it does not pass for something wrong in the audit."""
    try:
        yield
    except (Misconfigured, PermanentFailure, TemporaryFailure) as failure:
        raise NotLooked(str(failure)) from failure
