"""A request that nobody can approve is refused at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from bot.core.document import Document
from bot.core.grants import State
from bot.core.people import Group, Person
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change, Snapshot
from bot.ports.documents import Key
from bot.testing.cast import ADA, BOB, CAROL, DAN, DAY, EVE, GROUP, HOUR, NINE, PROD_DB, catalog, person
from bot.testing.story import Story
from bot.usecases import context

Refusal = Callable[[Callable[[], object]], Reason]
NOBODY = because(Why.NO_APPROVER, resource="prod-db", groups=GROUP)


def members(story: Story, *people: str) -> None:
    """Set the members of the group."""
    story.directory.members[GROUP] = Group(name=GROUP, members=people, read_at=NINE)
    story.pass_time(15 * 60)


@pytest.mark.parametrize("group", [(), (DAN,)])
def test_nobody_but_the_requester_is_in_the_group(
    story: Story, refusal: Refusal, group: tuple[str, ...]
) -> None:
    members(story, *group)
    assert refusal(lambda: story.ask(DAN)) == NOBODY
    assert story.grants_of(DAN) == ()


def test_all_approvers_are_gone(story: Story, refusal: Refusal) -> None:
    for who in (BOB, CAROL):
        story.directory.change(who, deactivated=True)
        story.context.look_up_people(who, again=True)
    assert refusal(lambda: story.ask(DAN)) == NOBODY
    story.directory.change(CAROL, deactivated=False)
    story.context.look_up_people(CAROL, again=True)
    assert story.ask(DAN).standing.grant.state is State.ASKED


def test_whom_we_know_from_long_ago_may_be_there(story: Story) -> None:
    for who in (BOB, CAROL):
        story.directory.change(who, deactivated=True)
        story.context.look_up_people(who, again=True)
    story.pass_time(DAY + HOUR)
    assert story.ask(DAN).standing.grant.state is State.ASKED


def test_two_approvals_need_two_others(story: Story, refusal: Refusal) -> None:
    story.enact(catalog(replace(PROD_DB, approvals=2)))
    assert story.ask(DAN).standing.grant.state is State.ASKED
    assert refusal(lambda: story.ask(BOB)) == because(
        Why.TOO_FEW_APPROVERS, resource="prod-db", groups=GROUP, needed=2, count=1
    )


def test_more_time_that_nobody_can_approve(story: Story, refusal: Refusal) -> None:
    dans = story.ask(DAN, length="1h").standing.grant.id
    story.approve(BOB, dans)
    story.run_due()
    members(story, DAN)
    assert refusal(lambda: story.extend(DAN, dans)) == NOBODY


def test_a_request_that_waited_for_facts_is_refused_then(story: Story) -> None:
    members(story)
    story.directory.away = True
    eves = story.ask(EVE).standing.grant.id
    assert story.grant(eves).undecided
    story.directory.away = False
    story.pass_time(10)
    assert story.grant(eves).ended == NOBODY


def test_who_is_on_call_is_not_kept_waiting_by_it(story: Story) -> None:
    members(story)
    assert story.ask(ADA).standing.live


def test_of_a_very_large_group_few_are_read(
    story: Story, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of its members are gone; nobody checks whether all of them are."""
    monkeypatch.setattr(context, "MOST_COUNTED", 3)
    many = [f"U1{n:04}" for n in range(5)]
    gone: dict[Key, Document | None] = {
        Key.of(Person, each): replace(person(each), deactivated=True) for each in many
    }
    story.ledger.commit(Change(put=gone))
    members(story, *many[:3])
    assert refusal(lambda: story.ask(DAN)) == NOBODY
    members(story, *many)
    read = story.memory.read
    asked: list[int] = []

    def counted(keys: Iterable[Key] = (), follow: Iterable[str] = ()) -> Snapshot:
        wanted = list(keys)
        asked.append(sum(each.id in many for each in wanted))
        return read(wanted, follow)

    story.memory.read = counted  # type: ignore[method-assign]
    assert story.ask(DAN).standing.grant.state is State.ASKED
    assert sum(asked) == 3
