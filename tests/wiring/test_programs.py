"""A policy in Redis that anybody could have written runs no program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bot import config
from bot.core.catalog import Entitlement
from bot.core.errors import Misconfigured, PermanentFailure
from bot.core.holds import Hold
from bot.core.reasons import Why
from bot.kinds import table
from bot.ports.deadline import Deadline
from bot.wiring import adapters, components
from tests.targets.command.stage import write_program
from tests.wiring.scene import KEY, Scene

TEXT = """\
people: {email_domains: [example.com]}
targets:
  script: {kind: command, run: [grant-access]}
resources:
  prod-db: {title: Production, gives: [{target: script, role: admin}], approvers: [U03BOB]}
audit: {anchor: {file: /var/lib/rotakey/anchor}}
"""
HOLD = Hold(
    target="script", account="ada", entitlement=Entitlement(target="script", what=(("role", "admin"),))
)


@pytest.fixture
def environ(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    monkeypatch.setattr(adapters, "build_target", table.build_target)  # as it is without a scene
    write_program(tmp_path, "grant-access", "#!/bin/sh\necho ran >> ran; exit 75\n")
    return {"COMMAND_DIR": str(tmp_path)}


def try_it(target: object) -> None:
    with pytest.raises(Exception, match="the program says to try later"):
        target.has(HOLD, [], Deadline.after(1))  # type: ignore[attr-defined]


def ran(environ: Mapping[str, str]) -> bool:
    return (Path(environ["COMMAND_DIR"]) / "ran").exists()


def test_a_signed_policy_runs_its_program(scene: Scene, environ: Mapping[str, str]) -> None:
    worker = scene.started(TEXT, SECRET_KEY=KEY, **environ)
    worker.context.catalog()
    try_it(worker.adapters.target("script"))
    assert ran(environ)


def test_without_a_key_no_program_is_run(scene: Scene, environ: Mapping[str, str]) -> None:
    worker = scene.started(TEXT, **environ)
    worker.context.catalog()
    with pytest.raises(PermanentFailure, match="so the policy in Redis has to be signed: set SECRET_KEY"):
        worker.adapters.target("script")
    assert not ran(environ)


def test_no_process_starts_without_a_key(environ: Mapping[str, str]) -> None:
    given = {**environ, "SLACK_BOT_TOKEN": "xoxb-1", "REDIS_URL": "redis://127.0.0.1:1"}
    policy = config.load(TEXT, environ=given)
    with pytest.raises(Misconfigured, match="set SECRET_KEY in all processes; make one with openssl rand"):
        components.components(config.Environment.read(given), policy, given)


def test_a_program_that_somebody_wrote_into_redis_is_not_run(
    scene: Scene, environ: Mapping[str, str]
) -> None:
    worker = scene.started(TEXT, SECRET_KEY=KEY, **environ)
    write_program(Path(environ["COMMAND_DIR"]), "other", "#!/bin/sh\necho ran >> ran; exit 75\n")
    scene.forge(TEXT.replace("grant-access", "other"))
    closed = worker.context.catalog().closed
    assert closed
    assert closed.why is Why.POLICY_CHANGED
    with pytest.raises(Exception, match="cannot follow the policy in force"):
        worker.adapters.target("script").prepare(HOLD, Deadline.after(1))
    assert not ran(environ)
