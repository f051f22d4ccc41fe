"""Lengths have bounds, and a mistake names them."""

from __future__ import annotations

import pytest

from tests.config.files import FULL, said

BOUNDS = [
    ("start_stale_after: 2h", "oncall.pagerduty.start_stale_after", "1s", "24h", "5m", "25h"),
    ("every: 30s", "oncall.pagerduty.every", "1s", "1h", "2m", "61m"),
    ("stale_after: 5m", "oncall.pagerduty.stale_after", "1s", "1h", "1h", "61m"),
    ("max: 12h", "resources.prod-db.duration.max", "1m", "90d", "90d", "91d"),
    ("grace: 15m", "resources.prod-db.approve_automatically[0].on_call.grace", "1s", "7d", "7d", "8d"),
    ("grace: 1h30m", "resources.prod-db.on_shift.grace", "1s", "7d", "7d", "8d"),
    ("lapse_after: 2h", "resources.prod-db.lapse_after", "1m", "7d", "1m", "59s"),
    ("lapse_after: 2h", "resources.prod-db.lapse_after", "1m", "7d", "7d", "8d"),
    ("every: 5m", "strays.every", "1m", "24h", "24h", "25h"),
    ("every: 5m", "strays.every", "1m", "24h", "1m", "59s"),
    ("channel: C02SECURE", "security.revoked_for", "1m", "30d", "30d", "31d"),
    ("channel: C02SECURE", "security.revoked_for", "1m", "30d", "1m", "59s"),
]


@pytest.mark.parametrize(("line", "path", "least", "most", "good", "bad"), BOUNDS)
def test_a_length_out_of_bounds(line: str, path: str, least: str, most: str, good: str, bad: str) -> None:
    key = path.rpartition(".")[2]

    def told(length: str) -> list[str]:
        found = f"{line}, {key}: {length}" if key not in line else f"{line.partition(':')[0]}: {length}"
        return said(FULL.replace(line, found, 1))

    assert line in FULL
    assert told(good) == []
    (only,) = told(bad)
    assert only.endswith(f'{path}: "{bad}" is out of range; write {least} to {most}')


def test_the_longest_length_has_a_least_too() -> None:
    text = FULL.replace("{default: 4h, max: 12h, min: 5m, offer: [1h, 4h, 12h]}", "{max: 30s}")
    (only,) = said(text)
    assert 'duration.max: "30s" is out of range; write 1m to 90d' in only


def test_nothing_is_kept_longer_than_ten_years() -> None:
    assert said(FULL.replace("keep: 400d", "keep: 3660d")) == []
    (only,) = said(FULL.replace("keep: 400d", "keep: 3661d"))
    assert 'keep: "3661d" is not a valid length' in only
