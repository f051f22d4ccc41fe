"""No single wrong answer of the pager cuts anyone off, and no doubtful one gives access."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.core.catalog import SecurityRules
from bot.core.grants import State
from bot.core.reasons import Why, because
from bot.core.shifts import Roster, Shift
from bot.ports.changes import Change
from bot.ports.documents import Key, SourceState
from bot.testing.cast import (
    ADA,
    DAN,
    EMAILS,
    EVE,
    HOUR,
    MINUTE,
    NINE,
    ON_SHIFT,
    ORDERS_ON_CALL,
    ORDERS_SCHEDULE,
    SCHEDULE,
    SECURITY,
    UNHURRIED,
    catalog,
    nobodys,
    shift,
)
from bot.testing.story import Story

OPS = "orders_ops"
ANY_LEVEL = replace(ORDERS_ON_CALL, on_shift=replace(ON_SHIFT, levels=()))


def at(hours: float) -> datetime:
    return NINE + timedelta(hours=hours)


def on(who: str = ADA, start: float | None = 0, end: float | None = 8, level: int = 1) -> Shift:
    """Return a shift as the pager shows it, in hours after nine."""
    starts, ends = (None if hours is None else at(hours) for hours in (start, end))
    return nobodys(shift(who, start=starts, end=ends, level=level, schedule=ORDERS_SCHEDULE))


def begun(*shifts: Shift, level: int | None = 1) -> Story:
    policy = catalog() if level else catalog(ANY_LEVEL)
    return Story(policy, rota={"PORDERS": shifts})


def unhurried(*shifts: Shift) -> Story:
    return Story(replace(catalog(), sources=UNHURRIED), rota={"PORDERS": shifts})


def rota(story: Story, *shifts: Shift) -> None:
    """Let the pager show another rota from now on, and read it within a minute."""
    story.source.rota["PORDERS"] = shifts
    story.pass_time(61)


def roster(story: Story, schedule: str = ORDERS_SCHEDULE) -> Roster | None:
    return story.memory.read({Key.of(Roster, schedule)}).find(Roster, schedule)


def heard(story: Story) -> list[Why]:
    return [note.reason.why for note in story.messenger.notes_in(SECURITY)]


def hide(story: Story) -> None:
    story.source.hidden = {"PORDERS"}


def lose_level_one(story: Story) -> None:
    story.source.lacking = {"PORDERS": {1}}


def forget(story: Story) -> None:
    story.source.unknown = {"PORDERS"}


WRONG = [(hide, Why.SCHEDULE_EMPTY), (lose_level_one, Why.SCHEDULE_LACKS), (forget, Why.SCHEDULE_UNKNOWN)]
BOTH_LEVELS = (on(), on(DAN, level=2))


# -------------------------------------------------------------------------------- one wrong answer


@pytest.mark.parametrize(("go_wrong", "why"), WRONG)
def test_a_wrong_answer_cuts_nobody_and_is_reported_once(go_wrong: Callable[[Story], None], why: Why) -> None:
    story = begun(*BOTH_LEVELS)
    go_wrong(story)
    story.pass_time(8 * MINUTE)
    assert story.has(ADA, OPS)
    assert heard(story) == [why]
    [note] = story.messenger.notes_in(SECURITY)
    assert note.reason.facts["until_at"] == int(at(6).timestamp()) + 60
    story.source.hidden, story.source.unknown, story.source.lacking = set(), set(), {}
    story.pass_time(2 * HOUR)
    assert story.has(ADA, OPS)
    assert heard(story) == [why, Why.SCHEDULE_WELL]


@pytest.mark.parametrize(("go_wrong", "why"), WRONG)
def test_what_is_said_for_ten_minutes_is_believed(go_wrong: Callable[[Story], None], why: Why) -> None:
    story = begun(*BOTH_LEVELS)
    go_wrong(story)
    story.pass_time(10 * MINUTE)
    assert story.has(ADA, OPS)
    story.pass_time(2 * MINUTE)
    assert not story.has(ADA, OPS)
    assert heard(story) == [why, Why.SCHEDULE_BELIEVED]
    story.pass_time(3 * HOUR)
    assert heard(story) == [why, Why.SCHEDULE_BELIEVED]


@pytest.mark.parametrize(("go_wrong", "why"), WRONG)
def test_while_another_schedule_reads_badly_too_nothing_is_believed_for_six_hours(
    go_wrong: Callable[[Story], None], why: Why
) -> None:
    story = begun(*BOTH_LEVELS)
    go_wrong(story)
    story.source.unknown |= {"PDBPRIM"}
    story.pass_time(6 * HOUR)
    assert story.has(ADA, OPS)
    story.pass_time(2 * MINUTE)
    assert not story.has(ADA, OPS)
    assert heard(story).count(why) == (2 if why is Why.SCHEDULE_UNKNOWN else 1)
    assert heard(story).count(Why.SCHEDULE_BELIEVED) == 2


def test_answers_that_are_wrong_in_turn_do_not_agree() -> None:
    story = begun(*BOTH_LEVELS)
    for go_wrong in (hide, forget) * 8:
        story.source.hidden, story.source.unknown = set(), set()
        go_wrong(story)
        story.pass_time(60)
    assert story.has(ADA, OPS)
    assert heard(story) == [Why.SCHEDULE_EMPTY]


def test_a_doubt_that_comes_and_goes_is_not_reported_each_time() -> None:
    story = begun(on())
    for hidden in ({"PORDERS"}, set()) * 10:
        story.source.hidden = hidden
        story.pass_time(60)
    assert heard(story) == [Why.SCHEDULE_EMPTY, Why.SCHEDULE_WELL]
    story.pass_time(HOUR)
    hide(story)
    story.pass_time(61)
    assert heard(story)[2:] == [Why.SCHEDULE_EMPTY]


def test_a_doubt_that_could_not_be_reported_yet_is_reported_an_hour_after_the_last_one() -> None:
    story = begun(on())
    story.source.unknown = {"PDBPRIM"}  # so that nothing is believed
    story.pass_time(61)
    for hidden in ({"PORDERS"}, set(), {"PORDERS"}):
        story.source.hidden = hidden
        story.pass_time(60)
    assert heard(story).count(Why.SCHEDULE_EMPTY) == 1
    story.pass_time(HOUR)
    assert heard(story).count(Why.SCHEDULE_EMPTY) == 2


def test_without_a_security_channel_the_last_known_shifts_stand_all_the_same() -> None:
    story = Story(replace(catalog(), security=SecurityRules()), rota={"PORDERS": (on(),)})
    hide(story)
    story.pass_time(9 * MINUTE)
    assert story.has(ADA, OPS)
    assert story.messenger.notes == []


def test_a_doubt_that_an_older_version_wrote_down_ends_as_well() -> None:
    story = begun(on())
    hide(story)
    known = roster(story)
    assert known
    old = replace(known, doubted="two answers of the source contradict each other")
    story.memory.commit(Change(put={Key.of(Roster, ORDERS_SCHEDULE): old}))
    story.pass_time(9 * MINUTE)
    assert story.has(ADA, OPS)
    story.pass_time(3 * MINUTE)
    assert not story.has(ADA, OPS)


# ------------------------------------------------------------------------------- what is not doubted


def test_an_override_that_removes_somebody_is_followed_at_once() -> None:
    story = begun(on())
    rota(story, on(DAN, start=-2))
    assert not story.has(ADA, OPS)
    assert heard(story) == []


def test_a_shift_that_ends_with_nobody_after_it_ends_on_time() -> None:
    story = begun(on(end=2))
    story.pass_time(2.25 * HOUR - 1)
    assert story.has(ADA, OPS)
    story.pass_time(1)
    assert not story.has(ADA, OPS)
    story.pass_time(30 * HOUR)
    assert heard(story) == []


def test_a_shift_called_off_is_ended_at_once_if_both_ways_say_so() -> None:
    story = begun(*BOTH_LEVELS)
    rota(story, on(DAN, level=2))
    assert not story.has(ADA, OPS)
    assert heard(story) == []


def test_who_moves_to_another_level_keeps_the_first_until_it_was_said_for_ten_minutes() -> None:
    """The schedule itself shows no levels, so it cannot confirm the change."""
    story = begun(on())
    rota(story, on(level=2))
    assert story.has(ADA, OPS)
    story.pass_time(10 * MINUTE)
    assert not story.has(ADA, OPS)


def test_of_the_other_levels_the_newest_answer_counts() -> None:
    second = replace(ORDERS_ON_CALL, on_shift=replace(ON_SHIFT, levels=(2,)))
    story = Story(catalog(second), rota={"PORDERS": BOTH_LEVELS})
    assert story.has(DAN, OPS)
    lose_level_one(story)
    rota(story, on(), on(EVE, level=2))
    assert not story.has(DAN, OPS)
    known = roster(story)
    assert known
    assert [(each.person, each.level) for each in known.shifts] == [(ADA, 1), (EVE, 2)]
    assert known.doubted_levels == (1,)


# -------------------------------------------------------------------------- nobody gets in meanwhile


def test_while_a_schedule_is_doubted_no_shift_starts_and_the_person_hears_why() -> None:
    story = begun(on(end=0.1), on(DAN, start=0.1))
    hide(story)
    story.pass_time(9 * MINUTE)
    assert story.target.accounts(OPS) == {EMAILS[ADA]}, "in her grace"
    doubted = because(Why.SHIFT_DOUBTED, resource="orders-on-call", schedule=ORDERS_SCHEDULE)
    assert [note.reason for note in story.messenger.notes_in(DAN)] == [doubted]
    story.source.hidden = set()
    story.pass_time(61)
    assert story.has(DAN, OPS)


def test_while_a_schedule_is_doubted_it_approves_nobody() -> None:
    story = Story()
    story.source.lacking = {"PDBPRIM": {1}}
    story.pass_time(61)
    asked = story.ask(ADA).standing.grant
    assert (asked.state, asked.trace[0].reason.why) == (State.ASKED, Why.ROSTER_DOUBTED)


def test_a_grace_outlives_an_answer_that_has_forgotten_the_shift() -> None:
    story = begun(on(end=1))
    story.pass_time(HOUR + 5 * MINUTE)
    hide(story)
    story.pass_time(5 * MINUTE)
    assert story.has(ADA, OPS)


# ------------------------------------------------------------------------------- without any levels


def test_a_schedule_in_no_escalation_policy_is_read_the_other_way() -> None:
    story = Story(catalog(ANY_LEVEL), begin=False, rota={"PORDERS": (on(),)})
    hide(story)
    story.pass_time(10)
    assert story.has(ADA, OPS)
    story.pass_time(3 * HOUR)
    assert story.has(ADA, OPS)
    assert heard(story) == []


def test_an_answer_without_levels_yields_no_level() -> None:
    story = Story(begin=False, rota={"PORDERS": (on(),)})
    hide(story)
    story.pass_time(2 * HOUR)
    assert not story.has(ADA, OPS)


def test_a_schedule_in_no_policy_that_shows_nobody_once_cuts_nobody() -> None:
    story = Story(catalog(ANY_LEVEL), begin=False, rota={"PORDERS": (on(),)})
    hide(story)
    story.pass_time(10)
    story.source.rendered["PORDERS"] = ()
    story.pass_time(8 * MINUTE)
    assert story.has(ADA, OPS)
    assert heard(story) == [Why.SCHEDULE_EMPTY]
    story.pass_time(4 * MINUTE)
    assert not story.has(ADA, OPS)


def test_a_schedule_that_leaves_its_policy_goes_on_without_levels() -> None:
    story = begun(on(), level=None)
    hide(story)
    story.pass_time(HOUR)
    assert story.has(ADA, OPS)
    known = roster(story)
    assert known
    assert (known.unattached, known.doubted, [each.level for each in known.shifts]) == (True, None, [0])
    story.source.hidden = set()
    story.pass_time(61)
    known = roster(story)
    assert known
    assert (known.unattached, [each.level for each in known.shifts]) == (False, [1])
    assert story.has(ADA, OPS)


def test_while_the_only_way_of_reading_it_fails_a_schedule_only_grows_old() -> None:
    story = Story(catalog(ANY_LEVEL), begin=False, rota={"PORDERS": (on(),)})
    hide(story)
    story.pass_time(10)
    story.source.unrendered = {"PORDERS"}
    story.pass_time(7 * HOUR)
    known = roster(story)
    assert known
    assert (known.doubted, known.read_at) == (None, NINE)
    assert story.has(ADA, OPS)
    assert heard(story) == [Why.SOURCE_PARTLY]
    story.source.away = True
    story.pass_time(HOUR)
    assert heard(story) == [Why.SOURCE_PARTLY, Why.SOURCE_SILENT]
    story.source.away = False
    story.source.unrendered = set()
    story.pass_time(2 * MINUTE)
    assert heard(story)[2:] == [Why.SOURCE_WELL]


def test_of_many_schedules_that_go_wrong_at_once_a_few_are_named() -> None:
    names = [f"P{number}" for number in range(9)]
    many = [
        replace(ORDERS_ON_CALL, name=each, on_shift=replace(ON_SHIFT, schedule=f"pagerduty/{each}"))
        for each in names
    ]
    story = Story(catalog(*many), rota={each: (on(),) for each in names})
    story.source.unknown = set(names)
    story.pass_time(61)
    assert heard(story) == [Why.SCHEDULE_UNKNOWN] * 5 + [Why.SCHEDULES_MORE]
    assert story.messenger.notes_in(SECURITY)[5].reason.facts["count"] == 4


# -------------------------------------------------------------------------------- nothing known yet


def test_of_an_unknown_schedule_nothing_is_stored_and_it_is_reported_once() -> None:
    story = Story(begin=False)
    forget(story)
    story.pass_time(3 * HOUR)
    assert roster(story) is None
    assert roster(story, SCHEDULE)
    assert [note.reason for note in story.messenger.notes_in(SECURITY)] == [
        because(Why.SCHEDULE_MISSING, schedule=ORDERS_SCHEDULE)
    ]
    story.source.unknown, story.source.unrendered = set(), {"PORDERS"}
    story.pass_time(2 * MINUTE)
    story.source.unrendered = set()
    forget(story)
    story.pass_time(2 * MINUTE)
    assert heard(story) == [Why.SCHEDULE_MISSING], "though it could not be asked in between"
    story.source.unknown = set()
    rota(story, on())
    assert story.has(ADA, OPS)


def test_a_schedule_that_had_nobody_is_reported_when_it_goes() -> None:
    story = begun()
    forget(story)
    story.pass_time(HOUR)
    assert heard(story) == [Why.SCHEDULE_MISSING]


def test_access_outlives_the_loss_of_a_roster_that_the_source_does_not_know_any_more() -> None:
    story = begun(on(end=30))
    forget(story)
    story.memory.commit(Change(put={Key.of(Roster, ORDERS_SCHEDULE): None}))
    story.pass_time(2 * HOUR)
    assert story.has(ADA, OPS)


def test_an_empty_schedule_that_cannot_be_read_another_way_is_not_known_to_be_empty() -> None:
    story = Story(begin=False)
    story.source.unrendered = {"PORDERS"}
    story.pass_time(HOUR)
    assert roster(story) is None
    assert roster(story, SCHEDULE)


# ------------------------------------------------------------------------------ one of two schedules


def test_a_second_look_that_fails_does_not_stop_the_other_schedules() -> None:
    story = begun(on())
    hide(story)
    story.source.unrendered = {"PORDERS"}
    story.source.rota["PDBPRIM"] = (nobodys(shift(DAN)),)
    story.pass_time(61)
    assert story.has(ADA, OPS)
    known = roster(story, SCHEDULE)
    assert known
    assert [each.person for each in known.shifts] == [DAN]


def test_somebody_without_an_email_is_left_out_and_logged_once() -> None:
    story = begun(on())
    nobody = replace(on(level=2), email="", user="PZOE")
    rota(story, on(), nobody)
    story.pass_time(HOUR)
    assert story.has(ADA, OPS)
    known = roster(story)
    assert known
    assert (len(known.shifts), known.unnamed) == (1, ("PZOE",))
    entries = [each.facts for each in story.audit() if each.what == "on call without an email address"]
    assert entries == [{"schedule": ORDERS_SCHEDULE, "user": "PZOE"}]


def test_somebody_whose_email_is_missing_for_once_keeps_the_access() -> None:
    story = begun(on())
    rota(story, replace(on(), email="", user="PADA"))
    story.pass_time(5 * MINUTE)
    assert story.has(ADA, OPS)
    assert heard(story) == [Why.SCHEDULE_EMPTY]


# ------------------------------------------------------------------------------------- true starts


def test_a_shift_keeps_its_start_though_the_source_is_only_asked_from_yesterday_on() -> None:
    """The source shows daily shifts of one person, and leaves out only what is over."""
    daily = tuple(on(start=24 * day, end=24 * (day + 1)) for day in range(20))
    story = unhurried(*daily)
    story.pass_time(72 * HOUR)
    known = roster(story)
    assert known
    assert known.shifts[0].start == NINE
    assert story.source.since == story.now - timedelta(days=1)


def test_the_start_of_somebody_elses_shift_is_not_carried_over() -> None:
    story = unhurried(on(end=24), on(DAN, start=24, end=72))
    story.pass_time(60 * HOUR)
    known = roster(story)
    assert known
    assert known.shifts[0].start == at(24)


# ------------------------------------------------------------------------------------ a long grace


def test_a_grace_of_more_than_a_day_is_kept() -> None:
    long = replace(ORDERS_ON_CALL, on_shift=replace(ON_SHIFT, grace=48 * HOUR))
    policy = replace(catalog(long), sources=UNHURRIED)
    story = Story(policy, rota={"PORDERS": (on(end=1),)})
    story.pass_time(49 * HOUR - 1)
    assert story.has(ADA, OPS)
    story.pass_time(1)
    assert not story.has(ADA, OPS)


# ----------------------------------------------------------------------------------- a dead source


def test_a_dead_source_is_reported_once_and_once_more_when_it_works_again() -> None:
    story = begun(on(end=30))
    story.source.away = True
    story.pass_time(10 * MINUTE)
    assert heard(story) == []
    story.pass_time(2 * MINUTE)
    silent = because(
        Why.SOURCE_SILENT,
        source="pagerduty",
        since_at=int(NINE.timestamp()),
        trouble="the pager does not answer",
    )
    assert [note.reason for note in story.messenger.notes_in(SECURITY)] == [silent]
    story.context = story.another_context()
    story.pass_time(20 * HOUR)
    assert len(heard(story)) == 1
    story.source.away = False
    story.pass_time(HOUR)
    assert heard(story) == [Why.SOURCE_SILENT, Why.SOURCE_WELL]
    assert story.has(ADA, OPS)


def test_a_source_that_is_away_for_a_moment_is_not_reported() -> None:
    story = begun(on())
    for _ in range(3):
        story.source.away = True
        story.pass_time(5 * MINUTE)
        story.source.away = False
        story.pass_time(2 * MINUTE)
    assert heard(story) == []


def test_a_source_that_never_answered_is_reported_too() -> None:
    story = Story(begin=False)
    story.source.away = True
    story.pass_time(12 * MINUTE)
    assert heard(story) == [Why.SOURCE_SILENT]


def test_of_a_source_that_left_the_policy_nothing_is_kept() -> None:
    story = begun(on())
    assert story.memory.read({Key.of(SourceState, "pagerduty")}).find(SourceState, "pagerduty")
    bare = replace(ORDERS_ON_CALL, on_shift=None)
    policy = catalog(bare)
    story.enact(replace(policy, resources={"orders-on-call": bare}))
    story.pass_time(61)
    assert not story.memory.read({Key.of(SourceState, "pagerduty")}).find(SourceState, "pagerduty")
