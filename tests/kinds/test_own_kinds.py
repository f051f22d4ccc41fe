"""Kinds that other packages bring work as ours do, and one that cannot work says so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import Misconfigured
from bot.kinds.kind import TargetKind
from bot.kinds.table import TARGETS, add_kinds
from tests.docs.test_adding import blocks
from tests.paths import ROOT

PAGE = "adding-a-target.md"
OWN = "acme_usertable"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Install the package of the page in a folder."""
    page = (ROOT / "docs" / PAGE).read_text("utf-8")
    for _, where, text in blocks(PAGE):
        for name in ("settings.py", "target.py"):
            if where.get("file") == f"bot/targets/usertable/{name}":
                (tmp_path / OWN).mkdir(exist_ok=True)
                (tmp_path / OWN / name).write_text(text.replace("bot.targets.usertable", OWN), "utf-8")
        if where.get("file") == "tests/targets/usertable/stage.py":
            (tmp_path / "stage.py").write_text(text.replace("bot.targets.usertable", OWN), "utf-8")
    (tmp_path / OWN / "__init__.py").touch()
    for path, text in re.findall(r"(?ms)^```python own=(\S+)\n(.*?)^```$", page):
        (tmp_path / path).write_text(text, "utf-8")
    [entries] = re.findall(r'(?ms)^\[project.entry-points."(rotakey.targets)"\]\n(.*?)^```$', page)
    installed = tmp_path / f"{OWN}-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-usertable\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(f"[{entries[0]}]\n{entries[1].replace(chr(34), '')}")
    return tmp_path


def run(package: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=package,
        env={**os.environ, "PYTHONPATH": f"{package}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_package_brings_a_kind_that_access_yaml_may_name(package: Path) -> None:
    policy = package / "access.yaml"
    policy.write_text("".join(text for language, _, text in blocks(PAGE) if language == "yaml"), "utf-8")
    checked = run(package, "bot", "check", str(policy))
    assert f"{policy}: no mistakes" in checked.stdout, checked.stderr
    assert "usertable" in run(package, "bot", "schema").stdout


def test_a_package_puts_its_kind_to_the_same_promises(package: Path) -> None:
    tried = run(package, "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "test_promises.py")
    assert re.search(r"[3-9]\d passed", tried.stdout), tried.stdout + tried.stderr


def test_a_broken_package_stops_the_process_with_its_name(package: Path) -> None:
    (package / OWN / "kind.py").write_text("import no_such_library\n", "utf-8")
    checked = run(package, "bot", "check", "access.yaml")
    assert checked.returncode == 1
    assert "the package acme-usertable brings the kind usertable, which cannot be loaded" in checked.stderr
    assert "Traceback" not in checked.stderr


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("postgres", "bot.kinds.table:TARGETS", "which there is already: uninstall it, or rename its kind"),
        ("other", "bot.kinds.table:TARGETS", "but bot.kinds.table:TARGETS is not a TargetKind: mend or"),
        ("other", "tests.kinds.test_own_kinds:HOOK", 'its settings do not have kind: Literal["other"]: mend'),
        ("other", "bot.kinds.table:NOTHING", "which cannot be loaded: AttributeError"),
    ],
)
def test_what_is_no_kind_is_refused(name: str, value: str, said: str) -> None:
    table: dict[str, TargetKind[Any]] = dict(TARGETS)
    entry = EntryPoint(name=name, value=value, group="rotakey.targets")
    with pytest.raises(Misconfigured) as refused:
        add_kinds(table, TargetKind, [entry])
    assert said in str(refused.value)
    assert table == TARGETS


HOOK = TARGETS["webhook"]
