"""A vote counts only for the terms that were shown: their digest is in the button, and is compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.grants import State
from bot.core.reasons import Reason, Why, because
from bot.core.shifts import Shift
from bot.testing.cast import ADA, BOB, CAROL, DAN, HOUR, NINE, PROD_DB, catalog, nobodys, shift
from bot.testing.story import Story, shown_terms
from bot.usecases.requests import votes

Refusal = Callable[[Callable[[], object]], Reason]
TWO_OF_THEM = replace(PROD_DB, approvals=2)
OTHER_ROLE = replace(PROD_DB.gives[0], what=(("role", "superuser"),))


def dans(story: Story, length: str = "4h") -> str:
    grant = story.ask(DAN, length=length).standing.grant.id
    story.run_due()
    return grant


def click(story: Story, who: str, grant: str, terms: str | None) -> object:
    return votes.approve(story.context, person=who, grant=grant, length=None, op=story.op(), terms=terms)


@pytest.mark.parametrize(
    "change",
    [{"gives": (OTHER_ROLE,)}, {"gives": (*PROD_DB.gives, OTHER_ROLE)}, {"approvals": 2}],
)
def test_a_click_on_a_card_that_showed_other_terms_decides_nothing(
    story: Story, refusal: Refusal, change: dict[str, object]
) -> None:
    grant = dans(story)
    shown = story.messenger.cards_of(grant)["CDB-ACCESS"].view.terms
    assert shown == shown_terms(story.context, grant)
    story.enact(catalog(replace(PROD_DB, **change)))  # type: ignore[arg-type]  # one field of several types
    assert refusal(lambda: click(story, BOB, grant, shown)).why is Why.TERMS_CHANGED
    denial = lambda: votes.deny(  # noqa: E731 -- as short as a story
        story.context, person=BOB, grant=grant, why="", op=story.op(), terms=shown
    )
    assert refusal(denial).why is Why.TERMS_CHANGED
    assert story.grant(grant).state is State.ASKED
    assert story.grant(grant).votes == ()


def test_the_account_is_among_the_terms(story: Story, refusal: Refusal) -> None:
    grant = dans(story)
    shown = shown_terms(story.context, grant)
    people = replace(story.policy.people, accounts={DAN: {"orders-db": "postgres"}})
    story.enact(replace(story.policy, people=people))
    assert refusal(lambda: click(story, BOB, grant, shown)).why is Why.TERMS_CHANGED


def test_what_changes_by_itself_is_not_among_the_terms(story: Story) -> None:
    grant = dans(story)
    shown = shown_terms(story.context, grant)
    story.enact(catalog(replace(PROD_DB, title="Another title", channel="#elsewhere")))
    story.pass_time(600)
    assert shown_terms(story.context, grant) == shown
    click(story, BOB, grant, shown)
    assert story.live(grant)


def test_a_button_of_an_older_version_decides_nothing(story: Story, refusal: Refusal) -> None:
    grant = dans(story)
    assert refusal(lambda: click(story, BOB, grant, "")).why is Why.TERMS_CHANGED


def test_a_typed_approval_counts_once_the_terms_were_shown_to_this_very_person(
    story: Story, refusal: Refusal
) -> None:
    grant = dans(story)
    assert refusal(lambda: click(story, BOB, grant, None)).why is Why.TERMS_CHANGED
    terms = shown_terms(story.context, grant)
    votes.note_terms_shown(story.context, person=BOB, grant=grant, terms=terms)
    assert refusal(lambda: click(story, CAROL, grant, None)).why is Why.TERMS_CHANGED
    click(story, BOB, grant, None)
    assert story.live(grant)


def test_a_typed_approval_after_the_terms_changed_counts_for_nothing(story: Story, refusal: Refusal) -> None:
    grant = dans(story)
    terms = shown_terms(story.context, grant)
    votes.note_terms_shown(story.context, person=BOB, grant=grant, terms=terms)
    story.enact(catalog(replace(PROD_DB, gives=(OTHER_ROLE,))))
    assert refusal(lambda: click(story, BOB, grant, None)).why is Why.TERMS_CHANGED


def test_who_was_asked_in_a_direct_message_was_shown_the_terms(story: Story, refusal: Refusal) -> None:
    story.enact(catalog(replace(PROD_DB, channel=None)))
    grant = dans(story)
    click(story, BOB, grant, None)
    assert story.live(grant)


def test_votes_for_other_terms_fall_and_their_voters_hear_it(story: Story) -> None:
    story.enact(catalog(TWO_OF_THEM))
    grant = dans(story)
    story.approve(BOB, grant)
    story.enact(catalog(replace(TWO_OF_THEM, gives=(OTHER_ROLE,))))
    story.approve(CAROL, grant)
    story.run_due()
    assert [each.person for each in story.grant(grant).votes] == [CAROL]
    assert [note.reason for note in story.messenger.notes_in(BOB)] == [
        because(Why.VOTE_FELL, person=DAN, resource="prod-db")
    ]
    story.approve(BOB, grant)
    assert story.live(grant)


def test_a_vote_for_more_covers_what_a_second_approver_makes_less(story: Story) -> None:
    story.enact(catalog(TWO_OF_THEM))
    grant = dans(story)
    story.approve(BOB, grant)
    assert story.approve(CAROL, grant, HOUR).until == NINE + timedelta(hours=1)
    assert story.grant(grant).wished == 4 * HOUR


def test_until_the_end_of_the_shift_is_an_end_however_late_the_approval(story: Story) -> None:
    """The shift ends at five; approved at a minute to five, access ends at five."""
    story.enact(catalog(replace(PROD_DB, lapse_after=24 * HOUR)))
    story.source.away = True
    story.pass_time(15 * 60)
    grant = story.ask(ADA, length="until end of shift").standing.grant
    assert (grant.state, grant.length) == (State.ASKED, None)
    story.pass_time(8 * HOUR - 16 * 60)
    assert story.approve(BOB, grant.id).until == NINE + timedelta(hours=8)


@pytest.mark.parametrize("end", [6, 9])
def test_what_was_approved_until_the_end_of_the_shift_follows_it(story: Story, end: int) -> None:
    story.source.away = True
    story.pass_time(15 * 60)
    grant = story.ask(ADA, length="until end of shift").standing.grant.id
    story.approve(BOB, grant)
    assert story.lease(grant) == NINE + timedelta(hours=8)
    story.source.away = False
    moved: Shift = nobodys(shift(end=NINE + timedelta(hours=end)))
    story.source.rota["PDBPRIM"] = (moved,)
    story.pass_time(120)
    assert story.lease(grant) == NINE + timedelta(hours=end)


def test_it_never_lasts_longer_than_the_longest_length_from_the_approval(story: Story) -> None:
    story.source.rota["PDBPRIM"] = (nobodys(shift(end=NINE + timedelta(hours=40))),)
    story.pass_time(120)
    grant = story.ask(ADA, length="until end of shift").standing
    assert grant.until == story.now + timedelta(hours=12)
    assert grant.grant.stands_on[0].wanted == NINE + timedelta(hours=40)
