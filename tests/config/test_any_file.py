"""However a good file is changed, reading it ends in a policy, or in mistakes at places inside the file."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.config import cautions, check, load, tree
from bot.core.errors import Misconfigured
from tests.config.files import ENVIRON, FULL

LINES = FULL.splitlines(keepends=True)
WORDS = sorted({word for line in LINES for word in line.split()})
ODD = [
    *("\t", "- ", ": ", "{", "}", "[", "]", "'", '"', "&a ", "*a", "!x ", "|", ">", "#", "\n", "\r", "---\n"),
    *(
        "%",
        "? ",
        "<<: ",
        "~",
        "1",
        "true",
        "${",
        "$$",
        "${X}",
        "${ORDERS_DB_URL}",
        "\x85",
        "\u2028",
        "\ud800",
    ),
    *("\x00", "\ufeff", "\\", "@", "`", "é", "0x1F", ".inf", "1e999", "2024-01-01", "=", "9" * 5_000),
]
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["insert", "cut", "swap", "repeat", "word"]),
        st.integers(min_value=0, max_value=len(FULL)),
        st.integers(min_value=0, max_value=40),
        st.one_of(st.sampled_from(ODD), st.sampled_from(WORDS), st.text(max_size=6)),
    ),
    min_size=1,
    max_size=4,
)


def changed(text: str, changes: list[tuple[str, int, int, str]]) -> str:
    for how, at, length, piece in changes:
        match how:
            case "insert":
                text = text[:at] + piece + text[at:]
            case "cut":
                text = text[:at] + text[at + length :]
            case "swap":
                text = text[:at] + piece + text[at + length :]
            case "repeat":
                text = text[:at] + text[at : at + length] * 2 + text[at + length :]
            case "word":
                start = text.rfind(" ", 0, at) + 1
                end = text.find(" ", start)
                text = text[:start] + piece + (text[end:] if end > 0 else "")
    return text


def judge(text: str | bytes) -> None:
    lines = len(text.splitlines()) or 1
    mistakes = check(text, environ=ENVIRON)
    for mistake in mistakes:
        assert 1 <= mistake.line <= lines
        assert str(mistake).isprintable()
        assert mistake.text
        assert "tell-nobody" not in str(mistake)
    assert [each.line for each in mistakes] == sorted(each.line for each in mistakes)
    if mistakes:
        with pytest.raises(Misconfigured):
            load(text, environ=ENVIRON)
    else:
        assert load(text, environ=ENVIRON).catalog.resources
        for caution in cautions(text, environ=ENVIRON, copies=1, tries=0):
            assert 1 <= caution.line <= lines
            assert str(caution).isprintable()
            assert "tell-nobody" not in str(caution)


@pytest.mark.parametrize("loader", [yaml.CSafeLoader, yaml.SafeLoader])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_a_file_with_things_changed_in_it(
    loader: type[yaml.SafeLoader], changes: list[tuple[str, int, int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "LOADER", loader)
    judge(changed(FULL, changes))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_a_file_that_is_none(content: bytes) -> None:
    judge(content)


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(WORDS)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(place=st.integers(min_value=0, max_value=200), value=VALUES)
def test_a_file_with_another_value_somewhere(place: int, value: object) -> None:
    whole = yaml.safe_load(FULL)
    holders = [whole]
    for holder in holders:
        inside = holder.values() if isinstance(holder, dict) else holder
        holders += [each for each in inside if isinstance(each, dict | list) and each]
    places = [(h, k) for h in holders for k in (h if isinstance(h, dict) else range(len(h)))]
    holder, key = places[place % len(places)]
    holder[key] = value
    judge(yaml.safe_dump(whole, allow_unicode=True))
