"""Access begins and ends with a shift, to the second, whatever the pager answers meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.core.catalog import SourceRules
from bot.core.grants import Origin, State
from bot.core.reasons import Reason, Why, because
from bot.core.shifts import Roster, Shift
from bot.ports.deadline import Deadline
from bot.ports.documents import Key
from bot.testing.cast import (
    ADA,
    BOB,
    DAN,
    DAY,
    EVE,
    HOUR,
    MINUTE,
    NINE,
    ON_SHIFT,
    ORDERS_ON_CALL,
    ORDERS_SCHEDULE,
    SCHEDULE,
    SCHEMA_MIGRATION,
    SECURITY,
    UNHURRIED,
    catalog,
    nobodys,
    shift,
)
from bot.testing.slack import dm
from bot.testing.story import Story
from bot.usecases.job import Job
from bot.usecases.schedules import rosters

Refusal = Callable[[Callable[[], object]], Reason]
OPS = "orders_ops"


def at(hours: float) -> datetime:
    return NINE + timedelta(hours=hours)


def on(who: str = ADA, start: float | None = 1, end: float | None = 8, level: int = 1) -> Shift:
    """Return a shift as the pager shows it, in hours after nine."""
    starts, ends = (None if hours is None else at(hours) for hours in (start, end))
    return nobodys(shift(who, start=starts, end=ends, level=level, schedule=ORDERS_SCHEDULE))


def begun(*shifts: Shift) -> Story:
    return Story(rota={"PORDERS": shifts})


def rota(story: Story, *shifts: Shift) -> None:
    """Let the pager show another rota from now on, and read it within a minute."""
    story.source.rota["PORDERS"] = shifts
    story.pass_time(61)


# --------------------------------------------------------------------------- begins and ends in time


def test_a_shift_gives_at_its_first_second_and_takes_at_its_last() -> None:
    story = begun(on())
    story.pass_time(HOUR - 1)
    assert not story.has(ADA, OPS)
    story.pass_time(1)
    assert story.has(ADA, OPS)
    grant = story.shift_grant(ADA)
    assert grant is not None
    assert (grant.origin, grant.state, grant.active_at, grant.until) == (
        Origin.SHIFT,
        State.ACTIVE,
        at(1),
        at(8.25),
    )
    story.pass_time(7.25 * HOUR - 1)
    assert story.has(ADA, OPS)
    story.pass_time(1)
    assert not story.has(ADA, OPS)
    ended = story.grant(grant.id)
    assert (ended.state, ended.ended_at, ended.ended) == (State.ENDED, at(8.25), because(Why.SHIFT_OVER))
    assert story.history(grant.id) == ["approved", "given", "active", "ending", "taken", "ended"]


def test_the_person_on_call_gets_one_message_that_is_kept_up_to_date() -> None:
    story = begun(on(start=0))
    grant = story.shift_grant(ADA)
    assert grant is not None
    story.pass_time(9 * HOUR)
    cards = story.messenger.cards_of(grant.id)
    assert set(cards) == {dm(ADA)}
    assert cards[dm(ADA)].shown[0] is State.ACTIVE
    assert cards[dm(ADA)].shown[-1] is State.ENDED
    assert cards[dm(ADA)].view.grant.trace[0].reason.why is Why.SHIFT_STARTED


def test_only_the_levels_of_the_rule_are_given_anything() -> None:
    story = begun(on(start=0), on(DAN, start=0, level=2))
    assert story.target.accounts(OPS) == {"ada@example.com"}


def test_a_shift_handed_over_passes_the_access_on() -> None:
    story = begun(on(start=0, end=4), on(DAN, start=4, end=8))
    story.pass_time(4 * HOUR)
    assert story.target.accounts(OPS) == {"ada@example.com", "dan@example.com"}
    story.pass_time(15 * MINUTE)
    assert story.target.accounts(OPS) == {"dan@example.com"}


def test_adjoining_shifts_are_one() -> None:
    story = begun(on(start=0, end=4), on(start=4, end=8))
    grant = story.shift_grant(ADA)
    assert grant is not None
    assert grant.until == at(8.25)
    story.pass_time(6 * HOUR)
    assert story.shift_grant(ADA) == story.grant(grant.id)
    assert story.target.count("grant") == 1


def test_a_shift_that_follows_within_the_grace_goes_on_without_a_gap() -> None:
    story = begun(on(start=0, end=4), on(start=4.1, end=8))
    story.pass_time(4.2 * HOUR)
    grant = story.shift_grant(ADA)
    assert grant is not None
    assert grant.until == at(8.25)
    assert story.has(ADA, OPS)
    assert story.target.count("revoke") == 0


def test_a_shift_without_an_end_goes_on_for_as_long_as_it_is_there() -> None:
    policy = replace(catalog(ORDERS_ON_CALL), sources=UNHURRIED)
    story = Story(policy, rota={"PORDERS": (on(start=None, end=None),)})
    grant = story.shift_grant(ADA)
    assert grant is not None
    assert grant.until == at(12)
    story.pass_time(3 * DAY)
    assert story.has(ADA, OPS)
    assert story.live(grant.id)
    assert story.history(grant.id).count("end moved with the shift") <= 13
    rota(story)
    story.pass_time(10 * MINUTE)
    assert not story.has(ADA, OPS)


def test_a_shift_without_an_end_has_no_gaps_where_the_longest_length_is_short() -> None:
    short = replace(ORDERS_ON_CALL, lengths=replace(ORDERS_ON_CALL.lengths, default=60, max=120))
    story = Story(catalog(short), rota={"PORDERS": (on(start=0, end=None),)})
    grant = story.shift_grant(ADA)
    assert grant is not None
    story.pass_time(HOUR)
    assert story.live(grant.id)
    assert story.target.count("revoke") == 0


# ------------------------------------------------------------------------------------- it changes


def test_an_override_is_followed_within_a_minute() -> None:
    story = begun(on(start=0))
    story.pass_time(2 * HOUR)
    rota(story, on(start=0, end=2), on(DAN, start=2))
    assert story.target.accounts(OPS) == {"ada@example.com", "dan@example.com"}
    story.pass_time(15 * MINUTE)
    assert story.target.accounts(OPS) == {"dan@example.com"}


def test_a_shift_taken_away_altogether_ends_within_a_minute() -> None:
    story = begun(on(start=0))
    rota(story, on(DAN, start=0))
    assert story.target.accounts(OPS) == {"dan@example.com"}


def test_a_shift_that_grows_or_shrinks_moves_the_end() -> None:
    story = begun(on(start=0))
    grant = story.shift_grant(ADA)
    assert grant is not None
    rota(story, on(start=0, end=10))
    assert story.lease(grant.id) == at(10.25)
    rota(story, on(start=0, end=2))
    assert story.lease(grant.id) == at(2.25)
    assert story.grant(grant.id).until == at(2.25)
    story.pass_time(2.25 * HOUR)
    assert not story.has(ADA, OPS)


def test_what_was_asked_for_on_call_shrinks_with_the_shift_and_never_grows() -> None:
    story = Story()
    grant = story.ask(ADA, length="4h").standing.grant.id
    story.run_due()
    story.source.rota["PDBPRIM"] = (nobodys(shift(ADA, end=at(2))),)
    story.pass_time(61)
    assert story.lease(grant) == at(2)
    story.source.rota["PDBPRIM"] = (nobodys(shift(ADA, end=at(8))),)
    story.pass_time(61)
    assert story.lease(grant) == at(2)
    story.source.rota["PDBPRIM"] = (nobodys(shift(DAN)),)
    story.pass_time(61)
    assert not story.has(ADA)
    assert story.grant(grant).ended == because(Why.SHIFT_OVER)


def test_a_rule_of_the_policy_that_changes_is_followed() -> None:
    story = begun(on(start=0))
    second_line = replace(ORDERS_ON_CALL, on_shift=replace(ON_SHIFT, levels=(2,)))
    story.enact(catalog(second_line))
    story.pass_time(10)
    assert not story.has(ADA, OPS)


def test_a_resource_that_gives_nothing_by_shift_any_more_lets_it_end_with_the_shift() -> None:
    story = begun(on(start=0))
    story.enact(catalog(replace(ORDERS_ON_CALL, on_shift=None)))
    rota(story, on(start=0, end=12))
    assert story.has(ADA, OPS)
    story.pass_time(8.25 * HOUR)
    assert not story.has(ADA, OPS)


# ------------------------------------------------------------------------------- given back, revoked


@pytest.mark.parametrize("end", [lambda s: s.give_back(ADA), lambda s: s.revoke(BOB, ADA, "orders-on-call")])
def test_a_shift_given_back_or_revoked_is_not_started_again(end: Callable[[Story], object]) -> None:
    story = begun(on(start=0), on(start=24, end=32))
    end(story)
    story.pass_time(7 * HOUR)
    assert not story.has(ADA, OPS)
    story.pass_time(17 * HOUR)
    assert story.has(ADA, OPS)


def test_a_shift_given_back_stays_so_although_it_is_prolonged() -> None:
    story = begun(on(start=0, end=2))
    story.give_back(ADA)
    rota(story, on(start=0, end=6))
    story.pass_time(5 * HOUR)
    assert not story.has(ADA, OPS)


def test_the_next_shift_begins_although_the_grace_of_the_one_given_back_is_not_over() -> None:
    story = begun(on(start=0, end=2), on(start=2.1, end=6))
    story.give_back(ADA)
    story.pass_time(2.1 * HOUR)
    assert story.has(ADA, OPS)


def test_a_shift_without_an_end_that_was_left_does_not_begin_again_by_itself() -> None:
    story = begun(on(start=None, end=None))
    story.give_back(ADA)
    story.pass_time(30 * HOUR)
    assert not story.has(ADA, OPS)


def test_the_second_shift_of_a_day_begins_although_the_first_was_left() -> None:
    story = begun(on(start=0, end=4), on(start=6, end=9))
    story.run_due()
    story.give_back(ADA)
    story.pass_time(5.9 * HOUR)
    assert not story.has(ADA, OPS)
    story.pass_time(0.2 * HOUR)
    assert story.has(ADA, OPS)


# ---------------------------------------------------------------------------------- people on call


def test_a_guest_on_call_gets_nothing_and_is_told_once_a_shift() -> None:
    story = Story(begin=False, rota={"PORDERS": (on(start=0), on(start=24, end=32))})
    story.directory.change(ADA, guest=True)
    story.pass_time(20 * HOUR)
    assert not story.has(ADA, OPS)
    told = story.messenger.notes_in(ADA)
    assert [note.reason for note in told] == [because(Why.PERSON_GUEST, person=ADA)]
    story.pass_time(5 * HOUR)
    assert len(story.messenger.notes_in(ADA)) == 2


def test_somebody_on_call_who_is_not_in_slack_gets_nothing_and_the_audit_says_so() -> None:
    story = begun(replace(on(start=0), email="zoe@example.com"))
    assert story.target.accounts(OPS) == set()
    entries = [each for each in story.audit() if each.what == "on call but not in Slack"]
    assert [each.facts for each in entries] == [{"email": "zoe@example.com"}]
    story.pass_time(HOUR)
    assert sum(each.what == "on call but not in Slack" for each in story.audit()) == 1
    story.directory.people["U09ZOE"] = replace(
        story.directory.people[ADA], id="U09ZOE", email="zoe@example.com"
    )
    story.pass_time(11 * MINUTE)
    assert story.target.accounts(OPS) == {"zoe@example.com"}


def test_an_email_of_two_people_gives_neither_of_them_the_shift() -> None:
    story = Story(begin=False, rota={"PORDERS": (on(start=0),)})
    story.directory.change(EVE, email="ada@example.com")
    story.context.look_up_people(EVE, ADA)
    story.pass_time(HOUR)
    assert story.target.accounts(OPS) == set()


def test_a_shift_of_an_email_that_is_no_longer_the_persons_gives_nothing_and_is_told() -> None:
    story = begun(on(start=1.5))
    story.source.away = True
    story.directory.change(ADA, email="countess@example.com")
    story.pass_time(1.5 * HOUR)
    assert story.target.accounts(OPS) == set()
    assert [note.reason.why for note in story.messenger.notes_in(ADA)] == [Why.NOT_ON_CALL]


def test_while_slack_is_away_a_shift_of_somebody_known_begins_on_time() -> None:
    story = begun(on())
    story.pass_time(55 * MINUTE)
    story.directory.away = True
    story.pass_time(5 * MINUTE)
    assert story.has(ADA, OPS)


def test_somebody_slack_cannot_tell_of_yet_is_tried_again_soon_and_not_told_anything() -> None:
    story = Story(begin=False, rota={"PORDERS": (on(start=0),)})
    story.directory.away = True
    story.pass_time(2 * MINUTE)
    assert not story.has(ADA, OPS)
    story.directory.away = False
    story.pass_time(20)
    assert story.has(ADA, OPS)
    assert story.messenger.notes == []


def test_a_large_rota_is_stored_although_slack_answers_slowly() -> None:
    crowd = tuple(replace(on(start=0), email=f"p{number}@example.com") for number in range(50))
    story = Story(begin=False, rota={"PORDERS": (*crowd, on(start=-1))})
    story.run_due("workspace")
    claim = story.claim("roster")
    assert claim is not None
    job = Job(claim, Deadline.after(0))
    asked = story.directory.by_email

    def slow(email: str, deadline: Deadline) -> object:
        job.deadline = Deadline(job.deadline.at - 4)
        return asked(email, deadline)

    story.directory.by_email = slow  # type: ignore[method-assign,assignment]
    rosters.read_roster(story.context, lambda _: story.source, job)
    assert not job.deadline.is_over
    known = story.memory.read({Key.of(Roster, ORDERS_SCHEDULE)}).find(Roster, ORDERS_SCHEDULE)
    assert known is not None
    assert len(known.shifts) == 51
    assert known.shifts[0].person == ADA
    assert sum(each.person is not None for each in known.shifts) <= 5
    story.directory.by_email = asked  # type: ignore[method-assign]
    story.pass_time(60)
    assert story.has(ADA, OPS)


# --------------------------------------------------------------------------- the pager is wrong or away


def test_one_wrong_empty_answer_cuts_nobody_and_is_told() -> None:
    story = begun(on(start=0))
    story.source.hidden = {"PORDERS"}
    story.pass_time(61)
    assert story.has(ADA, OPS)
    told = story.messenger.notes_in(SECURITY)
    assert [note.reason.why for note in told] == [Why.SCHEDULE_EMPTY]
    assert told[0].reason.facts["schedule"] == ORDERS_SCHEDULE
    story.pass_time(8 * MINUTE)
    assert len(story.messenger.notes_in(SECURITY)) == 1
    story.source.hidden = set()
    story.pass_time(61)
    assert [note.reason.why for note in story.messenger.notes_in(SECURITY)][1:] == [Why.SCHEDULE_WELL]
    known = story.memory.read({Key.of(Roster, ORDERS_SCHEDULE)}).find(Roster, ORDERS_SCHEDULE)
    assert known is not None
    assert known.doubted is None


def test_two_answers_that_contradict_each_other_cut_nobody_and_are_told() -> None:
    story = begun(on(start=0))
    story.source.rendered["PORDERS"] = (on(start=0),)
    rota(story, on(DAN, start=20, end=30))
    assert story.has(ADA, OPS)
    assert story.messenger.notes_in(SECURITY)[0].reason.why is Why.SCHEDULE_LACKS
    assert story.ask(ADA, "prod-db", "1h").standing.live
    del story.source.rendered["PORDERS"]
    story.pass_time(61)
    assert not story.has(ADA, OPS)


def test_while_a_roster_is_doubted_it_says_yes_to_nobody() -> None:
    story = Story()
    story.source.hidden = {"PDBPRIM"}
    story.pass_time(61)
    asked = story.ask(ADA).standing.grant
    assert (asked.state, asked.trace[0].reason.why) == (State.ASKED, Why.ROSTER_DOUBTED)


def test_an_empty_answer_that_is_confirmed_is_believed() -> None:
    story = begun(on(start=0))
    rota(story)
    assert not story.has(ADA, OPS)
    assert story.messenger.notes_in(SECURITY) == []


def test_while_the_pager_is_away_access_ends_at_the_last_known_end() -> None:
    story = begun(on(start=0, end=2))
    story.source.away = True
    story.pass_time(2.25 * HOUR - 1)
    assert story.has(ADA, OPS)
    story.pass_time(1)
    assert not story.has(ADA, OPS)


def test_while_the_pager_is_away_nothing_is_approved_by_it_but_a_human_is_asked() -> None:
    story = Story()
    story.source.away = True
    story.pass_time(10 * MINUTE)
    assert story.ask(ADA, length="1h").standing.live
    story.give_back(ADA)
    story.pass_time(1)
    asked = story.ask(ADA, length="2h").standing.grant
    assert asked.state is State.ASKED
    assert asked.trace[0].reason == because(Why.ROSTER_STALE, schedule=SCHEDULE, age_s=601)
    assert [each.what for each in story.audit()].count("roster not read") == 1


def test_a_shift_still_begins_while_the_pager_is_away_for_less_than_six_hours() -> None:
    story = begun(on(start=6))
    story.source.away = True
    story.pass_time(6 * HOUR)
    assert story.has(ADA, OPS)


def test_after_more_than_six_hours_it_does_not_and_the_person_is_told_once() -> None:
    story = begun(on(start=7, end=40))
    story.source.away = True
    story.pass_time(7 * HOUR)
    assert not story.has(ADA, OPS)
    stale = because(Why.SHIFT_NOT_STARTED, resource="orders-on-call", schedule=ORDERS_SCHEDULE)
    assert [note.reason for note in story.messenger.notes_in(ADA)] == [stale]
    story.pass_time(30 * HOUR)
    assert len(story.messenger.notes_in(ADA)) == 1
    story.source.away = False
    story.pass_time(2 * MINUTE)
    assert story.has(ADA, OPS)


def test_how_old_a_roster_may_be_is_the_source_s_to_set() -> None:
    policy = replace(catalog(), sources={"pagerduty": SourceRules(stale_after=60, start_stale_after=120)})
    story = Story(policy, rota={"PORDERS": (on(),)})
    story.source.away = True
    story.pass_time(61)
    assert story.ask(ADA).standing.grant.state is State.ASKED
    story.pass_time(HOUR)
    assert not story.has(ADA, OPS)


# ------------------------------------------------------------------------------------- the seat


ONE_ON_SHIFT = replace(SCHEMA_MIGRATION, on_shift=ON_SHIFT)


def test_a_shift_waits_for_the_seat_and_begins_as_soon_as_it_is_free() -> None:
    story = Story(catalog(ONE_ON_SHIFT), rota={"PORDERS": (on(),)})
    dans = story.ask(DAN, "schema-migration", "2h").standing.grant.id
    story.approve(BOB, dans)
    story.pass_time(HOUR)
    assert story.target.accounts("migrator") == {"dan@example.com"}
    story.give_back(DAN)
    story.run_due()
    assert story.target.accounts("migrator") == {"ada@example.com"}


def test_of_two_on_call_one_gets_the_seat() -> None:
    story = Story(catalog(ONE_ON_SHIFT), rota={"PORDERS": (on(start=0), on(DAN, start=0))})
    assert len(story.target.accounts("migrator")) == 1
    story.pass_time(HOUR)
    assert len(story.target.accounts("migrator")) == 1


def test_who_asks_for_a_seat_is_told_until_when_the_shift_has_it(refusal: Refusal) -> None:
    story = Story(catalog(ONE_ON_SHIFT), rota={"PORDERS": (on(start=0, end=2),)})
    rota(story, on(start=0, end=3))
    reason = refusal(lambda: story.ask(DAN, "schema-migration", "1h"))
    assert reason.facts["until_at"] == int(at(3.25).timestamp())
