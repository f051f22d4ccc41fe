"""The simulated PagerDuty answers and remembers as the real one does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from bot.doubles.pagerduty import Pager, PagerError, Policy, Served, blueprint, serve
from bot.doubles.pagerduty.faults import HTML
from bot.doubles.pagerduty.rota import ALWAYS, FOREVER, Direct, Rotation, Schedule, Stint, User

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
TOKEN = "u+Zq8Kw3Jx7Vx9"


@pytest.fixture
def pager() -> Pager:
    pager = Pager(TOKEN, clock=lambda: NOW)
    pager.add_user("PADA", "Ada", "ada@example.com", "U02ADA")
    pager.add_user("PBOB", "Bob", "bob@example.com", "U02BOB")
    pager.add_user("PCAROL", "Carol", "carol@example.com", "U02CAROL")
    pager.add_schedule("PDBPRIM", "Orders database, primary")
    return pager


@pytest.fixture
def served(pager: Pager) -> Iterator[Served]:
    with serve(pager) as served:
        yield served


class Client:
    """A client of the pager with the right token."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers = {"Authorization": f"Token token={TOKEN}"}

    def answer(self, path: str, method: str = "GET", body: object = None, **asked: Any) -> requests.Response:
        with requests.request(
            method, self.url + path, params=asked, json=body, headers=self.headers, timeout=20
        ) as answer:
            return answer

    def get(self, path: str, **asked: Any) -> Any:
        answer = self.answer(path, **asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def oncalls(self, **asked: Any) -> list[tuple[str, str | None, str | None]]:
        """Return who is on call, from when and until when; times on the day of NOW are without their date."""
        rows = self.get("/oncalls", **asked)["oncalls"]
        return [(row["user"]["summary"], _short(row["start"]), _short(row["end"])) for row in rows]


@pytest.fixture
def client(served: Served) -> Client:
    return Client(served.url)


def _short(at: str | None) -> str | None:
    return at.removeprefix("2026-03-02T").removesuffix(":00Z") if at else None


def at(hours: float) -> str:
    return (NOW + hours * HOUR).isoformat()


DAY = {"since": at(-9), "until": at(15)}


# ---------------------------------------------------------------------------------------- who and when


def test_a_cover_in_the_middle_makes_three_rows(pager: Pager, client: Client) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + 8 * HOUR)
    pager.override("PDBPRIM", "PBOB", NOW + 2 * HOUR, NOW + 3 * HOUR)
    assert client.oncalls(**DAY) == [
        ("Ada", "09:00", "11:00"),
        ("Bob", "11:00", "12:00"),
        ("Ada", "12:00", "17:00"),
    ]


def test_the_last_override_wins(pager: Pager, client: Client) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + 3 * HOUR)
    pager.override("PDBPRIM", "PBOB", NOW, NOW + 2 * HOUR)
    pager.override("PDBPRIM", "PCAROL", NOW + HOUR, NOW + 3 * HOUR)
    assert client.oncalls(**DAY) == [("Bob", "09:00", "10:00"), ("Carol", "10:00", "12:00")]


def test_an_override_where_nobody_is_on_call_stands_alone(pager: Pager, client: Client) -> None:
    pager.override("PDBPRIM", "PBOB", NOW, NOW + HOUR)
    assert client.oncalls(**DAY) == [("Bob", "09:00", "10:00")]


def test_a_later_layer_lies_over_an_earlier_one(pager: Pager, client: Client) -> None:
    pager.add_rotation("PDBPRIM", ["PADA"], NOW - 9 * HOUR, turn=24 * HOUR)
    pager.add_shift("PDBPRIM", "PBOB", NOW, NOW + HOUR)
    assert client.oncalls(since=at(-9), until=at(14)) == [
        ("Ada", "00:00", "09:00"),
        ("Bob", "09:00", "10:00"),
        ("Ada", "10:00", "2026-03-03T00:00"),
    ]


def test_rows_that_overlap_the_window_come_whole(pager: Pager, client: Client) -> None:
    for hour in range(0, 6, 2):
        pager.add_shift("PDBPRIM", "PADA", NOW + hour * HOUR, NOW + (hour + 2) * HOUR)
    assert client.oncalls(since=at(1), until=at(2)) == [("Ada", "09:00", "11:00")]
    assert client.oncalls(since=at(1), until=at(2.5)) == [
        ("Ada", "09:00", "11:00"),
        ("Ada", "11:00", "13:00"),
    ]


