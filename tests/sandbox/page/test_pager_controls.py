"""The pager's buttons on the page take effect at once, are kept on disk, and are refused in words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.doubles.pagerduty import Pager
from bot.doubles.slack.model import ImpossibleError
from bot.sandbox.page.pager_controls import PagerControls

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture
def controls(tmp_path: Path) -> PagerControls:
    pager = Pager(token="t0ken")
    for name in ("Ada", "Dan"):
        pager.add_user(f"P{name.upper()}", name, f"{name}@example.com", slack=f"U02{name.upper()}")
    pager.add_schedule("PDBPRIM", "Orders database, primary")
    pager.add_rotation("PDBPRIM", ("U02ADA",), NOW - timedelta(days=1))
    return PagerControls(pager, tmp_path / "pager.json", lambda: NOW)


def on_call(controls: PagerControls) -> list[tuple[str, float]]:
    [schedule] = controls.state()["schedules"]
    return [(each["user"], each["end"]) for each in schedule["now"]]


def test_ada_hands_over_and_a_second_start_knows_it(controls: PagerControls, tmp_path: Path) -> None:
    end = (NOW - timedelta(days=1) + WEEK).timestamp()
    assert on_call(controls) == [("U02ADA", end)]
    controls.hand_over("PDBPRIM", "U02DAN")
    assert on_call(controls) == [("U02DAN", end)]
    again = Pager(token="t0ken")
    again.load(tmp_path / "pager.json")
    assert on_call(PagerControls(again, tmp_path / "again.json", lambda: NOW)) == [("U02DAN", end)]


def test_a_shift_of_a_minute_starts_and_is_ended(controls: PagerControls) -> None:
    controls.start_shift("PDBPRIM", "U02DAN", minutes=1)
    assert on_call(controls) == [("U02DAN", NOW.timestamp() + 60)]
    controls.end_shift("PDBPRIM")
    assert on_call(controls) == []


def test_what_cannot_be_done_is_said(controls: PagerControls, tmp_path: Path) -> None:
    with pytest.raises(ImpossibleError, match="no schedule PNOWHERE"):
        controls.hand_over("PNOWHERE", "U02DAN")
    with pytest.raises(ImpossibleError, match="nobody is called U02EVE"):
        controls.start_shift("PDBPRIM", "U02EVE", minutes=1)
    controls.end_shift("PDBPRIM")
    with pytest.raises(ImpossibleError, match="nobody is on call for PDBPRIM"):
        controls.end_shift("PDBPRIM")


def test_the_pager_goes_down_and_comes_back(controls: PagerControls) -> None:
    controls.down = True
    assert controls.state()["down"] is True
    controls.down = False
    assert controls.down is False
