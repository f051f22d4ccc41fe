"""From a request to its end at an endpoint, also while the endpoint fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest

from bot.core.catalog import Catalog, Entitlement
from bot.core.grants import Grant, State
from bot.core.reasons import Why
from bot.doubles.webhook import Members, Served
from bot.ports.documents import Key
from bot.slack.views.cards import card
from bot.targets.webhook.target import Webhook
from bot.testing.cast import ADA, BOB, DAN, EMAILS, HOUR, MINUTE, NINE, PROD_DB, catalog
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from bot.usecases.notifications import cards
from tests.slack.scenes import texts
from tests.targets.webhook.stage import SECRET

ROLE = "orders_rw"


def policy() -> Catalog:
    gives = (Entitlement(target="hook", what=(("role", ROLE),)),)
    made = catalog(replace(PROD_DB, gives=gives))
    return replace(made, session_notes={**made.session_notes, "hook": "endpoint"})


@pytest.fixture
def members() -> Members:
    """The endpoint goes by the clock of the machine, by which all ends of a story are long over."""
    members = Members(SECRET, keeps_end=False)
    for who in (ADA, BOB, DAN):
        members.add_account(EMAILS[who])
    members.add_role(ROLE)
    return members


@pytest.fixture
def story(members: Members) -> Iterator[Story]:
    with Served(members) as served:
        target = cast("FakeTarget", Webhook("hook", served.url, SECRET))
        yield Story(policy(), targets={"hook": target})


def ends_heard(members: Members) -> list[datetime]:
    return [datetime.fromisoformat(call["until"]) for call in members.calls if call["verb"] == "grant"]


def said(story: Story, grant: str) -> str:
    basis, snap = story.context.read_basis(lambda _: {Key.of(Grant, grant)})
    return " ".join(texts(card(cards.card_view(story.context, story.grant(grant), basis, snap), "holder")[1]))


def test_a_request_to_its_end(story: Story, members: Members) -> None:
    grant = story.ask(ADA, length="2h").standing.grant.id
    story.run_due()

    assert members.holders(ROLE) == {EMAILS[ADA]}
    assert story.grant(grant).state is State.ACTIVE
    assert ends_heard(members) == [NINE + timedelta(hours=2)]
    assert "Confirmed by your endpoint." in said(story, grant)

    story.pass_time(2 * HOUR + MINUTE)

    assert members.holders(ROLE) == frozenset()
    assert story.grant(grant).state is State.ENDED
    assert story.record(grant) is None


def test_the_endpoint_hears_of_an_end_that_moves(story: Story, members: Members) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    story.extend(ADA, grant, 2 * HOUR)
    story.run_due()

    assert ends_heard(members) == [NINE + timedelta(hours=1), NINE + timedelta(hours=3)]


def test_an_endpoint_that_is_down_at_the_end_loses_no_revocation(story: Story, members: Members) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    story.pass_time(HOUR - 1)
    members.faults = replace(members.faults, down=True)
    story.pass_time(2 * MINUTE)

    assert story.grant(grant).state is State.ENDING
    assert story.grant(grant).overdue_since
    assert [each for each in story.audit(grant) if each.what == "overdue"]

    members.faults = replace(members.faults, down=False)
    story.pass_time(10 * MINUTE)
    assert members.holders(ROLE) == frozenset()
    assert story.grant(grant).state is State.ENDED


def test_nobody_is_told_granted_while_the_answer_is_lost(story: Story, members: Members) -> None:
    members.faults = replace(members.faults, loses=frozenset(["grant"]))
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    assert members.holders(ROLE) == {EMAILS[ADA]}

    story.pass_time(2 * HOUR)

    assert members.holders(ROLE) == frozenset()
    assert story.grant(grant).state is State.ENDED


def test_what_the_endpoint_refuses_is_said_in_its_words(story: Story, members: Members) -> None:
    members.rename(EMAILS[ADA], "somebody@example.com")
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()

    assert story.grant(grant).state is not State.ACTIVE
    assert f"there is no account {EMAILS[ADA]}: create it" in (story.grant(grant).trouble or "")


def test_sessions_that_were_kept_are_said_on_the_card_and_in_the_audit(
    story: Story, members: Members
) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    members.faults = replace(members.faults, answer=lambda answer: {**answer, "sessions": "kept"})
    story.pass_time(2 * HOUR)

    [taken] = [each for each in story.audit(grant) if each.what == "taken"]
    assert taken.facts["sessions"] == "kept"
    assert "Open sessions may go on: hook left them open." in said(story, grant)


def test_an_approval_by_a_person_ends_there_too(story: Story, members: Members) -> None:
    grant = story.ask(DAN, length="1h").standing.grant.id
    story.approve(BOB, grant)
    story.run_due()
    assert members.holders(ROLE) == {EMAILS[DAN]}

    story.give_back(DAN)
    story.run_due()
    assert members.holders(ROLE) == frozenset()
    assert story.grant(grant).ended is not None
    assert story.grant(grant).ended.why is not Why.COULD_NOT_GIVE  # type: ignore[union-attr]
