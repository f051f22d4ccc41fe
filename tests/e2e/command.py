"""A command of ours as a separate process, and what it leaves behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from bot.sandbox.stack.bot_process import ROOT
from bot.testing.polling import until

Json = dict[str, Any]


def refused(*arguments: str | Path) -> str:
    """Return what a command that exits with code 1 says."""
    command = [sys.executable, "-m", "bot", *map(str, arguments)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr


class Running:
    """``rotakey sandbox``, with its page answering."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        for line in process.stdout or ():
            self.said.append(line)
            if found := re.search(r"Open (http://\S+)", line):
                self.url = found[1]
                break
        assert hasattr(self, "url"), "".join(self.said)
        self.started = descendants(process.pid)

    def ends(self, by: signal.Signals) -> int:
        """Return its exit code, once nothing that it started is left."""
        self.started |= descendants(self.process.pid)
        self.process.send_signal(by)
        code = self.process.wait(30)
        until(lambda: not self.started & running())
        return code

    def sees(self, who: str) -> Json:
        with urlopen(f"{self.url}/sandbox/state?me={who}", timeout=10) as answer:
            state: Json = json.load(answer)
        return state

    def does(self, gesture: str, **body: Any) -> None:
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self.url}/sandbox/{gesture}", json.dumps(body).encode(), headers)
        with urlopen(request, timeout=10) as answer:
            assert json.load(answer) == {"ok": True}

    def members(self, role: str) -> list[str]:
        """Return who has the role at any target."""
        found = (one for target in self.sees("U02ADA")["targets"] for one in target["roles"])
        return [each["account"] for one in found if one["role"] == role for each in one["members"]]

    def messages(self, who: str) -> list[str]:
        """Return what the bot said where ``who`` can read it."""
        state = self.sees(who)
        said = (each for channel in state["channels"] for each in channel["messages"])
        return [each["text"] for each in said if each["user"] == state["bot"]["id"]]


@contextmanager
def sandbox(*arguments: str | Path) -> Iterator[Running]:
    command = [sys.executable, "-m", "bot", "sandbox", *map(str, arguments)]
    # a shell has its background jobs ignore it, and what they start inherits that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield Running(process)
        finally:
            process.terminate()


Process = tuple[int, str]
"""Its pid, and when it started: pids are used again."""


def descendants(parent: int) -> set[Process]:
    """Return all processes that it started, and those that they started."""
    parents = {each: its for each, its, _ in processes()}
    found, new = set[Process](), {parent}
    while new:
        children = {each for each, its in parents.items() if its in new}
        found, new = found | children, {pid for pid, _ in children}
    return found


def running() -> set[Process]:
    return {each for each, _, state in processes() if state != "Z"}


def processes() -> Iterator[tuple[Process, int, str]]:
    """Yield all processes, each with its parent and its state."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = path.read_text()
        except OSError:  # it has just ended
            continue
        state, parent, *rest = stat.rpartition(")")[2].split()
        yield (int(path.parent.name), rest[17]), int(parent), state
