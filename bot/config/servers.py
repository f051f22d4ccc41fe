"""The servers of the targets in a file, so that one running server has one name and a move is noticed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from bot.config.mistakes import Fault
from bot.config.tree import Tree, part
from bot.config.variables import variable_names
from bot.core.catalog import Located, digest
from bot.kinds.table import TARGET_SETTINGS
from bot.settings import VARIABLE, FileContext, TargetSettings


def duplicate_servers(tree: Tree, filled: object) -> Iterator[Fault]:
    """Yield a mistake for each target whose server already has a name above it. ``tree`` is the file as it
    is, ``filled`` the same with its variables; servers behind variables that are not set are compared by the
    variables' names."""
    names: dict[str, str] = {}
    for name, settings in part(filled, "targets").items():
        kind = _kind(settings.get("kind")) if isinstance(settings, dict) else None
        try:
            known = kind.model_validate(settings, context=FileContext()).servers if kind else frozenset()
        except ValidationError:
            known = frozenset()
        servers = {*known, *(text for text in _address(tree, name).values() if re.fullmatch(VARIABLE, text))}
        first = next((names[each] for each in sorted(servers) if each in names), None)
        if first is not None:
            line = tree.line(("targets", first))
            same = kind.same_server if kind else TargetSettings.same_server
            text = f"is the same system as {first} on line {line} ({same}); give both one name"
            yield Fault(path=("targets", name), text=text)
        names |= {each: name for each in servers if each not in names}


def locations(tree: Tree, targets: Mapping[str, TargetSettings]) -> Located:
    """Return the targets' addresses. ``tree`` is the file as it is, ``targets`` what it comes to here."""
    return Located(
        addresses={name: digest(sorted(_address(tree, name).items())) for name in targets},
        reached={name: digest(sorted(each.servers)) for name, each in targets.items() if each.servers},
        variables={name: tuple(variable_names(_address(tree, name))) for name in targets},
    )


def _address(tree: Tree, name: str) -> dict[str, str]:
    """Return ``kind``, and the settings of that kind that say where the target is."""
    kind = tree.at(("targets", name, "kind"))
    known = _kind(kind)
    keys = known.address if known else ()
    return {"kind": str(kind), **{key: str(tree.at(("targets", name, key))) for key in keys}}


def _kind(name: object) -> type[TargetSettings] | None:
    return TARGET_SETTINGS.get(name) if isinstance(name, str) else None
