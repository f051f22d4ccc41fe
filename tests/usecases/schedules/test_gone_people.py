"""People leave, or change, between requesting, approving and holding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.core.errors import PermanentFailure
from bot.core.grants import State
from bot.core.people import Person
from bot.core.reasons import Reason, Why
from bot.ports.deadline import Deadline
from bot.ports.documents import EmailOwner, Key
from bot.testing.cast import BOB, CAROL, DAN, EMAILS, EVE, HOUR, MINUTE, NINE, PROD_DB, catalog
from bot.testing.story import Story
from bot.usecases.people import remember, take_hint

Refusal = Callable[[Callable[[], object]], Reason]
DAY = 24 * HOUR


def dans_ask(story: Story) -> str:
    asked = story.ask(DAN).standing.grant.id
    story.run_due()
    return asked


def dans_access(story: Story) -> str:
    grant = dans_ask(story)
    story.approve(BOB, grant)
    story.run_due()
    assert story.has(DAN)
    return grant


def known(story: Story, who: str) -> Person:
    found = story.memory.read({Key.of(Person, who)}).find(Person, who)
    assert found is not None
    return found


def changes(story: Story, who: str, **what: object) -> None:
    """Change somebody in Slack, which reports it at once."""
    story.directory.change(who, **what)
    take_hint(story.ledger, replace(story.directory.people[who], read_at=NINE))


# ------------------------------------------------------------------------- between ask and approval


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"deactivated": True}, Why.PERSON_DEACTIVATED),
        ({"guest": True}, Why.PERSON_GUEST),
        ({"team": "T9"}, Why.PERSON_EXTERNAL),
        ({"email": "dan@elsewhere.example"}, Why.EMAIL_FOREIGN),
        ({"email_confirmed": False}, Why.EMAIL_UNCONFIRMED),
        ({"email": EMAILS[EVE]}, Why.EMAIL_SHARED),
    ],
)
@pytest.mark.parametrize("who", [DAN, BOB])
def test_who_changed_a_moment_before_the_click(
    story: Story, refusal: Refusal, who: str, change: dict[str, object], why: Why
) -> None:
    """Dan asked and Bob approves, and either may be somebody else by now."""
    story.ask(EVE)
    grant = dans_ask(story)
    story.directory.change(who, **change)
    assert refusal(lambda: story.approve(BOB, grant)).why is why
    assert story.grant(grant).state is State.ASKED


def test_whom_slack_does_not_know_any_more_at_the_click(story: Story, refusal: Refusal) -> None:
    grant = dans_ask(story)
    del story.directory.people[DAN]
    assert refusal(lambda: story.approve(BOB, grant)).why is Why.PERSON_DEACTIVATED


def test_while_slack_does_not_answer_what_is_known_counts_until_it_does(story: Story) -> None:
    story.context.look_up_people(BOB)
    grant = dans_ask(story)
    story.pass_time(20 * MINUTE)
    story.directory.change(DAN, deactivated=True)
    story.directory.away = True
    assert story.approve(BOB, grant).live
    story.run_due()
    assert story.has(DAN)
    story.directory.away = False
    story.pass_time(10)
    assert not story.has(DAN)
    ended = story.grant(grant).ended
    assert ended is not None
    assert ended.why is Why.PERSON_DEACTIVATED


def test_what_was_known_a_day_ago_does_not_count(story: Story, refusal: Refusal) -> None:
    story.enact(catalog(replace(PROD_DB, lapse_after=3 * DAY)))
    grant = dans_ask(story)
    story.directory.away = True
    story.memory.advance(DAY + 1)
    assert refusal(lambda: story.approve(BOB, grant)).why is Why.PERSON_UNKNOWN


def test_slack_refuses_to_tell_and_what_is_known_counts(story: Story) -> None:
    story.context.look_up_people(BOB)
    grant = dans_ask(story)

    def refusing(person: str, deadline: Deadline) -> Person | None:
        raise PermanentFailure("missing_scope")

    story.directory.person = refusing  # type: ignore[method-assign]
    assert story.approve(BOB, grant).live


# ---------------------------------------------------------------------------- votes and the quorum


@pytest.mark.parametrize(
    "change", [{"deactivated": True}, {"guest": True}, {"email": EMAILS[EVE]}, {"email_confirmed": False}]
)
def test_a_vote_is_judged_again_at_the_quorum(story: Story, change: dict[str, object]) -> None:
    story.enact(catalog(replace(PROD_DB, approvals=2)))
    story.ask(EVE)
    grant = dans_ask(story)
    story.approve(BOB, grant)
    story.directory.change(BOB, **change)
    assert story.approve(CAROL, grant).grant.state is State.ASKED
    assert [vote.person for vote in story.grant(grant).votes] == [CAROL]


def test_who_voted_becomes_the_requester(story: Story, refusal: Refusal) -> None:
    """Bob votes, and then his account gets Dan's address: neither counts as anybody."""
    story.enact(catalog(replace(PROD_DB, approvals=2)))
    grant = dans_ask(story)
    story.approve(BOB, grant)
    story.directory.change(BOB, email=EMAILS[DAN])
    assert refusal(lambda: story.approve(CAROL, grant)).why is Why.EMAIL_SHARED
    assert not story.live(grant)


