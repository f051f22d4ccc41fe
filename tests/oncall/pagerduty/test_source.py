"""Right and wrong answers of PagerDuty become shifts or known failures."""

import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.core.errors import Misconfigured, PermanentFailure, TemporaryFailure
from bot.core.shifts import Shift
from bot.doubles.pagerduty import Pager, Policy, Served, answers
from bot.doubles.pagerduty.faults import FOREVER, HTML
from bot.oncall.pagerduty import source
from bot.oncall.pagerduty.source import PagerDuty
from bot.ports.deadline import Deadline
from tests.oncall.conftest import HOUR, NOW, SINCE, TOKEN, UNTIL

ADA, BOB, CAROL = "ada.lovelace@example.com", "bob@example.com", "carol@example.com"


def soon() -> Deadline:
    return Deadline.after(20)


def shifts(pagerduty: PagerDuty, *schedules: str, deadline: Deadline | None = None) -> tuple[Shift, ...]:
    asked = schedules or ("PDBPRIM",)
    found = pagerduty.shifts(asked, SINCE, UNTIL, deadline or soon())
    assert set(found) == set(asked)
    return tuple(shift for each in asked for shift in found[each])


def who(found: tuple[Shift, ...] | None) -> list[tuple[str, datetime | None, datetime | None]]:
    return [(each.email, each.start, each.end) for each in found or ()]


def shift(email: str, start: datetime | None, end: datetime | None, level: int = 1) -> Shift:
    return Shift(schedule="pagerduty/PDBPRIM", email=email, level=level, start=start, end=end)


# ------------------------------------------------------------------------------------ who is on call


def test_adas_shift_is_told_with_her_email_casefolded(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW - HOUR, NOW + 7 * HOUR)
    assert shifts(pagerduty) == (shift(ADA, NOW - HOUR, NOW + 7 * HOUR),)


def test_bob_covers_the_middle_of_adas_shift(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + 8 * HOUR)
    pager.override("PDBPRIM", "PBOB", NOW + 2 * HOUR, NOW + 3 * HOUR)
    expected = [
        (ADA, NOW, NOW + 2 * HOUR),
        (BOB, NOW + 2 * HOUR, NOW + 3 * HOUR),
        (ADA, NOW + 3 * HOUR, NOW + 8 * HOUR),
    ]
    assert who(shifts(pagerduty)) == expected
    assert who(pagerduty.confirm("PDBPRIM", SINCE, UNTIL, soon())) == expected


def test_the_week_rotates(pager: Pager, pagerduty: PagerDuty) -> None:
    week = timedelta(weeks=1)
    pager.add_rotation("PDBPRIM", ["PADA", "PBOB", "PCAROL"], NOW)
    assert who(shifts(pagerduty)) == [(ADA, NOW, NOW + week), (BOB, NOW + week, NOW + 2 * week)]


