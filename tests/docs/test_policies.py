"""Each policy in the documents loads: a whole one as it is, a part of one in place of the same part of the
whole one."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from bot import config
from tests.docs.texts import POLICY, VARIABLES, all_blocks, blocks

WHOLE = blocks(POLICY, "yaml")[0]
EXAMPLES = list(all_blocks("yaml"))


def with_part(whole: Any, part: Any) -> Any:
    """Return the whole with what the part has in its place."""
    if not (isinstance(whole, dict) and isinstance(part, dict)):
        return part
    return {**whole, **{key: with_part(whole.get(key), each) for key, each in part.items()}}


def completed(text: str) -> str:
    part = yaml.safe_load(text)
    if {"targets", "resources"} <= part.keys() and all(
        "title" in resource for resource in part["resources"].values()
    ):
        return text
    return yaml.safe_dump(with_part(yaml.safe_load(WHOLE), part))


@pytest.mark.parametrize(("path", "text"), EXAMPLES, ids=[path for path, _ in EXAMPLES])
def test_it_loads(path: str, text: str) -> None:
    assert config.check(completed(text), environ=VARIABLES) == []
    assert config.load(completed(text), environ=VARIABLES).catalog.resources


def test_a_part_is_read_and_not_only_passed_over() -> None:
    with_mistake = completed("resources: {prod-db: {hiden: true}}")
    assert [each.path for each in config.check(with_mistake, environ=VARIABLES)] == [
        "resources.prod-db.hiden"
    ]


def test_the_whole_one_is_what_the_text_says() -> None:
    policy = config.load(WHOLE, environ=VARIABLES)
    assert set(policy.catalog.resources) == {"prod-db", "orders-on-call", "schema-migration"}
    assert policy.catalog.source("pagerduty/PDBPRIM").stale_after == 600, "ten minutes, says operating.md"
    assert policy.catalog.source("pagerduty/PDBPRIM").start_stale_after == 6 * 3_600
    kept = config.load(WHOLE.replace("strays:", "# "), environ=VARIABLES).catalog
    assert policy.catalog.strays == kept.strays, "what it says of strays is the default"
