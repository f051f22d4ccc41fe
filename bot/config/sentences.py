"""Sentences for what the shapes found wrong, which say what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from bot.config.forms import one_of, suggestion
from bot.config.mistakes import Fault, Path, quote
from bot.config.tree import Tree
from bot.settings import FileContext
from bot.slack.grammar.likeness import nearest

Error = Mapping[str, Any]

MOST_JUDGED = 1_000
OF_A_KEY = "[key]"
OF_A_VARIANT = "?"


def faults(error: ValidationError, tree: Tree, filled: object, context: FileContext) -> Iterator[Fault]:
    """Yield the mistakes. ``tree`` is the file as it is, ``filled`` what was checked. A missing key and a
    misspelled one are reported as one mistake."""
    errors = error.errors(include_url=False, include_input=False)[:MOST_JUDGED]
    found = [(each, _place(each["loc"], tree)) for each in errors]
    allowed = {
        path: context.keys.get(id(Tree(value=filled).at(path[:-1])), ())
        for each, path in found
        if each["type"] == "extra_forbidden"
    }
    slips = {(*path[:-1], name) for path, names in allowed.items() for name in nearest(str(path[-1]), names)}
    for each, path in found:
        kind, value = each["type"], tree.at(path)
        if (kind == "missing" and path in slips) or (kind == "too_short" and value):
            continue
        if kind == "extra_forbidden":
            text = f"unknown key; {suggestion(str(path[-1]), allowed[path])}"
            yield Fault(path=path, text=text, line=tree.keys.get(path))
        elif each["loc"][-1:] == (OF_A_KEY,):
            yield Fault(path=path, text=_text(each, path[-1]), line=tree.keys.get(path))
        else:
            yield Fault(path=path, text=_text(each, value))


def _place(loc: tuple[str | int, ...], tree: Tree) -> Path:
    """Return the place in the file: variants of a shape are not places, and there is nothing inside a
    text."""
    path: Path = ()
    for part in loc:
        if part == OF_A_KEY or (isinstance(part, str) and part.startswith(OF_A_VARIANT)):
            continue
        if not isinstance(tree.at(path), dict | tuple):
            break
        path = (*path, part)
    return path


def _text(error: Error, value: object) -> str:
    kind, about = error["type"], error.get("ctx", {})
    match kind:
        case "wrong":
            return str(error["msg"])
        case "unlike":
            return f"{quote(value)} {error['msg']}"
        case "string_type" if isinstance(value, bool):
            return f"is read as {quote(value)}; put it in quotes if you mean text"
        case "string_type" if isinstance(value, int | float):
            return f'{quote(value)} is a number; put it in quotes, "{quote(value)}"'
        case "string_too_long":
            return f"is too long; write at most {about['max_length']} characters"
        case "literal_error":
            allowed = str(about["expected"]).replace("'", "").split(" or ")
            return f"{quote(value)} is not an allowed value; write {one_of(allowed)}"
        case "greater_than_equal" | "less_than_equal":
            bound = f"{about['ge']} or more" if "ge" in about else f"{about['le']} or less"
            return f"{quote(value)} is out of range; write {bound}"
    return _SAID[kind]


_SAID = {
    "missing": "is missing; add it",
    "tuple_type": "must be a list; put it in brackets, such as [one, two]",
    "dict_type": "must be a mapping; write one key: value on each line",
    "int_type": "must be a whole number; write one, such as 1",
    "bool_type": "is neither true nor false; write one of them",
    "too_short": "is empty; list at least one, or remove the key",
    "string_type": "must be text; write a single value, not a list or a mapping",
    "string_unicode": "contains an invalid character; remove it",
    "string_too_short": "is empty; fill it in, or remove the key",
}