def test_without_a_window_it_is_now_and_a_shift_ends_before_its_end(pager: Pager, client: Client) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW - HOUR, NOW)
    pager.add_shift("PDBPRIM", "PBOB", NOW, NOW + HOUR)
    assert client.oncalls() == [("Bob", "09:00", "10:00")]


def test_the_week_rotates_for_ever(pager: Pager, client: Client) -> None:
    pager.add_rotation("PDBPRIM", ["PADA", "PBOB", "PCAROL"], NOW)
    names = [row[0] for row in client.oncalls(since=at(0), until=(NOW + 4 * WEEK).isoformat())]
    assert names == ["Ada", "Bob", "Carol", "Ada"]
    pager.clock = lambda: NOW + 300 * WEEK
    assert [row[0] for row in client.oncalls()] == ["Ada"]


def test_nothing_is_told_of_what_is_more_than_90_days_off(pager: Pager, client: Client) -> None:
    pager.add_rotation("PDBPRIM", ["PADA"], NOW, turn=30 * 24 * HOUR)
    assert len(client.oncalls(since=at(0), until=(NOW + 100 * WEEK).isoformat())) == 3


def test_each_policy_that_names_the_schedule_makes_a_row_at_its_level(pager: Pager, client: Client) -> None:
    pager.add_schedule("PTWO", policies=[Policy(id="E1", name="One"), Policy(id="E2", name="Two", level=2)])
    pager.add_shift("PTWO", "PADA", NOW, NOW + HOUR)
    pager.add_shift("PTWO", "PBOB", NOW, NOW + HOUR, level=2)
    rows = client.get("/oncalls")["oncalls"]
    found = {(row["user"]["id"], row["escalation_policy"]["id"], row["escalation_level"]) for row in rows}
    assert found == {("PADA", "E1", 1), ("PADA", "E2", 2), ("PBOB", "E1", 2), ("PBOB", "E2", 3)}


def test_a_schedule_that_no_policy_names_is_not_in_oncalls(pager: Pager, client: Client) -> None:
    pager.add_schedule("PALONE", policies=[])
    pager.add_shift("PALONE", "PADA", NOW, NOW + HOUR)
    assert client.oncalls() == []
    entries = client.get("/schedules/PALONE", **DAY)["schedule"]["final_schedule"][
        "rendered_schedule_entries"
    ]
    assert [each["user"]["summary"] for each in entries] == ["Ada"]


def test_always_and_for_ever_are_null(pager: Pager, client: Client) -> None:
    pager.add_shift("PDBPRIM", "PADA", None, None)
    pager.add_direct("PBOB", Policy(id="E9", name="Managers", level=2))
    rows = client.get("/oncalls")["oncalls"]
    assert [(row["start"], row["end"]) for row in rows] == [(None, None), (None, None)]
    assert [row["schedule"] and row["schedule"]["id"] for row in rows] == ["PDBPRIM", None]


def test_rows_can_be_asked_for_by_schedule_user_and_policy(pager: Pager, client: Client) -> None:
    pager.add_schedule("PDBSEC")
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    pager.add_shift("PDBSEC", "PBOB", NOW, NOW + HOUR)
    pager.add_direct("PCAROL", Policy(id="E9", name="Managers"))
    asked = {
        ("PDBPRIM",): ["Ada"],
        ("PDBPRIM", "PDBSEC"): ["Ada", "Bob"],
        ("PDBSEC", "null"): ["Bob", "Carol"],
        ("PNONE",): [],
    }
    for ids, names in asked.items():
        assert sorted(row[0] for row in client.oncalls(**{"schedule_ids[]": ids})) == names
    assert [row[0] for row in client.oncalls(**{"user_ids[]": "PBOB"})] == ["Bob"]
    assert [row[0] for row in client.oncalls(**{"escalation_policy_ids[]": "EPDBPRIM"})] == ["Ada"]


def test_the_earliest_only(pager: Pager, client: Client) -> None:
    pager.add_rotation("PDBPRIM", ["PADA", "PBOB"], NOW, turn=HOUR)
    assert client.oncalls(earliest="true", **DAY) == [("Ada", "09:00", "10:00"), ("Bob", "10:00", "11:00")]


