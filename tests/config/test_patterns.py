"""A reason's pattern is taken only where it cannot keep the bot busy."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.config.patterns import objection
from bot.core.policy import REASON_AT_MOST

GOOD = [
    r"INC-\d+",
    r"^(?:INC|CHG)-\d{3,8}$",
    r"(?i)\b(inc|chg|prb)-?\d+",
    r"https://jira\.example\.com/browse/[A-Z]+-\d+",
    r"\S+\s+\S+\s+\S+",
    r"\w+ \w+ \w+",
    r"\d{4}-\d{2}-\d{2}",
    r"(?:\d{3}-){2}\d",
    r"(?P<ticket>[A-Z]{2,10}-[0-9]+).*",
    r"[]a-z]+[^]]*",
    r"\x41+ é+",
    r"(?#a comment)x",
    r".{10,}",
    r"(?:ab)+",
    r"",
]


@pytest.mark.parametrize("pattern", GOOD)
def test_what_people_ask_for_in_a_reason(pattern: str) -> None:
    assert objection(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"(a+)+$", r"(a*)*", r"(a|aa)+$", r"((ab)*)*", r"(x+x+)+y", r"(?P<x>a+)*", r"(a?b?)+", r"(a+){10}"),
        *(r".*.*.*x", r".*a.*b.*c.*d", r"\d+1\d+1\d+1\d+x", r"\w+\d+[a-z0-9]+x", r"(.*)(.*)(.*)x"),
        *("a?" * 30 + "a" * 30, "(a|b)" * 12, r"(.{1,100}){1,100}"),
        *(r"(a)\1", r"(?P<x>a)(?P=x)", r"(a)?(?(1)b|c)"),
        *("a*a*b*b*c", "a*b*a*b*a*c", "(a*|b)(a*|b)a*c", "a?a?a*a*c", "(a|b)a*a*c", "(a|b|c|d|e|f)" * 4),
        *(
            "ü*ü*ü*c",
            "[б-п]*[о-я]*[а-ю]*!",
            r"\u0431*\u0431*\u0431*c",
            "😀*😀*😀*c",
            r"[^\x00-\uffff]*" * 3 + "c",
        ),
    ],
)
def test_what_can_take_for_ever(pattern: str) -> None:
    re.compile(pattern)
    assert "which can take for ever; " in str(objection(pattern))


@pytest.mark.parametrize("pattern", ["(", "[", "a**", r"\p{L}", "(?P<x", "a{2}{3}", ")", "\\"])
def test_what_does_not_compile(pattern: str) -> None:
    assert str(objection(pattern)).startswith("is no regular expression")


def test_what_is_long_or_lets_spaces_mean_nothing() -> None:
    assert objection("a" * 200) is None
    assert objection("a" * 201) == "has 201 characters; write 200 or fewer"
    assert str(objection("(?x) a b")).startswith("has the flag x")


@pytest.mark.parametrize("pattern", GOOD)
@pytest.mark.parametrize(
    "piece", ["a", "A1-", " ", "1", "INC-", "https://jira.example.com/browse/", "x " * 3]
)
def test_what_is_good_comes_to_an_end_on_a_reason_made_to_hold_it_up(pattern: str, piece: str) -> None:
    reason = (piece * REASON_AT_MOST)[: REASON_AT_MOST - 1] + "\n"
    re.search(pattern, reason)


@settings(max_examples=300, deadline=None)
@given(
    st.text(
        alphabet=string.ascii_letters[:4] + string.digits[:3] + r"()[]{}|?*+\.^$-,:=!<>P#\dwsx ", max_size=40
    )
)
def test_any_text_is_judged(pattern: str) -> None:
    told = objection(pattern)
    if told is None:
        re.compile(pattern)
    else:
        assert ";" in told
