"""From a request to its end in an Okta group, also while Okta fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import pytest

from bot.core.catalog import Catalog, Entitlement
from bot.core.grants import Grant, State
from bot.doubles.okta import Org, serve
from bot.ports.documents import Key
from bot.slack.views.cards import card
from bot.testing.cast import ADA, BOB, DAN, EMAILS, HOUR, MINUTE, PROD_DB, catalog
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from bot.usecases.notifications import cards
from tests.slack.scenes import texts
from tests.targets.okta.stage import GROUP, TOKEN, made_from

CLEARED = "Okta sessions are closed when it ends; sessions in apps stay open."


def policy(sessions: str) -> Catalog:
    gives = (Entitlement(target="okta", what=(("group", GROUP),)),)
    made = catalog(replace(PROD_DB, gives=gives))
    return replace(made, session_notes={**made.session_notes, "okta": sessions})


@pytest.fixture
def org() -> Org:
    org = Org("00oRotaStory", TOKEN)
    for who in (ADA, BOB, DAN):
        org.add_user(EMAILS[who])
    org.add_group(GROUP)
    return org


@pytest.fixture(params=["keep", "clear"])
def sessions(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def story(org: Org, sessions: str) -> Iterator[Story]:
    with serve(org) as served:
        target = cast("FakeTarget", made_from(served.url, "okta", sessions=sessions))
        yield Story(policy(CLEARED if sessions == "clear" else "kept"), targets={"okta": target})


def said(story: Story, grant: str) -> str:
    basis, snap = story.context.read_basis(lambda _: {Key.of(Grant, grant)})
    return " ".join(texts(card(cards.card_view(story.context, story.grant(grant), basis, snap), "holder")[1]))


def test_a_request_that_is_extended_to_its_end(story: Story, org: Org, sessions: str) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    assert org.logins_in(GROUP) == {EMAILS[ADA]}
    assert story.grant(grant).state is State.ACTIVE
    says = "Open sessions stay open when it ends." if sessions == "keep" else CLEARED
    assert says in said(story, grant)

    story.extend(ADA, grant, 2 * HOUR)
    story.pass_time(2 * HOUR)
    assert org.logins_in(GROUP) == {EMAILS[ADA]}

    story.pass_time(HOUR + MINUTE)
    assert org.logins_in(GROUP) == frozenset()
    assert story.grant(grant).state is State.ENDED
    assert story.record(grant) is None
    assert [each[0] for each in org.cleared] == ([org.user(EMAILS[ADA]).id] if sessions == "clear" else [])


@pytest.mark.parametrize("sessions", ["keep"], indirect=True)
def test_an_org_that_is_down_at_the_end_loses_no_revocation(story: Story, org: Org) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.pass_time(HOUR - 1)
    org.faults.down = 503
    story.pass_time(10)
    assert story.grant(grant).state is State.ENDING
    assert story.grant(grant).overdue_since

    org.faults.down = 0
    story.pass_time(MINUTE)
    assert org.logins_in(GROUP) == frozenset()
    assert story.grant(grant).state is State.ENDED


@pytest.mark.parametrize("sessions", ["keep"], indirect=True)
def test_a_lost_answer_leaves_nothing_behind(story: Story, org: Org) -> None:
    org.faults.loses = frozenset(["PUT"])
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    assert org.logins_in(GROUP) == {EMAILS[ADA]}

    story.pass_time(2 * HOUR)
    assert org.logins_in(GROUP) == frozenset()
    assert story.grant(grant).state is State.ENDED


@pytest.mark.parametrize("sessions", ["clear"], indirect=True)
def test_what_an_administrator_gave_before_stays(story: Story, org: Org) -> None:
    org.add_by_hand(EMAILS[ADA], GROUP)
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.pass_time(2 * HOUR)

    assert story.grant(grant).state is State.ENDED
    assert org.logins_in(GROUP) == {EMAILS[ADA]}
    assert org.cleared == []


@pytest.mark.parametrize("sessions", ["keep"], indirect=True)
def test_a_rule_that_fills_the_group_by_then_makes_it_overdue_and_says_why(story: Story, org: Org) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    rule = org.add_rule("DBAs are on call", org.group(GROUP).id)
    story.pass_time(2 * HOUR)
    assert story.grant(grant).overdue_since
    assert "the group rule DBAs are on call now fills the group" in (story.grant(grant).trouble or "")

    org.rules[rule] = replace(org.rules[rule], status="INACTIVE")
    story.pass_time(10 * MINUTE)
    assert story.grant(grant).state is State.ENDED
    assert org.rules[rule].excluded == ()


@pytest.mark.parametrize("sessions", ["keep"], indirect=True)
def test_what_okta_refuses_is_said_with_what_to_do(story: Story, org: Org) -> None:
    org.set_status(EMAILS[ADA], "SUSPENDED")
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()

    assert story.grant(grant).state is not State.ACTIVE
    assert f"{EMAILS[ADA]} is SUSPENDED there: activate it in Okta" in (story.grant(grant).trouble or "")


@pytest.mark.parametrize("sessions", ["keep"], indirect=True)
def test_an_approval_by_a_person_ends_there_too(story: Story, org: Org) -> None:
    grant = story.ask(DAN, length="1h").standing.grant.id
    story.approve(BOB, grant)
    story.run_due()
    assert org.logins_in(GROUP) == {EMAILS[DAN]}

    story.give_back(DAN)
    story.run_due()
    assert org.logins_in(GROUP) == frozenset()