def test_users_are_references_unless_they_are_to_be_included(pager: Pager, client: Client) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    (bare,) = client.get("/oncalls")["oncalls"]
    (full,) = client.get("/oncalls", **{"include[]": "users"})["oncalls"]
    assert (bare["user"]["type"], bare["user"].get("email")) == ("user_reference", None)
    assert (full["user"]["type"], full["user"]["email"]) == ("user", "ada@example.com")


def test_times_are_told_in_the_zone_of_the_account_or_the_one_asked_for(pager: Pager, client: Client) -> None:
    pager.zone = timezone(timedelta(hours=-5))
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    assert client.get("/oncalls")["oncalls"][0]["start"] == "2026-03-02T04:00:00-05:00"
    assert client.get("/oncalls", time_zone="UTC")["oncalls"][0]["start"] == "2026-03-02T09:00:00Z"


# --------------------------------------------------------------------------------------------- pages


def test_250_rows_are_three_pages_of_at_most_100(pager: Pager, client: Client) -> None:
    pager.add_rotation("PDBPRIM", ["PADA", "PBOB"], NOW, turn=HOUR)
    window = {"since": at(0), "until": at(250)}
    pages = [client.get("/oncalls", limit=500, offset=offset, **window) for offset in (0, 100, 200)]
    assert [len(each["oncalls"]) for each in pages] == [100, 100, 50]
    assert [(each["limit"], each["more"], each["total"]) for each in pages] == [
        (100, True, None),
        (100, True, None),
        (100, False, None),
    ]
    assert client.get("/oncalls", total="true", **window)["total"] == 250
    assert len(client.get("/oncalls", **window)["oncalls"]) == 25


@pytest.mark.parametrize(
    "asked",
    [
        {"offset": 9_950, "limit": 100},
        {"limit": "many"},
        {"since": at(1), "until": at(0)},
        {"since": "yesterday"},
        {"time_zone": "Mars/Olympus"},
    ],
)
def test_a_call_that_makes_no_sense_is_a_400(client: Client, asked: dict[str, Any]) -> None:
    answer = client.answer("/oncalls", **asked)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["message"], error["code"]) == ("Invalid Input Provided", 2001)
    assert error["errors"]


# --------------------------------------------------------------------------------------- schedules


def test_a_schedule_is_rendered_cut_at_the_window_unless_it_may_overflow(
    pager: Pager, client: Client
) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW - 5 * HOUR, NOW + 5 * HOUR)
    window = {"since": at(-1), "until": at(9)}
    final = client.get("/schedules/PDBPRIM", **window)["schedule"]["final_schedule"]
    (entry,) = final["rendered_schedule_entries"]
    assert (_short(entry["start"]), _short(entry["end"])) == ("08:00", "14:00")
    assert final["rendered_coverage_percentage"] == 60.0
    final = client.get("/schedules/PDBPRIM", overflow="true", **window)["schedule"]["final_schedule"]
    (entry,) = final["rendered_schedule_entries"]
    assert (_short(entry["start"]), _short(entry["end"])) == ("04:00", "14:00")


def test_a_schedule_has_its_users_and_they_have_emails(pager: Pager, client: Client) -> None:
    pager.add_rotation("PDBPRIM", ["PADA", "PBOB"], NOW, turn=HOUR)
    assert [each["summary"] for each in client.get("/schedules/PDBPRIM")["schedule"]["users"]] == [
        "Ada",
        "Bob",
    ]
    now = client.get("/schedules/PDBPRIM/users", since=at(0), until=at(0.5))["users"]
    assert [each["email"] for each in now] == ["ada@example.com"]


def test_schedules_and_users_are_listed_and_searched(pager: Pager, client: Client) -> None:
    pager.add_schedule("PDBSEC", "Orders database, secondary")
    pager.add_schedule("PNEW", "Orders, shift based", shift_based=True)
    listed = client.get("/schedules")["schedules"]
    assert [each["id"] for each in listed] == ["PDBPRIM", "PDBSEC"]
    assert [each["id"] for each in client.get("/schedules", query="second")["schedules"]] == ["PDBSEC"]
    assert [each["name"] for each in client.get("/users", query="BOB@")["users"]] == ["Bob"]
    assert client.get("/users/PADA")["user"]["email"] == "ada@example.com"


