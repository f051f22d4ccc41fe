"""Settings that a target or source leaves out and that come from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.config.tree import Tree, part
from bot.config.variables import NotGiven, Variables
from bot.kinds.table import SOURCE_SETTINGS, TARGET_SETTINGS
from bot.settings import Kind

KINDS: Mapping[str, Mapping[str, type[Kind]]] = {"targets": TARGET_SETTINGS, "oncall": SOURCE_SETTINGS}
"""The settings of each kind, by the part of the file that has them and by the name of the kind."""

MEANINGS = {
    name: text for kinds in KINDS.values() for kind in kinds.values() for name, text in kind.variables.items()
}
"""What the value of a variable is that a default uses, and where to get it."""


def with_defaults(tree: Tree, variables: Variables) -> Tree:
    """Return the tree in which each target and source has the defaults of its kind that are variables, such
    as ``token: ${PAGERDUTY_TOKEN}``. One that has a fallback and is not set is that fallback."""
    if not isinstance(tree.value, dict):
        return tree
    completed = dict(tree.value)
    for name, kinds in KINDS.items():
        for entry, settings in part(tree.value, name).items():
            kind = settings.get("kind") if isinstance(settings, dict) else None
            if isinstance(settings, dict) and isinstance(kind, str) and kind in kinds:
                left_out = _defaults(kinds[kind], variables)
                completed[name] = {**part(completed, name), entry: {**left_out, **settings}}
    return replace(tree, value=completed)


def _defaults(kind: type[Kind], variables: Variables) -> Mapping[str, str]:
    found = dict(kind.defaults())
    for key, text in found.items():
        variable = text[2:-1]
        try:
            is_set = bool(variables.find(variable))
        except NotGiven:  # filling it in reports why
            is_set = True
        if variable in kind.fallbacks and not is_set:
            found[key] = kind.fallbacks[variable]
    return found
