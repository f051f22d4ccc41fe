"""The generated pages are those of the code as it is, and say something of everything."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from bot.config import Environment
from tests.docs import access_yaml, environment
from tests.paths import ROOT


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as they would be written now, by a process of their own: running commands changes logging."""
    folder = tmp_path_factory.mktemp("docs")
    subprocess.run([sys.executable, "-m", "tests.docs", folder], cwd=ROOT, check=True, timeout=120)
    return folder


@pytest.mark.parametrize("name", ["environment.md", "access-yaml.md"])
def test_the_page_is_not_stale(written: Path, name: str) -> None:
    there = (ROOT / "docs" / name).read_text("utf-8")
    assert there == (written / name).read_text("utf-8"), "run python -m tests.docs"


def test_each_variable_has_a_meaning_and_each_example_can_be_used() -> None:
    found = environment.documented(Environment)
    assert found.keys() == {each.name for each in fields(Environment)}
    for name, (meaning, example) in found.items():
        assert meaning.endswith("."), name
        if example:
            Environment.read({name.upper(): example.replace("…", "x" * 64)})


def test_what_commands_need_is_known(written: Path) -> None:
    page = (written / "environment.md").read_text("utf-8")
    [redis] = re.findall(r"(?m)^\| `REDIS_URL` \| ([^|]*) \|", page)
    assert {"`web`", "`worker`", "`doctor`", "`sweep`", "`policy apply`"} <= set(redis.split(", "))
    [signing] = re.findall(r"(?m)^\| `SLACK_SIGNING_SECRET` \| ([^|]*) \|", page)
    assert signing == "`web` (or `SLACK_APP_TOKEN`)"


def test_each_key_of_access_yaml_has_a_meaning() -> None:
    assert [key for key, _, _, _, meaning in access_yaml.rows() if not meaning] == []
