"""Strays in a real PostgreSQL are asked about, revoked or adopted; what an administrator granted is left
alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.catalog import Entitlement, PeopleRules, StrayMode, StrayRules
from bot.core.grants import State
from bot.core.reasons import Why
from bot.targets.postgres.target import Postgres
from bot.testing.cast import ADA, BOB, CAROL, EVE, HOUR, MINUTE, PROD_DB, SECURITY, catalog
from bot.testing.postgres import Roles
from bot.testing.story import Story
from bot.usecases.strays.search import open_strays
from tests.targets.conftest import Replicated
from tests.targets.postgres.scenes import alive, with_the_role

LOOK = 10 * MINUTE + 40
CHANNEL = "#db-access"


@pytest.fixture
def server(newer_server: Replicated) -> Replicated:
    """Use only PostgreSQL 16 or later, where each grantor has a membership of their own."""
    return newer_server


def story_at(roles: Roles, postgres: Postgres, mode: StrayMode = StrayMode.ASK) -> Story:
    """Return a story at this server, where Eve's account is called carol."""
    role = Entitlement(target="orders-db", what=(("role", roles["orders_rw"]),))
    accounts = {EVE: {"orders-db": roles["carol"]}, ADA: {"orders-db": roles["ada"]}}
    policy = replace(
        catalog(),
        resources={"prod-db": replace(PROD_DB, gives=(role,))},
        people=PeopleRules(email_domains=("example.com",), accounts=accounts),
        strays=StrayRules(mode=mode),
    )
    story = Story(policy, begin=False)
    story.targets["orders-db"] = postgres  # type: ignore[assignment]  # a real one
    story.run_due("workspace", "groups")
    story.run_due()
    return story


def stray(roles: Roles, name: str) -> None:
    """Grant the role with the bot's own login, without the ledger's knowledge."""
    roles.run("GRANT {orders_rw} TO {" + name + "}", by=roles.session("rotakey"))


@pytest.mark.parametrize("mode", StrayMode)
def test_what_an_administrator_granted_is_left_alone(
    roles: Roles, postgres: Postgres, mode: StrayMode
) -> None:
    story = story_at(roles, postgres, mode)
    roles.run("GRANT {orders_rw} TO {bob}")
    story.pass_time(3 * LOOK)
    assert roles.members() == {"bob": {"postgres"}}
    assert (open_strays(story.ledger), story.messenger.alerts) == ((), {})


def test_a_stray_is_asked_about_and_removed_with_its_sessions(roles: Roles, postgres: Postgres) -> None:
    story = story_at(roles, postgres)
    for name in ("bob", "carol"):
        stray(roles, name)
    roles.run("GRANT {orders_rw} TO {bob}")
    hers = with_the_role(roles, "carol")
    story.pass_time(LOOK)
    asked = {each.reason.facts["account"]: each for each in story.messenger.alerts_in(CHANNEL)}
    assert asked[roles["carol"]].reason.facts["person"] == EVE
    assert asked[roles["bob"]].verbs == ("remove", "leave"), "nobody is known to have that account"
    assert roles.members() == {"bob": {"postgres", "rotakey"}, "carol": {"rotakey"}}

    story.remove(BOB, asked[roles["carol"]].id)
    story.remove(CAROL, asked[roles["bob"]].id)
    story.pass_time(5)

    assert roles.members() == {"bob": {"postgres"}}
    assert not alive(hers)
    became = [each.became.why for each in story.messenger.alerts_in(CHANNEL) if each.became]
    assert became == [Why.STRAY_TAKEN] * 2


def test_where_the_policy_says_so_it_is_taken_at_once(roles: Roles, postgres: Postgres) -> None:
    story = story_at(roles, postgres, StrayMode.ENFORCE)
    stray(roles, "carol")
    story.pass_time(LOOK)
    assert roles.members() == {}
    [told] = story.messenger.alerts_in(SECURITY)
    assert told.over


def test_an_adopted_stray_stays_and_ends_as_a_grant_does(roles: Roles, postgres: Postgres) -> None:
    story = story_at(roles, postgres)
    stray(roles, "carol")
    hers = with_the_role(roles, "carol")
    story.pass_time(LOOK)
    [asked] = story.messenger.alerts_in(CHANNEL)
    story.adopt(BOB, asked.id)
    story.run_due()
    [grant] = story.grants_of(EVE)
    assert grant.state is State.ACTIVE
    assert alive(hers)
    story.pass_time(4 * HOUR)
    assert roles.members() == {}
    assert not alive(hers)


def test_what_the_bot_may_not_take_any_more_and_an_administrator_took_is_over(
    roles: Roles, postgres: Postgres
) -> None:
    story = story_at(roles, postgres)
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    hers = with_the_role(roles, "ada")
    roles.run("REVOKE pg_signal_backend FROM {rotakey}")
    story.pass_time(HOUR + 5)
    assert story.grant(grant).overdue_since

    def left_when_bob_says_that_it_was_removed() -> str | None:
        story.say_removed(BOB, grant)
        story.run_due()
        [alert] = story.messenger.alerts_in(SECURITY)
        assert alert.over is (story.grant(grant).state is State.ENDED)
        if alert.over:
            return None
        assert alert.became
        assert alert.became.why is Why.OVERDUE_UNCONFIRMED
        return str(alert.became.facts["trouble"])

    assert "run GRANT pg_signal_backend" in (left_when_bob_says_that_it_was_removed() or "")
    roles.run("REVOKE {orders_rw} FROM {ada} GRANTED BY {rotakey}")
    assert "run GRANT pg_signal_backend" in (left_when_bob_says_that_it_was_removed() or "")
    hers.close()
    assert left_when_bob_says_that_it_was_removed() is None
