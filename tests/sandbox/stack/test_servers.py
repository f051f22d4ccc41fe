"""The sandbox's servers start, keep their data, and never outlive the sandbox."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from bot.core.errors import Misconfigured
from bot.sandbox.stack import server_process
from bot.sandbox.stack.server_process import ServerProcess, is_command
from bot.sandbox.stack.servers import Postgres, Valkey
from bot.testing.polling import until
from tests.paths import ROOT


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder that any account may enter, as below an open home. Its name needs quoting."""
    with tempfile.TemporaryDirectory(prefix="rotakey's servers ") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def postgres(folder: Path) -> Iterator[Postgres]:
    server = Postgres(folder / "postgres", fsync=False)
    yield server
    server.remove()


@pytest.fixture
def valkey(folder: Path) -> Iterator[Valkey]:
    server = Valkey(folder / "valkey")
    yield server
    server.stop()


def note(server: ServerProcess, what: str) -> None:
    if isinstance(server, Postgres):
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS notes (note text)")
            connection.execute("INSERT INTO notes VALUES (%s)", (what,))
    elif isinstance(server, Valkey):
        with Redis.from_url(server.url) as client:
            client.rpush("notes", what)


def notes(server: ServerProcess) -> list[str]:
    if isinstance(server, Postgres):
        with psycopg.connect(server.url) as connection:
            return [row[0] for row in connection.execute("SELECT note FROM notes")]
    assert isinstance(server, Valkey)
    with Redis.from_url(server.url) as client:
        return [each.decode() for each in client.lrange("notes", 0, -1)]


def family(pid: int) -> set[int]:
    """Return the process and all its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return set()
    return {pid}.union(*(family(int(child)) for child in children))


def has_ended(pid: int) -> bool:
    """Return whether the process has ended, though its parent may not have waited for it yet."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


@contextmanager
def owner(folder: Path, *how: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Start another process that starts both servers, and return their pids."""
    command = [sys.executable, "-m", "tests.sandbox.stack.server_owner", str(folder), *how]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        started = [int(pid) for pid in process.stdout.readline().split()]
        try:
            yield process, started
        finally:
            process.kill()
            for pid in started:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture(params=["valkey", "postgres"])
def server(request: pytest.FixtureRequest) -> ServerProcess:
    server = request.getfixturevalue(request.param)
    assert isinstance(server, ServerProcess)
    return server


def test_what_was_noted_is_there_after_a_stop_and_after_a_crash(server: ServerProcess) -> None:
    with server:
        note(server, "Ada was here")
    assert server.pid is None

    server.start()
    server.start()
    note(server, "and Bob")
    server.kill()

    with server:
        assert notes(server) == ["Ada was here", "and Bob"]
    server.stop()


def test_they_listen_on_this_machine_alone(valkey: Valkey, postgres: Postgres) -> None:
    with valkey, Redis.from_url(valkey.url) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        assert client.config_get("appendfsync") == {"appendfsync": "always"}
    with postgres, psycopg.connect(postgres.url) as connection:
        shown = "SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories')"
        assert connection.execute(shown).fetchall() == [("127.0.0.1", "")]


def test_nobody_gets_in_without_the_password(postgres: Postgres) -> None:
    password = postgres.data / "password"
    with postgres:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(postgres.url_for("postgres", "guessed"))
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{postgres.port}/postgres")
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert password.stat().st_uid == os.getuid()


def test_ctrl_c_in_the_terminal_does_not_reach_them(server: ServerProcess) -> None:
    with server:
        assert server.pid
        assert os.getsid(server.pid) != os.getsid(0)


def test_one_data_directory_has_one_owner(server: ServerProcess) -> None:
    second = type(server)(server.data)
    with server, pytest.raises(Misconfigured, match="another process is using"):
        second.start()
    with second:
        assert second.pid


def test_a_port_that_is_taken_is_told_in_the_servers_own_words(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured, match="Address already in use"):
            Valkey(folder / "valkey", port=port).start()
        postgres = Postgres(folder / "postgres", port=port, fsync=False)
        with pytest.raises(Misconfigured, match="Address already in use"):
            postgres.start()
        postgres.remove()


def test_a_stranger_on_the_port_is_not_taken_for_ours(valkey: Valkey, folder: Path) -> None:
    with valkey, pytest.raises(Misconfigured, match="Address already in use"):
        Valkey(folder / "another", port=valkey.port).start()


def test_a_server_that_does_not_listen_to_us_is_stopped_all_the_same(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_process, "STOPS_WITHIN", 0.2)
    server.start()
    assert server.pid
    pids = family(server.pid)
    os.kill(server.pid, signal.SIGSTOP)

    server.stop()

    until(lambda: all(has_ended(pid) for pid in pids))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_nothing_outlives_an_owner_who_is_killed(folder: Path) -> None:
    with owner(folder) as (process, started):
        pids = [*family(started[0]), *family(started[1])]
        assert len(pids) > 5
        process.kill()
        until(lambda: all(has_ended(pid) for pid in pids))
    Postgres(folder / "postgres").remove()


def test_nothing_outlives_an_owner_who_forgets_to_stop_them(folder: Path) -> None:
    with owner(folder, "without-death-signal") as (process, started):
        pids = [*family(started[0]), *family(started[1])]
        process.communicate("")
        until(lambda: all(has_ended(pid) for pid in pids))
    Postgres(folder / "postgres").remove()


def test_what_was_left_behind_is_ended_by_the_next_start(
    folder: Path, valkey: Valkey, postgres: Postgres
) -> None:
    with owner(folder, "without-death-signal") as (process, left):
        process.kill()
        process.wait()
        assert not any(has_ended(pid) for pid in left)
    with valkey, postgres:
        assert all(has_ended(pid) for pid in left)
        note(postgres, "Carol was here")
        assert notes(postgres) == ["Carol was here"]


def test_a_pid_file_that_names_somebody_else_harms_nobody(server: ServerProcess) -> None:
    with server:
        pid_file = server._pid_file
        content = pid_file.read_text().splitlines()
    account = {"user": "nobody"} if os.getuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], **account) as innocent:  # type: ignore[call-overload]
        pid_file.write_text("\n".join([str(innocent.pid), *content[1:]]))
        with server:
            note(server, "Ada was here")
        assert innocent.poll() is None
        innocent.kill()


def test_a_command_line_tells_whose_a_process_is(folder: Path) -> None:
    command = ["sh", "-c", "read line", "server", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        until(lambda: is_command(process.pid, folder))
        assert not is_command(process.pid, folder.parent)
        process.kill()
    assert not is_command(process.pid, folder)
    assert not is_command(0, folder)


def test_a_cluster_that_was_never_finished_is_made_anew(postgres: Postgres) -> None:
    with postgres:
        note(postgres, "Ada was here")
    (postgres.data / "password").unlink()

    with postgres, psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT to_regclass('notes')").fetchall() == [(None,)]
