"""Variables of the environment by name: directly, from a file named by NAME_FILE, and as ${NAME} in
settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath

from bot.config.mistakes import Fault, Path
from bot.settings import VARIABLE, FromVariable, Missing

FILLED = ("targets", "oncall")
"""The parts of the file in whose settings variables are filled in."""

OWN = re.compile(r"(SLACK|REDIS)_.*|((AUDIT|SECRET)_KEY|COMMAND_DIR)(_FILE)?")
"""Variables that the bot itself needs. A policy must not be able to send one of them elsewhere."""

_USE = re.compile(r"\$\$|\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class NotGiven(Exception):
    """A variable has no value that could be used; the text says what to do, after the variable's name."""


class Variables:
    """The variables of the environment. ``meanings`` says of some of them what the value is."""

    def __init__(self, environ: Mapping[str, str], meanings: Mapping[str, str] | None = None) -> None:
        self._environ = environ
        self.meanings = meanings or {}

    def find(self, name: str) -> str | None:
        """Return the value, or the content of the file that NAME_FILE names, stripped. None if neither is
        set.

        Raise NotGiven if both are set, or the file cannot be read.
        """
        value, file = self._environ.get(name), self._environ.get(f"{name}_FILE")
        if file is None:
            return None if value is None else value.strip()
        if value is not None:
            raise NotGiven(f"is set, and {name}_FILE is too; unset one of them")
        try:
            return FilePath(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise NotGiven(
                f"cannot be read from the file that {name}_FILE names: {why}; check the path"
            ) from None


def command_dir(variables: Variables) -> str:
    """Return the folder of programs; empty if it is not set or cannot be read, as ``Environment`` says."""
    try:
        return variables.find("COMMAND_DIR") or ""
    except NotGiven:
        return ""


def substitute(
    value: object, variables: Variables, faults: list[Fault], path: Path = (), *, sparing: bool = False
) -> object:
    """Return the value with ``${NAME}`` replaced in the settings of targets and sources, and ``$$`` by a
    dollar everywhere. A use that cannot be replaced stays, and is a fault. Text that was only a variable
    becomes FromVariable; or, with ``sparing``, Missing if that is not set."""
    if isinstance(value, dict):
        return {
            key: substitute(each, variables, faults, (*path, key), sparing=sparing)
            for key, each in value.items()
        }
    if isinstance(value, tuple):
        return tuple(
            substitute(each, variables, faults, (*path, i), sparing=sparing) for i, each in enumerate(value)
        )
    if not isinstance(value, str) or "$" not in value:
        return value
    wrong: list[str] = []
    unset: list[str] = []
    is_setting = len(path) > 2 and path[0] in FILLED  # so is targets.orders-db.url, but not a target's name
    known = variables if is_setting else None
    text = _USE.sub(lambda use: _replacement(use, known, wrong, unset), value)
    if wrong or unset:
        said = "; ".join(dict.fromkeys([*wrong, *unset]))
        faults.append(Fault(path=path, text=said, unset=not wrong))
        text = value
    if not re.fullmatch(VARIABLE, value):
        return text
    return Missing(text) if sparing and unset and not wrong else FromVariable(text)


def variable_names(value: object) -> Iterator[str]:
    """Yield the names of the variables in the texts of a value, each once."""
    found: dict[str, None] = {}
    rest = [value]
    while rest:
        each = rest.pop()
        if isinstance(each, dict | tuple):
            rest += each.values() if isinstance(each, dict) else each
        elif isinstance(each, str):
            found |= {use[1]: None for use in _USE.finditer(each) if use[0] != "$$"}
    return iter(found)


def _replacement(use: re.Match[str], variables: Variables | None, wrong: list[str], unset: list[str]) -> str:
    """Return the text for one ``${NAME}``, and add to ``wrong`` or ``unset`` if it has none. ``variables`` is
    None if none are filled in here."""
    if use[0] == "$$":
        return "$"
    name = use[1]
    if variables is None:
        wrong.append(
            "contains ${, but variables are filled in only in the settings of targets and oncall; write the"
            " value itself, or $${ for a literal ${"
        )
        return ""
    if not (_NAME.fullmatch(name) and use[0].endswith("}")):
        wrong.append("has a ${ without a valid variable name; write ${NAME}, or $${ for a literal ${")
        return ""
    if OWN.fullmatch(name):
        wrong.append(f"{name} is one of the bot's own variables; use a separate variable for this setting")
        return ""
    try:
        found = variables.find(name)
    except NotGiven as why:
        wrong.append(f"the variable {name} {why}")
        return ""
    if found is None:
        meaning = variables.meanings.get(name)
        what_to_set = f": {meaning}" if meaning else ""
        unset.append(f"the variable {name} is not set; set it in the environment{what_to_set}")
    elif not found:
        wrong.append(f"the variable {name} is empty; set it in the environment")
    return found or ""
