"""The answers to commands, word for word."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.grants import Cause, Ground, Origin, State, Traced, Vote
from bot.core.members import NO
from bot.core.reasons import Why, because
from bot.slack.wording import answers as words
from bot.slack.wording.reasons import NOT_COPIED
from bot.testing.cast import FIRST_LINE
from bot.usecases.results import Asked, Extended, RevokedAll, Standing
from tests.slack.scenes import (
    ADA,
    AT_SIX,
    AT_TEN,
    BOB,
    NOW,
    ON_CALL,
    STALE,
    TEN,
    more,
    offer,
    standing,
)

FROZEN = Traced(
    rule="on_call pagerduty/PDB",
    outcome=NO,
    reason=because(Why.FROZEN, by_person="U05EVE", resource="prod-db"),
)
AT_MOST = Ground(cause=Cause.RULE, since=NOW, until=TEN, cap=TEN, wanted=TEN + timedelta(hours=1))
"""A ground that is shorter than requested, because it may not be longer."""


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            Asked(standing=standing(State.ASKED, trace=(STALE,), lapses_at=TEN)),
            "Requested *prod-db* for 4 hours. The roster of pagerduty/PDB was 20 minutes old, which is too "
            f"old to rely on. I'm asking <@U02BOB> and <@U03CAROL>. Without an answer it expires {AT_TEN}.",
        ),
        (
            Asked(standing=standing(State.ASKED, trace=(FROZEN, FROZEN), asked_people=())),
            "Requested *prod-db* for 4 hours. <@U05EVE> froze all automatic access, so no rule or shift "
            "gives *prod-db* now. Its approvers decide.",
        ),
        (
            Asked(standing=standing(State.ASKED, asked_people=(), length=None), joined=True),
            "You already requested *prod-db*, until the end of the shift. Its approvers decide.",
        ),
        (
            Asked(standing=standing(State.ASKED, undecided=True)),
            "Requested *prod-db* for 4 hours. I'm still waiting for some information and will message you.",
        ),
        (
            Asked(standing=standing(State.ACTIVE, trace=(ON_CALL,)), joined=True),
            f"You already have *prod-db*, until {AT_TEN}.",
        ),
        (
            Asked(standing=standing(State.APPROVED, length=None)),
            f"You get *prod-db* until {AT_TEN}. I'm granting it now and will message you when it works.",
        ),
        (
            Asked(standing=standing(State.APPROVED, trace=(ON_CALL,), grounds=(AT_MOST,))),
            f"You get *prod-db* until {AT_TEN}: you are on call for pagerduty/PDB (level 1) until {AT_TEN}. "
            "You requested 4 hours, but this is the maximum. I'm granting it now and will message you when "
            "it works.",
        ),
        (
            Asked(standing=standing(State.APPROVED), joined=True),
            f"I'm already granting you *prod-db*, until {AT_TEN}.",
        ),
        (Asked(standing=standing()), f"You have *prod-db* until {AT_TEN}."),
        (
            Asked(standing=standing(State.ENDED)),
            f"*prod-db*, ended {AT_SIX}\n> orders are stuck",
        ),
    ],
)
def test_to_an_ask(answer: Asked, text: str) -> None:
    assert words.request_answer(answer) == text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (words.gave_back(standing(State.WITHDRAWN)), "Withdrawn: your request for *prod-db*."),
        (words.gave_back(standing(State.ENDING)), "Done: I'm revoking your *prod-db* now."),
        (words.gave_back(standing(State.ENDED)), f"*prod-db*, ended {AT_SIX}\n> orders are stuck"),
        (words.revoke_answer(standing(State.ENDING)), "I'm revoking *prod-db* from <@U01ADA> now."),
        (words.revoke_answer(standing(State.DENIED)), "Denied: <@U01ADA>'s request for *prod-db*."),
        (
            words.revoked_all(RevokedAll(person=ADA, ended=2, denied=1, copied=True)),
            "I'm revoking everything from <@U01ADA>: 2 grants and 1 open request. Until `/access allow "
            "<@U01ADA>`, they get no access, and their votes don't count.",
        ),
        (
            words.revoked_all(RevokedAll(person=ADA, ended=0, denied=0, copied=False)),
            "<@U01ADA> had nothing to revoke. Until `/access allow <@U01ADA>`, they get no access, and "
            f"their votes don't count. {NOT_COPIED}",
        ),
        (words.allow_answer(ADA), "<@U01ADA> is allowed again: rules and approvers can give them access."),
        (
            words.frozen(copied=True),
            "Frozen: until `/access unfreeze`, no rule or shift gives access. Live access stays, and "
            "approvers can still approve.",
        ),
        (
            words.unfrozen(),
            "The freeze is over: rules and shifts give access again, including shifts that are under way.",
        ),
        (words.revoke_answer(standing(State.ENDED)), f"*prod-db*, ended {AT_SIX}\n> orders are stuck"),
        (words.deny_answer(standing(State.DENIED)), "Denied: <@U01ADA>'s request for *prod-db*."),
        (
            words.approve_answer(standing(State.APPROVED)),
            f"Approved: <@U01ADA> gets *prod-db* until {AT_TEN}.",
        ),
        (
            words.approve_answer(standing(State.ASKED, approvals=3, votes=(Vote(person=BOB, at=NOW),))),
            "Your approval of <@U01ADA>'s request for *prod-db* counts. 2 more approvals needed.",
        ),
        (words.approve_answer(standing(State.DENIED)), "*prod-db*, denied\n> orders are stuck"),
    ],
)
def test_to_what_ends_or_decides(said: str, text: str) -> None:
    assert said == text


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Extended(standing=standing()), f"*prod-db* now ends {AT_TEN}."),
        (
            Extended(standing=standing(), capped=True),
            f"*prod-db* now ends {AT_TEN}. It can't end any later.",
        ),
        (
            Extended(standing=standing(), asked=more()),
            f"Requested more time for *prod-db* (until {AT_TEN}). I'm asking its approvers; unless they "
            f"approve, it ends {AT_TEN}.",
        ),
        (
            Extended(standing=standing(), asked=more(ends_with=FIRST_LINE)),
            "Requested more time for *prod-db* (until the end of the shift). I'm asking its approvers; "
            f"unless they approve, it ends {AT_TEN}.",
        ),
    ],
)
def test_to_an_extension(answer: Extended, text: str) -> None:
    assert words.extend_answer(answer) == text


@pytest.mark.parametrize(
    ("each", "line"),
    [
        (standing(reason=""), f"*prod-db*, until {AT_TEN}"),
        (standing(reason="", origin=Origin.SHIFT), f"*prod-db*, until {AT_TEN} (on call)"),
        (replace(standing(reason=""), until=None), "*prod-db*, with no end"),
        (replace(standing(reason=""), live=False), "*prod-db*, being revoked"),
        (standing(State.APPROVED, reason=""), f"*prod-db*, being granted, until {AT_TEN}"),
        (standing(State.ENDING, reason=""), "*prod-db*, being revoked"),
        (standing(State.ENDING, reason="", overdue_since=NOW), f"*prod-db*, 🚨 overdue since {AT_SIX}"),
        (standing(State.ASKED, reason=""), "*prod-db*, waiting for approval, id `G7QX`, for 4 hours"),
        (standing(State.LAPSED, reason=""), "*prod-db*, not decided in time"),
        (
            standing(State.WAITING, reason="", starts_at=TEN),
            f"*prod-db*, approved, from {AT_TEN} for 4 hours",
        ),
        (
            replace(standing(reason=""), extension=more()),
            f"*prod-db*, until {AT_TEN}; more time is requested, until {AT_TEN}, id `G7QX-1`",
        ),
    ],
)
def test_a_line_in_a_list(each: Standing, line: str) -> None:
    assert words.standing(each) == line
    assert words.standing(each, whose=True) == f"<@{ADA}>: {line}"


def test_what_is_given_at_once_says_so() -> None:
    at_once = replace(offer(), outcome="approve", reason=because(Why.IN_GROUP, group="slack/dba"))
    assert words.offer(at_once) == (
        "*prod-db* Orders database: granted at once, up to 12 hours. You are in slack/dba."
    )


def test_a_shift_that_ends_a_moment_too_soon_is_not_worth_mentioning() -> None:
    nearly = standing(State.APPROVED, approved_at=NOW, until=TEN - timedelta(milliseconds=300))
    assert "(4 hours)" in words.request_answer(Asked(standing=nearly))


def test_where_only_plain_text_is_shown() -> None:
    assert words.plainly(f"*prod-db* ends {AT_TEN}, see `/access mine`") == (
        "prod-db ends 2025-11-21 10:00 UTC, see /access mine"
    )


def test_what_approvers_of_more_time_are_told() -> None:
    waits = replace(standing(), extension=more(approvals=2, votes=(Vote(person=BOB, at=NOW),)))
    assert words.approve_answer(waits) == (
        "Your approval of more time for <@U01ADA>'s *prod-db* counts. 1 more approval needed."
    )
    assert words.deny_answer(standing()) == "Denied: more time for <@U01ADA>'s *prod-db*."


def test_what_approvers_are_told_of_what_begins_later_or_is_there_already() -> None:
    assert words.approve_answer(standing(State.WAITING, starts_at=TEN)) == (
        f"Approved: <@U01ADA> gets *prod-db* from {AT_TEN} for 4 hours."
    )
    assert words.approve_answer(standing(State.ADDED)) == (
        f"Approved: <@U01ADA> already had *prod-db* and now has it until {AT_TEN}."
    )
