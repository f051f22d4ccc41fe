"""Each kind of target has its row in each table of docs/targets.md, and the rows say what is so."""

from __future__ import annotations

import re

from bot.kinds.table import TARGETS
from tests.docs.texts import DOCUMENTS

PAGE = DOCUMENTS["docs/targets.md"]


def rows(title: str) -> dict[str, str]:
    """Return the rows of a table by kind."""
    section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    found: dict[str, str] = {}
    for row in re.findall(r"(?m)^\| \[?`[^\n]*$", section):
        first, _, rest = row.strip("| ").partition(" | ")
        found |= dict.fromkeys(re.findall(r"`([a-z-]+)`", first), rest)
    return found


def test_each_kind_is_in_each_table() -> None:
    titles = re.findall(r"(?m)^## (.*)$", PAGE)
    assert titles == ["Kinds", "The least that the bot's own credential needs", "If the bot dies"]
    for title in titles:
        assert rows(title).keys() == TARGETS.keys(), title


def test_the_file_of_open_holds_is_named_where_nothing_else_would_end_it() -> None:
    without_redis = {kind for kind, row in rows("If the bot dies").items() if "from FILE" in row}
    assert without_redis == {kind for kind, each in TARGETS.items() if not each.settings.marks}
    named = re.search(r"cannot mark what the bot made \(([^)]*)\)", DOCUMENTS["docs/operating.md"])
    assert named
    assert set(re.findall(r"`([a-z-]+)`", named[1])) == without_redis
