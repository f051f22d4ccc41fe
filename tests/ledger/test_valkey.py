"""Nothing is left behind of the servers that the tests start."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NotThere

from bot.testing.valkey import valkey, valkey_url

RUN = """
import time
from bot.testing.valkey import valkey_url
with valkey_url() as url:
    print(url, flush=True)
    time.sleep(60)
"""


def test_it_answers_while_it_is_wanted_and_leaves_no_folder() -> None:
    with valkey_url() as url:
        assert answers(url)
        assert Path(url.removeprefix("unix://")).exists()
    assert not answers(url)
    assert not Path(url.removeprefix("unix://")).parent.exists()


def test_options_that_it_does_not_know_are_told() -> None:
    with pytest.raises(RuntimeError, match="did not start"), valkey("--no-such-option", "1"):
        pass


@pytest.mark.skipif(
    shutil.which("setpriv") is None, reason="this system has no setpriv to set a death signal"
)
def test_it_ends_with_a_test_run_that_is_killed() -> None:
    run = subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    with run.stdout:
        url = run.stdout.readline().strip()
        assert answers(url)
        run.send_signal(signal.SIGKILL)
        run.wait()
    until = time.monotonic() + 5
    while answers(url) and time.monotonic() < until:
        time.sleep(0.01)
    assert not answers(url)
    shutil.rmtree(Path(url.removeprefix("unix://")).parent)


def answers(url: str) -> bool:
    try:
        with Redis.from_url(url, retry=None) as client:
            return bool(client.ping())
    except NotThere:
        return False
