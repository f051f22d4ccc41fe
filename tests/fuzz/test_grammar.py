"""Whatever is typed behind ``/access`` is some command, or is refused with a reason that can be said."""

from __future__ import annotations

from dataclasses import fields

from hypothesis import strategies as st

from bot.core.durations import ABSURD, UNTIL_SHIFT_ENDS
from bot.core.errors import Refused
from bot.slack.grammar import _SYNONYMS, Command, parse
from bot.slack.likeness import alike, distance, nearest
from bot.slack.wording.reasons import refusal
from tests.fuzz import junk
from tests.fuzz.rounds import thrown

PIECES = (
    *_SYNONYMS,
    *(
        "prod-db",
        "vault",
        "<@U02BOB|bob>",
        "<@U02BOB>",
        "@bob",
        "G1abc",
        "access",
        "to",
        "on",
        "for",
        "by",
        "the",
    ),
    *(
        "because",
        "bc",
        "b/c",
        "becuase",
        "2h",
        "1h30m",
        "90",
        "90 min",
        "1,5h",
        "half an hour",
        "an hour",
        "0h",
    ),
    *("until end of shift", "till the end of my shift", "for my shift", "until", "until 18:00", "tomorrow"),
    *("/access", "request:", '"', "'", "“", "”", ",", ";", ":", "-", "–", ".", "?", "--help", "has", "holds"),
)
typed = st.one_of(
    st.lists(st.one_of(st.sampled_from(PIECES), junk.words), max_size=12).map(" ".join),
    st.lists(st.one_of(st.sampled_from(PIECES), junk.words), max_size=12).map("".join),
    st.tuples(st.sampled_from(sorted(_SYNONYMS)), junk.broken).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=3).flatmap(
        lambda some: st.integers(1, 3_000).map(lambda times: " ".join(some * times)[:9_000])
    ),
    junk.broken,
)


@thrown(few=400, share=0.25, text=typed)
def test_what_is_typed(text: str) -> None:
    try:
        command: Command = parse(text)
    except Refused as refused:
        said = refusal(refused.reason)
        assert 0 < len(said) < 1_000
        return
    for each in fields(command):
        value = getattr(command, each.name)
        match value:
            case int():
                assert 0 < value <= ABSURD
            case str():
                assert value in _SYNONYMS or len(value) <= 3 * len(text)  # casefold makes three of a ligature
            case _:
                assert value in (None, UNTIL_SHIFT_ENDS) or set(value) <= set(_SYNONYMS)
    assert parse(text) == command


@thrown(few=100, share=0.03, word=junk.broken, names=st.lists(st.text(max_size=90), max_size=6))
def test_what_looks_like_something_else(word: str, names: list[str]) -> None:
    assert set(alike(word, names)) <= set(names)
    assert set(nearest(word, names)) <= set(names)
    short = [name for name in names if len(name) <= 12]
    for one in short:
        for other in short:
            assert distance(one, other) == distance(other, one)
            assert (distance(one, other) == 0) is (one == other)
