"""Access in Okta: from a request in Slack until the group no longer has them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.cli.sandbox import to_try
from bot.sandbox.run import forget
from bot.sandbox.stack.okta import Okta
from bot.testing.polling import until
from tests.e2e.command import sandbox
from tests.e2e.rig import ADA, BOB, DAN, DB_ACCESS, Rig, rig_in

ADAS, DANS = "ada@example.com", "dan@example.com"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Yield a sandbox that has only Okta."""
    with rig_in(tmp_path_factory.mktemp("okta"), to_try(kinds=["okta"])) as rig:
        yield rig


def has(rig: Rig, *logins: str) -> None:
    until(lambda: rig.sandbox.system(Okta).org.logins_in("prod-oncall") == set(logins))


def test_the_group_has_whoever_is_on_call_from_the_request_to_the_end(alone: Rig) -> None:
    alone.types(ADA, "request prod-on-call 2s because of an outage")
    has(alone, ADAS)
    alone.sees(ADA, "of an outage", "You have *prod-on-call* until TIME.")
    grant = alone.grant("of an outage").id
    has(alone)
    alone.sees(ADA, "of an outage", "Your *prod-on-call* ended TIME: time is up.")
    assert alone.audit(grant)[-2:] == ["taken", "ended"]


def test_who_is_not_on_call_waits_for_an_approver_and_gives_it_back(alone: Rig) -> None:
    alone.types(DAN, "request prod-on-call 1h because of a rollback")
    card = alone.card(DB_ACCESS, "of a rollback")
    has(alone)
    alone.clicks(BOB, card, "approve")
    has(alone, DANS)
    [state] = alone.sandbox.observer.targets()
    assert (state["name"], state["kind"], state["error"]) == ("okta", "okta", None)
    assert state["roles"] == [
        {"role": "prod-oncall", "members": [{"account": DANS, "grantor": "rotakey"}]},
    ]
    alone.types(DAN, "done prod-on-call")
    has(alone)
    alone.settle()


def test_no_log_and_no_audit_entry_holds_its_token(alone: Rig) -> None:
    logs = "\n".join(path.read_text("utf-8") for path in sorted(alone.sandbox.data.glob("*.log")))
    [token] = alone.sandbox.system(Okta).secrets
    assert token not in logs + repr(alone.entries())
    assert '"unforeseen"' not in logs


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are found in /proc, which is not here")
def test_a_restart_without_warning_keeps_who_has_it_until_the_end(tmp_path: Path) -> None:
    arguments = ("--targets", "okta", "--data", tmp_path)
    try:
        with sandbox(*arguments) as first:
            ask = "/access request prod-on-call 1h because of an outage"
            first.does("command", me=ADA, channel=DB_ACCESS, text=ask)
            until(lambda: first.members("prod-oncall"), expected=[ADAS])
            assert first.ends(signal.SIGKILL) == -signal.SIGKILL
        with sandbox(*arguments) as second:
            assert second.members("prod-oncall") == [ADAS]
            second.does("command", me=ADA, channel=DB_ACCESS, text="/access done")
            until(lambda: not second.members("prod-oncall"))
            until(lambda: not second.sees(ADA)["leases"])
            assert second.ends(signal.SIGINT) == 0
    finally:
        forget(tmp_path)
