"""The sandbox's Okta org, as seen from outside the bot, and what of it outlives the sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.core.catalog import Entitlement
from bot.core.holds import Hold, Presence
from bot.doubles.snapshots import UnreadableError
from bot.sandbox.stack.okta import Okta, remove_okta, run_okta
from bot.sandbox.stack.system import Wanted
from tests.targets.okta.stage import made_from
from tests.targets.postgres.scenes import soon

ADA, DAN = "ada@example.com", "dan@example.com"
GROUP = Entitlement(target="okta", what=(("group", "prod-oncall"),))
WANTED = Wanted(target="okta", accounts=frozenset([ADA, DAN]), roles=frozenset(["prod-oncall"]))
HOLD = Hold(target="okta", account=ADA, entitlement=GROUP)


def members(okta: Okta) -> object:
    [role] = okta.state()["roles"]
    return role["members"]


def test_it_shows_who_was_added_by_the_bot_and_who_by_hand(tmp_path: Path) -> None:
    with run_okta(tmp_path, WANTED) as okta:
        target = made_from(okta.url, "okta", token=okta.values["token"])
        receipt = target.prepare(HOLD, soon())
        target.grant(HOLD, [receipt], None, soon())
        okta.org.add_by_hand(DAN, "prod-oncall")
        okta.org.add_by_hand(ADA, "prod-oncall")
        dans = {"account": DAN, "grantor": "administrator"}
        assert members(okta) == [{"account": ADA, "grantor": "rotakey"}, dans]
        state = okta.state()
        assert (state["name"], state["kind"], state["error"]) == ("okta", "okta", None)
        target.revoke(HOLD, [receipt], soon())
        assert members(okta) == [dans]


def test_a_second_start_is_the_same_org_with_the_same_members(tmp_path: Path) -> None:
    with run_okta(tmp_path, WANTED) as okta:
        target = made_from(okta.url, "okta", token=okta.values["token"])
        receipt = target.prepare(HOLD, soon())
        target.grant(HOLD, [receipt], None, soon())
        okta.org.add_by_hand(DAN, "prod-oncall")
        before = members(okta)
    more = Wanted(target="okta", accounts=WANTED.accounts | {"carol@example.com"}, roles=WANTED.roles)
    with run_okta(tmp_path, more) as again:
        assert again.org.id == okta.org.id
        assert again.secrets != okta.secrets
        assert members(again) == before
        assert len({each.id for each in again.org.users.values()}) == 3
        target = made_from(again.url, "okta", token=again.values["token"])
        assert target.has(HOLD, [receipt], soon()).presence is Presence.OURS
        target.revoke(HOLD, [receipt], soon())
        assert again.org.logins_in("prod-oncall") == {DAN}


def test_what_it_kept_is_removed_and_a_broken_file_is_reported(tmp_path: Path) -> None:
    with run_okta(tmp_path, WANTED) as first:
        pass
    (tmp_path / "okta" / "org.json").write_text("{}")
    with pytest.raises(UnreadableError), run_okta(tmp_path, WANTED):
        pass
    remove_okta(tmp_path)
    remove_okta(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with run_okta(tmp_path, WANTED) as second:
        assert second.org.id != first.org.id
