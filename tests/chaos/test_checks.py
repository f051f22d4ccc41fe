"""What the harness takes for the cause of an end, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from chaos import town
from chaos.shifts import Stint
from chaos.truth import Truth

NIGHT = town.BY_NAME["night"].on_shift or ""
CALLED_OFF = Stint(schedule=NIGHT, person="U0017", made=100.0, start=112.0, end=115.0, cut=111.9)


def known(stint: Stint) -> Truth:
    nothing = cast("Any", None)
    return Truth(
        books=nothing, seen=nothing, left=frozenset(), deeds=(), said={}, faults=(), stints=[stint], homes={}
    )


def test_a_shift_called_off_right_before_it_began_may_not_have_been_heard_of() -> None:
    assert known(CALLED_OFF).called_off("U0013", "night", 112.006, since=110.5)


@pytest.mark.parametrize(
    "stint",
    [
        pytest.param(replace(CALLED_OFF, cut=110.0), id="called off long before"),
        pytest.param(replace(CALLED_OFF, cut=None), id="never called off"),
        pytest.param(replace(CALLED_OFF, made=112.5), id="not known yet"),
        pytest.param(replace(CALLED_OFF, start=113.0), id="not to begin yet"),
        pytest.param(replace(CALLED_OFF, person="U0013"), id="of the same person"),
        pytest.param(replace(CALLED_OFF, schedule="pagerduty/PDAY"), id="of another schedule"),
    ],
)
def test_nothing_else_excuses_it(stint: Stint) -> None:
    assert not known(stint).called_off("U0013", "night", 112.006, since=110.5)
