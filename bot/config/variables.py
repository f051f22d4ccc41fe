"""The environment by name: straight, from a file named by NAME_FILE, and as ${NAME} in texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path as FilePath

from bot.config.mistakes import Fault, Path

_USE = re.compile(r"\$\$|\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class NotGiven(Exception):
    """A variable has no value that could be used; the text says what to do, after the variable's name."""


class Variables:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def find(self, name: str) -> str | None:
        """The value, or what is in the file that NAME_FILE names, stripped. None where neither is set.

        Raises NotGiven where both are, or the file cannot be read.
        """
        value, file = self._environ.get(name), self._environ.get(f"{name}_FILE")
        if file is None:
            return None if value is None else value.strip()
        if value is not None:
            raise NotGiven(f"is set, and {name}_FILE is too; take one of them away")
        try:
            return FilePath(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not text in UTF-8"
            raise NotGiven(
                f"cannot be read from the file that {name}_FILE names: {why}; check the path"
            ) from None


def filled(value: object, variables: Variables, faults: list[Fault], path: Path = ()) -> object:
    """The same value with ``${NAME}`` replaced in its texts, and ``$$`` by a dollar; what cannot be
    replaced stays, and is a fault."""
    if isinstance(value, dict):
        return {key: filled(each, variables, faults, (*path, key)) for key, each in value.items()}
    if isinstance(value, tuple):
        return tuple(filled(each, variables, faults, (*path, i)) for i, each in enumerate(value))
    if not isinstance(value, str) or "$" not in value:
        return value
    wrong: list[str] = []
    unset: list[str] = []
    text = _USE.sub(lambda use: _replaced(use, variables, wrong, unset), value)
    if wrong or unset:
        said = "; ".join(dict.fromkeys([*wrong, *unset]))
        faults.append(Fault(path=path, text=said, unset=not wrong))
        return value
    return text


def _replaced(use: re.Match[str], variables: Variables, wrong: list[str], unset: list[str]) -> str:
    if use[0] == "$$":
        return "$"
    name = use[1]
    if not (_NAME.fullmatch(name) and use[0].endswith("}")):
        wrong.append("has a ${ without the name of a variable; write ${NAME}, or $${ for a plain ${")
        return ""
    try:
        found = variables.find(name)
    except NotGiven as why:
        wrong.append(f"the variable {name} {why}")
        return ""
    if found is None:
        unset.append(f"the variable {name} is not set; give it a value in the environment")
    elif not found:
        wrong.append(f"the variable {name} is empty; give it a value in the environment")
    return found or ""
