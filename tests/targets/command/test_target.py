"""Programs that are slow, die, chatter, fork or say something else are never believed, and leave nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from bot.core.catalog import Entitlement
from bot.core.errors import PermanentFailure, TemporaryFailure, Unsupported
from bot.core.holds import Hold, Presence
from bot.ports.deadline import Deadline
from bot.targets.command.target import Command
from bot.testing.polling import until
from tests.targets.command.stage import write_program

HOLD = Hold(
    target="script", account="ada", entitlement=Entitlement(target="script", what=(("role", "admin"),))
)

ANSWERS = """\
import json, sys
asked = json.load(sys.stdin)
answer = {name: asked[name] for name in ("version", "id", "verb")}
answer |= {"hold": asked["hold"]["key"], "answered_at": asked["sent_at"], "presence": "none"}
"""
"""The beginning of a program that answers."""


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Command]:
    """Write a program, and return the target that runs it."""

    def write(text: str, *, honest: bool = True) -> Command:
        write_program(tmp_path, "grant-access", f"#!{sys.executable}\n{ANSWERS if honest else ''}{text}\n")
        return Command("script", ("grant-access",), str(tmp_path))

    return write


Program = Callable[..., Command]


def soon(seconds: float = 5) -> Deadline:
    return Deadline.after(seconds)


def failure_of(target: Command, seconds: float = 5) -> str:
    with pytest.raises((PermanentFailure, TemporaryFailure)) as raised:
        target.has(HOLD, [], soon(seconds))
    return f"{type(raised.value).__name__} {raised.value}"


def is_running(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_program_is_asked_and_answers(program: Program) -> None:
    target = program("print(json.dumps(answer))")
    assert target.has(HOLD, [], soon()).presence is Presence.NONE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "TemporaryFailure script (has): "),
        ("print('granted!')", "TemporaryFailure script (has): its answer: Invalid JSON"),
        ("print(json.dumps(answer | {'id': 'old'}))", "another id than the request"),
        ("print(json.dumps(answer | {'hold': 'x'}))", "another hold than the request"),
        ("print(json.dumps(answer)); sys.exit(75)", "TemporaryFailure script (has): the program says"),
        ("print(json.dumps({'error': 'no team\\n core'})); sys.exit(1)", "exit code 1: no team core"),
        ("print('lost', file=sys.stderr); print(file=sys.stderr); sys.exit(3)", "exit code 3: lost"),
        ("sys.exit(2)", "PermanentFailure script (has): the program failed with exit code 2"),
        ("raise KeyError('role')", "exit code 1: KeyError: 'role'"),
        ("print(json.dumps({'error': 7})); sys.exit(1)", "exit code 1"),
        ("print('x' * 100_000, file=sys.stderr); sys.exit(1)", "exit code 1: xxx"),
        ("sys.exit(69)", "PermanentFailure script does not support has: it must; see docs/webhook.md"),
        ("import os; os.kill(os.getpid(), 9)", "TemporaryFailure script (has): the program was ended by"),
    ],
)
def test_any_other_end_is_a_failure(program: Program, text: str, said: str) -> None:
    told = failure_of(program(text), 1.5)
    assert said in told
    assert len(told) < 500


def test_a_slow_program_is_ended_at_the_deadline_with_all_it_started(
    program: Program, tmp_path: Path
) -> None:
    target = program(
        "import os, subprocess, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open('pids', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "time.sleep(600)"
    )
    began = time.monotonic()
    assert "did not answer in time" in failure_of(target, 2)
    assert time.monotonic() - began < 10

    pids = [int(each) for each in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    until(lambda: not any(map(is_running, pids)), seconds=5)


def test_what_a_program_leaves_running_holds_nobody_up_and_is_ended(program: Program, tmp_path: Path) -> None:
    """Its child has inherited the output, which therefore never ends."""
    target = program(
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open('pids', 'w').write(str(child.pid))\n"
        "print(json.dumps(answer))"
    )
    began = time.monotonic()
    assert target.has(HOLD, [], soon(30)).presence is Presence.NONE
    assert time.monotonic() - began < 20
    pid = int((tmp_path / "pids").read_text())
    until(lambda: not is_running(pid), seconds=5)


def test_a_program_that_ignores_signals_is_ended_all_the_same(program: Program) -> None:
    target = program("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)")
    assert "did not answer in time" in failure_of(target, 1)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_program_that_chatters_is_stopped(program: Program, stream: str) -> None:
    target = program(f"while True: sys.{stream}.write('x' * 65536)")
    assert "PermanentFailure script (has): the program writes more than 1048576 bytes" in failure_of(
        target, 20
    )


def test_a_program_that_does_not_read_its_input_blocks_nothing(program: Program) -> None:
    big = replace(HOLD, entitlement=replace(HOLD.entitlement, what=(("role", "r" * 1_000_000),)))
    target = program("import time; time.sleep(600)", honest=False)
    with pytest.raises(TemporaryFailure, match="in time"):
        target.has(big, [], soon(1))


def test_its_environment_is_clean(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLACK_BOT_TOKEN", "SECRET_KEY", "REDIS_URL", "LD_PRELOAD_OF_MINE"):
        monkeypatch.setenv(name, "sesame")
    target = program(
        "import os\n"
        "print(json.dumps({'error': ' '.join(sorted(set(os.environ) - {'LC_CTYPE'}))})); sys.exit(1)"
    )
    names = failure_of(target).rpartition(": ")[2].split()
    assert set(names) <= {"HOME", "LANG", "PATH"}
    assert "PATH" in names


def test_no_shell_sees_the_arguments(tmp_path: Path) -> None:
    write_program(tmp_path, "grant-access", f"#!{sys.executable}\nimport sys; sys.exit(repr(sys.argv[1:]))")
    target = Command("script", ("grant-access", "$(touch made)", "; true"), str(tmp_path))
    assert "['$(touch made)', '; true']" in failure_of(target)
    assert [each.name for each in tmp_path.iterdir()] == ["grant-access"]


def test_it_runs_in_its_folder_and_without_our_files_open(program: Program, tmp_path: Path) -> None:
    target = program(
        "import os\n"
        "open_files = [n for n in os.listdir('/dev/fd') if int(n) > 2 and os.path.exists(f'/dev/fd/{n}')]\n"
        "print(json.dumps({'error': os.getcwd() + ' ' + str(len(open_files))})); sys.exit(1)"
    )
    folder, _, others = failure_of(target).rpartition(": ")[2].partition(" ")
    assert folder == str(tmp_path)
    assert others == "0"


@pytest.mark.parametrize("which", ["program", "folder"])
def test_what_anybody_may_write_to_is_not_run(program: Program, tmp_path: Path, which: str) -> None:
    target = program("print(json.dumps(answer))")
    open_to_all = tmp_path / "grant-access" if which == "program" else tmp_path
    open_to_all.chmod(0o777)
    assert f"everybody may write to {open_to_all}" in failure_of(target)
    open_to_all.chmod(0o700)
    assert target.has(HOLD, [], soon()).gone


def test_a_program_that_cannot_be_run_is_named(program: Program, tmp_path: Path) -> None:
    target = program("print(json.dumps(answer))")
    (tmp_path / "grant-access").chmod(0o600)
    assert f"make it one with chmod +x {tmp_path}/grant-access" in failure_of(target)
    (tmp_path / "grant-access").unlink()
    assert "cannot be read: No such file or directory" in failure_of(target)
    assert "COMMAND_DIR is not set" in failure_of(Command("script", ("grant-access",), ""))
    write_program(tmp_path, "grant-access", "#!/no/such/interpreter\n")
    assert "grant-access cannot be started: No such file or directory; see docs/command.md" in failure_of(
        target
    )


def test_nothing_is_started_too_late(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    target = program("print(json.dumps(answer))")
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **_: started.append(args))
    assert "in time" in failure_of(target, 0)
    assert started == []


def test_what_is_not_supported_is_done_without(program: Program) -> None:
    target = program(
        "if asked['verb'] in ('prepare', 'holders', 'ready'): sys.exit(69)\nprint(json.dumps(answer))"
    )
    assert target.prepare(HOLD, soon()).facts.keys() == {"key"}
    target.ready(HOLD, soon())
    with pytest.raises(Unsupported, match="script does not support holders"):
        target.holders(HOLD.entitlement, soon())


def test_another_program_is_another_system(tmp_path: Path) -> None:
    write_program(tmp_path, "one", f"#!{sys.executable}\n{ANSWERS}print(json.dumps(answer))\n")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    one, two, third = (
        Command("script", run, str(tmp_path)) for run in (("one",), ("two",), ("one", "--staging"))
    )
    receipt = one.prepare(HOLD, soon())
    assert one.has(HOLD, [receipt], soon()).gone
    for other in (two, third):
        assert other.has(HOLD, [receipt], soon()).presence is Presence.ELSEWHERE


def test_a_worker_that_is_interrupted_leaves_no_program(program: Program, tmp_path: Path) -> None:
    target = program("import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1.5)
        with pytest.raises(KeyboardInterrupt):
            target.has(HOLD, [], soon(20))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not is_running(pid), seconds=5)


def test_the_message_is_the_same_as_an_endpoints(program: Program) -> None:
    target = program("print(json.dumps({'error': json.dumps(sorted(asked))})); sys.exit(1)")
    keys = json.loads(failure_of(target).partition("exit code 1: ")[2])
    assert keys == [
        *("hold", "id", "idempotency_key", "not_after", "receipts", "sent_at", "until", "verb", "version")
    ]
