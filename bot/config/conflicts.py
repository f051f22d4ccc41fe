"""Contradictions in access.yaml: parts that are valid in themselves but cannot be meant together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import ValidationError

from bot.config.mistakes import Fault, Path
from bot.config.shapes import PeopleShape, ResourceShape, Target
from bot.config.tree import Tree, part
from bot.core.catalog import Entitlement
from bot.kinds.table import TARGET_SETTINGS
from bot.settings import FileContext, Given, Settings, TargetSettings

S = TypeVar("S", bound=Settings)


class _OneTarget(Settings):
    target: Target


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a file that have no mistakes of their own, however wrong the rest is. ``kinds`` and
    ``shared`` also have targets whose variables are not set here; ``settings`` does not."""

    resources: Mapping[str, ResourceShape]
    accounts: Mapping[str, Mapping[str, str]]
    kinds: Mapping[str, type[TargetSettings]]
    shared: Mapping[str, tuple[str, ...]]
    settings: Mapping[str, TargetSettings] = field(repr=False)

    def resource_gives(self) -> Iterator[tuple[str, int, Given]]:
        """Yield each resource with an entitlement that it gives, and the position of that in its list."""
        for name, resource in self.resources.items():
            for at, given in enumerate(resource.gives):
                yield name, at, given

    def own_logins(self, target: str) -> frozenset[str]:
        settings = self.settings.get(target)
        return settings.own_logins if settings else frozenset()


def parts_of(filled: object, context: FileContext) -> Parts:
    """Return the valid parts of ``filled``, the file with its variables."""
    targets = part(filled, "targets")
    people = _valid(PeopleShape, part(filled, "people"), context)
    settings = {name: _valid(_OneTarget, {"target": each}, context) for name, each in targets.items()}
    return Parts(
        resources={
            name: found
            for name, each in part(filled, "resources").items()
            if (found := _valid(ResourceShape, each, context))
        },
        accounts=people.accounts if people else {},
        kinds={
            name: TARGET_SETTINGS[kind]
            for name, kind in context.kinds.items()
            if kind and kind in TARGET_SETTINGS
        },
        shared={
            name: tuple(each for each in named if isinstance(each, str))
            for name in targets
            if isinstance(named := part(targets, name).get("shared_accounts"), tuple)
        },
        settings={name: found.target for name, found in settings.items() if found},
    )


def conflicts(parts: Parts, tree: Tree) -> Iterator[Fault]:
    """Yield a mistake for each part that certainly contradicts another one."""
    yield from _seats(parts, tree)
    yield from _approvals(parts)
    yield from _accounts(parts, tree)
    yield from _own_roles(parts)
    if not part(part(tree.value, "audit"), "anchor").get("file"):
        for name, kind in parts.kinds.items():
            if not kind.marks:
                yield Fault(
                    path=("targets", name),
                    text=(
                        "cannot show what Rotakey granted there, so workers keep that in a file beside the"
                        " anchor; write audit: {anchor: {file: /var/lib/rotakey/anchor}}"
                    ),
                )


def _seats(parts: Parts, tree: Tree) -> Iterator[Fault]:
    """Yield a mistake for each entitlement that one resource gives to one person at a time, and another to
    several."""
    seats = {
        entitlement_of(given): name
        for name, _, given in reversed(list(parts.resource_gives()))
        if parts.resources[name].one_holder
    }
    for name, at, given in parts.resource_gives():
        other = seats.get(entitlement_of(given))
        if other is not None and not parts.resources[name].one_holder:
            line = tree.line(("resources", other))
            text = (
                f"is also given by {other} on line {line}, which has one_holder; write one_holder: true here"
                " too, or remove it there"
            )
            yield Fault(path=("resources", name, "gives", at), text=text)


def _approvals(parts: Parts) -> Iterator[Fault]:
    """Yield a mistake for approvals that nobody can reach, because nobody approves their own request."""
    for name, resource in parts.resources.items():
        askers = [each for each in resource.who_may_ask if _is_person(each)]
        approvers = {each for each in resource.approvers if _is_person(each)}
        named = len(askers) == len(resource.who_may_ask) and len(approvers) == len(set(resource.approvers))
        if not named or not approvers:
            continue
        if all(len(approvers - {asker}) < resource.approvals for asker in askers):
            text = (
                "can never give enough approvals, because nobody approves their own request; name more people"
            )
            yield Fault(path=("resources", name, "approvers"), text=text)


def _accounts(parts: Parts, tree: Tree) -> Iterator[Fault]:
    """Yield a mistake for each account that a person cannot have, or that people share although it is not
    listed as shared."""
    owners: dict[tuple[str, str], Path] = {}
    for person, accounts in parts.accounts.items():
        for target, account in accounts.items():
            path: Path = ("people", "accounts", person, target)
            objection = _account_objection(parts, target, account)
            if objection is None and account not in parts.shared.get(target, ()):
                first = owners.setdefault((target, account), path)
                if first != path:
                    objection = (
                        f"is also the account of {first[2]} on line {tree.line(first)}; give each person"
                        f" their own, or list it under targets.{target}.shared_accounts"
                    )
            if objection:
                yield Fault(path=path, text=objection)
    for target, shared in parts.shared.items():
        for at, account in enumerate(shared):
            if objection := _account_objection(parts, target, account):
                yield Fault(path=("targets", target, "shared_accounts", at), text=objection)


def _account_objection(parts: Parts, target: str, account: str) -> str | None:
    if account in parts.own_logins(target):
        return "is Rotakey's own login there; name an account that people use"
    kind = parts.kinds.get(target)
    return kind.account_objection(account) if kind else None


def _own_roles(parts: Parts) -> Iterator[Fault]:
    """Yield a mistake for each role by which a person would have what Rotakey has."""
    for name, at, given in parts.resource_gives():
        if parts.own_logins(given.target) & {value for _, value in given.what()}:
            text = (
                "gives Rotakey's own login there, and with it every role that Rotakey can grant; name"
                " another role"
            )
            yield Fault(path=("resources", name, "gives", at), text=text)


def entitlement_of(given: Given) -> Entitlement:
    return Entitlement(target=given.target, what=given.what())


def _is_person(selector: object) -> bool:
    return isinstance(selector, str) and selector != "everyone" and not selector.startswith("slack/")


def _valid(shape: type[S], value: object, context: FileContext) -> S | None:
    try:
        return shape.model_validate(value, context=context)
    except ValidationError:
        return None
