"""A pattern that takes too long decides nothing at first, and in the end the request is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.core.catalog import ReasonRule, Resource
from bot.core.grants import State
from bot.core.reasons import Reason, Why
from bot.testing.cast import ADA, BOB, DAN, PROD_DB, catalog
from bot.testing.story import Story
from bot.usecases.requests import ask, reasons_fit
from bot.usecases.requests.reasons_fit import reason_fits

Refusal = Callable[[Callable[[], object]], Reason]

SLOW = r"(a|aa)+$"
HELD_UP = "a" * 300 + "!"
TICKET = r"INC-\d+"


def wanting(pattern: str) -> Resource:
    return replace(PROD_DB, reason=ReasonRule(pattern=pattern, say="an incident number"))


def test_a_pattern_that_takes_too_long_cannot_be_told() -> None:
    assert reason_fits(ReasonRule(pattern=SLOW), HELD_UP, 0.05) is None
    assert reason_fits(ReasonRule(pattern=SLOW), "because aaa", 0.05) is True
    assert reason_fits(ReasonRule(pattern=SLOW), "stuck", 0.05) is False
    assert reason_fits(ReasonRule(), HELD_UP, 0.05) is True
    assert reason_fits(ReasonRule(pattern=TICKET), "x" * 501, 0.05) is None


def test_a_request_whose_reason_cannot_be_judged_at_once_is_written_and_decided_by_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = Story(catalog(wanting(TICKET)))
    at_once: list[None] = [None]
    monkeypatch.setattr(ask, "reason_fits", lambda *terms: at_once.pop() if at_once else reason_fits(*terms))
    asked = story.ask(ADA, reason="for INC-42").standing
    assert (asked.grant.state, asked.grant.undecided, asked.live) == (State.ASKED, True, False)
    assert not story.has(ADA)
    story.run_due()
    assert story.grant(asked.grant.id).state is State.ACTIVE
    assert story.has(ADA)


def test_the_worker_refuses_it_in_words_if_it_cannot_tell_either(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(catalog(wanting(SLOW)))
    monkeypatch.setattr(ask, "AT_LEISURE", 0.1)
    asked = story.ask(ADA, reason=HELD_UP).standing
    assert asked.grant.undecided
    story.run_due()
    refused = story.grant(asked.grant.id)
    assert refused.state is State.DENIED
    assert refused.ended is not None
    assert refused.ended.why is Why.REASON_UNCHECKED
    assert not story.has(ADA)
    assert any(each.view.grant.ended == refused.ended for each in story.messenger.cards.values())


def test_what_else_is_wrong_is_said_instead(refusal: Refusal) -> None:
    story = Story(catalog(wanting(SLOW)))
    assert refusal(lambda: story.ask(ADA, length="13h", reason=HELD_UP)).why is Why.DURATION_TOO_LONG


def test_an_approval_does_not_judge_the_reason_again_under_the_same_policy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = Story(catalog(wanting(TICKET)))
    grant = story.ask(DAN, reason="for INC-42").standing.grant
    monkeypatch.setattr(reasons_fit, "reason_fits", lambda *_: None)
    assert story.approve(BOB, grant.id).grant.state is State.APPROVED


def test_a_new_policy_judges_it_again_at_the_click(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(catalog(wanting(TICKET)))
    grant = story.ask(DAN, reason="for INC-42").standing.grant
    story.enact(catalog(wanting(r"CHG-\d+")))
    assert refusal(lambda: story.approve(BOB, grant.id)).why is Why.REASON_PATTERN
    monkeypatch.setattr(reasons_fit, "reason_fits", lambda *_: None)
    assert refusal(lambda: story.approve(BOB, grant.id)).why is Why.REASON_UNCHECKED
    assert story.grant(grant.id).votes == ()
