"""The policy of access.yaml: read, filled in and checked, with all its mistakes reported at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path as FilePath

from pydantic import ValidationError

from bot.config import sentences
from bot.config.building import catalog_of
from bot.config.conflicts import conflicts, parts_of
from bot.config.defaults import KINDS, MEANINGS, with_defaults
from bot.config.doubts import doubts
from bot.config.mistakes import MOST_TOLD, Fault, Mistake, Unreadable, in_order
from bot.config.servers import duplicate_servers, locations
from bot.config.shapes import File, ResourceShape
from bot.config.tree import Tree, decode, part, read
from bot.config.variables import FILLED, Variables, command_dir, substitute
from bot.core.catalog import Catalog
from bot.core.errors import Misconfigured
from bot.settings import FileContext, SourceSettings, TargetSettings

WAYS = ("approvers", "approve_automatically", "on_shift")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A policy. ``text`` is the file as it is, before ``${NAME}`` is filled in; the catalog's version is that
    of this text."""

    catalog: Catalog
    workspace: str
    targets: Mapping[str, TargetSettings]
    oncall: Mapping[str, SourceSettings]
    text: str = field(repr=False)


def load(
    text: str | bytes,
    *,
    name: str = "access.yaml",
    environ: Mapping[str, str] | None = None,
    secrets: bool = True,
) -> Policy:
    """Return the policy of a text that has no mistakes, or raise Misconfigured with all of them, one on each
    line. If no ``environ`` is given, it is this process's own. Without ``secrets``, variables with the
    addresses and credentials of targets and sources may be unset: the policy is not used to reach them."""
    found = _read(text, name, environ, secrets=secrets)
    if isinstance(found, Policy):
        return found
    raise Misconfigured("\n".join(map(str, found)))


def check(
    text: str | bytes, *, name: str = "access.yaml", environ: Mapping[str, str] | None = None
) -> list[Mistake]:
    """Return all mistakes, by line; none if ``load`` would return a policy."""
    found = _read(text, name, environ)
    return [] if isinstance(found, Policy) else found


def cautions(
    text: str | bytes,
    *,
    name: str = "access.yaml",
    environ: Mapping[str, str] | None = None,
    copies: int = 0,
    tries: float = 30.0,
) -> list[Mistake]:
    """Return what may be wrong with a text that has no mistakes, by line. ``copies`` is the number of copies
    of Redis that are required. Slow patterns are looked for during ``tries`` seconds."""
    variables = Variables(os.environ if environ is None else environ, MEANINGS)
    tree = with_defaults(read(decode(text)), variables)
    value = substitute(tree.value, variables, [])
    found = doubts(parts_of(value, _context(value, variables)), value, copies=copies, tries=tries)
    told = _mistakes(found, tree, name)
    return in_order(replace(each, text=f"warning: {each.text}") for each in told)


def settings_written(
    text: str | bytes, *, name: str = "access.yaml"
) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
    """Return the settings of each target and source as the file has them, before variables are filled in and
    before anything is checked, defaults included: ``{"targets": {"orders-db": {"kind": "postgres", "url":
    "${ORDERS_DB_URL}"}}, "oncall": …}``. Raise Misconfigured if the text is not YAML."""
    try:
        written = read(decode(text))
    except Unreadable as wrong:
        raise Misconfigured(str(Mistake(file=name, line=wrong.line, path="", text=wrong.text))) from None
    all_set = {each: "set" for kinds in KINDS.values() for kind in kinds.values() for each in kind.fallbacks}
    tree = with_defaults(written, Variables(all_set))
    return {
        each: {
            entry: settings
            for entry, settings in part(tree.value, each).items()
            if isinstance(settings, dict)
        }
        for each in FILLED
    }


def bytes_of(path: FilePath) -> bytes:
    """Read the file, for ``load`` and ``check``. Raise Misconfigured."""
    try:
        return path.read_bytes()
    except OSError as error:
        why = error.strerror or "it cannot be read"
        raise Misconfigured(f"{path}: {why}; set ACCESS_FILE to the path of access.yaml") from None


def _read(
    text: str | bytes, name: str, environ: Mapping[str, str] | None, *, secrets: bool = True
) -> Policy | list[Mistake]:
    try:
        plain = decode(text)
        written = read(plain)
    except Unreadable as wrong:
        return [Mistake(file=name, line=wrong.line, path="", text=wrong.text)]
    variables = Variables(os.environ if environ is None else environ, MEANINGS)
    tree = with_defaults(written, variables)
    found = list(tree.faults)
    value = substitute(tree.value, variables, found, sparing=not secrets)
    context = _context(value, variables)
    file = None
    try:
        file = File.model_validate(value, context=context)
    except ValidationError as error:
        found += islice(sentences.faults(error, tree, value, context), MOST_TOLD + 1)
    filled_in = Tree(value=value)
    found = [each for each in found if not (each.unset and id(filled_in.at(each.path)) in context.spared)]
    found += _unapprovable(value)
    found += conflicts(parts_of(value, context), tree)
    found += duplicate_servers(tree, value)
    if file is None or found:
        return _the_first(in_order(_mistakes(found, tree, name)))
    return Policy(
        catalog=catalog_of(file, plain, locations(tree, file.targets)),
        workspace=file.workspace,
        targets=file.targets,
        oncall=file.oncall,
        text=plain,
    )


def _context(value: object, variables: Variables) -> FileContext:
    named = {
        name: settings.get("kind") if isinstance(settings, dict) else None
        for name, settings in part(value, "targets").items()
    }
    kinds = {name: kind if isinstance(kind, str) else None for name, kind in named.items()}
    sources = frozenset(part(value, "oncall"))
    return FileContext(kinds=kinds, sources=sources, command_dir=command_dir(variables))


def _the_first(mistakes: list[Mistake]) -> list[Mistake]:
    """Cut the list short: nobody mends thousands at once."""
    if len(mistakes) <= MOST_TOLD:
        return mistakes
    more = "there are more mistakes from here on; fix those above first"
    return [*mistakes[:MOST_TOLD], replace(mistakes[MOST_TOLD], path="", text=more)]


def _mistakes(found: Iterable[Fault], tree: Tree, name: str) -> Iterator[Mistake]:
    for each in found:
        line = each.line or tree.line(each.path)  # something left open at the very end is on no line
        place = tree.place(each.path)
        yield Mistake(file=name, line=min(line, tree.last), path=place, text=each.text, unset=each.unset)


def _unapprovable(value: object) -> Iterator[Fault]:
    """Yield a mistake for each resource that nobody can get. One with an unknown key is not judged: that may
    be meant as the way to get it."""
    for name, resource in part(value, "resources").items():
        if not isinstance(resource, dict) or any(way in resource for way in WAYS):
            continue
        if all(key in ResourceShape.model_fields for key in resource):
            text = "nobody can get it; add approvers, approve_automatically or on_shift"
            yield Fault(path=("resources", name), text=text)
