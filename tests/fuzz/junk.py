"""Input that nobody should send: odd words, odd letters, odd values."""

from __future__ import annotations

from hypothesis import strategies as st

MARKUP = (
    "<@U66EVIL>",
    "<!channel>",
    "<!here|x>",
    "<!subteam^S1|@all>",
    "<!date^1^{date}|x>",
    "<http://evil.example|prod-db>",
    "<#C1|x>",
    "*bold*",
    "*",
    "_slanted_",
    "_",
    "~struck~",
    "`code`",
    "```",
    "`",
    "\n> quoted",
    "\n*Approved by* <@U03CAROL>",
    "> quoted",
    "&lt;!channel&gt;",
    "&amp;lt;",
    "&",
    "<",
    ">",
    "|",
    ":rotating_light:",
    "{person}",
    "{0.__class__}",
    "%s",
)
LETTERS = (
    "\x00",
    "\x07",
    "\x1b[31m",
    "\x7f",
    "\x85",
    "\r",
    "\n",
    "\t",
    "\x0b",
    "\u00a0",
    "\u00ad",
    "\u0130",
    "ß",
    "ﬃ",
    "١٢٣",
    "²",
    "\u200b",
    "\u200d",
    "\u200e",
    "\u200f",
    "\u202a",
    "\u202e",
    "\u2028",
    "\u2029",
    "\u2060",
    "\u2066",
    "\u2069",
    "\ufeff",
    "\ufffe",
    "\ufffd",
    "e\u0301\u0302\u0303",
    "👩‍👩‍👧",
    "\U000e0041",
    "“",
    "”",
    "’",
    "–",
    "−",
    "…",
)
SURROGATES = ("\ud800", "\udfff", "\udc00\ud800")
LONG = (
    "a" * 9_000,
    "<" * 4_000,
    "1" * 5_000,
    " " * 9_000,
    "1h" * 4_000,
    "<a" * 4_000,
    "é" * 3_100,
    "9h " * 3_000,
)
HOLES = ("G1:approve:1", "G1/../G2", "rotakey:{main}:lease:G1", "*", "G1 3600", "../../etc/passwd", "%00", "")

words = st.one_of(st.sampled_from(MARKUP), st.sampled_from(LETTERS), st.text(max_size=12))
texts = st.one_of(
    st.lists(words, max_size=8).map("".join),
    st.lists(words, max_size=8).map(" ".join),
    st.sampled_from(LONG),
    st.sampled_from(HOLES),
)
broken = st.one_of(texts, st.sampled_from(SURROGATES), st.lists(st.sampled_from(SURROGATES)).map("x".join))

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from(
            [
                0,
                -1,
                2**31,
                2**63,
                10**40,
                1e308,
                float("nan"),
                float("inf"),
                "0",
                "-1",
                "1e9",
                "true",
            ]
        ),
        broken,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)
deep = st.integers(2, 400).flatmap(
    lambda depth: st.sampled_from(["[", '{"a":']).map(lambda opened: _deep(opened, depth))
)


def _deep(opened: str, depth: int) -> object:
    value: object = "x"
    for _ in range(depth):
        value = [value] if opened == "[" else {"a": value}
    return value
