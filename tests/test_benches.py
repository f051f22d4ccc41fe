"""The policies that the benches are played under have no mistakes; nobody runs all of them every day."""

from __future__ import annotations

import pytest

from bench import load, memory, threads
from bot import config


@pytest.mark.parametrize(
    "policy", [load._policy(2), threads._policy(), memory.POLICY], ids=["load", "threads", "memory"]
)
def test_the_policy_of_a_bench_has_no_mistakes(policy: str) -> None:
    assert [str(each) for each in config.check(policy.encode(), name="access.yaml") if not each.unset] == []
