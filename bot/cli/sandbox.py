"""``rotakey sandbox``: the whole system on this machine, with targets of the kinds that one wants to see."""

from __future__ import annotations

import re
import secrets
import signal
import webbrowser
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot import config
from bot.core.errors import Misconfigured
from bot.kinds import table
from bot.settings import VARIABLE

if TYPE_CHECKING:
    from bot.sandbox.run import Policy

DATA = Path(".sandbox")
Written = Mapping[str, Mapping[str, Mapping[str, object]]]
"""The settings of targets and sources as a file has them; see ``config.settings_written``."""


@click.command()
@click.option("--file", type=click.Path(path_type=Path), help="Use this access.yaml instead of the example.")
@click.option(
    "--targets", metavar="KIND,…", help="Show only these kinds of targets, such as postgres,webhook."
)
@click.option("--all", "every", is_flag=True, help="Show all kinds of targets that the sandbox knows.")
@click.option("--data", default=DATA, type=click.Path(path_type=Path), help="The folder that keeps all data.")
@click.option("--fresh", is_flag=True, help="Delete the data of earlier runs first.")
@click.option("--port", default=0, help="The port of the page. Default: that of the last run, or a free one.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
def sandbox(  # noqa: PLR0913, PLR0917 -- one for each option
    file: Path | None, targets: str | None, every: bool, data: Path, fresh: bool, port: int, open_page: bool
) -> None:
    """Try Rotakey on this machine: real databases, a small Slack and PagerDuty, one web page."""
    try:
        from bot.sandbox.run import Sandbox  # noqa: PLC0415 -- needs an extra
        from bot.sandbox.stack.kinds import KINDS  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise Misconfigured(
            f"{missing.name} is not installed: run pip install 'rotakey[sandbox]'"
        ) from missing
    if targets is not None and every:
        raise click.UsageError("--targets and --all contradict each other: leave one of them out")
    if file and (targets is not None or every):
        raise click.UsageError("--targets and --all are for the example: a file says itself what it needs")
    named = [each.strip() for each in (targets or "").split(",") if each.strip()]
    unknown = [each for each in named if each not in KINDS]
    if unknown or (targets is not None and not named):
        there_is_none = f"the sandbox has no {', no '.join(unknown)}" if unknown else "no kind is named"
        raise click.BadParameter(f"{there_is_none}; it has {', '.join(KINDS)}", param_hint="--targets")
    tried = to_try(file, KINDS if every else named or None)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Sandbox(tried, data.resolve(), port=port, fresh=fresh, say=click.echo) as running:
        try:
            click.echo(f"\n  Open {running.url}\n\n  Stop it with Ctrl-C. Its data is kept in {data}.\n")
            if open_page:
                webbrowser.open(running.url)
            running.watch_over()
        except KeyboardInterrupt:
            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(each, signal.SIG_IGN)  # an impatient second one must leave nothing behind
            click.echo("Ending ...")


@dataclass(frozen=True, kw_only=True)
class Use:
    """A variable in a setting of a target or source. ``alone``: the setting is the variable, and nothing
    else."""

    part: str
    name: str
    key: str
    variable: str
    alone: bool

    def __str__(self) -> str:
        return f"{self.part}.{self.name}.{self.key}"


def to_try(file: Path | None = None, kinds: Collection[str] | None = None) -> Policy:
    """Return the policy for a sandbox: the file's, otherwise the example with targets of these kinds, or of
    those shown by default. Raise Misconfigured with all mistakes. Each variable, whatever its name, becomes a
    system of the sandbox; a target or source that names a system itself is refused."""
    from bot.sandbox.example import POLICY, example  # noqa: PLC0415 -- needs an extra
    from bot.sandbox.run import Policy  # noqa: PLC0415
    from bot.sandbox.stack.kinds import KINDS  # noqa: PLC0415

    if kinds is None:
        kinds = [name for name, kind in KINDS.items() if kind.by_default]
    text = config.bytes_of(file) if file else example(kinds).encode()
    path = file or (POLICY if text == POLICY.read_bytes() else None)
    name = str(path or POLICY)
    written = config.settings_written(text, name=name)
    uses = list(_uses(written))
    mistakes = list(_not_for_the_sandbox(written, uses))
    if mistakes:
        raise Misconfigured("\n".join(f"{name}: {each}" for each in mistakes))
    nowhere = secrets.token_hex(8)
    environ = {}
    for number, each in enumerate(uses):
        host = f"{number}.{nowhere}.invalid"
        blank = _blank_of(written, each.part, each.name)
        environ[each.variable] = blank(host)[each.key] if blank and each.alone else host
    checked = config.load(text, name=name, environ=environ)
    filled_in = {environ[each.variable] for each in uses if each.alone}
    real = [
        f"{name}: {part}.{entry}.{key}: the sandbox connects to no real system; write only a variable, ${{…}}"
        for part, every in (("targets", checked.targets), ("oncall", checked.oncall))
        for entry, settings in every.items()
        for key, system in settings.systems()
        if system not in filled_in
    ]
    if real:
        raise Misconfigured("\n".join(real))
    return Policy(
        path=path and path.resolve(),
        text=checked.text,
        catalog=checked.catalog,
        workspace=checked.workspace,
        targets={entry: settings.kind for entry, settings in checked.targets.items()},
        variables={each.variable: (each.name, each.key) for each in uses if each.part == "targets"},
        pager={each.variable: each.key for each in uses if each.part == "oncall"},
    )


def _uses(written: Written) -> Iterator[Use]:
    for part, every in written.items():
        for name, settings in every.items():
            for key, value in settings.items():
                for text in value if isinstance(value, tuple) else (value,):
                    alone = isinstance(text, str) and re.fullmatch(VARIABLE, text) is not None
                    for variable in config.variable_names(text):
                        yield Use(part=part, name=name, key=key, variable=variable, alone=alone)


def _blank_of(written: Written, part: str, name: str) -> Callable[[str], Mapping[str, str]] | None:
    """Return the function that makes the settings that the sandbox fills in there; see SystemKind. None if
    it does not have the kind."""
    from bot.sandbox.stack.kinds import KINDS, SOURCES  # noqa: PLC0415 -- needs an extra

    kind = written[part][name].get("kind")
    if not isinstance(kind, str):
        return None
    if part == "oncall":
        return SOURCES.get(kind)
    return KINDS[kind].blank if kind in KINDS else None


def _settings_not_here(written: Written) -> Iterator[str]:
    from bot.sandbox.stack.kinds import KINDS  # noqa: PLC0415 -- needs an extra

    for name, settings in written["targets"].items():
        kind = KINDS.get(str(settings.get("kind")))
        for key in sorted(kind.not_here & settings.keys() if kind else ()):
            yield f"targets.{name}.{key}: the sandbox does without it; leave it out"


def _not_for_the_sandbox(written: Written, uses: Collection[Use]) -> Iterator[str]:
    """Yield what is right elsewhere, and cannot be had in the sandbox."""
    from bot.sandbox.stack.kinds import KINDS, SOURCES  # noqa: PLC0415 -- needs an extra

    for part, all_kinds, ours in (("targets", table.TARGETS, KINDS), ("oncall", table.SOURCES, SOURCES)):
        for name, settings in written[part].items():
            kind = settings.get("kind")
            if isinstance(kind, str) and kind in all_kinds and kind not in ours:
                yield f"{part}.{name}: the sandbox has no {kind}; it has {', '.join(ours)}"
    yield from _settings_not_here(written)
    for kind in KINDS:
        names = [name for name, settings in written["targets"].items() if settings.get("kind") == kind]
        if len(names) > 1:
            yield (
                f"the sandbox has one target of each kind, but {', '.join(names)} are all {kind}; use a file"
                " with one of them"
            )
    places: dict[str, Use] = {}
    for use in uses:
        blank = _blank_of(written, use.part, use.name)
        if blank and use.key not in blank("host"):
            yield f"{use}: the sandbox has no value for the variable {use.variable}; write the value itself"
        first = places.setdefault(use.variable, use)
        if "targets" in (first.part, use.part) and str(first) != str(use):
            yield f"{use}: {first} is the same variable, {use.variable}; use one of its own for each"
