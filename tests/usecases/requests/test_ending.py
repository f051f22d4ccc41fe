"""Access ends early: its holder gives it back, or an approver revokes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.core.errors import TemporaryFailure
from bot.core.grants import State
from bot.core.reasons import Reason, Why, because
from bot.testing.cast import ADA, BOB, CAROL, DAN, EVE, HOUR, PROD_DB, SCHEMA_MIGRATION, catalog
from bot.testing.story import Story
from bot.usecases.requests import look

Refusal = Callable[[Callable[[], object]], Reason]


def adas(story: Story, length: str = "4h", reason: str = "orders are stuck") -> str:
    grant = story.ask(ADA, length=length, reason=reason).standing.grant.id
    story.run_due()
    return grant


def test_ada_gives_it_back_and_it_is_gone_at_once(story: Story) -> None:
    grant = adas(story)
    done = story.give_back(ADA)
    assert (done.grant.state, done.live) == (State.ENDING, False)
    story.run_due()
    assert not story.has(ADA)
    ended = story.grant(grant)
    assert (ended.state, ended.ended, ended.decided_by) == (State.ENDED, because(Why.GIVEN_BACK), ADA)
    assert story.history(grant)[-3:] == ["ending", "taken", "ended"]


def test_what_is_given_back_before_it_was_given_never_is(story: Story) -> None:
    grant = story.ask(ADA).standing.grant.id
    story.give_back(ADA, grant)
    story.run_due()
    assert story.grant(grant).state is State.ENDED
    assert story.target.calls == []


def test_all_of_a_resource_is_given_back_by_its_name(story: Story) -> None:
    first, second = adas(story, "1h"), adas(story, "2h")
    story.give_back(ADA, "prod-db")
    story.run_due()
    assert {story.grant(each).state for each in (first, second)} == {State.ENDED}
    assert not story.has(ADA)


def test_of_two_resources_with_one_role_the_other_keeps_the_access(story: Story) -> None:
    story.enact(catalog(replace(PROD_DB, name="prod-db-too")))
    first = adas(story, "1h")
    second = story.ask(ADA, "prod-db-too", "2h").standing.grant.id
    story.run_due()
    story.give_back(ADA, first)
    story.run_due()
    assert story.has(ADA)
    assert (story.grant(first).state, story.grant(first).kept_by) == (State.ENDED, second)
    assert story.grant(second).state is State.ACTIVE


def test_nothing_open_several_open_and_somebody_else_s_are_told_apart(story: Story, refusal: Refusal) -> None:
    assert refusal(lambda: story.give_back(ADA)) == because(Why.NOTHING_OPEN)
    grant = adas(story)
    assert refusal(lambda: story.give_back(DAN, grant)) == because(Why.NOT_YOURS)
    story.ask(ADA, "schema-migration", "1h")
    several = because(Why.SEVERAL_OPEN, names="prod-db, schema-migration")
    assert refusal(lambda: story.give_back(ADA)) == several
    assert story.live(grant)


def test_bob_revokes_it_and_says_why(story: Story) -> None:
    grant = adas(story)
    revoked = story.revoke(BOB, ADA, "prod-db", " wrong database ")
    assert (revoked.grant.state, revoked.live) == (State.ENDING, False)
    story.run_due()
    assert not story.has(ADA)
    assert story.grant(grant).ended == because(Why.REVOKED, by_person=BOB, said="wrong database")


def test_what_waits_is_denied_by_a_revoke(story: Story) -> None:
    grant = story.ask(DAN).standing.grant.id
    assert story.revoke(BOB, DAN, "prod-db").grant.state is State.DENIED
    assert story.grant(grant).decided_by == BOB


def test_only_approvers_and_the_person_revoke(story: Story, refusal: Refusal) -> None:
    grant = adas(story)
    assert refusal(lambda: story.revoke(EVE, ADA, "prod-db")).why is Why.NOT_AN_APPROVER
    assert refusal(lambda: story.revoke(BOB, ADA, "no-such")).why is Why.RESOURCE_UNKNOWN
    nothing = because(Why.NOTHING_OPEN, which="prod-db", person=DAN)
    assert refusal(lambda: story.revoke(BOB, DAN, "prod-db")) == nothing
    assert story.live(grant)
    assert story.revoke(ADA, ADA, "prod-db").grant.state is State.ENDING


def test_what_has_ended_stays_ended(story: Story, refusal: Refusal) -> None:
    grant = adas(story)
    story.give_back(ADA)
    assert refusal(lambda: story.extend(ADA, grant)) == because(Why.GRANT_OVER, resource="prod-db")
    assert refusal(lambda: story.give_back(ADA, grant)) == because(Why.GRANT_OVER, resource="prod-db")
    story.run_due()
    assert not story.live(grant)


def test_mine_and_who_tell_what_is_not_finished(story: Story, refusal: Refusal) -> None:
    grant = adas(story)
    waiting = story.ask(ADA, "schema-migration", "1h").standing.grant.id
    mine = look.mine(story.context, person=ADA)
    assert [(each.grant.id, each.live) for each in mine.mine] == [(grant, True), (waiting, False)]
    who = look.who(story.context, person=DAN, resource="prod-db")
    assert [each.grant.id for each in who] == [grant]
    assert (
        refusal(lambda: look.who(story.context, person=DAN, resource="no-such")).why is Why.RESOURCE_UNKNOWN
    )
    story.give_back(ADA, "prod-db")
    assert [each.grant.state for each in look.mine(story.context, person=ADA).mine] == [
        State.ENDING,
        State.ASKED,
    ]
    story.run_due()
    assert [each.grant.id for each in look.mine(story.context, person=ADA).mine] == [waiting]


def test_who_may_neither_ask_nor_approve_does_not_see_who_has_it(story: Story, refusal: Refusal) -> None:
    story.enact(catalog(replace(story.policy.resources["prod-db"], who_may_ask=())))
    assert refusal(lambda: look.who(story.context, person=DAN, resource="prod-db")).why is Why.MAY_NOT_ASK
    assert look.who(story.context, person=BOB, resource="prod-db") == ()


def test_offers_tell_what_asking_now_would_come_to(story: Story) -> None:
    def offered(who: str) -> dict[str, str]:
        return {each.resource.name: each.outcome for each in look.offers(story.context, person=who)}

    assert offered(ADA) == {"prod-db": "approve", "orders-on-call": "ask", "schema-migration": "ask"}
    assert offered(DAN) == {"prod-db": "ask", "orders-on-call": "ask", "schema-migration": "ask"}
    story.directory.change(EVE, guest=True)
    assert offered(EVE) == {}


def test_the_home_tab_has_what_is_mine_and_what_waits_for_me(story: Story) -> None:
    waiting = story.ask(DAN).standing.grant.id
    mine = story.ask(BOB).standing.grant.id
    home = look.home_view(story.context, BOB)
    assert [each.grant.id for each in home.mine] == [mine]
    assert [each.grant.id for each in home.waiting] == [waiting]
    assert [each.grant.id for each in look.home_view(story.context, CAROL).waiting] == [waiting, mine]
    assert look.home_view(story.context, EVE).waiting == ()


# -------------------------------------------------------------------------------------------- the seat


def seated(story: Story, who: str = DAN, length: str = "1h") -> str:
    grant = story.ask(who, "schema-migration", length, f"{who} migrates").standing.grant.id
    story.approve(BOB, grant)
    story.run_due()
    return grant


def test_only_one_holds_a_resource_for_one(story: Story, refusal: Refusal) -> None:
    waiting = story.ask(EVE, "schema-migration", "1h").standing.grant.id
    first = seated(story)
    assert refusal(lambda: story.approve(BOB, waiting)).why is Why.HELD_BY_OTHER
    reason = refusal(lambda: story.ask(ADA, "schema-migration", "1h"))
    assert (reason.why, reason.facts["by_person"]) == (Why.HELD_BY_OTHER, DAN)
    story.give_back(DAN, first)
    story.run_due()
    assert story.approve(BOB, waiting).live
    story.run_due()
    assert story.target.accounts("migrator") == {"eve@example.com"}


def test_the_seat_is_free_only_once_the_access_was_seen_gone(story: Story, refusal: Refusal) -> None:
    first = seated(story)
    story.target.failing["revoke"] = TemporaryFailure("down")
    story.give_back(DAN, first)
    story.pass_time(60)
    assert refusal(lambda: story.ask(EVE, "schema-migration", "1h")).why is Why.HELD_BY_OTHER
    del story.target.failing["revoke"]
    story.pass_time(300)
    assert story.grant(first).state is State.ENDED
    assert seated(story, EVE)


def test_the_seat_stays_with_the_extension(story: Story, refusal: Refusal) -> None:
    first = seated(story)
    asked = story.extend(DAN, "schema-migration", HOUR).asked
    assert asked is not None
    assert story.approve(BOB, asked.id).live
    story.run_due()
    story.pass_time(HOUR)
    assert story.live(first)
    reason = refusal(lambda: story.ask(EVE, "schema-migration", "1h"))
    assert reason.facts["until_at"] == int(story.now.timestamp()) + HOUR
    story.pass_time(HOUR)
    assert not story.has(DAN, "migrator")
    assert story.ask(EVE, "schema-migration", "1h").standing.grant.state is State.ASKED


def test_the_seat_is_what_is_held_whatever_the_policy_gives_meanwhile(story: Story, refusal: Refusal) -> None:
    first = seated(story, length="4h")
    other = replace(SCHEMA_MIGRATION.gives[0], what=(("role", "other"),))
    story.enact(catalog(replace(SCHEMA_MIGRATION, gives=(other,))))
    second = story.ask(DAN, "schema-migration", "1h", "once more").standing.grant.id
    story.approve(BOB, second)
    story.run_due()
    story.pass_time(HOUR)
    assert story.grant(second).state is State.ENDED
    assert story.live(first)
    assert seated(story, EVE)
    assert story.target.accounts("other") == {"eve@example.com"}
    story.enact(catalog(SCHEMA_MIGRATION))
    assert refusal(lambda: story.ask(EVE, "schema-migration", "1h")).facts["by_person"] == DAN


@pytest.mark.parametrize("length", ["1h", "2h"])
def test_an_ask_for_a_seat_lapses_like_any_other(story: Story, length: str) -> None:
    grant = story.ask(DAN, "schema-migration", length).standing.grant.id
    story.pass_time(HOUR)
    assert story.grant(grant).state is State.LAPSED
