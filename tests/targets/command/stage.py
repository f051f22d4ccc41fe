"""A program for the contract suite: it asks a system with memory, over a socket, and prints its answer."""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.doubles.webhook import Members
from bot.doubles.webhook.memory import Refusal
from bot.ports.target import Target
from bot.targets.command.target import Command
from tests.targets.webhook.stage import WebhookStage, peopled

PROGRAM = """\
#!{python}
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as there:
    there.sendall(sys.stdin.buffer.read())
    there.shutdown(socket.SHUT_WR)
    with there.makefile("rb") as answers:
        code, answer = answers.read().split(b" ", 1)
sys.stdout.buffer.write(answer)
sys.exit(int(code))
"""


class _Clerk(socketserver.ThreadingTCPServer):
    """Answers ``exit-code answer`` to a message."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, members: Members) -> None:
        self.members = members
        super().__init__(("127.0.0.1", 0), _Answering)

    def answer(self, message: bytes) -> tuple[int, object]:
        faults, asked = self.members.faults, json.loads(message)
        if faults.slow:
            self.members.hurry.wait(faults.slow)
        if faults.down:
            return 75, {"error": "down"}
        try:
            answer = self.members.do(asked)
        except Refusal as refusal:
            return 69 if refusal.status == 501 else 1, {"error": refusal.error}
        return (75, {}) if asked["verb"] in faults.loses else (0, answer)


class _Answering(socketserver.StreamRequestHandler):
    server: _Clerk

    def handle(self) -> None:
        code, answer = self.server.answer(self.rfile.read())
        self.wfile.write(f"{code} ".encode() + json.dumps(answer).encode())


def write_program(folder: Path, name: str, text: str) -> None:
    program = folder / name
    program.write_text(text, "utf-8")
    program.chmod(0o700)


class CommandStage(WebhookStage):
    secret = "open sesame"

    def __init__(self, members: Members, folder: Path, port: int, name: str) -> None:
        super().__init__(members, "http://127.0.0.1:1/")
        self._folder = folder
        self._run = ("grant-access", str(port), self.secret)
        self.target: Target = Command(name, self._run, str(folder))

    def refusing(self) -> Target:
        (self._folder / "grant-access").chmod(0o600)
        return self.target


@contextmanager
def on_members(members: Members, name: str = "orders-db") -> Iterator[CommandStage]:
    with TemporaryDirectory() as folder, _Clerk(members) as clerk:
        threading.Thread(target=clerk.serve_forever, args=(0.02,), daemon=True).start()
        write_program(Path(folder), "grant-access", PROGRAM.format(python=sys.executable))
        try:
            yield CommandStage(members, Path(folder), clerk.server_address[1], name)
        finally:
            members.hurry.set()
            clerk.shutdown()


@contextmanager
def on_a_program(keeps_end: bool) -> Iterator[CommandStage]:
    members = peopled()
    members.keeps_end = keeps_end
    with on_members(members) as stage:
        yield stage
