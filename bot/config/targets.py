"""The targets of access.yaml alone, for revoking: mistakes elsewhere in the file do not matter."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from bot.config import sentences
from bot.config.defaults import MEANINGS, with_defaults
from bot.config.forms import Name, Workspace
from bot.config.mistakes import Mistake, Path, Unreadable, in_order
from bot.config.shapes import Target
from bot.config.tree import Tree, decode, read
from bot.config.variables import Variables, command_dir, substitute, variable_names
from bot.core.catalog import version_of
from bot.core.errors import Misconfigured
from bot.settings import FileContext, Settings, TargetSettings

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, kw_only=True)
class Targets:
    """The targets of a file. ``skipped`` has why a target cannot be used here, a line for each mistake.
    ``version`` is the file's, as for a policy. ``variables`` are the names that the settings of each target
    use."""

    workspace: str
    version: str
    settings: Mapping[str, TargetSettings] = field(repr=False)
    skipped: Mapping[str, str]
    variables: Mapping[str, tuple[str, ...]]


class _Workspace(Settings):
    workspace: Workspace = "main"


class _Target(Settings):
    targets: dict[Name, Target]


def targets_of(
    text: str | bytes, *, name: str = "access.yaml", environ: Mapping[str, str] | None = None
) -> Targets:
    """Return the targets of a file. Raise Misconfigured if it is not YAML or does not say whose grants are
    meant. A secret in the file itself is accepted: it may be needed to revoke, and ``check`` refuses it."""
    try:
        plain = decode(text)
        written = read(plain)
    except Unreadable as wrong:
        raise Misconfigured(str(Mistake(file=name, line=wrong.line, path="", text=wrong.text))) from None
    variables = Variables(os.environ if environ is None else environ, MEANINGS)
    tree = with_defaults(written, variables)
    judge = _Judge(tree, name, variables)
    workspace = judge.workspace()
    judged = {each: judge.target(each) for each in judge.names()}
    return Targets(
        workspace=workspace,
        version=version_of(plain),
        settings={each: it for each, it in judged.items() if not isinstance(it, str)},
        skipped={each: it for each, it in judged.items() if isinstance(it, str)},
        variables={each: tuple(variable_names(tree.at(("targets", each)))) for each in judged},
    )


class _Judge:
    def __init__(self, tree: Tree, file: str, variables: Variables) -> None:
        self._tree = tree
        self._file = file
        self._variables = variables

    def workspace(self) -> str:
        given = self._tree.at(("workspace",))
        raw = {} if given is None else {"workspace": given}
        found = self._validate(_Workspace, raw, ("workspace",))
        if isinstance(found, str):
            raise Misconfigured(found)
        return found.workspace

    def names(self) -> list[str]:
        there = self._tree.at(("targets",))
        return list(there) if isinstance(there, dict) else []

    def target(self, name: str) -> TargetSettings | str:
        raw = {"targets": {name: self._tree.at(("targets", name))}}
        found = self._validate(_Target, raw, ("targets", name))
        return found if isinstance(found, str) else found.targets[name]

    def _validate(self, shape: type[S], raw: object, path: Path) -> S | str:
        """Return the validated value, or what is wrong with it as text."""
        context = FileContext(bare_secrets=True, command_dir=command_dir(self._variables))
        faults = [each for each in self._tree.faults if each.path[: len(path)] == path]
        value = substitute(raw, self._variables, faults)
        try:
            found = shape.model_validate(value, context=context)
        except ValidationError as error:
            faults += sentences.faults(error, self._tree, value, context)
        else:
            if not faults:
                return found
        mistakes = (
            Mistake(
                file=self._file,
                line=each.line or self._tree.line(each.path),
                path=self._tree.place(each.path),
                text=each.text,
            )
            for each in faults
        )
        return "\n".join(map(str, in_order(mistakes)))
