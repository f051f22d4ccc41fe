"""The page of all keys of access.yaml, from its JSON Schema and from the forms that values have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

import yaml
from pydantic import TypeAdapter

from bot import config, settings
from bot.config import forms
from bot.settings import Form
from tests.docs.tables import table

Schema = Mapping[str, Any]
Row = tuple[str, str, str, str, str]
"""The section, the key, its type with bounds, its default, and its meaning."""

HEAD = """\
# access.yaml, key by key

This page is generated: `python -m tests.docs` writes it. [policy.md](policy.md) shows how the file is
written, and `rotakey schema` prints the same for an editor.

`NAME` in a heading is a name that you choose, and `[]` an entry of a list. A key without a default may be
left out unless it is required. [Values](#values) explains the types.
"""

FILE = "The file"
BOUNDS = re.compile(r" ?From (\S+) to (\S+)\.$")
LENGTH = "such as `12h`, `45m`, `1h30m` or `2d`, the larger unit first"


def page() -> str:
    found: dict[str, list[Row]] = {}
    for row in rows():
        found.setdefault(row[0], []).append(row)
    parts = [HEAD]
    for section, every in found.items():
        lines = [(f"`{key}`", kind, default, meaning) for _, key, kind, default, meaning in every]
        title = section if section == FILE else f"`{section}`"
        parts.append(f"## {title}\n\n{table(('key', 'type', 'default', 'meaning'), lines)}")
    values = [(name, what) for name, what in named_values().values()]
    parts.append(f"## Values\n\n{table(('type', 'write'), values)}")
    return "\n".join(parts)


def rows() -> Iterator[Row]:
    """Yield a row for each key, section by section. What several keys have in common is a section once, with
    the name of the first."""
    schema = config.schema()
    walk = _Walk(schema["$defs"])
    walk.object(schema, FILE)
    while walk.waiting:
        section, part = walk.waiting.pop()
        later, walk.waiting = walk.waiting, []
        required = part.get("required", ())
        for key, each in part["properties"].items():
            place = key if section == FILE else f"{section.partition(', ')[0]}.{key}"
            kind = walk.kind(each, place)
            meaning = walk.meaning(each) or ("The name of the kind." if key == "kind" else "")
            if bounds := BOUNDS.search(meaning):
                kind, meaning = f"{kind}, {bounds[1]} to {bounds[2]}", meaning[: bounds.start()]
            default = "required" if key in required else _shown(each.get("default"))
            yield section, key, kind, default, meaning
        if required and isinstance(others := part.get("additionalProperties"), dict):
            yield section, "any other", walk.kind(others, section), "", walk.meaning(part)
        walk.waiting = [*later, *reversed(walk.waiting)]


class _Walk:
    """A walk through the schema. ``waiting`` are the sections that are still to be described."""

    def __init__(self, defs: Schema) -> None:
        self._defs = defs
        self._values = named_values()
        self._known: list[tuple[Any, str]] = []
        self.waiting: list[tuple[str, Schema]] = []

    def object(self, part: Schema, place: str) -> str:
        """Return the name of the section for these keys, and see that there is one."""
        for known, section in self._known:
            if known == part["properties"]:
                return section
        section = place + _telling_apart(part, place)
        self._known.append((part["properties"], section))
        self.waiting.append((section, part))
        return section

    def meaning(self, part: Schema) -> str:
        own = part.get("description") or self._resolved(part).get("description", "")
        return " ".join(own.replace("``", "`").split())

    def kind(self, part: Schema, place: str) -> str:
        part = self._resolved(part)
        for choice in ("anyOf", "oneOf"):
            if choice in part:
                return " or ".join(dict.fromkeys(self.kind(each, place) for each in part[choice]))
        if "properties" in part:
            section = self.object(part, place)
            return f"[`{section}`](#{_anchor(section)})"
        if "patternProperties" in part or isinstance(part.get("additionalProperties"), dict):
            name, value = _named(part)
            return f"for each {self._values.get(name, ('name', ''))[0]}: {self.kind(value, f'{place}.NAME')}"
        if "items" in part:
            return f"list of {self.kind(part['items'], f'{place}[]')}"
        return self._scalar(part)

    def _scalar(self, part: Schema) -> str:
        match part:
            case {"const": const}:
                return f"`{const}`"
            case {"enum": choices}:
                return " or ".join(f"`{each}`" for each in choices)
            case {"type": "integer", "minimum": least, "maximum": most}:
                return f"number, {least} to {most}"
            case {"type": "integer"}:
                return "number"
            case {"type": "boolean"}:
                return "`true` or `false`"
        return self._values.get(part.get("pattern", ""), ("text", ""))[0]

    def _resolved(self, part: Schema) -> Schema:
        while "$ref" in part:
            part = self._defs[part["$ref"].rpartition("/")[2]]
        return part


def _named(part: Schema) -> tuple[str, Schema]:
    """Return the pattern of the names in a mapping, which may be empty, and what each has."""
    for pattern, value in part.get("patternProperties", {}).items():
        return pattern, value
    return "", part["additionalProperties"]


def _telling_apart(part: Schema, place: str) -> str:
    """Return what tells this section from others of the same place: the kind, or the only key of a rule."""
    properties: Schema = part["properties"]
    if comment := part.get("$comment"):
        return f", {comment}"
    if kind := properties.get("kind", {}).get("const"):
        return f", kind: {kind}"
    return f", {next(iter(properties))}" if place.endswith("[]") and len(properties) == 1 else ""


def _shown(default: object) -> str:
    """Return a default as people write it in YAML."""
    return (
        "" if default is None else f"`{yaml.safe_dump(default, default_flow_style=True).split(chr(10))[0]}`"
    )


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-")


def named_values() -> Mapping[str, tuple[str, str]]:
    """Return for each pattern of a value its name and what to write."""
    found = {
        _pattern(settings.Length): ("length", LENGTH),
        _pattern(settings.LengthSetting): ("length or variable", f"{LENGTH}; or `${{NAME}}`"),
        _pattern(settings.Secret): ("secret", "`${NAME}` alone; the variable has the value"),
    }
    for name, alias in [*vars(forms).items(), *vars(settings).items()]:
        form = next((each for each in get_args(alias) if isinstance(each, Form)), None)
        if get_origin(alias) is Annotated and form and "; write " in form.say:
            words = " ".join(re.findall("[A-Z][a-z]+", name)).lower()
            most = _schema(alias).get("maxLength")
            limit = f", at most {most} characters" if most else ""
            what = form.say.partition("; write ")[2].removeprefix("it ")
            found.setdefault(_pattern(alias), (words, what + limit))
    return found


def _pattern(alias: Any) -> str:
    return str(_schema(alias)["pattern"])


def _schema(alias: Any) -> Schema:
    return TypeAdapter(alias).json_schema()
