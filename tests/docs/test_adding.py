"""The steps of docs/adding-a-*.md work: a copy of the project that follows them has the toy kind."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.paths import ROOT

BLOCK = re.compile(r"^```(\w+)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r'(file|in|before|after)=(?:"([^"]*)"|(\S+))')
COPIED = ("bot", "tests", "pyproject.toml", "manifest.yml", "README.md")
IGNORED = shutil.ignore_patterns("__pycache__", ".*", "*.pyc")


def blocks(page: str) -> Iterator[tuple[str, Mapping[str, str], str]]:
    for language, where, text in BLOCK.findall((ROOT / "docs" / page).read_text("utf-8")):
        places = {
            name: (quoted or plain).replace("\\n", "\n") for name, quoted, plain in PLACE.findall(where)
        }
        yield language, places, text


def do_the_steps(page: str, copy: Path) -> set[str]:
    """Do in the copy what the page says; return the files that were written."""
    touched = set()
    for _, where, text in blocks(page):
        name = where.get("file") or where.get("in")
        if name is None:
            continue
        touched.add(name)
        path = copy / name
        if "file" in where:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
            continue
        before, after = where.get("before", ""), where.get("after", "")
        there = path.read_text("utf-8")
        assert there.count(before + after) == 1, f"{page}: {name} has no single {before + after!r}"
        put = text.rstrip("\n") if after and not after.endswith("\n") else text
        path.write_text(there.replace(before + after, after + put + before), "utf-8")
    return touched


def run(copy: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=copy, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=IGNORED)
        else:
            shutil.copy(source, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("page", "folder", "adapter"),
    [
        ("adding-a-target.md", "targets/usertable", "target.py"),
        ("adding-a-source.md", "oncall/rotafile", "source.py"),
    ],
)
def test_a_kind_is_a_folder_a_row_and_a_stage(copy: Path, page: str, folder: str, adapter: str) -> None:
    room, kind = folder.split("/")
    suite = f"tests/{room}/test_contract.py"

    touched = do_the_steps(page, copy)

    assert touched == {
        *(f"bot/{folder}/{name}" for name in ("__init__.py", "settings.py", adapter)),
        *(f"tests/{folder}/{name}" for name in ("__init__.py", "stage.py")),
        "bot/kinds/table.py",
        suite,
    }
    suites = (suite, "tests/config/test_kinds.py", "tests/config/test_pairs.py")
    chosen = f"test_contract and ({kind} or missing_here) or test_kinds or test_pairs"
    tried = run(copy, "pytest", "-p", "no:cacheprovider", *suites, "-k", chosen)
    assert re.search(r"\d\d passed", tried), tried
    run(copy, "ruff", "check", "--no-cache", *sorted(touched))

    policy = copy / "access.yaml"
    policy.write_text("".join(text for language, _, text in blocks(page) if language == "yaml"), "utf-8")
    assert f"{policy}: no mistakes" in run(copy, "bot", "check", str(policy))
