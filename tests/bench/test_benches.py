"""The policies that the benches are played under have no mistakes; nobody runs all of them every day."""

from __future__ import annotations

import pytest

from bot import config
from tests.bench import bytes as weighing
from tests.bench import load, memory, threads


@pytest.mark.parametrize(
    "policy", [load._policy(2), threads._policy(), memory.POLICY], ids=["load", "threads", "memory"]
)
def test_the_policy_of_a_bench_has_no_mistakes(policy: str) -> None:
    assert [str(each) for each in config.check(policy.encode(), name="access.yaml") if not each.unset] == []


def test_all_that_a_grant_leaves_in_redis_is_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weighing, "A_DAY", 3)
    rows = {row.what: str(row) for row in weighing.bytes_kept()}
    assert len(rows) == 5
    assert all(any(letter in "123456789" for letter in shown) for shown in rows.values())
