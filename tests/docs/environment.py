"""The page of all environment variables: from the settings that read them, and what each command demands."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import pairwise
from textwrap import dedent

import click
from click.testing import CliRunner

from bot import config
from bot.cli import rotakey
from bot.config.defaults import KINDS
from tests.docs.tables import table

HEAD = """\
# Environment variables

This page is generated: `python -m tests.docs` writes it.

Each command that talks to Redis or Slack reads these when it starts, and reports everything that is wrong
with them together. A secret that is set to nothing is a mistake; anything else that is empty counts as not
set.

**Any variable may be read from a file**: `SLACK_BOT_TOKEN_FILE=/run/secrets/slack` is read instead of
`SLACK_BOT_TOKEN`. That holds for every variable in these two tables, and for those that `access.yaml`
names. Setting both is a mistake.
"""

OF_KINDS = """\
## Variables of targets and on-call sources

`${NAME}` in the settings of a target or source in `access.yaml` is the variable `NAME`; which names there
are is up to you. A process that reaches targets and sources needs them: `rotakey worker`, `rotakey check
--online` and `rotakey doctor`; for targets also `rotakey sweep` and `rotakey target accept`. `rotakey web`
does without. These are read if the setting is left out:
"""

OF_LIBRARIES = """\
## Variables of libraries

Rotakey reads none of these itself, but the libraries under it do: `HTTPS_PROXY` and `NO_PROXY` for calls
over HTTP, `SSL_CERT_FILE` (Slack) and `REQUESTS_CA_BUNDLE` (all others) for certificates of your own, and
the `PG…` variables of libpq, such as `PGSSLROOTCERT`, for what the URL of a PostgreSQL server does not say.
A target of the kind aws-identity-center takes its credentials from AWS's own variables, such as
`AWS_ACCESS_KEY_ID` or `AWS_PROFILE`; `REQUESTS_CA_BUNDLE` holds for its calls, too, and `AWS_CA_BUNDLE`
only for fetching credentials. With `MALLOC_ARENA_MAX=2` glibc reserves less memory for threads.
"""

ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "audit show": ("GRANT",),
    "sweep": ("--once",),
    "target accept": ("orders-db",),
}
"""What a command has to be called with."""
ONLY_HERE = frozenset({"check", "sandbox", "schema"})
"""Commands that work without any variable."""


def page() -> str:
    return "\n".join((HEAD, _own_variables(), OF_KINDS, _kinds_variables(), OF_LIBRARIES))


def _own_variables() -> str:
    meanings, needs = documented(config.Environment), demanded()
    unset = config.Environment.read({})
    rows = []
    for each in fields(config.Environment):
        name, default = each.name.upper(), getattr(unset, each.name)
        secret = each.type == "SecretStr"
        meaning, example = meanings[each.name]
        rows.append(
            (
                f"`{name}`",
                ", ".join(needs.get(name, ())),
                "" if secret or default is None or default is False else f"`{default}`",
                meaning + (" Secret." if secret else ""),
                f"`{example}`" if example else "",
            )
        )
    return table(("variable", "needed by", "default", "meaning", "example"), rows)


def _kinds_variables() -> str:
    rows = []
    for part, kinds in KINDS.items():
        for kind, settings in kinds.items():
            for key, text in settings.defaults().items():
                name = text[2:-1]
                fallback = settings.fallbacks.get(name)
                meaning = settings.variables.get(name) or settings.model_fields[key].description or ""
                rows.append(
                    (
                        f"`{name}`",
                        f"`{key}` of each {kind} in `{part}`",
                        f"`{fallback}`" if fallback else "",
                        " ".join(f"{meaning[:1].upper()}{meaning[1:].rstrip('.')}.".split()),
                    )
                )
    return table(("variable", "stands for", "default", "meaning"), rows)


# ------------------------------------------------------------------------------------------- reading


def documented(cls: type) -> Mapping[str, tuple[str, str]]:
    """Return the meaning of each field and an example, from the docstrings under the fields."""
    [body] = [
        node.body for node in ast.parse(dedent(inspect.getsource(cls))).body if isinstance(node, ast.ClassDef)
    ]
    found = {}
    for field, after in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
        ):
            text = " ".join(ast.literal_eval(after.value).replace("``", "`").split())
            meaning, _, example = text.partition(" Example: ")
            found[field.target.id] = meaning, example.strip("`.")
    return found


def demanded() -> Mapping[str, list[str]]:
    """Return the commands that do not run without a variable, by asking each of them in an empty
    environment."""
    empty = {name: None for each in fields(config.Environment) for name in _both(each.name.upper())}
    found: dict[str, list[str]] = defaultdict(list)
    for command in leaves(rotakey):
        if command in ONLY_HERE:
            continue
        asked = CliRunner().invoke(rotakey, [*command.split(), *ARGUMENTS.get(command, ())], env=empty)
        said = str(asked.exception) if asked.exception and not asked.output else asked.output
        for names in re.findall(r"(?m)^(?:Error: )?([A-Z_]+(?: or [A-Z_]+)*): ", said):
            every = names.split(" or ")
            for name in every:
                others = " or ".join(f"`{other}`" for other in every if other != name)
                found[name].append(f"`{command}`" + (f" (or {others})" if others else ""))
    return found


def leaves(group: click.Group, before: str = "") -> Iterator[str]:
    """Yield all commands, each with the groups that it is in."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, f"{before}{name} ")
        else:
            yield before + name


def _both(name: str) -> tuple[str, str]:
    return name, f"{name}_FILE"