def test_turns_of_one_person_that_adjoin_are_one_shift(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_rotation("PDBPRIM", ["PADA"], NOW, turn=timedelta(weeks=1))
    assert shifts(pagerduty) == (shift(ADA, NOW, NOW + timedelta(weeks=2)),)


def test_two_policies_that_name_a_schedule_make_no_second_shift(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_schedule("PDBPRIM", "Orders", [Policy(id="E1", name="Orders"), Policy(id="E2", name="Stock")])
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    assert shifts(pagerduty) == (shift(ADA, NOW, NOW + HOUR),)


def test_levels_are_kept_apart(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_schedule("PDBPRIM", "Orders", [Policy(id="E1", name="1"), Policy(id="E2", name="2", level=3)])
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    pager.add_shift("PDBPRIM", "PBOB", NOW, NOW + HOUR, level=2)
    found = {(each.email, each.level) for each in shifts(pagerduty)}
    assert found == {(ADA, 1), (ADA, 3), (BOB, 2), (BOB, 4)}


def test_a_shift_without_start_or_end(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_shift("PDBPRIM", "PADA", None, None)
    assert shifts(pagerduty) == (shift(ADA, None, None),)


def test_whom_a_policy_names_directly_is_on_call_for_no_schedule(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_direct("PCAROL", Policy(id="E1", name="Managers"))
    pager.add_schedule("null")
    assert shifts(pagerduty, "PDBPRIM", "null") == ()


def test_times_of_a_far_away_account_are_told_in_utc(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.zone = timezone(timedelta(hours=-5))
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    (found,) = shifts(pagerduty)
    assert (found.start, found.end) == (NOW, NOW + HOUR)
    assert found.start is not None
    assert found.start.tzinfo is UTC


# -------------------------------------------------------------------------------- as few calls as can


def test_many_schedules_are_one_call(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_schedule("PDBSEC", "Orders database, secondary")
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    pager.add_shift("PDBSEC", "PBOB", NOW, NOW + HOUR)
    found = pagerduty.shifts(["PDBPRIM", "PDBSEC", "PDBPRIM"], SINCE, UNTIL, soon())
    assert {key: who(each) for key, each in found.items()} == {
        "PDBPRIM": [(ADA, NOW, NOW + HOUR)],
        "PDBSEC": [(BOB, NOW, NOW + HOUR)],
    }
    assert len(pager.calls) == 1


def test_250_rows_are_three_pages(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_rotation("PDBPRIM", ["PADA", "PBOB"], UNTIL - 250 * HOUR, turn=HOUR)
    found = shifts(pagerduty)
    assert who(found) == [
        ([ADA, BOB][n % 2], UNTIL - (250 - n) * HOUR, UNTIL - (249 - n) * HOUR) for n in range(250)
    ]
    assert [_asked(call)["offset"] for call in pager.calls] == [["0"], ["100"], ["200"]]


def test_ids_that_would_make_too_long_an_address_are_asked_in_parts(
    pager: Pager, pagerduty: PagerDuty
) -> None:
    names = [pager.add_schedule(f"PSCHEDULE{n:04d}") for n in range(200)]
    for each in names:
        pager.add_shift(each, "PADA", NOW, NOW + HOUR)
    assert len(shifts(pagerduty, *names)) == 200
    assert all(len(call) < 4_000 for call in pager.calls)


def test_more_rows_than_pagerduty_serves_are_asked_by_halves_of_the_time(
    pager: Pager, pagerduty: PagerDuty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "LAST_ROW", 150)
    monkeypatch.setattr(answers, "LAST_ROW", 150)
    pager.add_rotation("PDBPRIM", ["PADA", "PBOB"], NOW, turn=HOUR)
    assert len(shifts(pagerduty)) == 14 * 24


def test_nothing_asked_is_nothing_called(pager: Pager, pagerduty: PagerDuty) -> None:
    assert pagerduty.shifts([], SINCE, UNTIL, soon()) == {}
    assert not pager.calls


# ------------------------------------------------------------------------------------------- people


def test_an_email_that_is_not_in_the_answer_is_looked_up_once(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.faults.bare = True
    pager.add_rotation("PDBPRIM", ["PADA", "PBOB"], NOW, turn=HOUR)
    assert {each.email for each in shifts(pagerduty)} == {ADA, BOB}
    looked_up = [urlsplit(call).path for call in pager.calls if "/users/" in call]
    assert sorted(looked_up) == ["GET /users/PADA", "GET /users/PBOB"]


def test_a_deleted_user_is_left_out(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    pager.add_shift("PDBPRIM", "PBOB", NOW + HOUR, NOW + 2 * HOUR)
    pager.remove_user("PADA")
    assert who(shifts(pagerduty)) == [(BOB, NOW + HOUR, NOW + 2 * HOUR)]


def test_a_user_whose_email_is_kept_from_us_stops_nobody_and_is_not_nobody(
    pager: Pager, pagerduty: PagerDuty
) -> None:
    pager.faults.bare = True
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    pager.add_shift("PDBPRIM", "PCAROL", NOW, NOW + HOUR, level=2)
    pager.add_shift("PDBPRIM", "PBOB", NOW, NOW + HOUR, level=3)
    for user in ("PADA", "PCAROL"):
        pager.faults.answer({"user": {"id": user, "type": "user", "summary": "?"}}, to="user")
    found = shifts(pagerduty)
    assert sorted((each.email, each.user) for each in found) == [("", "PADA"), ("", "PCAROL"), (BOB, "")]


# ---------------------------------------------------------------------------------- the second look


def test_the_schedule_itself_knows_better_than_a_wrong_empty_answer(
    pager: Pager, pagerduty: PagerDuty
) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW - HOUR, NOW + HOUR)
    pager.faults.unseen = frozenset({"PDBPRIM"})
    assert shifts(pagerduty) == ()
    found = pagerduty.confirm("PDBPRIM", SINCE, UNTIL, soon())
    assert found == (shift(ADA, NOW - HOUR, NOW + HOUR, level=0),), "it does not say at which level"


def test_confirmed_shifts_are_told_whole_not_cut_at_the_window(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW - 9 * HOUR, NOW + 9 * HOUR)
    found = pagerduty.confirm("PDBPRIM", NOW, NOW + HOUR, soon())
    assert who(found) == [(ADA, NOW - 9 * HOUR, NOW + 9 * HOUR)]


def test_a_schedule_that_no_policy_names_is_seen_only_at_the_second_look(
    pager: Pager, pagerduty: PagerDuty
) -> None:
    pager.add_schedule("PALONE", policies=[])
    pager.add_shift("PALONE", "PBOB", NOW, NOW + HOUR)
    assert shifts(pagerduty, "PALONE") == ()
    assert who(pagerduty.confirm("PALONE", SINCE, UNTIL, soon())) == [(BOB, NOW, NOW + HOUR)]


def test_a_schedule_with_nobody_is_not_one_that_is_gone(pager: Pager, pagerduty: PagerDuty) -> None:
    assert pagerduty.confirm("PDBPRIM", SINCE, UNTIL, soon()) == ()
    pager.remove_schedule("PDBPRIM")
    assert pagerduty.confirm("PDBPRIM", SINCE, UNTIL, soon()) is None


def test_many_people_are_confirmed_in_two_calls(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_rotation("PDBPRIM", ["PADA", "PBOB", "PCAROL"], NOW, turn=8 * HOUR)
    found = pagerduty.confirm("PDBPRIM", SINCE, UNTIL, soon())
    assert {each.email for each in found or ()} == {ADA, BOB, CAROL}
    assert len(pager.calls) == 2


def test_a_shift_based_schedule_is_read_where_it_lives(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_schedule("PNEW", shift_based=True)
    pager.add_shift("PNEW", "PADA", NOW, NOW + 2 * HOUR)
    pager.override("PNEW", "PBOB", NOW + HOUR, NOW + 2 * HOUR)
    expected = [(ADA, NOW, NOW + HOUR), (BOB, NOW + HOUR, NOW + 2 * HOUR)]
    assert who(shifts(pagerduty, "PNEW")) == expected
    assert who(pagerduty.confirm("PNEW", SINCE, UNTIL, soon())) == expected


def test_a_shift_based_schedule_may_also_be_named_among_the_others(
    pager: Pager, pagerduty: PagerDuty
) -> None:
    pager.add_schedule("PNEW", shift_based=True)
    pager.add_shift("PNEW", "PADA", NOW, NOW + HOUR)
    pager.faults.answer({"schedule": {"id": "PNEW", "type": "schedule_v3"}}, to="schedule")
    assert who(pagerduty.confirm("PNEW", SINCE, UNTIL, soon())) == [(ADA, NOW, NOW + HOUR)]


def test_a_400_of_the_newer_api_says_too_that_a_schedule_is_gone(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.faults.answer({"error": {"message": "Invalid request", "code": 2001}}, status=400, to="shift_based")
    assert pagerduty.confirm("PGONE", SINCE, UNTIL, soon()) is None


def test_a_shift_based_schedule_that_is_seen_and_not_readable_is_not_gone(
    pager: Pager, pagerduty: PagerDuty
) -> None:
    pager.faults.answer({"schedule": {"id": "PNEW", "type": "schedule_v3"}}, to="schedule")
    with pytest.raises(PermanentFailure, match="GET /v3/schedules/PNEW answered 404"):
        pagerduty.confirm("PNEW", SINCE, UNTIL, soon())


def test_a_shift_that_is_nobodys_on_purpose_is_nobodys(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_schedule("PNEW", shift_based=True)
    times = {"start_time": "2026-03-02T09:00:00Z", "end_time": "2026-03-02T10:00:00Z"}
    final = {"computed_shift_assignments": [{**times, "member": {"type": "empty_member"}}]}
    pager.faults.answer({"schedule": {"final_schedule": final}}, to="shift_based")
    assert pagerduty.confirm("PNEW", SINCE, UNTIL, soon()) == ()


@pytest.mark.parametrize("strict", [False, True])
def test_a_schedule_that_is_gone_takes_no_other_with_it(
    pager: Pager, pagerduty: PagerDuty, *, strict: bool
) -> None:
    pager.faults.strict = strict
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    found = pagerduty.shifts(["PGONE", "PDBPRIM", "PGONE2"], SINCE, UNTIL, soon())
    assert {key: who(each) for key, each in found.items()} == {
        "PGONE": [],
        "PDBPRIM": [(ADA, NOW, NOW + HOUR)],
        "PGONE2": [],
    }


def test_a_404_that_is_not_pagerdutys_own_makes_nobody_disappear(pager: Pager, served: Served) -> None:
    misled = PagerDuty("pagerduty", TOKEN, f"{served.url}/not/the/api")
    with pytest.raises(PermanentFailure, match="404"):
        misled.confirm("PDBPRIM", SINCE, UNTIL, soon())
    with pytest.raises(PermanentFailure, match="404"):
        shifts(misled)


# ------------------------------------------------------------------------------------ what goes wrong


ROW: dict[str, Any] = {
    "user": {"id": "PADA", "type": "user", "email": "ada@example.com"},
    "schedule": {"id": "PDBPRIM", "type": "schedule_reference"},
    "escalation_policy": {"id": "E1", "type": "escalation_policy_reference"},
    "escalation_level": 1,
    "start": None,
    "end": None,
}


def page(*rows: object, **more: object) -> dict[str, object]:
    return {"oncalls": list(rows), "limit": 100, "offset": 0, "more": False, "total": len(rows), **more}


def without(name: str) -> dict[str, Any]:
    return {key: each for key, each in ROW.items() if key != name}


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (HTML, "its answer: Invalid JSON"),
        ("", "its answer: Invalid JSON"),
        ([], "its answer"),
        ({"error": {"message": "odd"}}, r"GET /oncalls: oncalls: Field required"),
        ({"oncalls": [ROW]}, "more: Field required"),
        (page(without("end")), r"oncalls\.0\.end: Field required"),
        (page(without("schedule")), r"oncalls\.0\.schedule: Field required"),
        (page(ROW, {**ROW, "user": None}), r"oncalls\.1\.user"),
        (page({**ROW, "user": {"type": "user"}}), r"oncalls\.0\.user\.id: Field required"),
        (page({**ROW, "escalation_level": None}), r"oncalls\.0\.escalation_level"),
        (page({**ROW, "start": "2026-03-02T09:00:00"}), r"oncalls\.0\.start: .*timezone"),
        (page({**ROW, "end": "tomorrow"}), r"oncalls\.0\.end"),
        (page(more=True), "an empty page came before the last one"),
    ],
)
def test_an_answer_that_is_none_says_what_was_wrong(
    pager: Pager, pagerduty: PagerDuty, body: Any, wrong: str
) -> None:
    pager.faults.answer(body, times=3, to="oncalls")
    with pytest.raises(TemporaryFailure, match=wrong):
        shifts(pagerduty)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (HTML, "its answer"),
        ({"schedule": {"type": "schedule"}}, r"schedule\.schedule\.final_schedule: Field required"),
        ({"schedule": {"type": "odd"}}, "schedule: Input tag 'odd'"),
    ],
)
def test_a_second_look_that_shows_nothing_is_no_confirmation(
    pager: Pager, pagerduty: PagerDuty, body: Any, wrong: str
) -> None:
    pager.faults.answer(body, times=3, to="schedule")
    with pytest.raises(TemporaryFailure, match=wrong):
        pagerduty.confirm("PDBPRIM", SINCE, UNTIL, soon())


def test_a_roster_that_changes_between_two_pages_is_not_believed(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    pager.faults.answer(page(ROW, more=True, total=3), to="oncalls")
    with pytest.raises(TemporaryFailure, match="changed while it was read"):
        shifts(pagerduty)


def test_one_bad_moment_is_not_told(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    pager.faults.answer("oops", status=502)
    pager.faults.answer({"error": {"message": "Internal Server Error", "code": 2000}}, status=500)
    assert who(shifts(pagerduty)) == [(ADA, NOW, NOW + HOUR)]
    assert len(pager.calls) == 3


def test_a_pagerduty_that_is_down_is_a_temporary_failure(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.faults.down = True
    with pytest.raises(TemporaryFailure, match="GET /oncalls answered 503"):
        shifts(pagerduty)
    with pytest.raises(TemporaryFailure, match="GET /schedules/PDBPRIM answered 503"):
        pagerduty.confirm("PDBPRIM", SINCE, UNTIL, soon())


def test_a_pagerduty_that_is_not_there_is_a_temporary_failure(served: Served) -> None:
    served.close()
    with pytest.raises(TemporaryFailure, match="no answer: ConnectionError"):
        shifts(PagerDuty("pagerduty", TOKEN, served.url))


def test_an_address_that_is_none_is_a_case_for_a_human() -> None:
    with pytest.raises(PermanentFailure, match="check PAGERDUTY_API_URL"):
        shifts(PagerDuty("pagerduty", TOKEN, "api.pagerduty.com"))


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_names_the_setting_and_not_the_token(
    pager: Pager, pagerduty: PagerDuty, status: int
) -> None:
    pager.faults.answer({"error": {"message": "No", "code": 2010}}, status=status)
    with pytest.raises(PermanentFailure, match="check PAGERDUTY_TOKEN") as caught:
        shifts(pagerduty)
    assert TOKEN[-4:] not in "".join(traceback.format_exception(caught.value))
    assert len(pager.calls) == 1


@pytest.mark.parametrize("token", ["", "two\nlines", "tök€n"])
def test_a_token_that_cannot_be_sent_is_refused_at_once(token: str) -> None:
    with pytest.raises(Misconfigured, match="PAGERDUTY_TOKEN"):
        PagerDuty("pagerduty", token)


# ---------------------------------------------------------------------------------------- deadlines


def test_a_limit_that_fits_is_waited_for(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    pager.faults.limited = 1
    pager.faults.limit_seconds = 0
    assert who(shifts(pagerduty)) == [(ADA, NOW, NOW + HOUR)]
    assert len(pager.calls) == 2


def test_a_limit_that_does_not_fit_is_told_at_once_with_its_length(
    pager: Pager, pagerduty: PagerDuty
) -> None:
    pager.faults.limited = FOREVER
    pager.faults.limit_seconds = 30
    with pytest.raises(TemporaryFailure, match="429") as caught:
        shifts(pagerduty)
    assert caught.value.retry_after == 30
    assert len(pager.calls) == 1


def test_a_limit_without_a_word_is_tried_three_times_and_no_more(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.faults.limited = FOREVER
    pager.faults.silent_limits = True
    with pytest.raises(TemporaryFailure, match="429") as caught:
        shifts(pagerduty)
    assert caught.value.retry_after is None
    assert len(pager.calls) == 3


@pytest.mark.parametrize("fault", [{"slow": 60.0}, {"drip": 5.0}])
def test_a_pagerduty_that_takes_its_time_is_left_at_the_deadline(
    pager: Pager, pagerduty: PagerDuty, fault: dict[str, float]
) -> None:
    for name, seconds in fault.items():
        setattr(pager.faults, name, seconds)
    with pytest.raises(TemporaryFailure, match="did not answer in time"):
        shifts(pagerduty, deadline=Deadline.after(0.3))
    with pytest.raises(TemporaryFailure, match="did not answer in time"):
        pagerduty.confirm("PDBPRIM", SINCE, UNTIL, Deadline.after(0.3))
    assert not pager.hurry.is_set()


def test_a_deadline_that_is_past_makes_no_call(pager: Pager, pagerduty: PagerDuty) -> None:
    with pytest.raises(TemporaryFailure, match="did not answer in time"):
        shifts(pagerduty, deadline=Deadline.after(0))
    assert not pager.calls


def test_all_pages_share_one_deadline(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_rotation("PDBPRIM", ["PADA", "PBOB"], NOW, turn=HOUR / 60)
    pager.faults.slow = 0.05
    with pytest.raises(TemporaryFailure):
        shifts(pagerduty, deadline=Deadline.after(0.3))
    assert len(pager.calls) < 14 * 24 * 60 / 100


def test_a_source_may_be_read_by_many_threads_at_once(pager: Pager, pagerduty: PagerDuty) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: who(shifts(pagerduty)), range(16)))
    assert found == [[(ADA, NOW, NOW + HOUR)]] * 16


def test_the_clients_own_farewell_is_the_only_warning_that_is_silenced() -> None:
    quiet = "import bot.oncall.pagerduty.calls, importlib, pdpyras; print('quiet'); importlib.reload(pdpyras)"
    run = [sys.executable, "-W", "error", "-c", quiet]
    heard = subprocess.run(run, check=False, capture_output=True, text=True)
    assert heard.stdout == "quiet\n"
    assert 'UserWarning: The package "pdpyras" is deprecated' in heard.stderr


def _asked(call: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(call).query)