@pytest.mark.parametrize(
    "path", ["/schedules/PNONE", "/schedules/PNONE/users", "/users/PNONE", "/v3/schedules/PNONE"]
)
def test_what_is_not_there_is_a_404_in_pagerdutys_words(client: Client, path: str) -> None:
    answer = client.answer(path)
    assert answer.status_code == 404
    assert answer.json() == {"error": {"message": "Not Found", "code": 2100}}


def test_a_shift_based_schedule_is_only_at_its_own_address(pager: Pager, client: Client) -> None:
    pager.add_schedule("PNEW", shift_based=True)
    pager.add_shift("PNEW", "PADA", NOW, NOW + HOUR)
    assert client.answer("/schedules/PNEW").status_code == 404
    assert client.answer("/v3/schedules/PDBPRIM").status_code == 400
    asked = {"include[]": "final_schedule", **DAY}
    (one,) = client.get("/v3/schedules/PNEW", **asked)["schedule"]["final_schedule"][
        "computed_shift_assignments"
    ]
    assert one["member"] == {"type": "user_member", "user_id": "PADA"}
    assert client.get("/oncalls")["oncalls"][0]["schedule"]["type"] == "schedule_v3_reference"


def test_overrides_are_made_listed_and_ended_over_http(pager: Pager, client: Client) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + 8 * HOUR)
    bob = {"id": "PBOB", "type": "user_reference"}
    wanted = [
        {"start": at(2), "end": at(3), "user": bob},
        {"start": at(5), "end": at(4), "user": bob},
        {"start": at(5), "end": at(6), "user": {"id": "PNONE", "type": "user_reference"}},
    ]
    answer = client.answer("/schedules/PDBPRIM/overrides", "POST", {"overrides": wanted})
    assert answer.status_code == 201
    assert [each["status"] for each in answer.json()] == [201, 400, 400]
    (listed,) = client.get("/schedules/PDBPRIM/overrides", **DAY)["overrides"]
    assert listed["id"] == answer.json()[0]["override"]["id"]
    assert [row[0] for row in client.oncalls(**DAY)] == ["Ada", "Bob", "Ada"]
    path = f"/schedules/PDBPRIM/overrides/{listed['id']}"
    assert client.answer(path, "DELETE").status_code == 204
    assert client.answer(path, "DELETE").status_code == 404
    assert client.oncalls(**DAY) == [("Ada", "09:00", "17:00")]


def test_an_override_that_has_begun_is_cut_short_not_undone(pager: Pager, client: Client) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW - 2 * HOUR, NOW + 2 * HOUR)
    override = pager.override("PDBPRIM", "PBOB", NOW - HOUR, NOW + HOUR)
    assert client.answer(f"/schedules/PDBPRIM/overrides/{override}", "DELETE").status_code == 200
    assert client.oncalls(**DAY) == [
        ("Ada", "07:00", "08:00"),
        ("Bob", "08:00", "09:00"),
        ("Ada", "09:00", "11:00"),
    ]


# -------------------------------------------------------------------------------- the sandbox's levers


def test_ada_hands_over_to_bob_until_the_end_of_her_shift(pager: Pager) -> None:
    pager.add_rotation("PDBPRIM", ["PADA", "PCAROL"], NOW - HOUR, turn=8 * HOUR)
    pager.hand_over("PDBPRIM", "U02BOB", NOW)
    assert _rota(pager, 8) == [("PADA", -1, 0), ("PBOB", 0, 7), ("PCAROL", 7, 15)]


def test_a_shift_starts_now_over_everything_and_then_all_is_as_before(pager: Pager) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW - HOUR, NOW + 8 * HOUR)
    pager.override("PDBPRIM", "PBOB", NOW - HOUR, NOW + 4 * HOUR)
    pager.start_shift("PDBPRIM", "carol@example.com", NOW, 60)
    assert _rota(pager, 8) == [("PBOB", -1, 0), ("PCAROL", 0, 1), ("PBOB", 1, 4), ("PADA", 4, 8)]


