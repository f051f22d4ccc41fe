"""Any text after ``/access`` is a command, or is refused with a reason that has a sentence."""

from __future__ import annotations

import contextlib
import re
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import strategies as st

from bot.core.durations import ABSURD, UNTIL_SHIFT_ENDS, UntilShiftEnds
from bot.core.errors import Refused
from bot.slack.grammar.lexer import Length, length_in, level_text, says_because
from bot.slack.grammar.likeness import alike, nearest
from bot.slack.grammar.markup import readable
from bot.slack.grammar.moments import Moment
from bot.slack.grammar.verbs import _SYNONYMS, Command, Request, parse, wants_names
from bot.slack.wording.reasons import refusal
from tests.fuzz import junk
from tests.fuzz.rounds import thrown, watched

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
    *(
        "--duration",
        "at 22:00",
        "tomorrow 9:00",
        "in 2 hours",
        "two hours",
        "PT2H",
        "1.5h",
        "an hour and a half",
    ),
    *(
        "and",
        "&amp;",
        "+",
        "all",
        "everything",
        "asap",
        "please",
        "now",
        "#G1abc",
        "soon",
        "22:00-23:00",
        "noon",
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


NAMES = ("prod-db", "vault")


@thrown(few=400, share=0.25, text=typed)
def test_what_is_typed(text: str) -> None:
    assert wants_names(text) in (True, False)
    try:
        command: Command = parse(text, NAMES)
    except Refused as refused:
        said = refusal(refused.reason)
        assert 0 < len(said) < 1_000
        return
    for each in fields(command):
        value = getattr(command, each.name)
        match value:
            case bool() | Moment():
                pass
            case int():
                assert 0 < value <= ABSURD
            case str():
                assert value in _SYNONYMS or len(value) <= 3 * len(text)  # casefold makes three of a ligature
            case tuple():
                assert all(isinstance(one, str) and one for one in value)
            case _:
                assert value in (None, UNTIL_SHIFT_ENDS)
    assert parse(text, NAMES) == command


@pytest.mark.parametrize("piece", PIECES)
def test_a_row_of_the_same_is_read_in_one_way(piece: str) -> None:
    """*An hour and a half an hour and a half …* once took exponential time to read."""
    for lead in ("", "request ", "prod-db "):
        with watched(), contextlib.suppress(Refused):
            parse(lead + (piece + " ") * 90, NAMES)


@thrown(few=150, share=0.1, text=st.one_of(st.sampled_from(PIECES), junk.broken))
def test_what_is_filled_in_as_a_length(text: str) -> None:
    length: Length
    try:
        length = length_in(text)
    except Refused:
        length = None
    assert length is None or isinstance(length, UntilShiftEnds) or 0 < length <= ABSURD


# ------------------------------------------------------------- nothing before because is lost

SAYS_NOTHING = {
    *("access", "to", "the", "of", "on", "for", "with", "from", "by", "me", "please", "pls", "plz", "now"),
    *("and", "plus", "also", "&", "&amp", "+", "thanks", "thank", "you"),
}
"""Written out once more: a word that joins them there has to be judged here as well."""

OF_A_LENGTH = re.compile(
    r"(--?)?(duration|length|time|for)=?|next|half|an?|until|till|til|end|rest|all|my|whole|entire|full|shift('s)?|ends?"
    r"|one|two|three|four|five|six|seven|eight|nine|ten|\w+teen|eleven|twelve|(twen|thir|for|fif|six|seven|eigh|nine)ty"
    r"([-\s]\w+)?|weeks?|wks?|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|[wdhms]"
    r"|([0-9½¼¾.,]+(weeks?|wks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)?)+|p[0-9wdthms]+"
)
OF_A_MOMENT = re.compile(
    r"at|in|on|start(ing)?|begin(ning)?|after|until|till|til|up|ending|day|next|this|week|month|week-?end|morning"
    r"|afternoon|evening|night|today|tonight|tomorrow|noon|midnight|o'?clock"
    r"|(mon|tues?|wed(nes)?|thu(r(s)?)?|fri|sat(ur)?|sun)(day)?|[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"|[0-9]{1,2}(:[0-9]{2})?([ap]\.?m\.?)?(-[0-9]{1,2}(:[0-9]{2})?([ap]\.?m)?)?|[ap]\.?m\.?"
)
head_pieces = st.sampled_from(
    [each for each in PIECES if each not in ("because", "bc", "b/c", "becuase") and each not in _SYNONYMS]
)
heads = st.one_of(
    st.lists(st.one_of(head_pieces, junk.words), max_size=8).map(" ".join),
    st.lists(head_pieces, max_size=6).map(lambda some: " ".join(["prod-db", *some])),
    st.lists(head_pieces, max_size=6).map(lambda some: " 2h ".join(["prod-db", *some])),
    junk.broken,
)


def read(head: str) -> Request | None:
    """Return the request; None if it is refused, is not a request, or its head is not all that comes before
    *because*."""
    if says_because(head) or len(head) > 7_000:
        return None
    try:
        found = parse(f"request {head} because x", NAMES)
    except Refused:
        return None
    return found if isinstance(found, Request) else None


def tokens(head: str) -> list[str]:
    plain = re.sub(r"[*`~]", " ", level_text(head))
    words = re.findall(r"<[^<>]*>|[^\s,;<]+", plain)
    return [
        word if word.startswith("<@") else word.strip("\"'“”„‟″«»‘’.,;:?!–—-_").casefold() for word in words
    ]


@thrown(few=400, share=0.1, head=heads)
def test_each_word_before_because_is_printed_back_or_refused(head: str) -> None:
    found = read(head)
    if found is None:
        return
    printed = {*found.resource.split(), *(word for name in found.besides for word in name.split())}
    for word in tokens(head):
        if not word or word in SAYS_NOTHING or readable(word).casefold().strip("\"'‘’`*.,;:?!– ") in printed:
            continue
        if word.startswith("<@"):
            assert found.behalf is not None, word
            assert found.behalf in word
            continue
        is_read = (
            found.urgent and word in ("urgent", "urgently", "asap", "immediately", "emergency"),
            found.length is not None and OF_A_LENGTH.fullmatch(word),
            found.start is not None and (OF_A_MOMENT.fullmatch(word) or OF_A_LENGTH.fullmatch(word)),
            found.end is not None and OF_A_MOMENT.fullmatch(word),
            any(word in name or name in word for name in printed),
        )
        assert any(is_read), (word, found)


CHANGES_NOTHING_ALONE = re.compile(
    r"--?(duration|length|time|for)=?|next|until|till|til|to|my|whole|entire|full|end|rest|all|ends|at|on|start(ing)?"
    r"|begin(ning)?|after|ending|this|an?|o'?clock"
)


@thrown(few=300, share=0.1, head=heads, which=st.integers(0, 20))
def test_no_word_before_because_can_be_left_out_without_a_difference(head: str, which: int) -> None:
    words, found = head.split(), read(head) if "bec" not in head and "bc" not in head else None
    if found is None or not words:
        return
    where = which % len(words)
    word = "".join(tokens(words[where]))
    if word and word not in SAYS_NOTHING and not CHANGES_NOTHING_ALONE.fullmatch(word):
        assert read(" ".join([*words[:where], *words[where + 1 :]])) != found, word


SAID: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "length": [
        ("2h", {"length": 7_200}),
        ("for the next 2 hours", {"length": 7_200}),
        ("PT90M", {"length": 5_400}),
        ("an hour and a half", {"length": 5_400}),
        ("--duration 45m", {"length": 2_700}),
        ("forty-five minutes", {"length": 2_700}),
        ("until end of shift", {"length": UNTIL_SHIFT_ENDS}),
    ],
    "start": [
        ("starting at 22:00", {"start": Moment(clock="22:00")}),
        ("starting tomorrow 9:00", {"start": Moment(day="tomorrow", clock="09:00")}),
        ("beginning on friday at 5pm", {"start": Moment(day="friday", clock="17:00")}),
    ],
    "end": [
        ("until 23:30", {"end": Moment(clock="23:30")}),
        ("till saturday", {"end": Moment(day="saturday")}),
    ],
    "behalf": [("for <@U02BOB|bob>", {"behalf": "U02BOB"}), ("<@U02BOB>", {"behalf": "U02BOB"})],
    "urgent": [("asap", {"urgent": True}), ("urgent!", {"urgent": True})],
    "besides": [("and vault", {"besides": ("vault",)}), (", vault", {"besides": ("vault",)})],
}
said = st.lists(st.sampled_from(sorted(SAID)), unique=True).flatmap(
    lambda kinds: st.tuples(*(st.sampled_from(SAID[kind]) for kind in kinds))
)


@thrown(few=200, share=0.05, details=said, because=st.sampled_from(["because x", "bc x"]))
def test_all_that_is_said_is_read_in_any_order(
    details: tuple[tuple[str, dict[str, Any]], ...], because: str
) -> None:
    text = " ".join(["request prod-db", *(words for words, _ in details), because])
    expected = {name: value for _, fields_of in details for name, value in fields_of.items()}
    assert parse(text, NAMES) == Request(resource="prod-db", reason="x", **expected), text


@thrown(few=100, share=0.03, word=junk.broken, names=st.lists(st.text(max_size=90), max_size=6))
def test_what_looks_like_something_else(word: str, names: list[str]) -> None:
    assert set(alike(word, names)) <= set(names)
    assert set(nearest(word, names)) <= set(names)