# ------------------------------------------------------------------------------------ while holding


def test_dan_is_deactivated_while_he_has_it(story: Story) -> None:
    grant = dans_access(story)
    story.directory.change(DAN, deactivated=True)
    story.pass_time(15 * MINUTE)
    assert not story.has(DAN)
    assert story.grant(grant).state is State.ENDED


@pytest.mark.parametrize(
    "change", [{"deactivated": True}, {"guest": True}, {"email": "dan@elsewhere.example"}]
)
def test_slack_says_so_and_it_ends_at_once(story: Story, change: dict[str, object]) -> None:
    grant = dans_access(story)
    changes(story, DAN, **change)
    story.run_due()
    assert not story.has(DAN)
    assert story.grant(grant).state is State.ENDED


def test_what_slack_says_is_not_believed_before_it_is_asked(story: Story) -> None:
    dans_access(story)
    take_hint(story.ledger, replace(story.directory.people[DAN], deactivated=True))
    story.run_due()
    assert story.has(DAN)
    assert not known(story, DAN).deactivated


def test_another_picture_or_name_asks_slack_nothing(story: Story) -> None:
    dans_access(story)
    before = len(story.directory.lookups)
    changes(story, DAN, name="daniel")
    changes(story, EVE, name="eva")
    story.run_due()
    assert len(story.directory.lookups) == before


def test_somebody_new_takes_dans_address(story: Story) -> None:
    dans_access(story)
    story.directory.people["U08DAN"] = replace(story.directory.people[DAN], id="U08DAN")
    changes(story, "U08DAN")
    story.run_due()
    assert known(story, DAN).shared_email
    assert not story.has(DAN)


NOBODY_TO_US = [
    {"guest": True},
    {"stranger": True},
    {"bot": True},
    {"team": "T9"},
    {"email_confirmed": False},
]


@pytest.mark.parametrize("as_what", NOBODY_TO_US)
def test_who_could_be_given_nothing_takes_no_address_away(story: Story, as_what: dict[str, object]) -> None:
    """Neither Dan's access nor Bob's vote is lost."""
    grant = dans_access(story)
    for who in (DAN, BOB):
        other = f"{who}X"
        story.directory.people[other] = replace(story.directory.people[who], id=other, **as_what)  # type: ignore[arg-type]  # any field
        changes(story, other)
        story.run_due()
        remember(story.ledger, story.directory.people[other])
        story.run_due()
    assert not known(story, DAN).shared_email
    assert story.has(DAN)
    assert story.live(grant)
    again = story.ask(EVE).standing.grant.id
    assert story.approve(BOB, again).live


def test_a_guest_who_becomes_a_member_shares_the_address_from_then_on(story: Story) -> None:
    dans_access(story)
    story.directory.people["U08DAN"] = replace(story.directory.people[DAN], id="U08DAN", guest=True)
    remember(story.ledger, story.directory.people["U08DAN"])
    changes(story, "U08DAN", guest=False)
    story.run_due()
    assert known(story, DAN).shared_email
    assert known(story, "U08DAN").shared_email
    assert not story.has(DAN)


def test_a_guest_who_is_alone_with_an_address_is_still_known_by_it(story: Story) -> None:
    """For example on call: the guest is told why they get nothing."""
    story.directory.change(EVE, guest=True)
    story.context.look_up_people(EVE, again=True)
    owner = story.memory.read({Key.of(EmailOwner, EMAILS[EVE])}).find(EmailOwner, EMAILS[EVE])
    assert owner is not None
    assert owner.people == (EVE,)


def test_an_answer_that_was_long_under_way_does_not_replace_a_newer_one(
    story: Story, refusal: Refusal
) -> None:
    """While Bob's click waits for Slack, the worker learns that Dan is gone."""
    grant = dans_ask(story)
    ask_slack = story.directory.person

    def late(person: str, deadline: Deadline) -> Person | None:
        found = ask_slack(person, deadline)
        if person == DAN:
            story.directory.person = ask_slack  # type: ignore[method-assign]
            changes(story, DAN, deactivated=True)
            story.run_due("people")
            assert known(story, DAN).deactivated
        return found

    story.directory.person = late  # type: ignore[method-assign]
    assert refusal(lambda: story.approve(BOB, grant)).why is Why.PERSON_DEACTIVATED
    assert known(story, DAN).deactivated
    assert not story.live(grant)


def test_who_holds_nothing_is_looked_up_once_and_forgotten(story: Story) -> None:
    story.context.look_up_people(EVE)
    changes(story, EVE, deactivated=True)
    story.run_due()
    assert known(story, EVE).deactivated
    assert f"people:{EVE}" not in story.memory._due
