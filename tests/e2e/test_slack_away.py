"""Slack fails in its several ways: access does not wait for it, and no message is lost or told twice."""

from datetime import timedelta
from typing import Any

import pytest

from tests.e2e.deployment import ADA, BOB, DAN, DB_ACCESS, Town, until

AFTERWARDS = 15.0


@pytest.mark.parametrize("trouble", [{"down": True}, {"limited": 1_000}, {"slow": 2.5}], ids=str)
def test_access_does_not_wait_for_slack(town: Town, trouble: dict[str, Any]) -> None:
    shown = f"of {trouble}"
    with town.slack_is(**trouble):
        town.types(ADA, f"request prod-db 1h because {shown}")
        town.types(DAN, f"request prod-db 1h because {shown}, and I am not on call")
        town.has("orders_rw", "ada", within=3)
        town.types(ADA, "done prod-db")
        town.has("orders_rw", within=3)
    town.sees(ADA, shown, "Your *prod-db* ended TIME. Given back.", within=AFTERWARDS)
    asked = "@Dan asks for *prod-db* for 1 hour."
    town.sees(DB_ACCESS, f"{shown}, and I am not on call", asked, within=AFTERWARDS)
    until(town.quiet)
    assert len(town.cards(ADA, shown)) == 1
    assert len(town.cards(DB_ACCESS, f"{shown}, and I am not on call")) == 1


def test_what_slack_delivers_twice_is_done_once(town: Town) -> None:
    with town.slack_is(twice=True):
        town.types(DAN, "request prod-db 1h because Slack stutters")
        card = town.card(DB_ACCESS, "Slack stutters")
        grant = town.grant("Slack stutters").id
        town.clicks(BOB, card, "approve")
        town.sees(DB_ACCESS, "Slack stutters", "@Dan has *prod-db* until TIME.")
        town.types(DAN, "done prod-db")
        town.sees(DB_ACCESS, "Slack stutters", "*prod-db* of @Dan ended TIME. Given back.")
    until(town.quiet)
    assert [entry.what for entry in town.entries() if entry.grant == grant] == [
        *("asked", "approved", "given", "active", "ending", "taken", "ended")
    ]
    assert len(town.cards(DB_ACCESS, "Slack stutters")) == 1
    assert not any("already decided this" in each for each in town.whispers(BOB))


def test_more_time_asked_for_once_and_delivered_twice_is_given_once(town: Town) -> None:
    town.types(ADA, "request prod-db 1h because of a slow repair")
    town.sees(ADA, "of a slow repair", "You have *prod-db* until TIME.")
    grant = town.grant("of a slow repair")
    with town.slack_is(twice=True):
        assert town.types(ADA, "extend prod-db 1h") == "*prod-db* now ends TIME."
    before, after = grant.until, town.grant("of a slow repair").until
    assert before
    assert after
    assert after - before == timedelta(hours=1)
