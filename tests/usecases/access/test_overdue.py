"""A target cannot be revoked at for hours: each attempt is repeated and reported, until it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from bot.core.catalog import SecurityRules
from bot.core.document import Document
from bot.core.errors import PermanentFailure, TemporaryFailure
from bot.core.grants import Grant, State
from bot.core.holds import LONGEST_BACKOFF, HoldRecord, Presence
from bot.core.reasons import Reason, Why, because
from bot.ports.changes import Change
from bot.ports.documents import Key, Note
from bot.ports.slack import AlertView
from bot.slack.wording.alerts import headline
from bot.slack.wording.cards import headline as card_headline
from bot.slack.wording.reasons import NOT_COPIED
from bot.testing.cast import ADA, BOB, CAROL, DAN, EMAILS, EVE, HOUR, MINUTE, NINE, PROD_DB, SECURITY, catalog
from bot.testing.slack import dm
from bot.testing.story import Story
from bot.testing.target import FakeTarget
from bot.usecases.access.overdue import confirm_removal, try_now
from bot.usecases.notifications.posting import COPIED_BY_THEN

Refusal = Callable[[Callable[[], object]], Reason]

[ROLE] = PROD_DB.gives
DOWN = TemporaryFailure("orders-db does not answer")
SINCE = int((NINE + timedelta(hours=1)).timestamp())
"""The end of the lease; it is noticed three seconds later, after the third try."""


def overdue(story: Story, **failing: Exception) -> str:
    """Let Ada's hour pass while the database refuses to revoke."""
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    story.target.failing.update(failing or {"revoke": DOWN})
    story.pass_time(HOUR + 3)
    assert story.grant(grant).overdue_since
    return grant


def alert(story: Story, channel: str = SECURITY) -> AlertView:
    [found] = story.messenger.alerts_in(channel)
    return found


def reminders(story: Story, channel: str = SECURITY) -> list[Note]:
    return [each for each in story.messenger.notes_in(channel) if each.reason.why is Why.OVERDUE_AGAIN]


# -------------------------------------------------------------------------------------------- for hours


