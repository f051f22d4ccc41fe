"""After all other stories, the processes have logged nothing unforeseen, and no secret."""

import json
from dataclasses import asdict

from tests.e2e.rig import Rig


def logs(rig: Rig) -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted(rig.sandbox.data.glob("*.log")))


def test_nothing_happened_that_nobody_foresaw(rig: Rig) -> None:
    lines = logs(rig).splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert "working" in {each["event"] for each in told}
    assert [each for each in told if each["event"] in {"unforeseen", "listener failed"}] == []
    assert [line for line in lines if "Traceback" in line and not line.startswith("{")] == []


def test_no_log_and_no_audit_entry_holds_a_secret(rig: Rig) -> None:
    sandbox = rig.sandbox
    secrets = {*asdict(sandbox.secrets).values(), *rig.orders.secrets}
    written = logs(rig) + repr(rig.entries())
    assert len(secrets) >= 8
    assert [each for each in secrets if each in written] == []
