"""Commands as a tired person types them, and what they are understood as."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.durations import UNTIL_SHIFT_ENDS
from bot.core.errors import Refused
from bot.core.reasons import Why
from bot.slack.grammar.lexer import Length
from bot.slack.grammar.likeness import nearest
from bot.slack.grammar.moments import Moment
from bot.slack.grammar.verbs import (
    Allow,
    Approve,
    Command,
    Deny,
    Done,
    Extend,
    Freeze,
    Help,
    Later,
    List,
    Mine,
    Request,
    Revoke,
    RevokeAll,
    Unfreeze,
    Unknown,
    Waiting,
    Who,
    parse,
    wants_names,
)

HOUR = 3_600
NAMES = ["prod-db", "prod-cache", "staging-db", "schema-migration", "vault"]
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
        "*request prod-db 2h because orders are stuck*",
        "*request prod-db 2h orders are stuck*",
        "_request prod-db 2h because orders are stuck_",
        "request *prod-db 2h because orders are stuck*",
        "request prod-db *2h* because orders are stuck",
        "request prod-db two hours because orders are stuck",
        "request prod-db PT2H because orders are stuck",
        "request prod-db ٢h because orders are stuck",
        "request prod-db for the next 2h because orders are stuck",
        "request prod-db --duration 2h because orders are stuck",
        "request prod-db --duration=2h because orders are stuck",
        "request prod-db 2h please! because orders are stuck",
        "request prod-db now for 2h because orders are stuck",
        "give me access to prod-db for 2h because orders are stuck",
        "i need prod-db for 2h because orders are stuck",
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
        ("half a day", 12 * HOUR),
        ("a half-hour", 1_800),
        ("½h", 1_800),
        ("2½ hours", 9_000),
        ("1.5h", 5_400),
        ("0,5 d", 12 * HOUR),
        ("an hour and a half", 5_400),
        ("two and a half hours", 9_000),
        ("one hour and thirty minutes", 5_400),
        ("forty-five minutes", 2_700),
        ("P1DT2H", 26 * HOUR),
        ("until end of shift", UNTIL_SHIFT_ENDS),
        ("until the end of my shift", UNTIL_SHIFT_ENDS),
        ("till shift end", UNTIL_SHIFT_ENDS),
        ("until my shift ends", UNTIL_SHIFT_ENDS),
        ("for the rest of my shift", UNTIL_SHIFT_ENDS),
        ("whole shift", UNTIL_SHIFT_ENDS),
        ("for my whole shift", UNTIL_SHIFT_ENDS),
    ],
)
def test_lengths(said: str, length: Length) -> None:
    expected = Request(resource="prod-db", length=length, reason="x")
    assert parse(f"request prod-db {said} because x") == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("because orders are stuck for 2h", "orders are stuck for 2h"),
        ("because vault is down since 9:00", "vault is down since 9:00"),
        ("orders are stuck", "orders are stuck"),
        ("for debugging the orders", "for debugging the orders"),
        ("for the shift handover", "for the shift handover"),
        ("5xx errors on checkout", "5xx errors on checkout"),
        ("500 errors on checkout", "500 errors on checkout"),
        ("because 2 days of orders are missing", "2 days of orders are missing"),
        ("prod-db is down", "prod-db is down"),
        ("", ""),
    ],
)
def test_a_length_inside_the_reason_is_not_taken_for_one(text: str, reason: str) -> None:
    assert parse(f"request prod-db {text}", NAMES) == Request(resource="prod-db", reason=reason)


TEN_PM, NINE = Moment(clock="22:00"), Moment(day="tomorrow", clock="09:00")


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ("at 22:00 for 2h", {"start": TEN_PM, "length": 2 * HOUR}),
        ("2h at 10pm", {"start": TEN_PM, "length": 2 * HOUR}),
        ("from 22 for 2h", {"start": TEN_PM, "length": 2 * HOUR}),
        ("tomorrow 9:00 2h", {"start": NINE, "length": 2 * HOUR}),
        ("2h tomorrow at 9", {"start": NINE, "length": 2 * HOUR}),
        ("starting at 9am tomorrow", {"start": NINE}),
        ("on Monday at noon", {"start": Moment(day="monday", clock="12:00")}),
        ("tonight", {"start": Moment(day="tonight")}),
        ("2025-12-24 9:00", {"start": Moment(day="2025-12-24", clock="09:00")}),
        ("2h from now", {"start": Moment(after=2 * HOUR)}),
        ("as soon as possible", {"urgent": True}),
        ("in two hours for 1h", {"start": Moment(after=2 * HOUR), "length": HOUR}),
        ("until 17:00", {"end": Moment(clock="17:00")}),
        ("till 5 pm", {"end": Moment(clock="17:00")}),
        ("until tomorrow", {"end": Moment(day="tomorrow")}),
        ("until 12am", {"end": Moment(clock="00:00")}),
        ("from 22:00 to 23:30", {"start": TEN_PM, "end": Moment(clock="23:30")}),
        ("22:00-23:30", {"start": TEN_PM, "end": Moment(clock="23:30")}),
        ("2h for <@U2|bob>", {"behalf": "U2", "length": 2 * HOUR}),
        ("<@U2> 2h", {"behalf": "U2", "length": 2 * HOUR}),
        ("asap 30m", {"urgent": True, "length": 1_800}),
        ("urgent", {"urgent": True}),
        (", vault 2h", {"besides": ("vault",), "length": 2 * HOUR}),
        ("and vault 2h", {"besides": ("vault",), "length": 2 * HOUR}),
        ("+ vault, and schema-migration", {"besides": ("vault", "schema-migration")}),
        ("&amp; vault 2h", {"besides": ("vault",), "length": 2 * HOUR}),
        ("vault 2h", {"besides": ("vault",), "length": 2 * HOUR}),
    ],
)
def test_all_that_stands_before_because_is_read(said: str, fields: dict[str, Any]) -> None:
    expected = Request(resource="prod-db", reason="x", **fields)
    assert parse(f"request prod-db {said} because x", NAMES) == expected
    assert parse(f"prod-db {said} because x", NAMES) == expected


@pytest.mark.parametrize(
    ("said", "piece"),
    [
        ("soon", "soon"),
        ("2h soon", "soon"),
        ("soon 2h", "soon 2h"),
        ("2h staging", "staging"),
        ("orders are stuck", "orders are stuck"),
        ("2h orders are stuck", "orders are stuck"),
        ("--now", "--now"),
        ("2h for @bob", "for @bob"),
        ("about 2h", "about 2h"),
        ("for the shift handover", "for the shift handover"),
        ("&lt;2h", "<2h"),
    ],
)
def test_what_is_not_understood_before_because_is_quoted(said: str, piece: str) -> None:
    facts = {"text": piece, "resource": "prod-db"}
    assert refusal_of(f"request prod-db {said} because x") == (Why.NOT_UNDERSTOOD, facts)


@pytest.mark.parametrize(
    ("said", "piece"),
    [
        ("orders are stuck for 2h", "2h"),
        ("stuck, need two hours", "two hours"),
        ("stuck since 9:00", "9:00"),
        ("deploy at 9", "at 9"),
        ("deploy tomorrow", "tomorrow"),
        ("tomorrow's deploy", "tomorrow"),
        ("deploy for <@U2|bob>", "@bob"),
        ("deploy for @bob", "@bob"),
        ("stuck --reason INC-1", "--reason"),
        ("vault is down", "vault"),
        ("see #vault", "#vault"),
        ("a couple of hours", "hours"),
        ("overnight batch", "overnight"),
        ("fix in the morning", "morning"),
        ("for bob@example.com", "bob@example.com"),
        ("orders on Vault are stuck", "Vault"),
        ("and staging", "and staging"),
        ("and staging 2h", "and staging 2h"),
        ("until the deploy is over", "until the deploy is over"),
        ("debugging for the whole shift", "the whole shift"),
    ],
)
def test_without_because_what_may_belong_to_the_request_is_quoted(said: str, piece: str) -> None:
    why, facts = refusal_of(f"request prod-db {said}")
    assert (why, facts["text"], facts["resource"]) == (Why.REASON_UNCLEAR, piece, "prod-db")


def refusal_of(text: str) -> tuple[Why, Mapping[str, str | int]]:
    with pytest.raises(Refused) as caught:
        parse(text, NAMES)
    return caught.value.reason.why, caught.value.reason.facts


def test_names_matter_only_where_a_reason_may_hide_one() -> None:
    assert wants_names("request prod-db vault is down")
    assert wants_names("prod-db 2h")
    assert wants_names("release")
    assert wants_names("release 2h because of a deploy"), "it may be a resource"
    assert not wants_names("request prod-db because vault is down")
    assert not wants_names("approve g7x")
    assert not wants_names("")


def test_a_resource_may_be_called_as_a_verb_is_called_too() -> None:
    assert parse("release 2h because x", ["release"]) == Request(resource="release", length=7200, reason="x")
    assert parse("release", ["release"]) == Unknown(word="release")
    assert parse("done", ["done"]) == Done()


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
        ("1.3333h", Why.DURATION_FRACTION),
        ("0.5s", Why.DURATION_FRACTION),
        ("0h", Why.DURATION_UNREADABLE),
        ("-2h", Why.DURATION_UNREADABLE),
        ("12", Why.DURATION_UNITLESS),
        ("for 12", Why.DURATION_UNITLESS),
        ("2hx", Why.DURATION_UNREADABLE),
        ("1h30", Why.DURATION_UNREADABLE),
        ("30m1h", Why.DURATION_UNREADABLE),
        ("1h 3h", Why.DURATION_UNREADABLE),
        ("999999w", Why.DURATION_UNREADABLE),
        ("25:00", Why.DURATION_UNREADABLE),
    ],
)
def test_a_length_nobody_can_mean_is_refused(said: str, why: Why) -> None:
    assert refusal_of(f"request prod-db {said} because orders are stuck")[0] is why
    assert refusal_of(f"request prod-db {said}")[0] is why


def test_the_refusal_quotes_what_was_typed() -> None:
    assert refusal_of("request prod-db 30m1h because x")[1] == {"text": "30m1h"}
    assert refusal_of("request prod-db for 12 because x")[1] == {"text": "12"}


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
        ("who has prod-db?", Who(resource="prod-db")),
        ("who has access to prod-db", Who(resource="prod-db")),
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
        ("revoke <@U1>", Revoke(person="U1", resource="")),
        ("revoke <@U1> because left", Revoke(person="U1", resource="", why="left")),
        ("revoke <@U1> all because stolen", RevokeAll(person="U1", why="stolen")),
        ("revoke everything from <@U1>: stolen", RevokeAll(person="U1", why="stolen")),
        ("revoke", Help(topic="revoke")),
        ("allow <@U1>", Allow(person="U1")),
        ("allow ada", Help(topic="allow")),
        ("freeze because of an attack", Freeze(why="of an attack")),
        ("freeze everything because x", Freeze(why="x")),
        ("freeze", Freeze()),
        ("unfreeze", Unfreeze()),
        ("approve G7x", Approve(grant="g7x")),
        ("approve #G7X", Approve(grant="g7x")),
        ("approve g7x 1h", Approve(grant="g7x", length=HOUR)),
        ("approve g7x for an hour because it is enough", Approve(grant="g7x", length=HOUR)),
        ("yes g7x", Approve(grant="g7x")),
        ("ok g7x for 1h, thanks!", Approve(grant="g7x", length=HOUR)),
        ("approve prod-db", Approve(grant="prod-db")),
        ("approve <@U1|ada>", Waiting(person="U1")),
        ("approve <@U1|ada> prod-db", Waiting(person="U1", resource="prod-db")),
        ("approve prod-db for <@U1>", Waiting(person="U1", resource="prod-db")),
        ("deny <@U1> because no ticket", Waiting(person="U1")),
        ("approve", Help(topic="approve")),
        ("approve because", Help(topic="approve")),
        ("approve '", Help(topic="approve")),
        ("deny #", Help(topic="deny")),
        ("deny G7x because no ticket", Deny(grant="g7x", why="no ticket")),
        ("no #g7x because no ticket", Deny(grant="g7x", why="no ticket")),
        ("reject g7x no ticket", Deny(grant="g7x", why="no ticket")),
        ("*deny g7x because no ticket*", Deny(grant="g7x", why="no ticket")),
        ("deny G7x", Deny(grant="g7x")),
        ("deny", Help(topic="deny")),
        ("withdraw", Done()),
        ("cancel prod-db", Done(which="prod-db")),
        ("release prod-db", Done(which="prod-db")),
        ("end prod-db", Done(which="prod-db")),
        ("stop prod-db because finished", Done(which="prod-db")),
        ("give back prod-db", Done(which="prod-db")),
        ("give prod-db back", Done(which="prod-db")),
        ("give back", Done()),
        ("done, thanks!", Done()),
        ("withdraw my request for prod-db", Done(which="prod-db")),
        ("stop it", Done()),
        ("done all", Done(everything=True)),
        ("give everything back", Done(everything=True)),
        ("renew prod-db", Extend(which="prod-db")),
        ("more 2h", Extend(length=7200)),
        ("more time on prod-db", Extend(which="prod-db")),
        ("extend prod-db until end of shift", Extend(which="prod-db", length=UNTIL_SHIFT_ENDS)),
        ("extend until 17:00", Extend(end=Moment(clock="17:00"))),
        ("prod-db", Unknown(word="prod-db")),
        ("bogus thing", Unknown(word="bogus")),
        ("why prod-db", Later(verb="why")),
        ("break-glass prod-db", Later(verb="break-glass")),
        ("break glass prod-db 1h because x", Later(verb="break-glass")),
        ("on call", Later(verb="oncall")),
        ("pending", Later(verb="pending")),
        ("hand over prod-db", Later(verb="hand-over")),
        ("who am i", Later(verb="whoami")),
        ("help why", Help()),
        ("help me", Help()),
    ],
)
def test_commands(text: str, command: Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("extend prod-db, vault 2h", "vault"),
        ("extend prod-db 2h still stuck", "still stuck"),
        ("extend prod-db tomorrow 2h", "tomorrow 2h"),
        ("done prod-db, vault", "vault"),
        ("done prod-db 2h", "2h"),
        ("who prod-db vault", "vault"),
        ("approve g7x vault", "vault"),
        ("approve g7x g8x", "g8x"),
        ("deny g7x g8x because x", "g8x"),
        ("revoke <@U1> prod-db and vault", "vault"),
        ("revoke <@U1> prod-db vault", "vault"),
        ("revoke <@U1> prod-db vault because x", "vault"),
        ("revoke <@U1> <@U2> prod-db because x", "@U2"),
        ("allow <@U1> prod-db", "prod-db"),
        ("freeze prod-db because x", "prod-db"),
        ("unfreeze prod-db", "prod-db"),
    ],
)
def test_no_other_command_is_done_by_halves(text: str, piece: str) -> None:
    why, facts = refusal_of(text)
    assert why in (Why.NOT_UNDERSTOOD, Why.DURATION_UNREADABLE)
    assert str(facts["text"]).startswith(piece)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("revok <@U1> prod-db", ("revoke",)),
        ("aprove G7x", ("approve",)),
        ("dney G7x", ("done", "deny")),
        ("dnoe prod-db", ("done",)),
        ("alow <@U1>", ("allow",)),
        ("unfreze", ("unfreeze",)),
    ],
)
def test_what_decides_about_somebody_is_never_guessed(text: str, meant: tuple[str, ...]) -> None:
    assert parse(text) == Unknown(word=text.split(maxsplit=1)[0], meant=meant)


def test_a_word_between_two_verbs_is_not_guessed_where_one_of_them_is_weighty() -> None:
    assert parse("dine") == Unknown(word="dine", meant=("mine", "done"))


def test_a_resource_that_begins_as_a_verb_does_is_not_taken_for_a_slip() -> None:
    assert parse("request-db 2h because x") == Request(resource="request-db", length=2 * HOUR, reason="x")


TYPED = (
    "request extend revoke deny approve done prod-db vault 2h 1.5h - for because until at 9 tomorrow < > :"
)
MORE = ", ' \" “ ” 12 ½h ٣h 22:00 and + &amp; all 9pm urgent please --duration soon x <@U1> G7x half next"
PIECES = st.sampled_from(
    [*TYPED.split(), *MORE.split(), "end of shift", "an hour", "<@U1|a b>", "\u00a0", "\n"]
)
TEXTS = st.text(max_size=60) | st.lists(PIECES, max_size=12).map(" ".join) | st.lists(PIECES).map("".join)


def test_an_approval_until_the_shift_ends_is_refused_without_offering_just_that() -> None:
    why, facts = refusal_of("approve G7QX until end of shift")
    assert (why, facts) == (Why.NOT_UNDERSTOOD, {"text": "until end of shift"})


def refusal_or_command(text: str) -> Command | Why:
    try:
        return parse(text, NAMES)
    except Refused as refused:
        return refused.reason.why


UNREAD = {
    Why.DURATION_UNREADABLE,
    Why.DURATION_FRACTION,
    Why.DURATION_UNITLESS,
    Why.NOT_UNDERSTOOD,
    Why.REASON_UNCLEAR,
}


@settings(deadline=None)
@given(TEXTS)
def test_any_text_is_a_command_or_refused(text: str) -> None:
    found = refusal_or_command(text)
    assert isinstance(found, Command) or found in UNREAD


@settings(deadline=None)
@given(st.text(max_size=60), st.integers(1, 9_999))
def test_whatever_the_reason_says_the_length_stays(reason: str, minutes: int) -> None:
    asked = parse(f"request prod-db {minutes}m because {reason}")
    assert isinstance(asked, Request)
    assert (asked.resource, asked.length) == ("prod-db", minutes * 60)


@pytest.mark.parametrize("piece", ["1h", "(", "<", "a ", "12 ", '"', "until ", "@", "<@", "--", "to ", "1-"])
def test_a_very_long_text_is_read_as_well_and_soon(piece: str) -> None:
    began = time.process_time()
    assert refusal_or_command("request prod-db x " + piece * 100_000) is not None
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("prod-bd", ["prod-db"]),
        ("proddb", ["prod-db"]),
        ("PROD", ["prod-cache", "prod-db"]),
        ("db", ["prod-db", "staging-db"]),
        ("migration", ["schema-migration"]),
        ("valut", ["vault"]),
        ("orders-on-vault", ["vault"]),
        ("zzz", []),
        ("", []),
    ],
)
def test_names_that_may_have_been_meant(name: str, found: list[str]) -> None:
    assert nearest(name, NAMES) == found


def test_three_names_are_enough() -> None:
    assert nearest("prod", [f"prod-{n}" for n in range(9)]) == ["prod-0", "prod-1", "prod-2"]
