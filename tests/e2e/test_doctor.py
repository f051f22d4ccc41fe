"""At three in the morning, one screen tells what is wrong and what to do."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
from click import unstyle
from click.testing import CliRunner, Result

from bot.cli import rotakey
from bot.cli.doctor import screen
from bot.ports.changes import Change
from bot.ports.documents import Key, Restore
from bot.testing.valkey import valkey, valkey_url
from bot.usecases.doctor.findings import Finding, Grade, look_at, not_known, ok, wrong
from bot.usecases.doctor.policy import APPLY
from bot.wiring import doctor as examination
from bot.wiring.doctor import Examination
from tests.e2e.deployment import ADA, Town, until

VARIABLES = ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN", "REDIS_URL", "PAGERDUTY_TOKEN")


@pytest.fixture(autouse=True)
def _nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in VARIABLES:
        monkeypatch.delenv(each, raising=False)


def doctor(town: Town, *options: str, **environ: str) -> Result:
    return CliRunner().invoke(rotakey, ["doctor", *options], env={**town.sandbox.environ, **environ})


def findings(environ: Mapping[str, str], *grades: Grade) -> list[Finding]:
    with Examination(environ) as it:
        found = it.findings()
    return [each for each in found if each.grade in (grades or (Grade.WRONG, Grade.NOT_KNOWN))]


def test_all_is_well(town: Town) -> None:
    until(lambda: not findings(town.sandbox.environ))
    result = doctor(town)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "WRONG" not in result.stdout
    assert "\x1b" not in result.stdout
    told = json.loads(doctor(town, "--json").stdout)
    assert told["good"] is True
    assert {each["about"] for each in told["findings"]} >= {
        *("redis", "worker", "access", "policy", "slack", "people", "on call", "target orders-db"),
    }
    for secret in (town.sandbox.secrets.bot_token, town.sandbox.secrets.pagerduty_token):
        assert secret not in result.stdout


def test_the_worker_is_dead_and_access_should_have_ended(town: Town) -> None:
    town.types(ADA, "request prod-db 1s because the doctor will look")
    grant = town.grant("the doctor will look").id
    town.sandbox.worker.kill()
    until(lambda: not town.live(grant))
    town.sandbox.redis.set("rotakey:{main}:beat", int((town.sandbox.watch.clock() - 60) * 1000))
    try:
        found = {each.about: each.what for each in findings(town.sandbox.environ)}
        assert found["worker"] == "no worker has asked for work for 1m: nobody is given or loses access"
        assert doctor(town).exit_code == 1
    finally:
        town.sandbox.worker.start()
        until(lambda: not findings(town.sandbox.environ))


def test_postgresql_is_down(town: Town) -> None:
    with town.crashed(town.sandbox.postgres):
        found = findings(town.sandbox.environ)
    [down] = [each for each in found if each.about == "target orders-db"]
    assert down.do == "until it answers, nobody is given or loses access there"
    assert down.what.startswith("orders-db: ")
    assert "password" not in down.what


def test_a_variable_leads_to_another_server_than_the_policy_in_force(town: Town) -> None:
    [name] = town.sandbox.policy.variables
    elsewhere = town.sandbox.environ[name].replace("127.0.0.1", "127.0.0.2").replace("localhost", "elsewhere")
    assert elsewhere != town.sandbox.environ[name]
    found = findings({**town.sandbox.environ, name: elsewhere})
    [other] = [each for each in found if each.about == "target orders-db"]
    assert other.what.startswith(
        "orders-db is at another address here than the policy in force has it, because"
    )
    assert name in other.what


def test_slack_and_the_pager_refuse_and_the_file_has_a_mistake(town: Town, tmp_path: Path) -> None:
    file = tmp_path / "access.yaml"
    file.write_text("resources: {}\n")
    broken = {**town.sandbox.environ, "SLACK_BOT_TOKEN": "xoxb-wrong", "PAGERDUTY_TOKEN": "wrong"}
    found = findings({**broken, "ACCESS_FILE": str(file)})
    assert {each.about for each in found} >= {"slack", "on call pagerduty", "on call forgetful", "policy"}
    said = " ".join(each.what for each in found)
    assert "Slack's auth.test answered invalid_auth: check SLACK_BOT_TOKEN" in said
    assert "check PAGERDUTY_TOKEN" in said
    assert f"{file}:1: resources: " in said


def test_the_policy_in_force_needs_what_is_not_set_here(town: Town) -> None:
    found = findings({**town.sandbox.environ, "ORDERS_DB_URL": ""})
    assert [each.about for each in found] == ["policy", "policy"]
    assert found[0].what.startswith("the policy in force cannot be followed with this environment: ")
    assert "the variable ORDERS_DB_URL is empty" in found[0].what


def test_everything_is_away(town: Town) -> None:
    nowhere = "http://127.0.0.1:9"
    found = findings(
        {
            **town.sandbox.environ,
            "REDIS_URL": "redis://127.0.0.1:9",
            "SLACK_API_URL": f"{nowhere}/api/",
            "PAGERDUTY_API_URL": nowhere,
            "ORDERS_DB_URL": "postgresql://rotakey@127.0.0.1:9/orders",
        }
    )
    assert {each.about for each in found if each.grade is Grade.WRONG} == {
        *("redis", "slack", "on call pagerduty", "on call forgetful", "target orders-db")
    }
    unknown = [each for each in found if each.grade is Grade.NOT_KNOWN and "Redis" in each.what]
    assert len(unknown) == 1, "one reason is told once"
    assert unknown[0].about.startswith("worker, records, sweep, access, ")


def test_nothing_answers_and_nobody_waits_for_ever(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "POLICY_WITHIN", 0.3)
    monkeypatch.setattr(examination, "ALL_WITHIN", 2.0)
    monkeypatch.setattr(examination, "SPARE", 1.5)
    with socket.create_server(("127.0.0.1", 0)) as silent, valkey() as server:
        server.pause()
        nowhere = f"127.0.0.1:{silent.getsockname()[1]}"
        found = findings(
            {
                **town.sandbox.environ,
                "REDIS_URL": server.url,
                "SLACK_API_URL": f"http://{nowhere}/api/",
                "PAGERDUTY_API_URL": f"http://{nowhere}",
                "ORDERS_DB_URL": f"postgresql://rotakey@{nowhere}/orders",
            }
        )
        server.go_on()
    assert {each.about: each.what for each in found if each.grade is Grade.WRONG} == {
        "redis": "Redis did not answer in time",
        "slack": "Slack's auth.test did not answer in time",
        "on call pagerduty": "pagerduty did not answer in time",
        "on call forgetful": "forgetful did not answer in time",
        "target orders-db": "orders-db did not answer in time",
    }


@pytest.mark.parametrize(
    ("options", "grade", "what"),
    [
        (["--appendonly", "no"], Grade.WRONG, "Redis keeps nothing on disk: "),
        (["--appendfsync", "everysec"], Grade.LOOK_AT, "appendfsync is everysec: "),
    ],
)
def test_a_redis_with_bad_settings(town: Town, options: list[str], grade: Grade, what: str) -> None:
    with valkey_url(*options) as url:
        found = findings({**town.sandbox.environ, "REDIS_URL": url}, Grade.WRONG, Grade.LOOK_AT)
    [bad] = [each for each in found if each.about == "redis"]
    assert (bad.grade, bad.what[: len(what)]) == (grade, what)
    assert wrong("policy", "no policy is in force", APPLY) in found


# ------------------------------------------------------------------------------------ after a restore


def test_a_restore_is_accepted_by_somebody_who_says_so(town: Town) -> None:
    assert doctor(town, "--accept-restore", "--yes").exit_code == 1, "there is none"
    lost = Restore(noticed_at=town.ledger.read().now, anchored="seal 12", found="seal 7", seal=3)
    town.ledger.commit(Change(put={Key.of(Restore): lost}))
    [told] = [each for each in findings(town.sandbox.environ) if each.about == "restore"]
    assert told.do.endswith("then rotakey doctor --accept-restore")
    assert doctor(town, "--accept-restore").exit_code == 1, "nobody said yes"
    assert town.ledger.read({Key.of(Restore)}).documents
    accepted = doctor(town, "--accept-restore", "--yes", "--by", "Bob", "--why", "an empty test")
    assert (accepted.exit_code, accepted.stdout) == (
        0,
        "accepted by Bob: it once had seal 12, and has seal 7\n",
    )
    assert not town.ledger.read({Key.of(Restore)}).documents
    [entry] = [each for each in town.entries() if each.what == "restore accepted"]
    assert (entry.by, entry.facts["why"]) == ("Bob", "an empty test")


def test_misuse(town: Town) -> None:
    assert doctor(town, "--yes").exit_code == 2
    assert doctor(town, "--twice").exit_code == 2


# ---------------------------------------------------------------------------------------- the screen


def test_a_screen() -> None:
    shown = list(
        screen(
            [
                wrong(
                    "worker",
                    "no worker has asked for work for 3h: nobody loses access",
                    "start one: now",
                ),
                not_known(
                    "worker, sweep, access, strays, policy, audit, on call, slack channels", "Redis is away"
                ),
                look_at("target orders-db", "has no lock of its own"),
                ok("redis", "Valkey 9.1.2 writes in 0.4 ms"),
            ],
            60,
        )
    )
    assert [unstyle(line) for line in shown] == [
        "WRONG",
        "  worker            no worker has asked for work for 3h:",
        "                    nobody loses access",
        "                    → start one: now",
        "",
        "NOT KNOWN",
        "  worker, sweep, access, strays, policy, audit, on call,",
        "  slack channels",
        "                    Redis is away",
        "",
        "LOOK AT",
        "  target orders-db  has no lock of its own",
        "",
        "OK",
        "  redis             Valkey 9.1.2 writes in 0.4 ms",
        "",
        "1 wrong, 1 not known, 1 look at, 1 ok",
    ]
