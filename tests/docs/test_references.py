"""Everything that the documents refer to exists: files, headings, tests, metrics and folders of the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from bot.cli.doctor import screen
from bot.ports.ledger import Condition, ServerFacts
from bot.testing.cast import NINE
from bot.testing.memory_ledger import MemoryLedger
from bot.usecases.doctor import store, targets, work
from bot.usecases.doctor.findings import ok
from bot.web import health
from bot.web.health import Gauges
from bot.worker import loop
from tests.docs.texts import DESIGN, DOCUMENTS, OPERATING, SPANS, THREATS, blocks, prose
from tests.paths import ROOT

METRICS_ARE_REGISTERED_BY = (health, loop)
PEOPLE = ("Ada", "Bob", "Carol", "Dan", "Eve")


def heading_anchors(text: str) -> set[str]:
    titles = re.findall(r"(?m)^#+ (.*)$", prose(text))
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


def links() -> Iterator[tuple[str, str, str]]:
    """Yield the document, and the path and the heading that it links to."""
    for path, text in DOCUMENTS.items():
        for place, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)]+))?\)", prose(text)):
            yield path, place, anchor


@pytest.mark.parametrize(("document", "place", "anchor"), list(links()))
def test_a_link_leads_somewhere(document: str, place: str, anchor: str) -> None:
    there = ((ROOT / document).parent / place).resolve() if place else ROOT / document
    assert there.exists()
    if anchor:
        assert anchor in heading_anchors(DOCUMENTS[str(there.relative_to(ROOT))])


def test_files_that_are_named_are_there() -> None:
    named = {each for each in SPANS if re.fullmatch(r"(bot|tests|docs)/[\w./-]*\w/?", each)}
    made_there = {
        path for text in DOCUMENTS.values() for path in re.findall(r"(?m)^```\w+ file=(\S+)$", text)
    }
    assert len(named) > 3
    assert {each for each in named - made_there if not (ROOT / each).exists()} == set()


def test_the_readme_leads_to_every_document() -> None:
    to = {place for document, place, _ in links() if document == "README.md"}
    pages = {path for path in DOCUMENTS if Path(path).parent == Path("docs")}
    elsewhere = {place for document, place, _ in links() if document == "CONTRIBUTING.md"}
    assert pages - to - elsewhere == set()


def test_every_test_that_the_threats_name_exists() -> None:
    named = re.findall(r"(tests/[\w/]+\.py)::(\w+)", THREATS)
    assert len(named) > 40
    assert len(named) == len(re.findall(r"tests/\w", THREATS)), "a test is named in no other way"
    texts = {path: (ROOT / path).read_text("utf-8") for path, _ in named if (ROOT / path).exists()}
    assert [each for each in named if f"def {each[1]}(" not in texts.get(each[0], "")] == []


def test_the_metrics_exist() -> None:
    named = {name for each in SPANS for name in re.findall(r"\brotakey_\w+", each)}
    known = {metric.name for each in (REGISTRY, Gauges(MemoryLedger(NINE))) for metric in each.collect()}
    assert len(named) > 10
    assert named <= known


def test_the_design_has_every_room_and_no_other() -> None:
    rows = re.findall(r"(?m)^\| (`[a-z_]+(?:/|\.py)`[^|]*)\|", DESIGN)
    rooms = {room for row in rows for room in re.findall(r"`([a-z_]+/|[a-z_]+\.py)`", row)}
    there = {f"{each.name}/" for each in (ROOT / "bot").iterdir() if (each / "__init__.py").exists()}
    modules = {each.name for each in (ROOT / "bot").glob("*.py")} - {"__init__.py", "__main__.py"}
    assert rooms == there | modules


# ------------------------------------------------------------------------------------------- examples


def test_doctor_prints_such_a_screen() -> None:
    now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    condition = Condition(now=now, beat=now, owed=9, oldest=None, open=1)
    found = [
        *targets.one_lock("target orders-db", None, now),
        ok("on call pagerduty", "answers for 2 schedules"),
        *store.pace(ServerFacts(name="Valkey 9.1.2"), 0.0004, 0.0),
        *work.at_work(condition),
    ]
    [shown] = [text for text in blocks(OPERATING, "") if "LOOK AT" in text]
    lines = [line.rstrip() for line in screen(found, 100) if line.strip()]
    assert [line for line in map(plain, lines[:-1]) if line not in shown.splitlines()] == []


def plain(styled: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", styled)


# -------------------------------------------------------------------------------------------- English

STUMBLES = re.compile(
    r"(?<!there )\bis no (?!longer|more)\w+|\bwhere there (?:is|are)\b|\btold\b|\banew\b|\bby itself\b"
    r"|\bjust now\b|\baccesses\b|\bso many\b|\bof whom\b|\bhears? of\b|\bthe asks?\b",
    re.IGNORECASE,
)
"""Turns of phrase that make a native reader stumble."""


@pytest.mark.parametrize("path", sorted(DOCUMENTS))
def test_it_is_plain_english(path: str) -> None:
    sentences = re.sub(r"`[^`]*`|\"[^\"]*\"|tests/\S+", "", prose(DOCUMENTS[path]))
    assert STUMBLES.findall(sentences) == []


def test_nobody_else_is_in_the_stories() -> None:
    named = {name for each in SPANS for name in re.findall(r"(?<!\w)@([a-z]+)\b", each)}
    assert "ada" in named
    assert named <= {each.casefold() for each in PEOPLE} | {"rotakey"}