def test_a_target_that_fails_for_hours_is_tried_and_told_until_it_lets_go(story: Story) -> None:
    grant = overdue(story)
    assert alert(story).reason == because(
        Why.OVERDUE, person=ADA, resource="prod-db", since_at=SINCE, trouble=str(DOWN)
    )
    assert alert(story).verbs == ("try_now", "removed")
    assert reminders(story) == []

    story.pass_time(5 * HOUR)
    tries = [call.at for call in story.target.calls if call.verb == "revoke"]
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert max(pauses) == LONGEST_BACKOFF
    assert pauses == sorted(pauses), "they grow, and none is left out"
    assert story.now - tries[-1] <= LONGEST_BACKOFF
    told = [(note.reason.facts["late_s"], note.thread) for note in reminders(story)]
    [(_, posted)] = story.messenger.alerts
    assert told == [(hours * HOUR, posted) for hours in range(1, 6)]
    assert story.grant(grant).state is State.ENDING
    assert story.has(ADA)

    story.target.failing.clear()
    story.pass_time(10 * MINUTE)
    assert not story.has(ADA)
    ended = story.grant(grant)
    assert (ended.state, ended.overdue_since) == (State.ENDED, None)
    assert ended.ended_at
    late = int((ended.ended_at.timestamp() - SINCE) // 60 * 60)
    gone = because(
        Why.OVERDUE_GONE,
        gone_at=int(ended.ended_at.timestamp()),
        late_s=late,
        person=ADA,
        resource="prod-db",
    )
    assert (alert(story).became, alert(story).over, alert(story).verbs) == (gone, True, ())
    assert [note.reason for note in story.messenger.notes_in(SECURITY)][5:] == [gone]

    story.pass_time(5 * HOUR)
    assert len(story.messenger.notes_in(SECURITY)) == 6
    assert story.history(grant).count("overdue") == 1


def test_its_holder_is_asked_not_to_use_it_and_the_others_to_remove_it_where_it_is(story: Story) -> None:
    grant = overdue(story)
    view = story.messenger.cards_of(grant)[dm(ADA)].view
    assert card_headline(view, to_holder=True).endswith("I keep trying; please don't use it.")
    others = card_headline(view, to_holder=False)
    assert others.endswith("I keep trying; if you can remove access at orders-db, please do it by hand.")


@pytest.mark.parametrize("late", [0, 600])
def test_it_is_overdue_since_its_lease_ended_however_late_that_is_noticed(story: Story, late: int) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    story.target.failing["revoke"] = DOWN
    story.memory.advance(HOUR + late)
    story.pass_time(3)
    found = story.grant(grant)
    assert (found.overdue_since, found.lease_ended_at) == (NINE + timedelta(hours=1),) * 2
    assert alert(story).reason.facts["since_at"] == SINCE


def test_what_was_given_back_is_overdue_since_then(story: Story) -> None:
    grant = story.ask(ADA, length="4h").standing.grant.id
    story.run_due()
    story.target.failing["revoke"] = DOWN
    story.pass_time(90)
    story.give_back(ADA)
    story.pass_time(10 * MINUTE)
    assert story.grant(grant).overdue_since == NINE + timedelta(seconds=90)


@pytest.mark.parametrize(("until", "since"), [(HOUR, HOUR), (9 * HOUR, HOUR + 1), (None, HOUR + 1)])
def test_of_what_an_older_version_ended_the_end_of_the_lease_or_the_first_failure_counts(
    story: Story, until: int | None, since: int
) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    story.target.failing["revoke"] = DOWN
    story.pass_time(HOUR + 0.001)
    found, end = story.grant(grant), NINE + timedelta(seconds=until) if until else None
    [record] = story.memory.read({Key.of(HoldRecord, hold.key) for hold in found.gives}).all(HoldRecord)
    put: dict[Key, Document | None] = {
        Key.of(Grant, grant): replace(found, lease_ended_at=None, until=end),
        Key.of(HoldRecord, record.hold.key): replace(
            record, failing_since=NINE + timedelta(seconds=HOUR + 1)
        ),
    }
    story.memory.commit(Change(put=put))
    story.pass_time(10)
    assert story.grant(grant).overdue_since == NINE + timedelta(seconds=since)


def test_what_stands_in_its_way_is_told_as_it_is_by_then(story: Story) -> None:
    overdue(story)
    story.target.failing["revoke"] = PermanentFailure("orders-db: the bot may not take it any more.")
    story.pass_time(2 * HOUR)
    trouble = "orders-db: the bot may not take it any more"
    assert alert(story).reason.facts["trouble"] == trouble
    assert [note.reason.facts["trouble"] for note in reminders(story)] == [trouble, trouble]


def test_while_slack_is_away_nobody_is_told_ten_times_afterwards(story: Story) -> None:
    story.messenger.away = True
    overdue(story)
    story.pass_time(4 * HOUR)
    story.messenger.away = False
    story.pass_time(30)
    assert (len(story.messenger.alerts), reminders(story)) == (1, [])


def test_what_was_gone_before_slack_came_back_is_told_as_gone(story: Story) -> None:
    story.messenger.away = True
    overdue(story)
    story.target.failing.clear()
    story.pass_time(10 * MINUTE)
    story.messenger.away = False
    story.pass_time(30)
    assert alert(story).over
    assert story.messenger.notes == []


def test_what_another_grant_keeps_is_no_longer_overdue(story: Story) -> None:
    grant = overdue(story)
    story.ask(ADA, length="4h")
    story.run_due()
    assert story.grant(grant).state is State.ENDED
    became = alert(story).became
    assert became
    assert (became.why, alert(story).over, story.has(ADA)) == (Why.OVERDUE_KEPT, True, True)


def test_nothing_is_told_of_what_is_merely_slow(story: Story) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.target.failing["revoke"] = DOWN
    story.pass_time(HOUR + 2)
    story.target.failing.clear()
    story.pass_time(HOUR)
    assert story.grant(grant).state is State.ENDED
    assert (story.messenger.alerts, story.messenger.notes) == ({}, [])


# ------------------------------------------------------------------------------------------------ many


def many(story: Story, counts: dict[str, int]) -> None:
    """Let the hours of that many people pass at each of two targets, while both refuse to revoke."""
    people = iter(range(100))
    for resource, count in counts.items():
        for _ in range(count):
            who = f"U1{next(people):03}"
            known = replace(story.directory.people[DAN], id=who, email=f"{who.casefold()}@example.com")
            story.directory.people[who] = known
            story.approve(BOB, story.ask(who, resource, "1h").standing.grant.id)
    story.run_due()
    for target in story.targets.values():
        target.failing["revoke"] = DOWN
    story.pass_time(HOUR + 3)


@pytest.fixture
def two() -> Story:
    vault = replace(PROD_DB, name="vault", gives=(replace(ROLE, target="vault"),))
    story = Story(catalog(vault))
    story.targets["vault"] = FakeTarget(lambda: story.now)
    return story


def told_of(story: Story, why: Why) -> list[AlertView]:
    return [each for each in story.messenger.alerts_in(SECURITY) if each.reason.why is why]


def test_of_many_the_channel_hears_ten_and_the_number(two: Story) -> None:
    many(two, {"prod-db": 8, "vault": 12})
    two.pass_time(5 * MINUTE)
    [crowd] = told_of(two, Why.OVERDUE_MANY)
    assert (crowd.reason, crowd.verbs) == (because(Why.OVERDUE_MANY, count=20), ())
    assert len(told_of(two, Why.OVERDUE)) == 10
    two.pass_time(3 * HOUR)
    assert len(two.messenger.alerts) == 11
    assert [note.reason for note in two.messenger.notes_in(SECURITY)] == [crowd.reason] * 3
    assert sum(entry.what == "overdue" for entry in two.audit()) == 20


def test_when_few_are_left_they_are_told_one_by_one(two: Story) -> None:
    many(two, {"prod-db": 12, "vault": 8})
    two.target.failing.clear()
    two.pass_time(10 * MINUTE)
    [crowd] = told_of(two, Why.OVERDUE_MANY)
    assert (crowd.over, crowd.became) == (True, because(Why.OVERDUE_FEW, count=8))
    assert len([each for each in told_of(two, Why.OVERDUE) if not each.over]) == 8
    two.targets["vault"].failing.clear()
    two.pass_time(10 * MINUTE)
    assert all(each.over for each in two.messenger.alerts_in(SECURITY))
    quiet = len(two.messenger.notes)
    two.pass_time(5 * HOUR)
    assert len(two.messenger.notes) == quiet


def test_many_for_a_second_time_is_told_anew(two: Story) -> None:
    for again in (1, 2):
        many(two, {"prod-db": 12})
        for target in two.targets.values():
            target.failing.clear()
        two.pass_time(10 * MINUTE)
        became = [each.became for each in told_of(two, Why.OVERDUE_MANY)]
        assert became == [because(Why.OVERDUE_FEW, count=0)] * again


def test_without_a_security_channel_many_are_told_one_by_one(two: Story) -> None:
    two.enact(replace(two.policy, security=SecurityRules(channel=None)))
    many(two, {"prod-db": 11})
    assert len(two.messenger.alerts_in("#db-access")) == 11


# ---------------------------------------------------------------------------------------- where it is told


def test_without_a_security_channel_its_approvers_are_told() -> None:
    story = Story(replace(catalog(), security=SecurityRules(channel=None)))
    overdue(story)
    assert [channel for channel, _ in story.messenger.alerts] == ["CDB-ACCESS"]
    story.pass_time(HOUR)
    assert len(reminders(story, "#db-access")) == 1


def test_without_any_channel_its_approvers_are_told_directly() -> None:
    quiet = replace(PROD_DB, channel=None)
    story = Story(replace(catalog(quiet), security=SecurityRules(channel=None)))
    overdue(story)
    assert {channel for channel, _ in story.messenger.alerts} == {dm(BOB), dm(CAROL)}
    story.target.failing.clear()
    story.pass_time(10 * MINUTE)
    assert [note.reason.why for note in story.messenger.notes] == [Why.OVERDUE_GONE] * 2


def test_where_the_security_channel_is_lost_its_approvers_are_told_directly(story: Story) -> None:
    story.messenger.lost = {SECURITY}
    overdue(story)
    assert {channel for channel, _ in story.messenger.alerts} == {dm(BOB), dm(CAROL)}


# ---------------------------------------------------------------------------------------------- try now


def test_try_now_tries_now(story: Story) -> None:
    grant = overdue(story)
    story.pass_time(HOUR)
    before = story.target.count("revoke")
    story.target.failing.clear()
    story.try_now(DAN, grant)
    story.run_due()
    assert story.target.count("revoke") == before + 1
    assert not story.has(ADA)
    assert alert(story).over
    [entry] = [each for each in story.audit(grant) if each.what == "to be tried now"]
    assert entry.by == DAN


def test_trying_is_said_and_that_it_did_not_help(story: Story) -> None:
    grant = overdue(story)
    story.pass_time(HOUR)
    story.try_now(BOB, grant)
    story.run_due("alert")
    assert alert(story).became == because(Why.OVERDUE_TRYING, by_person=BOB)
    story.run_due()
    still = because(Why.OVERDUE_STILL, by_person=BOB, trouble=str(DOWN))
    assert (alert(story).became, alert(story).over) == (still, False)
    assert alert(story).verbs == ("try_now", "removed")
    story.pass_time(2 * HOUR)
    assert alert(story).became == still
    story.try_now(CAROL, grant)
    story.run_due("alert")
    assert alert(story).became == because(Why.OVERDUE_TRYING, by_person=CAROL)


def test_of_several_holds_all_are_tried_before_it_is_said_that_it_did_not_help() -> None:
    other = replace(ROLE, target="vault")
    story = Story(catalog(replace(PROD_DB, gives=(ROLE, other))))
    story.targets["vault"] = FakeTarget(lambda: story.now)
    story.targets["vault"].failing["revoke"] = TemporaryFailure("vault is sealed")
    grant = overdue(story)
    story.try_now(BOB, grant)
    claims = [story.claim("hold"), story.claim("hold")]
    for claim, why in zip(claims, (Why.OVERDUE_TRYING, Why.OVERDUE_STILL), strict=True):
        assert claim
        story.do(claim)
        story.run_due("alarm", "alert")
        became = alert(story).became
        assert became
        assert became.why is why


# ------------------------------------------------------------------------------------ removed by hand


def test_what_was_removed_by_hand_is_over_once_the_target_shows_it(story: Story) -> None:
    """The bot may no longer revoke there, and an administrator did it."""
    grant = overdue(story, revoke=PermanentFailure("the bot may not take it any more"))
    story.pass_time(HOUR)
    story.target.take_by_hand(EMAILS[ADA], ROLE)
    story.pass_time(HOUR)
    assert story.grant(grant).state is State.ENDING, "taking back is more than what shows"
    story.say_removed(DAN, grant)
    story.run_due()
    ended = story.grant(grant)
    assert (ended.state, ended.overdue_since) == (State.ENDED, None)
    assert alert(story).over
    taken = [entry.facts["seen"] for entry in story.audit(grant) if entry.what == "taken"]
    assert taken == [Presence.NONE]
    assert [each.by for each in story.audit(grant) if each.what == "said to be removed"] == [DAN]


def test_what_an_administrator_gives_instead_is_theirs(story: Story) -> None:
    grant = overdue(story, revoke=PermanentFailure("the bot may not take it any more"))
    story.target.give_by_hand(EMAILS[ADA], ROLE)
    story.say_removed(DAN, grant)
    story.run_due()
    assert story.grant(grant).state is State.ENDED
    assert story.has(ADA)


@pytest.mark.parametrize("presence", [Presence.OURS, Presence.UNKNOWN])
def test_nobody_is_believed_against_what_the_target_shows(story: Story, presence: Presence) -> None:
    grant = overdue(story, revoke=PermanentFailure("the bot may not take it any more"))
    story.target.stuck = presence
    story.say_removed(BOB, grant)
    story.run_due("alert")
    assert alert(story).became == because(Why.OVERDUE_CHECKING, by_person=BOB)
    story.run_due()
    assert story.grant(grant).state is State.ENDING
    assert alert(story).became == because(
        Why.OVERDUE_UNCONFIRMED, by_person=BOB, trouble="the bot may not take it any more"
    )
    story.pass_time(HOUR)
    assert story.grant(grant).overdue_since
    assert len(reminders(story)) == 1


def test_nobody_is_believed_while_the_target_cannot_be_read(story: Story) -> None:
    grant = overdue(story, revoke=DOWN, has=DOWN)
    story.target.take_by_hand(EMAILS[ADA], ROLE)
    story.say_removed(BOB, grant)
    story.run_due()
    assert story.grant(grant).state is State.ENDING
    became = alert(story).became
    assert became
    assert became.why is Why.OVERDUE_UNCONFIRMED
    del story.target.failing["has"]
    story.pass_time(5 * MINUTE)
    assert story.grant(grant).state is State.ENDED


# ------------------------------------------------------------------------------------------ who may


@pytest.mark.parametrize("wish", [try_now, confirm_removal])
def test_any_full_member_may_and_nobody_else(
    story: Story, refusal: Refusal, wish: Callable[..., None]
) -> None:
    grant = overdue(story)
    story.directory.change(EVE, guest=True)
    against = refusal(lambda: wish(story.context, person=EVE, alert=grant, op=story.op()))
    assert against == because(Why.PERSON_GUEST, person=EVE)
    assert (
        refusal(lambda: wish(story.context, person="U0NOBODY", alert=grant, op=story.op())).why
        is Why.PERSON_UNKNOWN
    )
    story.run_due()
    assert alert(story).became is None
    for who in (BOB, DAN):
        wish(story.context, person=who, alert=grant, op=story.op())


def test_the_holder_may_have_it_tried_but_does_not_close_her_own_alarm(
    story: Story, refusal: Refusal
) -> None:
    grant = overdue(story)
    story.try_now(ADA, grant)
    assert refusal(lambda: story.say_removed(ADA, grant)) == because(Why.OWN_REMOVAL)


@pytest.mark.parametrize("wish", [try_now, confirm_removal])
def test_of_what_is_gone_nothing_is_tried(story: Story, refusal: Refusal, wish: Callable[..., None]) -> None:
    grant = overdue(story)
    story.target.failing.clear()
    story.memory.advance(10 * MINUTE)
    story.run_due("hold")
    assert story.grant(grant).state is State.ENDED
    before = len(story.target.calls)
    for each in (grant, "G0unknown", ""):
        against = refusal(lambda each=each: wish(story.context, person=BOB, alert=each, op=story.op()))  # type: ignore[misc]
        assert against == because(Why.ALERT_SETTLED)
    story.run_due()
    assert len(story.target.calls) == before
    assert alert(story).over


@pytest.mark.parametrize("wish", [try_now, confirm_removal])
def test_a_click_delivered_twice_is_one_try(story: Story, wish: Callable[..., None]) -> None:
    grant = overdue(story)
    story.pass_time(HOUR)
    before = story.target.count("revoke")
    for _ in range(2):
        wish(story.context, person=BOB, alert=grant, op="click-1")
        story.run_due()
    assert story.target.count("revoke") == before + 1


def test_what_is_live_cannot_be_tried(story: Story, refusal: Refusal) -> None:
    grant = story.ask(ADA, length="1h").standing.grant.id
    story.run_due()
    assert refusal(lambda: story.try_now(BOB, grant)) == because(Why.ALERT_SETTLED)
    assert refusal(lambda: story.say_removed(BOB, grant)) == because(Why.ALERT_SETTLED)
    assert story.has(ADA)


def test_what_is_gone_at_last_says_so_with_care_while_no_replica_has_it(story: Story) -> None:
    overdue(story)
    story.memory.copying = False
    story.target.failing.clear()
    story.pass_time(LONGEST_BACKOFF.total_seconds())
    gone = headline(alert(story))
    assert gone.startswith(f"<@{ADA}>'s *prod-db* ended ")
    assert gone.endswith(NOT_COPIED)
    [note] = [each for each in story.messenger.notes_in(SECURITY) if each.reason.why is Why.OVERDUE_GONE]
    assert not note.copied
    story.memory.copying = True
    story.pass_time(COPIED_BY_THEN.total_seconds())
    assert headline(alert(story)) == f"✅ {gone.removesuffix(NOT_COPIED).strip()}"