def test_a_shift_ends_now_and_nobody_is_on_call_until_the_next(pager: Pager) -> None:
    pager.add_rotation("PDBPRIM", ["PADA", "PBOB"], NOW - HOUR, turn=8 * HOUR)
    pager.end_shift("PDBPRIM", NOW)
    assert _rota(pager, 8) == [("PADA", -1, 0), ("PBOB", 7, 15)]
    pager.start_shift("PDBPRIM", "PCAROL", NOW + HOUR, 60)
    assert _rota(pager, 8) == [("PADA", -1, 0), ("PCAROL", 1, 2), ("PBOB", 7, 15)]


def test_a_cover_that_ends_now_leaves_nobody_until_it_would_have_ended(pager: Pager) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW - HOUR, NOW + 8 * HOUR)
    pager.override("PDBPRIM", "PBOB", NOW - HOUR / 2, NOW + HOUR)
    pager.end_shift("PDBPRIM", NOW)
    assert _rota(pager, 8) == [("PADA", -1, -0.5), ("PBOB", -0.5, 0), ("PADA", 1, 8)]


def test_what_cannot_be_done_is_said_and_changes_nothing(pager: Pager) -> None:
    before = pager.version
    for impossible in (
        lambda: pager.hand_over("PDBPRIM", "PBOB", NOW),
        lambda: pager.end_shift("PDBPRIM", NOW),
        lambda: pager.add_shift("PNONE", "PADA", NOW, NOW + HOUR),
        lambda: pager.add_shift("PDBPRIM", "U02NOBODY", NOW, NOW + HOUR),
    ):
        with pytest.raises(PagerError):
            impossible()
    assert pager.version == before


def test_the_page_sees_who_is_on_call_and_who_is_next(pager: Pager) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW - HOUR, NOW + 3 * HOUR)
    pager.hand_over("PDBPRIM", "PBOB", NOW)
    pager.add_shift("PDBPRIM", "PCAROL", NOW + 3 * HOUR, None)
    epoch = NOW.timestamp()
    assert pager.state(NOW) == {
        "down": False,
        "schedules": [
            {
                "id": "PDBPRIM",
                "name": "Orders database, primary",
                "now": [
                    {
                        "user": "U02BOB",
                        "name": "Bob",
                        "level": 1,
                        "start": epoch,
                        "end": epoch + 3 * 3600,
                        "override": True,
                    }
                ],
                "next": [
                    {
                        "user": "U02CAROL",
                        "name": "Carol",
                        "level": 1,
                        "start": epoch + 3 * 3600,
                        "end": None,
                        "override": False,
                    }
                ],
            }
        ],
    }


def test_every_change_raises_the_version_also_one_of_the_faults(pager: Pager, client: Client) -> None:
    seen = [pager.version]
    for change in (
        lambda: pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR),
        lambda: pager.override("PDBPRIM", "PBOB", NOW, NOW + HOUR),
        lambda: setattr(pager.faults, "down", True),
        lambda: pager.remove_user("PCAROL"),
    ):
        change()
        seen.append(pager.version)
    assert seen == sorted(set(seen))
    client.answer("/oncalls")
    assert pager.version == seen[-1]


def test_all_is_remembered_in_a_file(pager: Pager, tmp_path: Path) -> None:
    pager.add_rotation("PDBPRIM", ["PADA", "PBOB"], NOW - HOUR, turn=8 * HOUR)
    pager.add_shift("PDBPRIM", "PCAROL", NOW + 20 * HOUR, None, level=2)
    pager.override("PDBPRIM", "PCAROL", NOW, NOW + HOUR)
    pager.end_shift("PDBPRIM", NOW + 2 * HOUR)
    pager.add_direct("PCAROL", Policy(id="E9", name="Managers", level=2))
    pager.save(tmp_path / "pager.json")
    again = Pager(TOKEN, clock=lambda: NOW)
    again.load(tmp_path / "pager.json")
    assert (again.users, again.schedules) == (pager.users, pager.schedules)
    assert again.directs == pager.directs
    assert again.version > pager.version
    assert again.state(NOW) == pager.state(NOW)
    first, second = (each.override("PDBPRIM", "PADA", NOW, NOW + HOUR) for each in (pager, again))
    assert first == second


