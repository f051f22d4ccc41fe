"""YAML read as plain values that know their lines: no objects, no tags, no repeated keys, nothing endless."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bot.config.mistakes import MOST_TOLD, Fault, Path, Unreadable, dotted_path, quote, without_password
from bot.config.variables import FILLED

MOST_BYTES = 1_000_000
MOST_VALUES = 50_000
MOST_DEEP = 20

LOADER: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FRACTION = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{0,18}")
_TRUE = ("true", "yes", "on")
_TAG = "tag:yaml.org,2002:"
_PLAIN = {_TAG + name for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "value")}
_MERGE = _TAG + "merge"


@dataclass(kw_only=True)
class Tree:
    """A file as values. ``value`` is built of dicts, tuples, text, numbers, booleans and None; ``last`` is
    the last line."""

    value: object = None
    last: int = 1
    faults: list[Fault] = field(default_factory=list)
    lines: dict[Path, int] = field(default_factory=dict)
    keys: dict[Path, int] = field(default_factory=dict)

    def at(self, path: Path) -> object:
        """Return the value at this place; None if there is none."""
        found = self.value
        for part in path:
            if isinstance(found, tuple) and isinstance(part, int) and part < len(found):
                found = found[part]
            else:
                found = found.get(part) if isinstance(found, dict) else None
        return found

    def place(self, path: Path) -> str:
        """Return the place as a mistake writes it. A key in the settings of a target or source may be a
        password that lost its quotes, and is left out unless it looks like a key."""
        if len(path) > 2 and path[0] in FILLED:
            keys = self.at(path[:2])
            beside = [str(key) for key in keys] if isinstance(keys, dict) else []
            if not _KEY.fullmatch(str(path[2])) or any(without_password(key) != key for key in beside):
                path = (*path[:2], "…", *path[3:])
        return dotted_path(path)

    def line(self, path: Path) -> int:
        """Return the line of a text or number itself; of any other value, that of its key; of something
        missing, that of its parent."""
        if path in self.lines and isinstance(self.at(path), str | int | float):
            return self.lines[path]
        found = self.keys.get(path) or self.lines.get(path)
        return found or (self.line(path[:-1]) if path else 1)


def part(value: object, name: str) -> Mapping[str, object]:
    """Return the mapping under that key; an empty one if there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def decode(text: str | bytes) -> str:
    """Decode the text. Raise Unreadable."""
    raw = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    if len(raw) > MOST_BYTES:
        raise Unreadable(1, f"the file has {len(raw)} bytes; reduce it to {MOST_BYTES} or fewer")
    try:
        found = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Unreadable(line, "this line is not UTF-8; save the file in UTF-8") from None
    odd = _FORBIDDEN.search(found)
    if odd:
        line = found.count("\n", 0, odd.start()) + 1
        raise Unreadable(line, f"there is a control character, {quote(odd[0])}; remove it")
    return found


def read(text: str) -> Tree:
    """Read the text. Raise Unreadable if it is not YAML at all."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MOST_DEEP:
                raise Unreadable(event.start_mark.line + 1 if event.start_mark else 1, _TOO_DEEP)
        node = yaml.compose(text, Loader=LOADER)
        if node is None:
            raise Unreadable(1, "the file is empty; write at least one resource, under resources:")
        growing = _Growing(text)
        growing.tree.value = growing.value(node, (), 0)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Unreadable(min(line, _last(text)), _yaml_error(error, text, line)) from None
    except (yaml.YAMLError, ValueError, OverflowError):  # the Python loader lets some escapes through
        raise Unreadable(
            1, "the file is not valid YAML; look for invalid escapes such as \\x in quoted text"
        ) from None
    return growing.tree


def _last(text: str) -> int:
    return max(len(text.splitlines()), 1)


_KEY = re.compile(r"[A-Za-z_]{1,30}")
_HIDDEN = ", because # begins a comment; put the value in quotes"
_TOO_DEEP = f"lists and mappings are nested more than {MOST_DEEP} levels deep here; nest them less deeply"


def _yaml_error(error: yaml.MarkedYAMLError, text: str, line: int) -> str:
    lines = text.splitlines()
    wrong = lines[line - 1] if line <= len(lines) else ""
    problem = re.sub(
        " '[^']{2,}'", "", " ".join(str(error.problem).split())
    )  # the text that it repeats may be a secret
    at = error.problem_mark.column if error.problem_mark else 0
    if re.match(r" *\t", wrong):
        return "this line is indented with a tab; indent with spaces"
    if "another document" in problem:
        return "a second document begins here; keep one, and remove the line ---"
    if "mapping values are not allowed" in problem:
        return "there is one colon too many here; put the value in quotes, or fix the indentation"
    if "cannot start any token" in problem:
        return f"a value cannot begin with {quote(wrong[at : at + 1])}; put the value in quotes"
    started = error.context_mark.line + 1 if error.context_mark else line
    since = f", in what begins on line {started}" if started < line else ""
    return f"this is not valid YAML: {problem}{since}; check the quotes, the brackets and the indentation"


class _Growing:
    """A tree while its nodes are read. Aliases are unfolded, so what they stand for is counted again."""

    def __init__(self, text: str) -> None:
        self.tree = Tree(last=_last(text))
        self._count = 0
        self._lines = text.splitlines()

    def value(self, node: Node, path: Path, depth: int) -> object:
        line = node.start_mark.line + 1
        self._count += 1
        if self._count > MOST_VALUES:
            raise Unreadable(
                line, f"the file has more than {MOST_VALUES} values, with aliases expanded; use fewer"
            )
        if depth > MOST_DEEP:
            raise Unreadable(line, _TOO_DEEP)
        self.tree.lines[path] = line
        if node.tag not in _PLAIN | {_MERGE}:
            self._fault(path, "has a tag, and tags are not allowed here; remove the word that starts with !")
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, SequenceNode):
            return tuple(self.value(each, (*path, i), depth + 1) for i, each in enumerate(node.value))
        return self._scalar(str(node.value), node.tag.removeprefix(_TAG), path)

    def _scalar(self, text: str, kind: str, path: Path) -> object:
        """Read a scalar. Numbers in an unusual form, times and the like stay text."""
        value: object = text
        if kind == "null":
            value = None
        elif kind == "bool":
            value = text.casefold() in _TRUE
        elif kind == "int" and _WHOLE.fullmatch(text):
            value = int(text)
        elif kind == "float" and _FRACTION.fullmatch(text):
            value = float(text)
        if value is None and len(self.tree.faults) <= MOST_TOLD:
            line = self.tree.line(path)
            hidden = "#" in "".join(self._lines[line - 1 : line])
            self._fault(path, f"has no value{_HIDDEN if hidden else '; fill it in, or remove it'}")
        elif _FORBIDDEN.search(text):
            self._fault(path, "contains a control character; remove it")
        return value

    def _mapping(self, node: MappingNode, path: Path, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self._fault(path, "has a key that is a list or a mapping; write it as text", line)
                continue
            name, place = str(key.value), (*path, str(key.value))
            if key.tag == _MERGE:
                self._fault(
                    place,
                    "is a merge key, and they are not supported; write out the keys that it would add",
                    line,
                )
            elif name in found:
                before = self.tree.keys[place]
                self._fault(place, f"appears twice, first on line {before}; remove one", line)
            else:
                self.tree.keys[place] = line
                found[name] = self.value(value, place, depth + 1)
        return found

    def _fault(self, path: Path, text: str, line: int | None = None) -> None:
        if len(self.tree.faults) <= MOST_TOLD:
            self.tree.faults.append(Fault(path=path, text=text, line=line))
