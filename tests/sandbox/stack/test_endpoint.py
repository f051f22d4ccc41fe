"""The sandbox's endpoint, as seen from outside the bot, and what of it outlives the sandbox."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.core.holds import Presence
from bot.doubles.snapshots import UnreadableError
from bot.sandbox.stack.endpoint import Endpoint, remove_endpoint, run_endpoint
from bot.sandbox.stack.system import Wanted
from bot.targets.webhook.target import Webhook
from tests.targets.postgres.scenes import hold, soon

WANTED = Wanted(target="deploy-hook", accounts=frozenset(["ada", "dan"]), roles=frozenset(["admin"]))
NOBODY: list[object] = []


def target_at(endpoint: Endpoint) -> Webhook:
    return Webhook("deploy-hook", endpoint.values["url"], endpoint.values["secret"])


def members(endpoint: Endpoint) -> object:
    [role] = endpoint.state()["roles"]
    return role["members"]


def test_it_shows_what_the_bot_gave_and_took_back(tmp_path: Path) -> None:
    ada = hold("ada", "admin")
    with run_endpoint(tmp_path, WANTED) as endpoint:
        target = target_at(endpoint)
        assert members(endpoint) == NOBODY
        receipt = target.prepare(ada, soon())
        target.grant(ada, [receipt], None, soon())
        assert members(endpoint) == [{"account": "ada", "grantor": "rotakey"}]
        state = endpoint.state()
        assert (state["name"], state["kind"], state["error"]) == ("deploy-hook", "webhook", None)
        target.revoke(ada, [receipt], soon())
        assert members(endpoint) == NOBODY


def test_a_second_start_is_the_same_system_with_the_same_access(tmp_path: Path) -> None:
    ada = hold("ada", "admin")
    with run_endpoint(tmp_path, WANTED) as endpoint:
        receipt = target_at(endpoint).prepare(ada, soon())
        target_at(endpoint).grant(ada, [receipt], None, soon())
    more = Wanted(target="deploy-hook", accounts=WANTED.accounts | {"carol"}, roles=WANTED.roles | {"viewer"})
    with run_endpoint(tmp_path, more) as again:
        assert again.url == endpoint.url
        assert target_at(again).has(ada, [receipt], soon()).presence is Presence.OURS
        assert sorted(again.members.accounts.values()) == ["ada", "carol", "dan"]
        assert [each["role"] for each in again.state()["roles"]] == ["admin", "viewer"]
        target_at(again).revoke(ada, [receipt], soon())
        assert again.members.holders("admin") == frozenset()


def test_it_starts_elsewhere_if_somebody_else_has_its_port(tmp_path: Path) -> None:
    with run_endpoint(tmp_path, WANTED) as endpoint:
        pass
    taken = ("127.0.0.1", urlsplit(endpoint.url).port or 0)
    with socket.create_server(taken), run_endpoint(tmp_path, WANTED) as elsewhere:
        assert elsewhere.url != endpoint.url


def test_what_it_kept_is_removed_and_a_broken_file_is_reported(tmp_path: Path) -> None:
    with run_endpoint(tmp_path, WANTED):
        pass
    (tmp_path / "endpoint" / "members.json").write_text("{}")
    with pytest.raises(UnreadableError), run_endpoint(tmp_path, WANTED):
        pass
    remove_endpoint(tmp_path)
    remove_endpoint(tmp_path)
    assert list(tmp_path.iterdir()) == []
