"""The system behind the endpoint keeps who has what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.doubles.snapshots import UnreadableError
from bot.doubles.webhook import Members

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def peopled() -> Members:
    members = Members("unused", lambda: NOW)
    for name in ("ada", "bob"):
        members.add_account(name)
    members.add_role("admin")
    return members


def message(verb: str, account: str = "ada", gives: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {
        "id": "m1",
        "verb": verb,
        "hold": {"key": f"{account} of Rotakey", "account": account, "gives": gives or {"role": "admin"}},
        "receipts": [],
        "until": (NOW + timedelta(hours=1)).isoformat(),
        "not_after": (NOW + timedelta(minutes=1)).isoformat(),
    }


def test_what_was_granted_is_there_again_after_a_restart(tmp_path: Path) -> None:
    members = peopled()
    members.keep_in(tmp_path / "members.json")
    receipt = members.do(message("grant"))["receipt"]
    members.give_by_hand("bob", "admin")

    again = Members("unused", lambda: NOW)
    again.keep_in(tmp_path / "members.json")

    assert again.version > members.version
    assert again.state() == members.state()
    assert again.access == members.access
    again.rename("ada", "ada@example.com")
    assert again.do({**message("has"), "receipts": [receipt]})["presence"] == "ours"
    again.add_account("carol")
    again.add_role("auditor")
    assert len({*again.accounts, *again.roles}) == 5


def test_a_file_of_the_first_version_is_read() -> None:
    members = Members("unused", lambda: NOW)
    members.keep_in(Path(__file__).with_name("members.json"))
    members._path = None
    assert members.state() == [
        {
            "role": "admin",
            "members": [{"account": "ada", "grantor": "rotakey"}, {"account": "bob", "grantor": "hand"}],
        }
    ]
    assert members.do({**message("has"), "receipts": ["a1/r3"]})["presence"] == "ours"


def test_a_change_is_written_before_it_is_answered(tmp_path: Path) -> None:
    members = peopled()
    members.keep_in(tmp_path / "members.json")
    members.do(message("grant"))
    before = (tmp_path / "members.json").read_bytes()
    members.do(message("revoke"))
    assert (tmp_path / "members.json").read_bytes() != before


def test_a_file_that_is_not_whole_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "members.json"
    path.write_text('{"version": 1}')
    with pytest.raises(UnreadableError, match=r"members\.json cannot be read: last_id: Field required"):
        Members("unused").keep_in(path)


def test_access_that_has_ended_by_itself_is_not_shown() -> None:
    now = NOW
    members = peopled()
    members.now = lambda: now
    members.do(message("grant"))
    assert members.state() == [{"role": "admin", "members": [{"account": "ada", "grantor": "rotakey"}]}]
    now = NOW + timedelta(hours=2)
    assert members.state() == [{"role": "admin", "members": []}]


def test_all_texts_of_an_entry_together_are_one_role() -> None:
    members = peopled()
    members.add_role("eu, admin")
    members.do(message("grant", gives={"target": "hook", "role": "admin", "area": "eu"}))
    assert members.holders("eu, admin") == {"ada"}
    assert members.holders("admin") == frozenset()
