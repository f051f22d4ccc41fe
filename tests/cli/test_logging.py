"""What a process says is one line of JSON each, whoever says it, and no secret is in a traceback."""

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

COMMAND = """
from bot.cli import rotakey
try:
    rotakey.main(["schema"], standalone_mode=False)
finally:
    import structlog
    def connect(url):
        password = url
        raise ValueError("no answer")
    try:
        connect("postgresql://rotakey:" + "s3" + "cret@db/orders")
    except ValueError:
        structlog.get_logger().exception("unforeseen")
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


@pytest.mark.skipif(find_spec("rich") is None, reason="without rich nobody shows the values of variables")
def test_a_commands_traceback_shows_no_values() -> None:
    ran = said_by(COMMAND)
    assert "ValueError: no answer" in ran.stderr
    assert "s3cret" not in ran.stdout + ran.stderr
