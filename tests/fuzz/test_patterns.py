"""Any pattern that access.yaml accepts ends in time on any reason."""

from __future__ import annotations

import resource
import time

from hypothesis import strategies as st

from bot.config.patterns import objection
from bot.core.catalog import ReasonRule
from bot.core.policy import REASON_AT_MOST
from bot.usecases.requests.reasons_fit import reason_fits
from tests.fuzz.rounds import thrown

LETTERS = ("a", "b", "A", "1", "-", " ", "é", "б", "😀", "\\.", ".")
SETS = (
    r"\w",
    r"\d",
    r"\s",
    r"\S",
    r"\W",
    "[ab]",
    "[^a]",
    "[a-z1]",
    "[б-я]",
    r"[^\x00-\x7f]",
    r"\u0431",
    "(?:)",
)
atoms = st.sampled_from(LETTERS + SETS)
repeats = st.sampled_from(
    ["", "", "", "*", "+", "?", "{2}", "{1,9}", "{0,300}", "{,3}", "*?", "+?", "??", "*+", "{3,}"]
)
groups = st.sampled_from(["(", "(?:", "(?P<x>", "(?=", "(?!", "(?<=", "(?i:", "(?>"])
patterns = st.recursive(
    st.tuples(atoms, repeats).map("".join),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=5).map("".join),
        st.tuples(groups, st.lists(inner, min_size=1, max_size=4).map("|".join), repeats).map(
            lambda made: f"{made[0]}{made[1]}){made[2]}"
        ),
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        st.tuples(inner, st.integers(2, 6)).map(lambda made: made[0] * made[1]),
    ),
    max_leaves=8,
)
pieces = st.lists(
    st.sampled_from(["a", "b", "ab", "A", "1", "-", " ", "a ", "é", "б", "я", "😀", "\n"]), max_size=4
)


@thrown(few=300, share=0.1, pattern=patterns, texts=st.lists(pieces.map("".join), min_size=1, max_size=3))
def test_a_pattern_that_may_be_written(pattern: str, texts: list[str]) -> None:
    if objection(pattern):
        return
    rule, before = ReasonRule(pattern=pattern), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    every = "".join(text * (REASON_AT_MOST // len("".join(texts) or "x") // 2) for text in texts)
    hostile = [(text * REASON_AT_MOST)[: REASON_AT_MOST - 1] + "!" for text in ("a", "ab", *texts)]
    for reason in (*hostile, every[: REASON_AT_MOST - 1] + "!"):
        start = time.monotonic()
        reason_fits(rule, reason, 0.05)
        assert time.monotonic() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 200_000
