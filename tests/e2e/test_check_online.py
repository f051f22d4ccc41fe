"""``check --online`` looks up the names in a file where they point to, without Redis."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.cli import rotakey
from tests.e2e.rig import Rig

VARIABLES = ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN", "REDIS_URL", "PAGERDUTY_TOKEN")


@pytest.fixture(autouse=True)
def _nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in VARIABLES:
        monkeypatch.delenv(each, raising=False)


def check(file: str | Path, environ: dict[str, str | None]) -> Result:
    return CliRunner().invoke(rotakey, ["check", "--online", str(file)], env=environ)


def test_names_are_looked_up_where_they_point_to(rig: Rig, tmp_path: Path) -> None:
    environ = {**rig.sandbox.environ, "REDIS_URL": None}
    file = rig.sandbox.environ["ACCESS_FILE"]
    good = check(file, environ)
    assert "no mistakes" in good.stdout
    assert "target orders-db" in good.stdout
    assert "all people and groups that access.yaml names exist" in good.stdout
    assert (good.exit_code, "WRONG" in good.stdout) == (0, False)

    path = tmp_path / "access.yaml"
    text = Path(file).read_text(encoding="utf-8")
    text = text.replace("role: scratch", "role: no_such_role").replace("slack/dba", "slack/no-such", 1)
    path.write_text(text.replace("{orders-db: dan}", "{orders-db: nobody}"))
    wrong = check(path, environ)
    assert wrong.exit_code == 1
    assert "orders-db has no role" in wrong.stdout
    assert "orders-db has no account" in wrong.stdout
    assert "the group slack/no-such is not in Slack" in wrong.stdout
    assert rig.sandbox.secrets.bot_token not in wrong.stdout


def test_variables_must_be_set_then(rig: Rig) -> None:
    file = rig.sandbox.environ["ACCESS_FILE"]
    unset = check(file, {**rig.sandbox.environ, "ORDERS_DB_URL": None})
    assert (unset.exit_code, unset.stdout) == (1, "")
    assert "ORDERS_DB_URL is not set" in unset.stderr
    without_slack = check(file, {**rig.sandbox.environ, "SLACK_BOT_TOKEN": None})
    assert "SLACK_BOT_TOKEN is not set, so names in Slack were not looked up" in " ".join(
        without_slack.stdout.split()
    )