def test_a_file_of_the_first_version_is_read() -> None:
    pager = Pager(TOKEN, clock=lambda: NOW)
    pager.load(Path(__file__).with_name("pager.json"))
    assert list(pager.users.values()) == [
        User(id="PADA", name="Ada", email="ada@example.com", slack="U02ADA"),
        User(id="PBOB", name="Bob", email="bob@example.com", slack="U02BOB"),
        User(id="PCAROL", name="Carol", email="carol@example.com"),
    ]
    assert list(pager.schedules.values()) == [
        Schedule(
            id="PDBPRIM",
            name="Orders database, primary",
            policies=(Policy(id="EPDBPRIM", name="Escalation of Orders database, primary"),),
            layers=(
                Rotation(users=("PADA", "PBOB"), start=NOW - HOUR, turn=8 * HOUR),
                Stint(user="PCAROL", start=ALWAYS, end=FOREVER, level=2),
                Stint(user=None, start=NOW + 2 * HOUR, end=NOW + 7 * HOUR),
            ),
            overrides=(Stint(user="PCAROL", start=NOW, end=NOW + HOUR, override="Q0000001"),),
        ),
        Schedule(id="PSHIFTS", name="PSHIFTS", policies=(), shift_based=True),
    ]
    assert pager.directs == [Direct(user="PCAROL", policy=Policy(id="E9", name="Managers", level=2))]
    assert pager.override("PDBPRIM", "PADA", NOW, NOW + HOUR) == "Q0000002"


# -------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("header", [None, "Token token=wrong", f"Bearer {TOKEN}"])
def test_without_the_token_nothing_is_told(client: Client, header: str | None) -> None:
    client.headers = {"Authorization": header} if header else {}
    answer = client.answer("/oncalls")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == 2006


def test_it_limits_with_and_without_saying_for_how_long(pager: Pager, client: Client) -> None:
    pager.faults.limited = 2
    first = client.answer("/oncalls")
    pager.faults.silent_limits = True
    second = client.answer("/oncalls")
    assert [each.status_code for each in (first, second, client.answer("/oncalls"))] == [429, 429, 200]
    assert first.json() == {"error": {"message": "Rate Limit Exceeded", "code": 2020}}
    assert first.headers["ratelimit-reset"] == "1"
    assert "ratelimit-reset" not in second.headers


def test_it_answers_nonsense_on_demand_to_whom_it_may_concern(pager: Pager, client: Client) -> None:
    pager.faults.answer(HTML, to="oncalls")
    pager.faults.answer({"error": {"message": "oops", "code": 2000}}, status=502, times=2)
    assert client.answer("/users").status_code == 502
    nonsense = client.answer("/oncalls")
    assert (nonsense.status_code, nonsense.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert [client.answer("/oncalls").status_code for _ in range(2)] == [502, 200]


def test_a_wrong_empty_answer_is_wrong_only_in_oncalls(pager: Pager, client: Client) -> None:
    pager.add_shift("PDBPRIM", "PADA", NOW, NOW + HOUR)
    pager.faults.unseen = frozenset({"PDBPRIM"})
    assert client.oncalls(**DAY) == []
    final = client.get("/schedules/PDBPRIM", **DAY)["schedule"]["final_schedule"]
    assert len(final["rendered_schedule_entries"]) == 1


def test_down_is_503_and_over_when_it_is_over(pager: Pager, client: Client) -> None:
    pager.faults.down = True
    assert client.answer("/oncalls").status_code == 503
    assert pager.state(NOW)["down"] is True
    pager.faults.down = False
    assert client.answer("/oncalls").status_code == 200


def test_a_slow_pager_hurries_when_it_is_closed(pager: Pager) -> None:
    pager.faults.slow = 3600
    with serve(pager) as served, pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(f"{served.url}/oncalls", timeout=0.2)
    assert len(pager.calls) == 1


def test_it_can_live_beside_others_under_a_prefix(pager: Pager) -> None:
    elsewhere = Flask("elsewhere")
    elsewhere.register_blueprint(blueprint(pager), url_prefix="/pagerduty")
    with Served(pager, elsewhere) as served:
        assert Client(f"{served.url}/pagerduty").get("/users/PADA")["user"]["name"] == "Ada"


def _rota(pager: Pager, hours: int) -> list[tuple[str | None, float, float]]:
    """Return who is on call around NOW, from when to when, in hours from NOW."""
    final = pager.schedule("PDBPRIM").final(NOW - HOUR, NOW + hours * HOUR)
    return [(each.user, (each.start - NOW) / HOUR, (each.end - NOW) / HOUR) for each in final]
