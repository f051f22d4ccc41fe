"""PostgreSQL refuses to run as root, so the sandbox runs it as somebody else, in a folder of theirs."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bot.core.errors import Misconfigured
from bot.sandbox.stack.servers import Postgres, packaged_binaries
from bot.sandbox.stack.unprivileged import place_for
from tests.paths import ROOT

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="is about root; run the tests as root to see it")

NOBODY = pwd.getpwnam("nobody").pw_uid


@pytest.fixture
def private() -> Iterator[Path]:
    """Yield a directory that only root may enter, like root's home."""
    with tempfile.TemporaryDirectory(prefix="rotakey-") as name:
        yield Path(name)


@pytest.fixture
def postgres(private: Path) -> Iterator[Postgres]:
    server = Postgres(private / "postgres", fsync=False)
    yield server
    server.remove()


def owner_and_mode(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_uid, stat.S_IMODE(found.st_mode)


@pytest.fixture
def in_a_group() -> Iterator[None]:
    """Make root a member of a group, as on most machines."""
    before = os.getgroups()
    os.setgroups([*before, 4])
    yield
    os.setgroups(before)


@pytest.mark.usefixtures("in_a_group")
def test_it_runs_as_nobody_and_opens_nothing_up(private: Path, postgres: Postgres) -> None:
    with postgres:
        assert postgres.pid
        assert Path(f"/proc/{postgres.pid}").stat().st_uid == NOBODY
        assert "\nGroups:\t \n" in Path(f"/proc/{postgres.pid}/status").read_text()
    assert owner_and_mode(private) == (0, 0o700)
    assert owner_and_mode(private / "postgres") == (0, 0o700)
    home = place_for(postgres.data, packaged_binaries()).home
    assert owner_and_mode(home) == (0, 0o711)
    assert owner_and_mode(home / "cluster") == (NOBODY, 0o700)
    assert {each.name for each in home.iterdir()} == {"cluster", "wanted"}


def test_where_nobody_may_go_the_data_stays_where_it_was_wanted(private: Path) -> None:
    private.chmod(0o711)
    with Postgres(private / "postgres", fsync=False):
        assert owner_and_mode(private / "postgres" / "cluster") == (NOBODY, 0o700)
        assert owner_and_mode(private / "postgres" / "password") == (0, 0o600)
    assert owner_and_mode(private) == (0, 0o711)


def test_programs_that_nobody_can_reach_are_copied_once(private: Path) -> None:
    installed = packaged_binaries().parent.parent
    site = private / "site-packages"
    shutil.copytree(installed, site / installed.name, ignore=shutil.ignore_patterns("include"))
    libraries = f"{installed.name}.libs"
    shutil.copytree(installed.with_name(libraries), site / libraries)
    os.chmod(site / installed.name / "pginstall" / "bin" / "postgres", 0o700)
    server = Postgres(private / "data", fsync=False, binaries=site / installed.name / "pginstall" / "bin")
    with server:
        copied = Path(f"/proc/{server.pid}/exe").resolve()
        first = copied.stat().st_ino
        assert not copied.is_relative_to(site)
    with server:
        assert copied.stat().st_ino == first
    server.remove()
    assert not copied.exists()


def test_data_that_is_removed_is_not_found_again(private: Path, postgres: Postgres) -> None:
    with postgres, psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE notes ()")
    shutil.rmtree(private / "postgres")

    with postgres, psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT to_regclass('notes')").fetchall() == [(None,)]


def test_what_stood_for_data_that_is_removed_goes_at_the_next_start(
    private: Path, postgres: Postgres
) -> None:
    forgotten = Postgres(private / "forgotten", fsync=False)
    with forgotten:
        home = place_for(forgotten.data, packaged_binaries()).home
    shutil.rmtree(forgotten.data)

    with postgres:
        assert not home.exists()


@pytest.mark.parametrize("trap", ["of somebody else", "open to all", "a link"])
def test_a_trap_in_its_place_is_not_stepped_into(private: Path, postgres: Postgres, trap: str) -> None:
    home = place_for(postgres.data, packaged_binaries()).home
    elsewhere = private / "elsewhere"
    elsewhere.mkdir()
    if trap == "a link":
        home.symlink_to(elsewhere)
    else:
        home.mkdir()
        home.chmod(0o777 if trap == "open to all" else 0o755)
        os.chown(home, NOBODY if trap == "of somebody else" else 0, 0)
    try:
        with pytest.raises(Misconfigured, match="is there and is not ours"):
            postgres.start()
        assert list(elsewhere.iterdir()) == []
        assert trap == "a link" or list(home.iterdir()) == []
    finally:
        home.unlink() if trap == "a link" else home.rmdir()


PLAIN_USER = """
import encodings.ascii, encodings.idna, os, pathlib, psycopg, sys, tempfile
from bot.sandbox.stack.servers import Postgres, Valkey
sys.executable = "/usr/bin/python3"  # ours may lie where a plain user may not go
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with tempfile.TemporaryDirectory() as name:
    data = pathlib.Path(name)
    with Valkey(data / "valkey"), Postgres(data / "postgres", fsync=False) as server:
        with psycopg.connect(server.url) as connection:
            print(*connection.execute("SELECT 'up'").fetchone(), (data / "postgres" / "cluster").exists())
"""


@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="there is no Python for everybody here")
def test_a_plain_user_simply_runs_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_USER], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("up True\n", 0), done.stderr
