"""The sentences that people read, word for word."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest

import bot
from bot.core.reasons import Reason, Why, because
from bot.slack.api.manifest import manifest
from bot.slack.wording import answers, forms, spoken
from bot.slack.wording.answers import SECURITY_USAGE, help_text
from bot.slack.wording.reasons import NEXT, SENTENCES, facts_in, refusal, say

SIX = 1_763_704_800
AT_SIX = "<!date^1763704800^{date_short_pretty} at {time}|2025-11-21 06:00 UTC>"


@pytest.mark.parametrize("why", Why)
def test_every_code_has_a_sentence_that_needs_no_facts(why: Why) -> None:
    assert say(because(why))
    assert "{" not in refusal(because(why))


@pytest.mark.parametrize("why", NEXT)
def test_every_next_step_has_one_that_needs_no_facts(why: Why) -> None:
    assert facts_in(NEXT[why][-1]) == set()


def test_no_example_is_a_resource_that_may_not_exist() -> None:
    [command] = manifest()["features"]["slash_commands"]
    tables = (SENTENCES, NEXT)
    said = [each for table in tables for sentences in table.values() for each in sentences]
    usage = help_text((), "").splitlines() + [help_text((), topic) for topic in SECURITY_USAGE]
    assert [each for each in (*said, *usage, command["usage_hint"]) if "-db" in each] == []
    assert help_text(("vault",), "who") == "`/access who vault` shows who has it."


def test_help_in_full() -> None:
    assert help_text(("vault",)).splitlines() == [
        "I give you access to production while you're on call or approved.",
        "`/access request vault 4h because orders are stuck` requests access",
        "`/access list` shows what you can request",
        "`/access mine` shows what you have and what is waiting",
        "`/access who vault` shows who has it",
        "`/access extend vault 2h` requests more time",
        "`/access done vault` gives it back, or withdraws your request; `/access done all` does so for"
        " everything",
        "`/access approve ID` approves the request with the id that `/access who vault` shows;"
        " `/access approve ID 1h` approves less time",
        "`/access deny ID because …` denies a request",
        "`/access revoke @somebody vault because …` revokes somebody's access",
    ]
    assert [help_text((), topic) for topic in SECURITY_USAGE] == [
        "`/access allow @somebody` lets somebody whose access was all revoked have access again.",
        "`/access freeze because …` stops automatic access for everybody.",
        "`/access unfreeze` lets automatic access start again.",
    ]


def test_what_is_always_said_alike() -> None:
    assert f"{answers.UNCONFIRMED} {answers.FOUND_OUT_LATER}" == (
        "I couldn't confirm this. `/access mine` shows whether it happened. I'll message you if I find out."
    )
    assert answers.NOTHING_WAITS == "Nothing is waiting for you."
    assert answers.nothing_fits("") == (
        "Nothing from this person is waiting for you. `/access who RESOURCE` shows what is open, with ids."
    )
    assert forms.LENGTH_HINT == (
        "For example 45m, 4h, 2d (48 hours) or until end of shift. Empty: the usual length."
    )
    assert [*forms.NEXT.values()] == ["Say why you need it.", "Please add that."]
    assert (forms.DENY_TITLE, forms.WHY, forms.WHY_HINT) == (
        "Deny this request",
        "Reason",
        "The requester will see this.",
    )


def test_a_sentence_uses_only_facts_that_are_given_somewhere() -> None:
    given = facts_given()
    derived = {(Why.RESOURCE_UNKNOWN, "near"), (Why.DECIDED_ALREADY, "did")}
    used = {
        (why, fact)
        for table in (SENTENCES, NEXT)
        for why, sentences in table.items()
        for sentence in sentences
        for fact in facts_in(sentence)
        if why.name in given
    }
    unknown = {(why, fact) for why, fact in used if not (given[why.name] & {fact, "**"})}
    assert unknown <= derived


def facts_given() -> dict[str, set[str]]:
    """Return the facts that the code gives with each code; ``**`` if it gives more than can be read off."""
    found: dict[str, set[str]] = {}
    for path in Path(bot.__file__).parent.rglob("*.py"):
        calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
        for call in calls:
            for name in codes_in(call):
                found.setdefault(name, set()).update(each.arg or "**" for each in call.keywords)
    return found


def codes_in(call: ast.Call) -> list[str]:
    inside = ast.walk(call.args[0]) if call.args else ()
    attributes = [node for node in inside if isinstance(node, ast.Attribute)]
    return [node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "Why"]


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (
            because(Why.RESOURCE_UNKNOWN, name="prod-bd", known="prod-cache, prod-db, vault"),
            "There is no resource prod-bd. Did you mean `prod-db`? "
            "`/access list` shows what you can request.",
        ),
        (
            because(Why.RESOURCE_UNKNOWN, name="zzz", known="prod-db"),
            "There is no resource zzz. `/access list` shows what you can request.",
        ),
        (
            because(Why.DURATION_TOO_LONG, asked_s=86_400, min_s=60, max_s=43_200),
            "1 day is too long; the maximum is 12 hours. Choose 12 hours or less.",
        ),
        (
            because(Why.DURATION_TOO_SHORT, asked_s=5, min_s=60, max_s=43_200),
            "5 seconds is too short; the minimum is 1 minute. Choose 1 minute or more.",
        ),
        (
            because(Why.DURATION_UNREADABLE, text="until <18:00>"),
            "I can't read “until &lt;18:00&gt;” as a length of time. "
            "Write it like `45m`, `12h`, `1h30m`, `2d` or `until end of shift`.",
        ),
        (
            because(Why.DURATION_FRACTION, text="1.5h"),
            "“1.5h” is a fraction. Write it in whole units, like `90m` or `1h30m`.",
        ),
        (
            because(Why.REASON_MISSING, resource="prod-db"),
            "A reason is missing. Write it like this: `/access request prod-db 1h because orders are stuck`.",
        ),
        (
            because(Why.REASON_PATTERN, wanted="an incident number"),
            "The reason must contain an incident number. Request it again with that in the reason.",
        ),
        (
            because(Why.HELD_BY_OTHER, by_person="U02BOB", resource="schema-migration", until_at=SIX),
            f"Only one person at a time can have *schema-migration*, and <@U02BOB> has it until {AT_SIX}. "
            "Ask <@U02BOB> to give it back with `/access done`, then request it again.",
        ),
        (
            because(Why.HELD_BY_OTHER, resource="schema-migration", until_at=SIX),
            f"Only one person at a time can have *schema-migration*, and somebody has it until {AT_SIX}. "
            "Try again later.",
        ),
        (
            because(Why.HELD_BY_OTHER, resource="schema-migration"),
            "Only one person at a time can have *schema-migration*, and somebody has it. Try again later.",
        ),
        (
            because(Why.OWN_REQUEST),
            "You can't approve or deny your own request. Another approver can. `/access done` withdraws it.",
        ),
        (
            because(Why.NOT_AN_APPROVER, resource="prod-db"),
            "Only approvers of *prod-db* can do this. Ask one of them.",
        ),
        (
            because(
                Why.REVOKED_LATELY, person="U01ADA", resource="prod-db", by_person="U02BOB", until_at=SIX
            ),
            "<@U02BOB> revoked *prod-db* from <@U01ADA>, so no rule or shift gives it back until "
            f"{AT_SIX}. `/access request prod-db` asks its approvers, or security people if it has none.",
        ),
        (
            because(Why.REVOKED_LATELY, person="U01ADA", resource="prod-db", until_at=SIX),
            f"*prod-db* was taken away from <@U01ADA>, so no rule or shift gives it back until {AT_SIX}. "
            "`/access request prod-db` asks its approvers, or security people if it has none.",
        ),
        (
            because(Why.REVOKED_TILL_THEN, person="U01ADA", resource="ops", by_person="U02BOB", until_at=SIX),
            f"<@U02BOB> revoked *ops* from <@U01ADA>, so nobody can give it back until {AT_SIX}. "
            "Request it again then; access.yaml names neither approvers for it nor security people who could "
            "decide sooner.",
        ),
        (
            because(Why.BANNED, person="U01ADA", by_person="U05EVE"),
            "<@U05EVE> revoked everything from <@U01ADA>: they get no access, and their votes don't count. "
            "Security people can end this with `/access allow <@U01ADA>`.",
        ),
        (
            because(Why.FROZEN, by_person="U05EVE", resource="prod-db"),
            "<@U05EVE> froze all automatic access, so no rule or shift gives *prod-db* now. "
            "If it has approvers, `/access request prod-db` asks them. "
            "Security people can end the freeze with `/access unfreeze`.",
        ),
        (
            because(Why.NOT_SECURITY),
            "Only security people can do this. Ask one of them.",
        ),
        (
            because(Why.NO_SECURITY_PEOPLE),
            "Only security people can do this, and access.yaml names none. "
            "The people who maintain access.yaml can name them under `security: people:`.",
        ),
        (
            because(Why.BAN_SET, person="U01ADA", by_person="U05EVE", said="laptop *stolen*"),
            "🔒 <@U05EVE> revoked everything from <@U01ADA>, because “laptop ∗stolen∗”. Until `/access "
            "allow <@U01ADA>`, they get no access, and their votes don't count.",
        ),
        (
            because(Why.FREEZE_SET, by_person="U05EVE"),
            "🧊 <@U05EVE> froze all automatic access. Until `/access unfreeze`, no rule or shift gives "
            "access. Live access stays, and approvers can still approve.",
        ),
        (
            because(Why.DECIDED_ALREADY, state="denied", by_person="U02BOB"),
            "<@U02BOB> already denied this. Nothing changed.",
        ),
        (
            because(Why.DECIDED_ALREADY, state="lapsed"),
            "This is no longer open: not decided in time. Nothing changed.",
        ),
        (
            because(Why.PERSON_EXTERNAL, person="U0EVE"),
            "<@U0EVE> belongs to another workspace, and access is only for members of this one. "
            "Ask a member of this workspace.",
        ),
        (
            because(Why.SEVERAL_OPEN, names="prod-db, vault"),
            "You could mean any of these: prod-db, vault. Name one of them in the command.",
        ),
        (
            because(Why.CANNOT_EXTEND_FURTHER, max_s=43_200),
            "It can't end any later now: the maximum is 12 hours from now. Extend it later, before it ends.",
        ),
        (
            because(Why.VANISHED, person="U01ADA", resource="prod-db", access="orders_rw on orders-db"),
            "⚠️ Somebody else removed <@U01ADA>'s orders_rw on orders-db while their grant of *prod-db* "
            "was live. I granted it again. If it should end, use `/access revoke <@U01ADA> prod-db`.",
        ),
        (
            because(Why.ROSTER_STALE, schedule="pagerduty/PDB", age_s=5_400),
            "The roster of pagerduty/PDB was 1 h 30 min old, which is too old to rely on. "
            "Try again once the on-call service answers.",
        ),
    ],
)
def test_refusals_in_full(reason: Reason, text: str) -> None:
    assert refusal(reason) == text


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (
            because(Why.ON_CALL, schedule="pagerduty/PDB", until_at=SIX, age_s=12),
            f"On call for pagerduty/PDB until {AT_SIX}.",
        ),
        (because(Why.REVOKED, by_person="U02BOB"), "Revoked by <@U02BOB>."),
        (
            because(Why.REVOKED, by_person="U02BOB", said="left <!channel>"),
            "Revoked by <@U02BOB>: left &lt;!channel&gt;",
        ),
        (because(Why.REVOKED), "Revoked."),
        (because(Why.EXPIRED), "Time is up."),
    ],
)
def test_facts_in_full(reason: Reason, text: str) -> None:
    assert say(reason) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 second"),
        (45, "45 seconds"),
        (3_600, "1 hour"),
        (14_400, "4 hours"),
        (5_400, "1 h 30 min"),
        (90_000, "1 day 1 h"),
        (604_800, "1 week"),
        (1_209_600 + 172_800, "2 weeks 2 days"),
        (0, "0 seconds"),
    ],
)
def test_lengths_in_words(seconds: int, text: str) -> None:
    assert spoken.lasting(seconds) == text


def test_times_are_in_the_readers_zone() -> None:
    assert spoken.when(datetime(2025, 11, 21, 6, tzinfo=UTC)) == AT_SIX
    assert spoken.until(None) == "with no end"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a <b> & c", "a &lt;b&gt; &amp; c"),
        ("<!channel> <@U1> <https://x|y>", "&lt;!channel&gt; &lt;@U1&gt; &lt;https://x|y&gt;"),
        ("one\n*two*\u2028three", "one ∗two∗ three"),
        ("_slanted_ ~struck~ `fixed` ```block```", "ˍslantedˍ ∼struck∼ ˋfixedˋ ˋˋˋblockˋˋˋ"),
        ("orders_rw of __init__", "orders_rw of ˍˍinitˍˍ"),
        ("> 5 minutes", "＞ 5 minutes"),
        ("a > b", "a &gt; b"),
        ("\u202eevil\x00 \x1b[1m", "evil [1m"),
        ("\x00\u202e", "…"),
        ("", ""),
    ],
)
def test_what_people_typed_cannot_do_anything(text: str, shown: str) -> None:
    assert spoken.safe_text(text) == shown


def test_what_people_typed_is_bounded_after_escaping() -> None:
    assert spoken.safe_text("rotating_light", 10) == "rotatingˍ…"
    assert spoken.safe_text("<" * 3_000, 20) == "&lt;&lt;&lt;&lt;…"
    assert len(spoken.safe_text("&" * 3_000, 300)) <= 300


def test_only_an_id_becomes_a_mention() -> None:
    assert spoken.person("U02BOB") == "<@U02BOB>"
    assert spoken.person("!channel") == "!channel"
    assert spoken.person("U1> <!here") == "U1&gt; &lt;!here"


def test_names_in_a_row() -> None:
    assert spoken.people(["U1"], "and") == "<@U1>"
    assert spoken.people(["U1", "U2", "U3"], "or") == "<@U1>, <@U2> or <@U3>"
    assert spoken.people([f"U{n}" for n in range(9)], "and", most=2) == "<@U0>, <@U1> and others"
    assert spoken.people([], "and") == ""
