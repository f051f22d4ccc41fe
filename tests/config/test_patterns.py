"""A reason's pattern is accepted if it compiles, and is matched within a time limit."""

from __future__ import annotations

import re
import resource
import string
import time

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.config.patterns import matches_anything, objection, slow_text
from bot.core.catalog import ReasonRule
from bot.core.policy import REASON_AT_MOST
from bot.usecases.requests.reasons_fit import reason_fits

GOOD = [
    r"INC-\d+",
    r"^(?:INC|CHG)-\d{3,8}$",
    r"(?i)\b(inc|chg|prb)-?\d+",
    r"https://jira\.example\.com/browse/[A-Z]+-\d+",
    r"\S+\s+\S+\s+\S+",
    r"\d{4}-\d{2}-\d{2}",
    r"(?:\d{3}-){2}\d",
    r"(?P<ticket>[A-Z]{2,10}-[0-9]+).*",
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    r"[]a-z]+[^]]*",
    r"[{]INC\}",
    r"\x41+ é+",
    r"(?#a comment)x",
    r".{10,}",
    r"(?:ab)+",
    r"",
]
ONCE_REFUSED = [
    r"(INC-\d+,? ?)+",
    r"^(\w+-)*\d+$",
    r"(INC|CHG)(-\d+)?( (INC|CHG)(-\d+)?)*",
    r"(\w)\1",
    r"(a)?(?(1)b|c)",
    r".*INC.*CHG.*",
    r"\w+@\w+\.\w+",
    r"(INC|CHG|PRB|TASK|REQ)-(A|B|C|D|E)-(1|2|3|4|5)-(x|y|z|w|v)",
    r"(?:[A-Z]+-)+\d+",
    r"(?P<x>\d)(?P=x)",
]
REASONS = ("INC-42", "see CHG-1234", "a b c", "2026-11-28", "{INC}", "", "ada@example.com", "aa", "33 x")


@pytest.mark.parametrize("pattern", GOOD + ONCE_REFUSED)
def test_what_people_ask_for_in_a_reason(pattern: str) -> None:
    assert objection(pattern) is None


@pytest.mark.parametrize("pattern", GOOD + ONCE_REFUSED)
def test_it_means_the_same_as_to_python(pattern: str) -> None:
    for reason in REASONS:
        assert reason_fits(ReasonRule(pattern=pattern), reason) is bool(re.search(pattern, reason))


@pytest.mark.parametrize("pattern", ["(", "[", "a**", r"\p{L}", "(?P<x", "a{2}{3}", ")", "\\", "(?R)*"])
def test_what_does_not_compile(pattern: str) -> None:
    assert str(objection(pattern)).startswith("is not a valid regular expression")


def test_what_is_long_or_lets_spaces_mean_nothing() -> None:
    assert objection("a" * 200) is None
    assert objection("a" * 201) == "has 201 characters; use at most 200"
    assert str(objection("(?x) a b")).startswith("uses the flag x")


@pytest.mark.parametrize("pattern", ["INC{e}", "a{", "{e<=2}", "{}", "(?:INC){i}", "x{1,2,3}", "{{3}"])
def test_a_brace_that_re_takes_literally_and_regex_does_not(pattern: str) -> None:
    re.compile(pattern)
    assert objection(pattern) == r"has a { that is not a count such as {3} or {1,3}; write \{ for a plain {"


@pytest.mark.parametrize(
    "pattern",
    ["(?:(?:a{1000}){1000}){1000}", "a{1000000}", "(?:(?:a+){1000,}){1000}", "(?#[)((a{99}){99})(?#])"],
)
def test_counts_that_would_fill_the_memory_are_not_compiled(pattern: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "parts once its counts are written out; reduce them to 5000 or fewer" in str(objection(pattern))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 50_000


@pytest.mark.parametrize(
    "pattern",
    [r"(a|aa)+$", r"(x+x+)+y", r"(\w+\s?)+$", r"(\d+|\w+)*:", r"(é|éé)+$", r"(INC|INCINC)+$"],
)
def test_a_slow_pattern_is_found_with_runs_of_its_own_letters(pattern: str) -> None:
    assert objection(pattern) is None
    text = slow_text(pattern, within=0.1)
    assert text is not None
    assert len(text) <= REASON_AT_MOST
    assert reason_fits(ReasonRule(pattern=pattern), text, 0.1) is None


@pytest.mark.parametrize("pattern", GOOD)
def test_no_harmless_pattern_is_called_slow(pattern: str) -> None:
    assert slow_text(pattern, within=1.0) is None


@pytest.mark.parametrize("pattern", ["", ".", ".*", r"\S", r"\w", "a*", "x?", "^", r"INC-\d+|", r"[\s\S]"])
def test_what_matches_anything(pattern: str) -> None:
    assert matches_anything(pattern)


@pytest.mark.parametrize("pattern", [each for each in GOOD if each] + ["[a-z]", r"\d"])
def test_what_does_not(pattern: str) -> None:
    assert not matches_anything(pattern)


@settings(max_examples=300, deadline=None)
@given(
    st.text(
        alphabet=string.ascii_letters[:4] + string.digits[:3] + r"()[]{}|?*+\.^$-,:=!<>P#\dwsx ", max_size=40
    )
)
def test_any_text_is_judged(pattern: str) -> None:
    told = objection(pattern)
    if told is None:
        regex.compile(pattern)
        start = time.monotonic()
        reason_fits(ReasonRule(pattern=pattern), "a" * REASON_AT_MOST, 0.05)
        assert time.monotonic() - start < 5
    else:
        assert ";" in told
