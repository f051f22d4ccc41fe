"""Every key of access.yaml reaches the domain, and every setting of the domain has a key."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

import pytest

from bot.config import shapes
from bot.core import catalog
from bot.kinds.table import SOURCE_SETTINGS, TARGET_SETTINGS
from bot.settings import Given, Settings, SourceSettings, TargetSettings

PAIRS: list[tuple[type[Settings], type, dict[str, str]]] = [
    (shapes.ResourceShape, catalog.Resource, {"duration": "lengths"}),
    (shapes.LengthsShape, catalog.Lengths, {}),
    (shapes.ReasonShape, catalog.ReasonRule, {}),
    (shapes.PeopleShape, catalog.PeopleRules, {}),
    (shapes.ShiftShape, catalog.OnCall, {}),
    (shapes.SecurityShape, catalog.SecurityRules, {}),
    (shapes.AnchorShape, catalog.AuditRules, {}),
    (shapes.StraysShape, catalog.StrayRules, {}),
    (shapes.GroupRule, catalog.InGroup, {"in_group": "group"}),
    (SourceSettings, catalog.SourceRules, {}),
    (
        shapes.File,
        catalog.Catalog,
        {"oncall": "sources", "targets": "session_notes"},
    ),
]
ELSEWHERE: dict[type, dict[str, str]] = {
    catalog.Resource: {"name": "the key it stands under"},
    catalog.ReasonRule: {"required": "the words required and optional"},
    catalog.AuditRules: {"archive": "audit.archive.dir"},
    catalog.Catalog: {
        "version": "the hash of the text",
        "located": "targets, as digests",
        "shared_accounts": "targets.*.shared_accounts",
        "closed": "set while the policy in force cannot be followed",
    },
    shapes.File: {"workspace": "Policy.workspace", "sweep": "the earlier name of strays"},
    SourceSettings: {"kind": "the table SOURCE_SETTINGS"},
}
WITHOUT_KEYS = {catalog.Everyone, catalog.Named, catalog.Entitlement, catalog.Located}
"""Written as one word, or in the words of the target's kind; or only derived from them."""


@pytest.mark.parametrize(("shape", "core", "renamed"), PAIRS)
def test_no_field_is_forgotten(shape: type[Settings], core: type, renamed: dict[str, str]) -> None:
    keys = {renamed.get(name, name) for name in shape.model_fields if name not in ELSEWHERE.get(shape, ())}
    assert keys == {each.name for each in fields(core)} - set(ELSEWHERE.get(core, ()))


def test_no_value_of_the_catalog_is_forgotten() -> None:
    values = {
        each
        for each in vars(catalog).values()
        if isinstance(each, type) and each.__module__ == catalog.__name__ and is_dataclass(each)
    }
    assert values == {core for _, core, _ in PAIRS} | WITHOUT_KEYS


def test_no_shape_is_forgotten() -> None:
    every = {
        each
        for each in vars(shapes).values()
        if isinstance(each, type) and issubclass(each, Settings) and each.__module__ == shapes.__name__
    }
    wrapping = {
        shapes.OnCallShape,
        shapes.OnCallPeople,
        shapes.OnCallRule,
        shapes.ArchiveShape,
        shapes.AuditShape,
    }
    assert {each for each in every if not each.__name__.startswith("_")} == (
        {shape for shape, _, _ in PAIRS} - {SourceSettings} | wrapping
    )
    assert set(shapes.OnCallShape.model_fields) | {"grace"} == set(shapes.ShiftShape.model_fields)


def test_each_kind_says_its_name_and_how_what_it_gives_is_written() -> None:
    kinds: list[tuple[str, type[Settings]]] = [*TARGET_SETTINGS.items(), *SOURCE_SETTINGS.items()]
    for name, kind in kinds:
        assert kind.model_json_schema()["properties"]["kind"]["const"] == name
    for target in TARGET_SETTINGS.values():
        assert issubclass(target, TargetSettings)
        assert issubclass(target.gives, Given)
        assert len(target.gives.model_fields) > 1 or target.gives.model_config["extra"] == "allow"
