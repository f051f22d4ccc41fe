"""Ada, Bob and Carol, who are on call for the orders database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.doubles.pagerduty import Pager, Served, serve
from bot.oncall.pagerduty.source import PagerDuty

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SINCE = NOW - timedelta(days=1)
UNTIL = NOW + timedelta(days=14)
TOKEN = "u+Zq8Kw3Jx7Vx9"


@pytest.fixture
def pager() -> Pager:
    pager = Pager(TOKEN, clock=lambda: NOW)
    pager.add_user("PADA", "Ada", "Ada.Lovelace@Example.com", "U02ADA")
    pager.add_user("PBOB", "Bob", "bob@example.com", "U02BOB")
    pager.add_user("PCAROL", "Carol", "carol@example.com", "U02CAROL")
    pager.add_schedule("PDBPRIM", "Orders database, primary")
    return pager


@pytest.fixture
def served(pager: Pager) -> Iterator[Served]:
    with serve(pager) as served:
        yield served


@pytest.fixture
def pagerduty(served: Served) -> PagerDuty:
    return PagerDuty("pagerduty", TOKEN, served.url)
