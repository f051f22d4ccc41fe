"""Access at an endpoint of one's own: from a request in Slack until the endpoint no longer has it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli.sandbox import to_try
from bot.sandbox.run import forget
from bot.testing.polling import until
from tests.e2e.command import sandbox
from tests.e2e.rig import ADA, BOB, DAN, Rig, rig_in

DEPLOYS = "C0DEPLOYS"
ADAS, DANS = "ada@example.com", "dan@example.com"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Yield a sandbox that has no database."""
    with rig_in(tmp_path_factory.mktemp("alone"), to_try(kinds=["webhook"])) as rig:
        yield rig


def has(rig: Rig, *accounts: str) -> None:
    until(lambda: rig.endpoint.members.holders("admin") == set(accounts))


def test_the_endpoint_has_it_from_the_request_to_the_end(alone: Rig) -> None:
    alone.types(ADA, "request deploy-admin 2s because of a release")
    has(alone, ADAS)
    alone.sees(ADA, "of a release", "You have *deploy-admin* until TIME.")
    grant = alone.grant("of a release").id
    has(alone)
    alone.sees(ADA, "of a release", "Your *deploy-admin* ended TIME: time is up.")
    assert alone.audit(grant)[-2:] == ["taken", "ended"]


def test_who_is_not_on_call_waits_for_an_approver_and_gives_it_back(alone: Rig) -> None:
    alone.types(DAN, "request deploy-admin 1h because of a rollback")
    card = alone.card(DEPLOYS, "of a rollback")
    assert alone.endpoint.members.holders("admin") == frozenset()
    alone.clicks(BOB, card, "approve")
    has(alone, DANS)
    [state] = alone.sandbox.observer.targets()
    assert (state["name"], state["kind"], state["error"]) == ("deploy-hook", "webhook", None)
    assert state["roles"] == [{"role": "admin", "members": [{"account": DANS, "grantor": "rotakey"}]}]
    alone.types(DAN, "done deploy-admin")
    has(alone)
    alone.settle()


def test_an_endpoint_that_is_down_at_the_end_is_asked_until_it_is_gone(alone: Rig) -> None:
    members = alone.endpoint.members
    alone.types(ADA, "request deploy-admin 1h because the endpoint goes down")
    has(alone, ADAS)
    alone.sees(ADA, "the endpoint goes down", "You have *deploy-admin* until TIME.")
    members.faults = replace(members.faults, down=True)
    try:
        alone.types(ADA, "done deploy-admin")
        until(lambda: alone.grant("the endpoint goes down").trouble)
        assert members.holders("admin") == {ADAS}
    finally:
        members.faults = replace(members.faults, down=False)
    has(alone)
    alone.settle()


def test_a_sandbox_without_a_database_has_only_what_the_endpoint_needs(alone: Rig) -> None:
    assert list(alone.sandbox.systems) == ["deploy-hook"]
    assert [each["name"] for each in alone.sandbox.observer.resources()] == ["deploy-admin"]
    assert not (alone.sandbox.data / "postgres").exists()
    assert "prod-db" not in alone.types(ADA, "list")


def test_no_log_and_no_audit_entry_holds_its_secret(alone: Rig) -> None:
    logs = "\n".join(path.read_text("utf-8") for path in sorted(alone.sandbox.data.glob("*.log")))
    [secret] = alone.endpoint.secrets
    assert secret not in logs + repr(alone.entries())
    assert '"unforeseen"' not in logs


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are found in /proc, which is not here")
def test_a_restart_without_warning_keeps_who_has_it_until_the_end(tmp_path: Path) -> None:
    arguments = ("--targets", "webhook", "--data", tmp_path)
    try:
        with sandbox(*arguments) as first:
            ask = "/access request deploy-admin 1h because of a release"
            first.does("command", me=ADA, channel=DEPLOYS, text=ask)
            until(lambda: first.members("admin"), expected=[ADAS])
            assert first.ends(signal.SIGKILL) == -signal.SIGKILL
        with sandbox(*arguments) as second:
            assert second.members("admin") == [ADAS]
            assert [each["resource"] for each in second.sees(ADA)["leases"]] == ["deploy-admin"]
            second.does("command", me=ADA, channel=DEPLOYS, text="/access done")
            until(lambda: not second.members("admin"))
            until(lambda: not second.sees(ADA)["leases"])
            assert second.ends(signal.SIGINT) == 0
    finally:
        forget(tmp_path)
