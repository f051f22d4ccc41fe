"""The pager's buttons on the page: done at once, kept on disk, and refused in words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.doubles.pagerduty import Pager
from bot.doubles.slack.model import ImpossibleError
from bot.sandbox.page.pager_controls import PagerDesk

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture
def desk(tmp_path: Path) -> PagerDesk:
    pager = Pager(token="t0ken")
    for name in ("Ada", "Dan"):
        pager.add_user(f"P{name.upper()}", name, f"{name}@example.com", slack=f"U02{name.upper()}")
    pager.add_schedule("PDBPRIM", "Orders database, primary")
    pager.add_rotation("PDBPRIM", ("U02ADA",), NOW - timedelta(days=1))
    return PagerDesk(pager, tmp_path / "pager.json", lambda: NOW)


def on_call(desk: PagerDesk) -> list[tuple[str, float]]:
    [schedule] = desk.state()["schedules"]
    return [(each["user"], each["end"]) for each in schedule["now"]]


def test_ada_hands_over_and_a_second_start_knows_it(desk: PagerDesk, tmp_path: Path) -> None:
    end = (NOW - timedelta(days=1) + WEEK).timestamp()
    assert on_call(desk) == [("U02ADA", end)]
    desk.hand_over("PDBPRIM", "U02DAN")
    assert on_call(desk) == [("U02DAN", end)]
    again = Pager(token="t0ken")
    again.load(tmp_path / "pager.json")
    assert on_call(PagerDesk(again, tmp_path / "again.json", lambda: NOW)) == [("U02DAN", end)]


def test_a_shift_of_a_minute_starts_and_is_ended(desk: PagerDesk) -> None:
    desk.start_shift("PDBPRIM", "U02DAN", minutes=1)
    assert on_call(desk) == [("U02DAN", NOW.timestamp() + 60)]
    desk.end_shift("PDBPRIM")
    assert on_call(desk) == []


def test_what_cannot_be_done_is_said(desk: PagerDesk, tmp_path: Path) -> None:
    with pytest.raises(ImpossibleError, match="no schedule PNOWHERE"):
        desk.hand_over("PNOWHERE", "U02DAN")
    with pytest.raises(ImpossibleError, match="nobody is called U02EVE"):
        desk.start_shift("PDBPRIM", "U02EVE", minutes=1)
    desk.end_shift("PDBPRIM")
    with pytest.raises(ImpossibleError, match="nobody is on call for PDBPRIM"):
        desk.end_shift("PDBPRIM")


def test_the_pager_goes_down_and_comes_back(desk: PagerDesk) -> None:
    desk.down = True
    assert desk.state()["down"] is True
    desk.down = False
    assert desk.down is False
