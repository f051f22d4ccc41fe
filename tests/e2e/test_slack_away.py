"""Slack fails in several ways: access does not wait for it, and each message is sent exactly once."""

from datetime import timedelta
from typing import Any

import pytest

from bot.testing.polling import until
from tests.e2e.rig import ADA, BOB, DAN, DB_ACCESS, Rig

AFTERWARDS = 15.0


@pytest.mark.parametrize("trouble", [{"down": True}, {"limited": 1_000}, {"slow": 2.5}], ids=str)
def test_access_does_not_wait_for_slack(rig: Rig, trouble: dict[str, Any]) -> None:
    shown = f"of {trouble}"
    with rig.slack_is(**trouble):
        rig.types(ADA, f"request prod-db 1h because {shown}")
        rig.types(DAN, f"request prod-db 1h because {shown}, and I am not on call")
        rig.has("orders_rw", "ada", within=3)
        rig.types(ADA, "done prod-db")
        rig.has("orders_rw", within=3)
    rig.sees(ADA, shown, "You gave *prod-db* back; it ended TIME.", within=AFTERWARDS)
    asked = "@Dan requests *prod-db* for 1 hour."
    rig.sees(DB_ACCESS, f"{shown}, and I am not on call", asked, within=AFTERWARDS)
    until(rig.quiet)
    assert len(rig.cards(ADA, shown)) == 1
    assert len(rig.cards(DB_ACCESS, f"{shown}, and I am not on call")) == 1


def test_what_slack_delivers_twice_is_done_once(rig: Rig) -> None:
    with rig.slack_is(twice=True):
        rig.types(DAN, "request prod-db 1h because Slack stutters")
        card = rig.card(DB_ACCESS, "Slack stutters")
        grant = rig.grant("Slack stutters").id
        rig.clicks(BOB, card, "approve")
        rig.sees(DB_ACCESS, "Slack stutters", "@Dan has *prod-db* until TIME.")
        rig.types(DAN, "done prod-db")
        rig.sees(DB_ACCESS, "Slack stutters", "@Dan gave *prod-db* back; it ended TIME.")
    until(rig.quiet)
    assert [entry.what for entry in rig.entries() if entry.grant == grant] == [
        *("asked", "approved", "given", "active", "ending", "taken", "ended")
    ]
    assert len(rig.cards(DB_ACCESS, "Slack stutters")) == 1
    assert not any("already approved this" in each for each in rig.whispers(BOB))


def test_more_time_asked_for_once_and_delivered_twice_is_given_once(rig: Rig) -> None:
    rig.types(ADA, "request prod-db 1h because of a slow repair")
    rig.sees(ADA, "of a slow repair", "You have *prod-db* until TIME.")
    grant = rig.grant("of a slow repair")
    with rig.slack_is(twice=True):
        assert rig.types(ADA, "extend prod-db 1h") == "*prod-db* now ends TIME."
    before, after = grant.until, rig.grant("of a slow repair").until
    assert before
    assert after
    assert after - before == timedelta(hours=1)
