"""What Ada types, half asleep, and what it is taken for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.durations import UNTIL_SHIFT_ENDS
from bot.core.errors import Refused
from bot.core.reasons import Why
from bot.slack.grammar import (
    Approve,
    Command,
    Deny,
    Done,
    Extend,
    Help,
    List,
    Mine,
    Request,
    Revoke,
    Unknown,
    Who,
    parse,
)
from bot.slack.likeness import nearest
from bot.slack.reading import Length

HOUR = 3_600
STUCK = "orders are stuck"
WHOLE = Request(resource="prod-db", length=2 * HOUR, reason=STUCK)


@pytest.mark.parametrize(
    "text",
    [
        "request prod-db 2h because orders are stuck",
        "request prod-db for 2h because orders are stuck",
        "request prod-db for 2 hours because orders are stuck",
        "Request PROD-DB 2H Because orders are stuck",
        "  request   prod-db   2h   because   orders are stuck  ",
        "request\u00a0prod-db\u00a02h\u00a0because\u00a0orders are stuck",
        "request\u2003prod-db\u202f2h because orders are stuck",
        "request prod-db 2h orders are stuck",
        "request prod-db 2h: orders are stuck",
        "request prod-db 2h, because orders are stuck",
        "request prod-db 2h - orders are stuck",
        "request prod-db: 2h because orders are stuck",
        "request prod-db, 2h, because: orders are stuck",
        "request prod-db – 2h – orders are stuck",
        'request prod-db 2h "orders are stuck"',
        'request prod-db 2h because "orders are stuck"',
        "request prod-db 2h “orders are stuck”",
        "request prod-db 2h because ‘orders are stuck’",
        'request "prod-db" 2h because orders are stuck',
        "request “prod-db” 2h because orders are stuck",
        "request `prod-db` 2h because orders are stuck",
        "request *prod-db* 2h because orders are stuck",
        "request prod-db 120m because orders are stuck",
        "request prod-db 1h 60m because orders are stuck",
        "request prod-db 1 hour and 60 minutes because orders are stuck",
        "request prod-db 2h bc orders are stuck",
        "request prod-db 2h becuase orders are stuck",
        "request access to prod-db for 2h because orders are stuck",
        "request 2h of prod-db because orders are stuck",
        "reqest prod-db 2h because orders are stuck",
        "requets prod-db 2h because orders are stuck",
        "request: prod-db 2h because orders are stuck",
        "/request prod-db 2h because orders are stuck",
        "prod-db 2h because orders are stuck",
        "prod-db 2h orders are stuck",
        "get prod-db 2h because orders are stuck",
        "\ufeffrequest prod-db\u200b 2h because orders are stuck",
    ],
)
def test_the_same_ask_in_many_spellings(text: str) -> None:
    assert parse(text) == WHOLE


@pytest.mark.parametrize(
    ("said", "length"),
    [
        ("90s", 90),
        ("45m", 2_700),
        ("12 h", 12 * HOUR),
        ("1h30m", 5_400),
        ("1h 30m", 5_400),
        ("1 hr 30 min", 5_400),
        ("2 days", 172_800),
        ("1w", 604_800),
        ("an hour", HOUR),
        ("for an hour", HOUR),
        ("half an hour", 1_800),
        ("until end of shift", UNTIL_SHIFT_ENDS),
        ("until the end of my shift", UNTIL_SHIFT_ENDS),
        ("till shift end", UNTIL_SHIFT_ENDS),
        ("until my shift ends", UNTIL_SHIFT_ENDS),
        ("for the rest of my shift", UNTIL_SHIFT_ENDS),
    ],
)
def test_lengths(said: str, length: Length) -> None:
    expected = Request(resource="prod-db", length=length, reason="x")
    assert parse(f"request prod-db {said} because x") == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("because orders are stuck for 2h", "orders are stuck for 2h"),
        ("orders are stuck for 2h", "orders are stuck for 2h"),
        ("for debugging the orders", "for debugging the orders"),
        ("for the shift handover", "for the shift handover"),
        ("5xx errors on checkout", "5xx errors on checkout"),
        ("500 errors on checkout", "500 errors on checkout"),
        ("because 2 days of orders are missing", "2 days of orders are missing"),
        ("", ""),
    ],
)
def test_a_length_inside_the_reason_is_not_taken_for_one(text: str, reason: str) -> None:
    assert parse(f"request prod-db {text}") == Request(resource="prod-db", reason=reason)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("ask <@U01ADA|ada> and <@U02BOB>", "ask @ada and @U02BOB"),
        ("see <#C1|ops> and <#C2>", "see #ops and #C2"),
        ("<!here> <!subteam^S1|@dba> <!subteam^S1>", "@here @dba @subteam"),
        ("<https://x.example/1>", "https://x.example/1"),
        ("<https://x.example/1|the ticket>", "the ticket (https://x.example/1)"),
        ("<http://x.example|x.example> <mailto:a@x.example|a@x.example>", "x.example a@x.example"),
        ("it's  'half'\tdone", "it's  'half'\tdone"),
        ("“quoted” and more", "“quoted” and more"),
        ("Because I said so", "Because I said so"),
    ],
)
def test_the_reason_is_kept_as_it_was_seen(typed: str, reason: str) -> None:
    asked = parse(f"request prod-db 2h because {typed}")
    assert asked == Request(resource="prod-db", length=2 * HOUR, reason=reason)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("1.5h", Why.DURATION_FRACTION),
        ("0,5h", Why.DURATION_FRACTION),
        ("0h", Why.DURATION_UNREADABLE),
        ("-2h", Why.DURATION_UNREADABLE),
        ("12", Why.DURATION_UNREADABLE),
        ("for 12", Why.DURATION_UNREADABLE),
        ("2hx", Why.DURATION_UNREADABLE),
        ("30m1h", Why.DURATION_UNREADABLE),
        ("1h 3h", Why.DURATION_UNREADABLE),
        ("999999w", Why.DURATION_UNREADABLE),
        ("until 18:00", Why.DURATION_UNREADABLE),
        ("until tomorrow", Why.DURATION_UNREADABLE),
    ],
)
def test_a_length_nobody_can_mean_is_refused(said: str, why: Why) -> None:
    with pytest.raises(Refused) as caught:
        parse(f"request prod-db {said} because orders are stuck")
    assert caught.value.reason.why is why


def test_the_refusal_quotes_what_was_typed() -> None:
    with pytest.raises(Refused) as caught:
        parse("request prod-db until 18:00 because x")
    assert caught.value.reason.facts == {"text": "until 18:00"}


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("", Help()),
        ("help", Help()),
        ("?", Help()),
        ("help request", Help(topic="request")),
        ("hlep", Help()),
        ("request", Request()),
        ("request because orders are stuck", Request(reason=STUCK)),
        ("request 2fa-admin", Request(resource="2fa-admin")),
        ("request <http://db.example|db.example> x", Request(resource="db.example", reason="x")),
        ("mine", Mine()),
        ("MINE", Mine()),
        ("list", List()),
        ("lits", List()),
        ("who prod-db", Who(resource="prod-db")),
        ("who has prod-db?", Who(resource="prod-db?")),
        ("who", Help(topic="who")),
        ("extend", Extend()),
        ("extend 2h", Extend(length=7200)),
        ("extend by 2h", Extend(length=7200)),
        ("extend prod-db", Extend(which="prod-db")),
        ("extend prod-db 2h", Extend(which="prod-db", length=7200)),
        ("extend prod-db by 2 hours", Extend(which="prod-db", length=7200)),
        ("extend prod-db for 2h because still stuck", Extend(which="prod-db", length=7200)),
        ("extned prod-db 2h", Extend(which="prod-db", length=7200)),
        ("done", Done()),
        ("done prod-db", Done(which="prod-db")),
        ("done with prod-db", Done(which="prod-db")),
        ("revoke <@U1|ada> prod-db because left", Revoke(person="U1", resource="prod-db", why="left")),
        ("revoke <@U1> from prod-db", Revoke(person="U1", resource="prod-db")),
        ("revoke prod-db from <@U1|Ada L.>: left", Revoke(person="U1", resource="prod-db", why="left")),
        ("revoke ada prod-db", Help(topic="revoke")),
        ("revoke <@U1>", Help(topic="revoke")),
        ("revoke <@U1> <@U2>", Help(topic="revoke")),
        ("approve G7x", Approve(grant="G7x")),
        ("approve", Help(topic="approve")),
        ("deny G7x because no ticket", Deny(grant="G7x", why="no ticket")),
        ("deny G7x", Deny(grant="G7x")),
        ("deny", Help(topic="deny")),
        ("prod-db", Unknown(word="prod-db")),
        ("bogus thing", Unknown(word="bogus")),
        ("why prod-db", Unknown(word="why")),
        ("break-glass prod-db", Unknown(word="break-glass")),
    ],
)
def test_commands(text: str, command: Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("revok <@U1> prod-db", ("revoke",)),
        ("aprove G7x", ("approve",)),
        ("dney G7x", ("deny",)),
        ("dnoe prod-db", ("done",)),
    ],
)
def test_what_decides_about_somebody_is_never_guessed(text: str, meant: tuple[str, ...]) -> None:
    assert parse(text) == Unknown(word=text.split(maxsplit=1)[0], meant=meant)


def test_a_word_between_two_verbs_is_not_guessed_where_one_of_them_is_weighty() -> None:
    assert parse("dine") == Unknown(word="dine", meant=("mine", "done"))


TYPED = "request extend revoke deny prod-db 2h 1.5h - for because until < > &lt; : , ' \" “ ” 12 ½h ٣h"
PIECES = st.sampled_from([*TYPED.split(), "end of shift", "an hour", "<@U1|a b>", "\u00a0", "\n"])
TEXTS = st.text(max_size=60) | st.lists(PIECES, max_size=12).map(" ".join) | st.lists(PIECES).map("".join)


def refusal_or_command(text: str) -> Command | Why:
    try:
        return parse(text)
    except Refused as refused:
        return refused.reason.why


@settings(deadline=None)
@given(TEXTS)
def test_any_text_is_a_command_or_refused(text: str) -> None:
    found = refusal_or_command(text)
    assert isinstance(found, Command) or found in (Why.DURATION_UNREADABLE, Why.DURATION_FRACTION)


@settings(deadline=None)
@given(st.text(max_size=60), st.integers(1, 9_999))
def test_whatever_the_reason_says_the_length_stays(reason: str, minutes: int) -> None:
    asked = parse(f"request prod-db {minutes}m because {reason}")
    assert isinstance(asked, Request)
    assert (asked.resource, asked.length) == ("prod-db", minutes * 60)


@pytest.mark.parametrize("piece", ["1h", "(", "<", "a ", "12 ", '"', "until "])
def test_a_very_long_text_is_read_as_well(piece: str) -> None:
    assert refusal_or_command("request prod-db " + piece * 100_000) is not None


NAMES = ["prod-db", "prod-cache", "staging-db", "schema-migration", "vault"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("prod-bd", ["prod-db"]),
        ("proddb", ["prod-db"]),
        ("PROD", ["prod-cache", "prod-db"]),
        ("db", ["prod-db", "staging-db"]),
        ("migration", ["schema-migration"]),
        ("valut", ["vault"]),
        ("zzz", []),
        ("", []),
    ],
)
def test_names_that_may_have_been_meant(name: str, found: list[str]) -> None:
    assert nearest(name, NAMES) == found


def test_three_names_are_enough() -> None:
    assert nearest("prod", [f"prod-{n}" for n in range(9)]) == ["prod-0", "prod-1", "prod-2"]
