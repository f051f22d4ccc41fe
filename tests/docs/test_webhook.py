"""The endpoint of docs/webhook.md works, and its tables name what is sent."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure, TemporaryFailure, Unsupported
from bot.core.holds import Hold, Presence
from bot.endpoint.wire import Answer, Question, Verb
from bot.ports.deadline import Deadline
from bot.targets.webhook.target import Webhook
from bot.testing.localhost import free_port
from bot.testing.polling import until
from tests.paths import ROOT
from tests.targets.webhook.stage import ANOTHER, SECRET

PAGE = (ROOT / "docs" / "webhook.md").read_text("utf-8")
[PROGRAM] = re.findall(r"(?ms)^```python file=endpoint.py\n(.*?)^```$", PAGE)
ADMIN = Entitlement(target="hook", what=(("region", "eu"), ("role", "admin")))
ADA = Hold(target="hook", account="ada", entitlement=ADMIN)


def soon() -> Deadline:
    return Deadline.after(5)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "endpoint.py").write_text(PROGRAM, "utf-8")
    port = str(free_port())
    running = subprocess.Popen(
        [sys.executable, "endpoint.py", port],
        cwd=tmp_path,
        env={"HOOK_SECRET": SECRET},
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/"

    def answers() -> bool:
        try:
            return Webhook("hook", url, SECRET).has(ADA, [], soon()).gone
        except TemporaryFailure:
            return False

    try:
        until(answers, seconds=10)
        yield url
    finally:
        running.kill()
        running.wait()


def test_the_endpoint_grants_and_revokes(url: str) -> None:
    hook = Webhook("hook", url, SECRET)
    receipt = hook.prepare(ADA, soon())
    receipt = hook.grant(ADA, [receipt], datetime.now(UTC) + timedelta(hours=1), soon())
    assert hook.has(ADA, [receipt], soon()).presence is Presence.OURS
    bob = replace(ADA, account="bob")
    assert hook.has(bob, [hook.prepare(bob, soon())], soon()).gone

    hook.ready(ADA, soon())
    with pytest.raises(Unsupported):
        hook.holders(ADMIN, soon())
    hook.revoke(ADA, [receipt], soon())
    assert hook.has(ADA, [receipt], soon()).gone


def test_another_secret_does_nothing_there(url: str) -> None:
    hook = Webhook("hook", url, ANOTHER)
    with pytest.raises(PermanentFailure, match="not signed with HOOK_SECRET"):
        hook.prepare(ADA, soon())


def test_the_tables_name_every_key_verb_and_presence() -> None:
    now = datetime.now(UTC)
    question = Question(
        id="1", verb=Verb.HAS, key="k", account="a", entitlement=ADMIN, sent_at=now, not_after=now,
        idempotency_key="i",
    )  # fmt: skip
    sent, read = PAGE.partition("## The answer")[::2]
    keys = {each for row in re.findall(r"(?m)^\| (`[^|]*)\|", sent) for each in re.findall(r"`(\w+)`", row)}
    assert keys == set(json.loads(question.body()))
    answers = {
        each
        for row in re.findall(r"(?m)^\| (`[^|]*)\|", read.partition("| verb |")[0])
        for each in re.findall(r"`(\w+)`", row)
    }
    assert answers == set(Answer.model_fields)
    assert {each.value for each in Verb} == set(re.findall(r"(?m)^\| `(\w+)` \| [A-Z]", read))
