"""People name a person or a resource instead of a request, and get the requests that this may mean."""

from __future__ import annotations

from dataclasses import replace

from bot.core.catalog import Named
from bot.core.grants import State
from bot.testing.cast import ADA, BOB, DAN, SCHEMA_MIGRATION, catalog
from bot.testing.story import Story
from bot.usecases.requests import finish, look


def test_what_waits_is_found_by_its_resource_or_by_who_requested_it(story: Story) -> None:
    waits = story.ask(DAN).standing.grant.id

    def found(person: str, **wanted: str) -> list[str]:
        return [each.grant.id for each in look.waiting_for(story.context, person=person, **wanted)]

    assert found(BOB, resource="prod-db") == found(BOB, holder=DAN) == [waits]
    assert found(BOB, resource="prod-db", holder=DAN) == [waits]
    assert found(BOB, resource="schema-migration", holder=DAN) == found(BOB, holder=ADA) == []
    assert found(BOB, resource="nothing") == found(DAN, resource="prod-db") == found(ADA, holder=DAN) == []
    story.approve(BOB, waits)
    assert found(BOB, holder=DAN) == []


def test_what_somebody_has_is_named_to_those_who_may_see_it(story: Story) -> None:
    story.ask(ADA)
    story.ask(ADA, "schema-migration")
    assert look.held_by(story.context, person=BOB, holder=ADA) == ("prod-db", "schema-migration")
    assert look.held_by(story.context, person=BOB, holder=DAN) == ()
    secret = replace(SCHEMA_MIGRATION, who_may_ask=(Named(person=ADA),), approvers=(Named(person=BOB),))
    story.enact(catalog(secret))
    assert look.held_by(story.context, person=DAN, holder=ADA) == ("prod-db",)
    assert look.askable(story.context, person=ADA)[-1] == "schema-migration"
    assert "schema-migration" not in look.askable(story.context, person=DAN)


def test_nobody_who_is_refused_anyway_is_told_names(story: Story) -> None:
    story.directory.change(DAN, guest=True)
    look.offers(story.context, person=DAN)
    assert look.askable(story.context, person=DAN) == ()


def test_everything_ends_in_one_commit(story: Story) -> None:
    has = story.ask(ADA).standing.grant.id
    waits = story.ask(ADA, "schema-migration").standing.grant.id
    story.run_due()
    for _ in range(2):
        finish.give_back(story.context, person=ADA, which=None, everything=True, op="op-all")
    assert (story.grant(has).state, story.grant(waits).state) == (State.ENDING, State.WITHDRAWN)
    story.run_due()
    assert not story.has(ADA)
