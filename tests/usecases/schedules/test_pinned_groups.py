"""The policy's group is known by its id: another group that takes over its name approves nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.catalog import InGroup
from bot.core.errors import Refused
from bot.core.members import CANNOT_TELL
from bot.core.people import Group
from bot.core.reasons import Why
from bot.ports.documents import Key, PolicyInForce
from bot.slack.wording.reasons import refusal
from bot.testing.cast import ADA, BOB, CAROL, DAN, GROUP, NINE, PROD_DB, SECURITY, catalog, dba
from bot.testing.story import Story
from bot.usecases.enact import enact, start_with
from bot.usecases.schedules.groups import EVERY

OURS, THEIRS = replace(dba(), id="S1"), Group(name=GROUP, members=(DAN, ADA), read_at=NINE, id="S2")
SOON = EVERY.total_seconds()
BY_GROUP = replace(PROD_DB, approve_automatically=(InGroup(group=GROUP),))


@pytest.fixture
def story() -> Story:
    story = Story(catalog(BY_GROUP), begin=False)
    story.directory.members[GROUP] = OURS
    story.run_due("workspace", "groups")
    story.run_due()
    return story


def pinned(story: Story) -> dict[str, str]:
    force = story.memory.read({Key.of(PolicyInForce)}).find(PolicyInForce)
    assert force
    return dict(force.groups)


def is_taken_over(story: Story, by: Group | None = THEIRS) -> None:
    """Give this handle to another group, or delete the group."""
    if by:
        story.directory.members[GROUP] = by
    else:
        del story.directory.members[GROUP]
    story.pass_time(SOON)


def told(story: Story) -> list[str]:
    return [refusal(note.reason) for note in story.messenger.notes_in(SECURITY)]


def test_a_group_is_known_by_its_id_from_the_first_time_on(story: Story) -> None:
    assert pinned(story) == {GROUP: "S1"}
    story.directory.members[GROUP] = replace(OURS, members=(BOB, DAN))
    story.pass_time(SOON)
    assert story.ask(DAN).standing.grant.approved_at
    assert told(story) == []


@pytest.mark.parametrize("by", [THEIRS, None], ids=["another group", "none"])
def test_once_its_name_means_another_or_none_it_approves_nobody_and_cuts_nobody(
    story: Story, by: Group | None
) -> None:
    bobs = story.ask(BOB, length="12h").standing.grant.id
    waiting = story.ask(ADA, "schema-migration").standing.grant.id
    is_taken_over(story, by)
    trace = story.ask(DAN).standing.grant.trace
    assert [(line.outcome, line.reason.why) for line in trace] == [(CANNOT_TELL, Why.GROUP_MOVED)]
    for each in (BOB, DAN):
        with pytest.raises(Refused, match="group_moved"):
            story.approve(each, waiting)
    story.pass_time(3_600)
    assert story.live(bobs)
    assert story.has(BOB)


def test_security_hears_it_once_with_what_to_do(story: Story) -> None:
    is_taken_over(story)
    is_taken_over(story, None)
    story.pass_time(2 * SOON)
    assert told(story) == [
        f"{GROUP} in Slack is no longer the group that the policy meant, so it approves nobody. Nobody "
        "loses access because of that. If it is the right one now, run `rotakey policy apply FILE` with "
        "the access.yaml in force. Otherwise correct it in Slack."
    ]


def test_if_the_name_goes_back_to_the_group_it_counts_again(story: Story) -> None:
    is_taken_over(story)
    is_taken_over(story, replace(OURS, members=(CAROL,)))
    assert story.ask(CAROL).standing.grant.approved_at
    assert not story.ask(BOB).standing.grant.approved_at


def test_once_a_person_applies_the_policy_the_other_group_counts(story: Story) -> None:
    bobs = story.ask(BOB).standing.grant.id
    is_taken_over(story)
    enact(story.ledger, story.policy, story.policy.version, by="carol")
    story.pass_time(60)
    assert pinned(story) == {GROUP: "S2"}
    assert story.ask(DAN).standing.grant.approved_at
    assert not story.live(bobs), "who is not in it, loses what it let in"


def test_a_process_that_starts_with_a_new_policy_decides_nothing_about_it(story: Story) -> None:
    is_taken_over(story)
    story._policies["v9"] = replace(story.policy, version="v9")
    assert start_with(story.ledger, story._policies["v9"], "v9")
    story.pass_time(60)
    assert pinned(story) == {GROUP: "S1"}
    assert not story.ask(DAN).standing.grant.approved_at


def test_a_directory_without_ids_is_believed_by_name(story: Story) -> None:
    enact(story.ledger, story.policy, story.policy.version)
    story.directory.members[GROUP] = dba(DAN)
    story.pass_time(60)
    assert pinned(story) == {}
    assert story.ask(DAN).standing.grant.approved_at
