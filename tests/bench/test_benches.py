"""The policies of the benches have no mistakes: nobody runs all of the benches every day."""

from __future__ import annotations

import pytest

from bot import config
from tests.bench import bytes as bench
from tests.bench import load, memory, threads


@pytest.mark.parametrize(
    "policy", [load.policy_for(2), threads.POLICY, memory.POLICY], ids=["load", "threads", "memory"]
)
def test_the_policy_of_a_bench_has_no_mistakes(policy: str) -> None:
    assert [str(each) for each in config.check(policy.encode(), name="access.yaml") if not each.unset] == []


def test_all_that_a_grant_leaves_in_redis_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "A_DAY", 3)
    rows = {row.what: str(row) for row in bench.bytes_kept()}
    assert len(rows) == 5
    assert all(any(letter in "123456789" for letter in shown) for shown in rows.values())
