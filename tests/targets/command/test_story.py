"""From a request to its end with a program, also while the program fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import pytest

from bot.core.catalog import Catalog, Entitlement
from bot.core.grants import State
from bot.doubles.webhook import Members
from bot.testing.cast import ADA, EMAILS, HOUR, PROD_DB, catalog
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from tests.targets.command.stage import on_members

ROLE = "orders_rw"


def policy() -> Catalog:
    gives = (Entitlement(target="script", what=(("role", ROLE),)),)
    made = catalog(replace(PROD_DB, gives=gives))
    return replace(made, session_notes={**made.session_notes, "script": "program"})


@pytest.fixture
def members() -> Members:
    members = Members("", keeps_end=False)
    members.add_account(EMAILS[ADA])
    members.add_role(ROLE)
    return members


@pytest.fixture
def story(members: Members) -> Iterator[Story]:
    with on_members(members, "script") as stage:
        yield Story(policy(), targets={"script": cast("FakeTarget", stage.target)})


def test_a_request_to_its_end(story: Story, members: Members) -> None:
    grant = story.ask(ADA, length="2h").standing.grant.id
    story.run_due()
    assert members.holders(ROLE) == {EMAILS[ADA]}
    assert story.grant(grant).state is State.ACTIVE

    story.pass_time(2 * HOUR + 60)
    assert members.holders(ROLE) == frozenset()
    assert story.grant(grant).state is State.ENDED


def test_a_program_that_fails_at_the_end_loses_no_revocation(story: Story, members: Members) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    members.faults = replace(members.faults, down=True)
    story.pass_time(HOUR + 120)
    assert story.grant(grant).state is State.ENDING
    assert "the program says to try later: down" in (story.grant(grant).trouble or "")

    members.faults = replace(members.faults, down=False)
    story.pass_time(600)
    assert members.holders(ROLE) == frozenset()
    assert story.grant(grant).state is State.ENDED
