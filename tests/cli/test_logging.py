"""Every log line of a process is one line of JSON, and no traceback contains a secret."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

LIBRARIES = """
import logging, threading, warnings
from bot.cli.settings import log_as_json
log_as_json()
import structlog
structlog.get_logger("ours").info("working", shift="S1")
logging.getLogger("slack_sdk.web.base_client").warning("retrying %s", "chat.postMessage")
logging.getLogger("slack_sdk.socket_mode").info("of no interest")
warnings.warn("an old way", stacklevel=1)
try:
    raise ValueError("line one\\nline two")
except ValueError:
    logging.getLogger("slack_bolt.App").exception("failed")
    structlog.get_logger("ours").exception("unforeseen")
"""

FAILING = """
import logging, structlog
def connect(url):
    password = url
    raise ValueError("no answer")
try:
    connect("postgresql://rotakey:" + "s3" + "cret@db/orders")
except ValueError:
    structlog.get_logger("ours").exception("unforeseen")
    logging.getLogger("psycopg.pool").exception("failed")
"""
COMMAND = """
from bot.cli import rotakey
rotakey.main(["schema"], standalone_mode=False)
import logging, structlog
structlog.get_logger("ours").warning("of no interest")
logging.getLogger("slack_sdk.web.base_client").warning("of no interest")
"""


def said_by(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_every_line_is_json_also_those_of_libraries() -> None:
    ran = said_by(LIBRARIES)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [(each["event"], each["level"], each.get("logger")) for each in lines if each.get("shift")] == [
        ("working", "info", None)
    ]
    by_logger = {each.get("logger"): each for each in lines}
    assert by_logger["slack_sdk.web.base_client"]["event"] == "retrying chat.postMessage"
    assert by_logger["slack_sdk.web.base_client"]["level"] == "warning"
    assert "an old way" in by_logger["py.warnings"]["event"]
    assert by_logger["slack_bolt.App"]["exception"].endswith("line two")
    assert "slack_sdk.socket_mode" not in by_logger
    assert all("timestamp" in each for each in lines)
    assert len(lines) == 5
    assert ran.stderr == ""


WITHOUT_RICH = pytest.mark.skipif(
    find_spec("rich") is None, reason="without rich nobody shows the values of variables"
)


@WITHOUT_RICH
def test_a_processs_traceback_shows_no_values() -> None:
    ran = said_by("from bot.cli.settings import log_as_json\nlog_as_json()" + FAILING)
    ours, theirs = (json.loads(line) for line in ran.stdout.splitlines())
    assert (ours["event"], theirs["event"], theirs["logger"]) == ("unforeseen", "failed", "psycopg.pool")
    for each in ours, theirs:
        assert each["level"] == "error"
        assert each["exception"].endswith("ValueError: no answer")
        assert "in connect" in each["exception"]
    assert "s3cret" not in ran.stdout + ran.stderr


@WITHOUT_RICH
def test_a_commands_traceback_shows_no_values() -> None:
    ran = said_by(COMMAND + FAILING)
    assert ran.stderr.count("ValueError: no answer") == 2
    assert "s3cret" not in ran.stdout + ran.stderr


def test_a_command_prints_nothing_but_its_result_and_errors() -> None:
    ran = said_by(COMMAND)
    assert json.loads(ran.stdout)["title"]
    assert ran.stderr == ""
