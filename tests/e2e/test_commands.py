"""The commands as a newcomer runs them."""

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from bot.cli import main
from bot.sandbox.example import POLICY, example
from bot.sandbox.run import forget
from bot.testing.polling import until
from tests.e2e.command import refused, sandbox

OWN = Path(__file__).with_name("own.yaml")
ASK = "/access request stock 1h because ST-7 is wrong"
OTHER_VARIABLES = (
    "DEPLOY_HOOK_URL",
    "DEPLOY_HOOK_SECRET",
    "OKTA_URL",
    "OKTA_TOKEN",
    "VAULT_ADDR",
    "VAULT_TOKEN",
)
"""The variables of the example, besides those of the pager and the database."""
MISTAKEN = """\
oncall:
  pd: {kind: pagerdutty}
resources:
  stock:
    title: The stock
    gives: [{target: warehouse, role: keeper}]
    duration: {default: 3h, max: 2 parsecs}
    aprovers: [slack/dba]
"""


@dataclass(frozen=True)
class Ended:
    returncode: int
    stdout: str
    stderr: str


Rotakey = Callable[..., Ended]


@pytest.fixture
def rotakey(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rotakey:
    """Return a function that runs a command to its end; ``NAME=value`` is added to its environment."""

    def run(*arguments: str | Path, **environ: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["rotakey", *map(str, arguments)])
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        assert isinstance(code, int)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are found in /proc, which is not here")
def test_a_sandbox_ends_whole_goes_on_where_it_was_and_forgets_when_told_to(tmp_path: Path) -> None:
    data = tmp_path / "data"
    try:
        with sandbox("--file", OWN, "--data", data) as first:
            url = first.url
            first.does("command", me="U02ADA", channel="C0STOCK", text=ASK)
            until(lambda: first.members("stock keeper"), expected=["ada@acme.example"])
            until(lambda: any(each.startswith("You have *stock*") for each in first.messages("U02ADA")))
            assert first.ends(signal.SIGINT) == 0
        with sandbox("--file", OWN, "--data", data) as second:
            assert second.url == url
            assert second.members("stock keeper") == ["ada@acme.example"]
            assert [each["resource"] for each in second.sees("U02ADA")["leases"]] == ["stock"]
            assert any(each.startswith("You have *stock*") for each in second.messages("U02ADA"))
            assert refused("sandbox", "--data", data, "--fresh").startswith("another sandbox is running on")
            second.does("command", me="U02ADA", channel="C0STOCK", text="/access done")
            until(lambda: not second.members("stock keeper"))
            assert second.ends(signal.SIGKILL) == -signal.SIGKILL
        with sandbox("--file", OWN, "--data", data, "--fresh") as third:
            assert third.messages("U02ADA") == []
            assert third.sees("U02ADA")["leases"] == []
            assert third.ends(signal.SIGTERM) == 0
    finally:
        forget(data)


@pytest.mark.parametrize(("name", "missing"), [("workspace.json", "last_ts"), ("pager.json", "last_id")])
def test_a_sandbox_says_which_of_its_files_it_cannot_read(
    rotakey: Rotakey, tmp_path: Path, name: str, missing: str
) -> None:
    kept = tmp_path / name
    kept.write_text('{"version": 1}')
    ended = rotakey("sandbox", "--data", tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "Opening the Slack workspace and the pager ...\n")
    assert ended.stderr == (
        f"{kept} cannot be read: {missing}: Field required. Start with --fresh, which forgets all that"
        " happened in the sandbox, or name another directory with --data\n"
    )
    assert kept.read_text() == '{"version": 1}'
    assert not (tmp_path / "valkey").exists()


def test_a_file_with_mistakes_starts_nothing_and_all_of_them_are_told(
    rotakey: Rotakey, tmp_path: Path
) -> None:
    path = tmp_path / "access.yaml"
    path.write_text(MISTAKEN)
    for command in (("sandbox", "--data", tmp_path / "data", "--file"), ("check",)):
        ended = rotakey(*command, path)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert [each.split(": ")[0].rpartition(":")[2] for each in ended.stderr.splitlines()] == [
            *("2", "6", "7", "8")
        ]
    assert not (tmp_path / "data").exists()


def test_the_sandbox_lets_no_file_reach_a_real_database(rotakey: Rotakey, tmp_path: Path) -> None:
    path = tmp_path / "access.yaml"
    for url in (
        "postgresql://rotakey:s3cret@db.example.com/orders",
        "postgresql://rotakey:${SECRET}@db/orders",
        "postgresql://sandbox",
    ):
        path.write_text(POLICY.read_text("utf-8").replace("${ORDERS_DB_URL}", url))
        ended = rotakey("sandbox", "--data", tmp_path / "data", "--file", path)
        assert ended.returncode == 1
        assert "targets.orders-db.url: is a secret, and this file must not contain secrets" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_the_sandbox_has_one_target_of_each_kind(rotakey: Rotakey, tmp_path: Path) -> None:
    path = tmp_path / "access.yaml"
    another = '  bills-db: {kind: postgres, url: "${BILLS_DB_URL}"}\nresources:'
    path.write_text(POLICY.read_text("utf-8").replace("resources:", another, 1))
    ended = rotakey("sandbox", "--data", tmp_path / "data", "--file", path)
    said = (
        "the sandbox has one target of each kind, but orders-db, bills-db are all postgres; use a file with"
        " one of them"
    )
    assert (ended.returncode, ended.stderr) == (1, f"{path}: {said}\n")
    assert not (tmp_path / "data").exists()


def test_the_policy_to_check_may_come_from_the_environment(rotakey: Rotakey) -> None:
    checked = rotakey(
        "check", ACCESS_FILE=str(POLICY), ORDERS_DB_URL="postgresql://rotakey@db.example.com/orders"
    )
    assert checked.stdout == f"{POLICY}: no mistakes\n"


def test_a_good_file_is_said_to_be_good(rotakey: Rotakey) -> None:
    checked = rotakey("check", POLICY, ORDERS_DB_URL="postgresql://rotakey@db.example.com/orders")
    assert (checked.returncode, checked.stdout) == (0, f"{POLICY}: no mistakes\n")


def test_copies_without_an_anchor_are_warned_of(rotakey: Rotakey, tmp_path: Path) -> None:
    path = tmp_path / "access.yaml"
    without = yaml.safe_load(example(("postgres",)))
    del without["audit"]
    path.write_text(yaml.safe_dump(without), "utf-8")
    for file, warned in ((path, True), (POLICY, False)):
        checked = rotakey("check", file, REDIS_COPIES="1")
        assert (checked.returncode, checked.stdout) == (0, f"{file}: no mistakes\n")
        assert ("REDIS_COPIES is set, but audit: {anchor: {file: …}} is not" in checked.stderr) is warned
    for none in ("0", "²"):
        checked = rotakey("check", POLICY, REDIS_COPIES=none)
        assert (checked.returncode, "REDIS_COPIES" in checked.stderr) == (0, False)


def test_variables_that_are_not_set_here_are_mentioned_and_hide_no_mistake(
    rotakey: Rotakey, tmp_path: Path
) -> None:
    token = (
        "oncall.pagerduty.token: the variable PAGERDUTY_TOKEN is not set; set it in the environment:"
        " a read-only REST API key, from PagerDuty, Integrations, API Access Keys"
    )
    unset = "targets.orders-db.url: the variable ORDERS_DB_URL is not set; set it in the environment"
    checked = rotakey("check", POLICY)
    assert (checked.returncode, checked.stdout) == (0, f"{POLICY}: no mistakes\n")
    no_token, missing, *others, standbys = checked.stderr.splitlines()
    assert no_token.endswith(f"{token} (needed only where it runs)")
    assert missing.endswith(f"{unset} (needed only where it runs)")
    for name, said in zip(OTHER_VARIABLES, others, strict=True):
        assert f"the variable {name} is not set" in said
    assert "orders-db: warning: when access ends, sessions on standby servers stay open" in standbys
    assert rotakey("check", "--strict", POLICY).returncode == 1
    path = tmp_path / "access.yaml"
    path.write_text(POLICY.read_text("utf-8").replace("approvers:", "aprovers:"))
    mistaken = rotakey("check", path)
    assert (mistaken.returncode, mistaken.stdout) == (1, "")
    assert f"{unset} (needed only where it runs)\n" in mistaken.stderr
    assert mistaken.stderr.count("did you mean approvers?") == 5


def test_the_schema_is_json(rotakey: Rotakey) -> None:
    assert "resources" in json.loads(rotakey("schema").stdout)["properties"]


def test_misuse_is_told_from_what_is_wrong(rotakey: Rotakey) -> None:
    assert rotakey("chekc").returncode == 2
    missing = rotakey("check", "nowhere.yaml")
    assert (missing.returncode, missing.stderr) == (
        1,
        "nowhere.yaml: No such file or directory; set ACCESS_FILE to the path of access.yaml\n",
    )
