"""Access in a real OpenBao: from a request in Slack until nobody has the policy."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.cli.sandbox import to_try
from bot.sandbox.run import forget
from bot.sandbox.stack.openbao import program
from bot.sandbox.stack.vault import Vault
from bot.testing.polling import until
from tests.e2e.command import sandbox
from tests.e2e.rig import ADA, BOB, DAN, SECURITY, Rig, rig_in

pytestmark = pytest.mark.skipif(program() is None, reason="OpenBao is not installed here")
ADAS, DANS = "ada@example.com", "dan@example.com"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Yield a sandbox that has only OpenBao."""
    with rig_in(tmp_path_factory.mktemp("vault"), to_try(kinds=["vault"])) as rig:
        yield rig


def has(rig: Rig, *accounts: str) -> None:
    until(lambda: set(rig.sandbox.system(Vault).members("prod-admin")) == set(accounts))


def test_the_policy_is_for_whoever_is_on_call_from_the_request_to_the_end(alone: Rig) -> None:
    alone.types(ADA, "request vault-admin 2s because of an outage")
    has(alone, ADAS)
    alone.sees(ADA, "of an outage", "You have *vault-admin* until TIME.")
    grant = alone.grant("of an outage").id
    has(alone)
    alone.sees(ADA, "of an outage", "Your *vault-admin* ended TIME: time is up.")
    assert alone.audit(grant)[-2:] == ["taken", "ended"]


def test_who_is_not_on_call_waits_for_an_approver_and_gives_it_back(alone: Rig) -> None:
    alone.types(DAN, "request vault-admin 1h because of a rollback")
    card = alone.card(SECURITY, "of a rollback")
    has(alone)
    alone.clicks(BOB, card, "approve")
    has(alone, DANS)
    [state] = alone.sandbox.observer.targets()
    assert (state["name"], state["kind"], state["error"]) == ("vault", "vault", None)
    assert state["roles"] == [
        {"role": "prod-admin", "members": [{"account": DANS, "grantor": "rotakey"}]},
    ]
    alone.types(DAN, "done vault-admin")
    has(alone)
    alone.settle()


def test_no_log_and_no_audit_entry_holds_its_secrets(alone: Rig) -> None:
    logs = "\n".join(path.read_text("utf-8") for path in sorted(alone.sandbox.data.glob("*.log")))
    secrets = alone.sandbox.system(Vault).secrets
    assert not any(each in logs + repr(alone.entries()) for each in secrets)
    assert '"unforeseen"' not in logs


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are found in /proc, which is not here")
def test_a_restart_without_warning_keeps_who_has_it_until_the_end(tmp_path: Path) -> None:
    arguments = ("--targets", "vault", "--data", tmp_path)
    try:
        with sandbox(*arguments) as first:
            ask = "/access request vault-admin 1h because of an outage"
            first.does("command", me=ADA, channel=SECURITY, text=ask)
            until(lambda: first.members("prod-admin"), expected=[ADAS])
            assert first.ends(signal.SIGKILL) == -signal.SIGKILL
        with sandbox(*arguments) as second:
            assert second.members("prod-admin") == [ADAS]
            second.does("command", me=ADA, channel=SECURITY, text="/access done")
            until(lambda: not second.members("prod-admin"))
            until(lambda: not second.sees(ADA)["leases"])
            assert second.ends(signal.SIGINT) == 0
    finally:
        forget(tmp_path)
