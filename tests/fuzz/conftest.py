"""Report at the end how much was tried, and make a hang visible."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.fuzz import rounds


@pytest.fixture(scope="session", autouse=True)
def _a_hang_is_seen(pytestconfig: pytest.Config) -> Iterator[None]:
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        rounds.stderr = os.fdopen(os.dup(2), "w")
    yield
    rounds.stderr.close()
    rounds.stderr = None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not rounds.IN_ALL:
        return
    terminalreporter.section("thrown")
    for name, tally in rounds.TALLIES.items():
        terminalreporter.write_line(f"{tally}  {name}")
        terminalreporter.write_line(f"{'':>9} slowest: {tally.slowest_input}")
        for each in tally.slow[:5]:
            terminalreporter.write_line(f"{'':>9} SLOW {each}")
    every = rounds.TALLIES.values()
    inputs, failed = sum(each.inputs for each in every), sum(each.failed for each in every)
    terminalreporter.write_line(f"{inputs:>9} inputs {failed:>4} failed in all")
