"""The program of docs/command.md works."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.core.catalog import Entitlement
from bot.core.errors import Unsupported
from bot.core.holds import Hold, Presence
from bot.ports.deadline import Deadline
from bot.targets.command.target import Command
from tests.paths import ROOT
from tests.targets.command.stage import write_program

PAGE = (ROOT / "docs" / "command.md").read_text("utf-8")
[PROGRAM] = re.findall(r"(?ms)^```python file=grant-access\n(.*?)^```$", PAGE)
ADMIN = Entitlement(target="script", what=(("role", "admin"),))
ADA = Hold(target="script", account="ada", entitlement=ADMIN)


def soon() -> Deadline:
    return Deadline.after(10)


def test_the_program_grants_and_revokes(tmp_path: Path) -> None:
    write_program(tmp_path, "grant-access", PROGRAM)
    script = Command("script", ("grant-access", "--region", "eu"), str(tmp_path))
    receipt = script.prepare(ADA, soon())
    receipt = script.grant(ADA, [receipt], datetime.now(UTC) + timedelta(hours=1), soon())
    assert script.has(ADA, [receipt], soon()).presence is Presence.OURS
    bob = replace(ADA, account="bob")
    assert script.has(bob, [script.prepare(bob, soon())], soon()).gone

    script.ready(ADA, soon())
    with pytest.raises(Unsupported):
        script.holders(ADMIN, soon())
    script.revoke(ADA, [receipt], soon())
    assert script.has(ADA, [receipt], soon()).gone
