"""The lengths of time that people may write, and the answers to anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.durations import ABSURD, UNTIL_SHIFT_ENDS, UntilShiftEnds, brief, parse
from bot.core.errors import Refused
from bot.core.reasons import Why

HOUR = 3_600


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("90s", 90),
        ("45m", 45 * 60),
        ("12h", 12 * HOUR),
        ("1h30m", 5_400),
        ("2d", 48 * HOUR),
        ("1w", 7 * 24 * HOUR),
        ("1w2d3h4m5s", 788_645),
        ("1h 30m", 5_400),
        ("1 h 30 m", 5_400),
        ("  12H ", 12 * HOUR),
        ("12 hours", 12 * HOUR),
        ("1 hour 30 minutes", 5_400),
        ("2 days", 48 * HOUR),
        ("3 wks", 21 * 24 * HOUR),
        ("90 mins", 5_400),
        ("1hr", HOUR),
        ("30 secs", 30),
        ("007m", 420),
        ("3660d", ABSURD),
    ],
)
def test_lengths_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert parse(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "until end of shift",
        "until end of my shift",
        "Until the end of the shift",
        "till  shift end",
        "til the shift end",
    ],
)
def test_a_length_may_be_the_rest_of_the_shift(text: str) -> None:
    assert parse(text) is UNTIL_SHIFT_ENDS


@pytest.mark.parametrize("text", ["1.5h", "0,5 d", "2.0h"])
def test_a_fraction_is_refused_as_such(text: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(text)
    assert refused.value.reason.why is Why.DURATION_FRACTION
    assert refused.value.reason.facts == {"text": text}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "0s",
        "0h0m",
        "-5m",
        "5",
        "h",
        "5x",
        "5mo",
        "1y",
        "30m1h",
        "1h1h",
        "1h and 30m",
        "1h30",
        "1h,30m",
        "٣h",
        "½h",
        "3661d",
        "999999999w",
        "9999999999999999999s",
        "until",
        "until tomorrow",
        "tomorrow",
        "1h until end of shift",
        "x" * 100_000,
        "1h " * 50_000,
    ],
)
def test_anything_else_is_no_length(text: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(text)
    assert refused.value.reason.why is Why.DURATION_UNREADABLE
    assert refused.value.reason.facts == {"text": text.strip()[:40]}


@given(st.integers(1, ABSURD))
def test_what_is_written_reads_back_to_itself(seconds: int) -> None:
    assert parse(brief(seconds)) == seconds


@given(st.text(max_size=60))
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    seconds: int | UntilShiftEnds
    try:
        seconds = parse(text)
    except Refused:
        seconds = 1
    assert isinstance(seconds, UntilShiftEnds) or 1 <= seconds <= ABSURD


@pytest.mark.parametrize(
    ("seconds", "text"), [(5_400, "1h30m"), (90, "1m30s"), (86_400, "1d"), (604_800, "1w"), (0, "0s")]
)
def test_a_length_is_written_shortly(seconds: int, text: str) -> None:
    assert brief(seconds) == text
