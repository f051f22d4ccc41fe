"""A starting process logs what may be wrong, and refuses settings that cannot work."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

POLICY = """
people: {email_domains: [example.com]}
targets:
  orders-db: {kind: postgres, url: '${ORDERS_DB_URL}'}
  billing-db: {kind: postgres, url: '${BILLING_DB_URL}'}
resources:
  prod-db:
    {title: Orders, gives: [{target: orders-db, role: rw}], approvers: [U02BOB], duration: {max: 12h}}
"""


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    """Return an environment in which no Redis can be reached."""
    file = tmp_path / "access.yaml"
    file.write_text(POLICY, "utf-8")
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    ours = {"SLACK_BOT_TOKEN": "xoxb-none", "REDIS_URL": f"unix://{tmp_path}/none", "ACCESS_FILE": str(file)}
    urls = {"ORDERS_DB_URL": "postgresql://nowhere", "BILLING_DB_URL": "postgresql://elsewhere"}
    return {**inherited, **ours, **urls}


@contextmanager
def started(environ: Mapping[str, str], name: str = "worker") -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bot", name]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as worker:
        try:
            yield worker
        finally:
            worker.kill()


def test_a_worker_that_is_stopped_while_it_waits_for_redis_does_not_say_that_it_works(
    environ: Mapping[str, str],
) -> None:
    with started(environ) as worker:
        assert worker.stdout
        said = [next(line for line in worker.stdout if "waiting for redis" in line)]
        worker.send_signal(signal.SIGTERM)
        said += worker.stdout
        assert worker.wait(10) == 0
    assert not [line for line in said if "working" in line]


def test_what_may_be_wrong_with_the_policy_is_logged_at_the_start_and_stops_nothing(
    environ: Mapping[str, str],
) -> None:
    pattern = "approvers: [U02BOB], reason: {pattern: '(a|aa)+$'}"
    file = Path(environ["ACCESS_FILE"])
    file.write_text(POLICY.replace("approvers: [U02BOB]", pattern), "utf-8")
    with started(environ) as worker:
        assert worker.stdout
        said = []
        for line in worker.stdout:
            said.append(line)
            if "waiting for redis" in line:
                break
        worker.kill()
    warned = [json.loads(line)["warning"] for line in said if '"event": "access.yaml"' in line]
    assert f"{file}:8: resources.prod-db.reason.pattern: warning: takes longer than 0.5 s" in "".join(warned)
    assert any("security: warning: has no channel" in each for each in warned)


def test_too_few_threads_for_its_targets_are_refused_at_the_start(environ: Mapping[str, str]) -> None:
    with started({**environ, "WORKER_THREADS": "5"}) as worker:
        said, _ = worker.communicate(timeout=30)
        assert worker.returncode != 0
    assert "WORKER_THREADS: 5 is too few; set at least 6: one for each target (2)" in said


# ---------------------------------------------------------------------------- what each process needs

OF_TARGETS = ("ORDERS_DB_URL", "BILLING_DB_URL")


def test_a_web_process_starts_with_what_slack_and_redis_need_alone(environ: Mapping[str, str]) -> None:
    """Without a Redis, it gets as far as waiting for one."""
    few = {name: value for name, value in environ.items() if name not in OF_TARGETS}
    secret = {"SLACK_SIGNING_SECRET": "tell-nobody-0123456789abcdef", "SECRET_KEY": "k" * 32, "PORT": "0"}
    with started({**few, **secret}, "web") as web:
        assert web.stdout
        assert next(line for line in web.stdout if "waiting for redis" in line)


def test_a_worker_misses_the_targets_and_no_signing_secret(environ: Mapping[str, str]) -> None:
    few = {name: value for name, value in environ.items() if name not in OF_TARGETS}
    with started(few) as worker:
        said, _ = worker.communicate(timeout=60)
        assert worker.returncode == 1
    for name in OF_TARGETS:
        assert f"the variable {name} is not set" in said
    assert "SLACK_SIGNING_SECRET" not in said


# ------------------------------------------------------------------------------------------ its port


@pytest.mark.parametrize(("name", "variable"), [("web", "PORT"), ("worker", "WORKER_PORT")])
def test_a_port_that_is_taken_is_said_in_one_line(
    environ: Mapping[str, str], name: str, variable: str
) -> None:
    secret = {"SLACK_SIGNING_SECRET": "tell-nobody-0123456789abcdef", "SECRET_KEY": "k" * 32}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with started({**environ, **secret, variable: port}, name) as process:
            said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.splitlines()[-1] == (
        f"{variable}={port}: cannot listen on 127.0.0.1: Address already in use; stop the process that"
        f" listens there, or choose another {variable} or --host"
    )
    assert "Traceback" not in said
