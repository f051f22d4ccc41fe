"""``rotakey doctor`` shows on one screen what is wrong and what to do."""

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
from bot.testing.polling import until
from bot.testing.valkey import valkey, valkey_url
from bot.usecases.doctor.findings import Finding, Grade, look_at, not_known, ok, wrong
from bot.usecases.doctor.policy import APPLY
from bot.wiring import doctor as examination
from bot.wiring.doctor import Examination
from tests.e2e.rig import ADA, Rig

VARIABLES = ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_APP_TOKEN", "REDIS_URL", "PAGERDUTY_TOKEN")


@pytest.fixture(autouse=True)
def _nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in VARIABLES:
        monkeypatch.delenv(each, raising=False)


def doctor(rig: Rig, *options: str, **environ: str) -> Result:
    return CliRunner().invoke(rotakey, ["doctor", *options], env={**rig.sandbox.environ, **environ})


def findings(environ: Mapping[str, str], *grades: Grade) -> list[Finding]:
    with Examination(environ) as it:
        found = it.findings()
    return [each for each in found if each.grade in (grades or (Grade.WRONG, Grade.NOT_KNOWN))]


def test_all_is_well(rig: Rig) -> None:
    until(lambda: not findings(rig.sandbox.environ))
    result = doctor(rig)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "WRONG" not in result.stdout
    assert "\x1b" not in result.stdout
    told = json.loads(doctor(rig, "--json").stdout)
    assert told["good"] is True
    assert {each["about"] for each in told["findings"]} >= {
        *("redis", "worker", "access", "policy", "slack", "people", "on call", "target orders-db"),
    }
    for secret in (rig.sandbox.secrets.bot_token, rig.sandbox.secrets.pagerduty_token):
        assert secret not in result.stdout


def test_the_worker_is_dead_and_access_should_have_ended(rig: Rig) -> None:
    rig.types(ADA, "request prod-db 1s because the doctor will look")
    grant = rig.grant("the doctor will look").id
    rig.sandbox.worker.kill()
    until(lambda: not rig.live(grant))
    rig.sandbox.redis.set("rotakey:{main}:beat", int((rig.sandbox.observer.clock() - 60) * 1000))
    try:
        found = {each.about: each.what for each in findings(rig.sandbox.environ)}
        assert found["worker"] == "no worker has asked for work for 1m, so nobody gets or loses access"
        assert doctor(rig).exit_code == 1
    finally:
        rig.sandbox.worker.start()
        until(lambda: not findings(rig.sandbox.environ))


def test_postgresql_is_down(rig: Rig) -> None:
    with rig.crashed(rig.orders.server):
        found = findings(rig.sandbox.environ)
    [down] = [each for each in found if each.about == "target orders-db"]
    assert down.do == "until it answers, nobody gets or loses access there"
    assert down.what.startswith("orders-db: ")
    assert "password" not in down.what


def test_a_variable_leads_to_another_server_than_the_policy_in_force(rig: Rig) -> None:
    [name] = rig.sandbox.policy.variables
    elsewhere = rig.sandbox.environ[name].replace("127.0.0.1", "127.0.0.2").replace("localhost", "elsewhere")
    assert elsewhere != rig.sandbox.environ[name]
    found = findings({**rig.sandbox.environ, name: elsewhere})
    [other] = [each for each in found if each.about == "target orders-db"]
    assert other.what.startswith(
        "orders-db has a different address here than in the policy in force, because of "
    )
    assert name in other.what


def test_slack_and_the_pager_refuse_and_the_file_has_a_mistake(rig: Rig, tmp_path: Path) -> None:
    file = tmp_path / "access.yaml"
    file.write_text("resources: {}\n")
    broken = {**rig.sandbox.environ, "SLACK_BOT_TOKEN": "xoxb-wrong", "PAGERDUTY_TOKEN": "wrong"}
    found = findings({**broken, "ACCESS_FILE": str(file)})
    assert {each.about for each in found} >= {"slack", "on call pagerduty", "on call forgetful", "policy"}
    said = " ".join(each.what for each in found)
    assert "Slack's auth.test answered invalid_auth: check SLACK_BOT_TOKEN" in said
    assert "check PAGERDUTY_TOKEN" in said
    assert f"{file}:1: resources: " in said


def test_the_policy_in_force_needs_what_is_not_set_here(rig: Rig) -> None:
    found = findings({**rig.sandbox.environ, "ORDERS_DB_URL": ""})
    assert [each.about for each in found] == ["policy", "policy"]
    assert found[0].what.startswith("this environment cannot follow the policy in force: ")
    assert "the variable ORDERS_DB_URL is empty" in found[0].what


def test_everything_is_away(rig: Rig) -> None:
    nowhere = "http://127.0.0.1:9"
    found = findings(
        {
            **rig.sandbox.environ,
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


def test_nothing_answers_and_nobody_waits_for_ever(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "POLICY_WITHIN", 0.3)
    monkeypatch.setattr(examination, "ALL_WITHIN", 2.0)
    monkeypatch.setattr(examination, "SPARE", 1.5)
    with socket.create_server(("127.0.0.1", 0)) as silent, valkey() as server:
        server.pause()
        nowhere = f"127.0.0.1:{silent.getsockname()[1]}"
        found = findings(
            {
                **rig.sandbox.environ,
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
def test_a_redis_with_bad_settings(rig: Rig, options: list[str], grade: Grade, what: str) -> None:
    with valkey_url(*options) as url:
        found = findings({**rig.sandbox.environ, "REDIS_URL": url}, Grade.WRONG, Grade.LOOK_AT)
    [bad] = [each for each in found if each.about == "redis"]
    assert (bad.grade, bad.what[: len(what)]) == (grade, what)
    assert wrong("policy", "no policy is in force", APPLY) in found


# ------------------------------------------------------------------------------------ after a restore


def test_a_restore_is_accepted_by_somebody_who_says_so(rig: Rig) -> None:
    assert doctor(rig, "--accept-restore", "--yes").exit_code == 1, "there is none"
    lost = Restore(noticed_at=rig.ledger.read().now, anchored="seal 12", found="seal 7", seal=3)
    rig.ledger.commit(Change(put={Key.of(Restore): lost}))
    [told] = [each for each in findings(rig.sandbox.environ) if each.about == "restore"]
    assert told.do.endswith("then run rotakey doctor --accept-restore")
    assert doctor(rig, "--accept-restore").exit_code == 1, "nobody said yes"
    assert rig.ledger.read({Key.of(Restore)}).documents
    accepted = doctor(rig, "--accept-restore", "--yes", "--by", "Bob", "--why", "an empty test")
    assert (accepted.exit_code, accepted.stdout) == (
        0,
        "accepted by Bob: it once had seal 12, and now has seal 7\n",
    )
    assert not rig.ledger.read({Key.of(Restore)}).documents
    [entry] = [each for each in rig.entries() if each.what == "restore accepted"]
    assert (entry.by, entry.facts["why"]) == ("Bob", "an empty test")


def test_misuse(rig: Rig) -> None:
    assert doctor(rig, "--yes").exit_code == 2
    assert doctor(rig, "--twice").exit_code == 2


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
                look_at("target orders-db", "cannot end access by itself"),
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
        "  target orders-db  cannot end access by itself",
        "",
        "OK",
        "  redis             Valkey 9.1.2 writes in 0.4 ms",
        "",
        "1 wrong, 1 not known, 1 look at, 1 ok",
    ]
