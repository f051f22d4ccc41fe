"""``rotakey doctor`` looks up in Slack the people and groups that access.yaml names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.catalog import Named, PeopleRules, SecurityRules
from bot.core.errors import TemporaryFailure
from bot.core.people import Group
from bot.ports.deadline import Deadline
from bot.testing.cast import ADA, BOB, DAN, GROUP, NINE, PROD_DB, catalog
from bot.testing.story import Story
from bot.usecases.doctor.findings import Grade
from bot.usecases.doctor.names import look_at_names, people_named

NAMED = replace(
    catalog(replace(PROD_DB, approvers=(Named(person=BOB),))),
    security=SecurityRules(people=(Named(person=DAN),)),
    people=PeopleRules(email_domains=("example.com",), accounts={ADA: {"orders-db": "ada"}}),
)


def looked(story: Story) -> list[tuple[Grade, str]]:
    return [(each.grade, each.what) for each in look_at_names(story.directory, NAMED, Deadline.after(5))]


def test_all_that_are_named_are_there() -> None:
    assert set(people_named(NAMED)) == {ADA, BOB, DAN}
    assert looked(Story()) == [(Grade.OK, "all people and groups that access.yaml names exist")]


def test_each_that_is_not() -> None:
    story = Story()
    story.directory.members.clear()
    del story.directory.people[DAN]
    story.directory.change(BOB, deactivated=True)
    assert looked(story) == [
        (Grade.WRONG, f"the group {GROUP} is not in Slack"),
        (
            Grade.LOOK_AT,
            f"bob ({BOB}) is not an active full member with a confirmed address in email_domains",
        ),
        (Grade.WRONG, f"nobody in Slack has the id {DAN}"),
    ]


def test_a_group_without_members() -> None:
    story = Story()
    story.directory.members[GROUP] = Group(name=GROUP, members=(), read_at=NINE)
    assert looked(story) == [(Grade.LOOK_AT, f"nobody is in the group {GROUP}")]


def test_slack_that_does_not_answer() -> None:
    story = Story()
    story.directory.away = True
    with pytest.raises(TemporaryFailure):
        looked(story)
