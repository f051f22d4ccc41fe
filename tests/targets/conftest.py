"""Servers for the whole of the tests, and a fresh set of roles for each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.sandbox.servers import Postgres as Server
from bot.targets.postgres import Postgres
from bot.testing.postgres import Roles, fresh_roles

OLDER = Path("/usr/lib/postgresql/15/bin")


class Replicated(Server):
    """One that can have standbys."""

    def _command(self) -> list[str]:
        return [*super()._command(), "--wal-level=replica", "--max-wal-senders=4"]


@contextmanager
def running(binaries: Path | None = None) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="rotakey-") as folder:
        server = Replicated(Path(folder) / "postgres", fsync=False, binaries=binaries)
        try:
            server.start()
            yield server
        finally:
            server.remove()


@pytest.fixture(scope="session")
def newer_server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def older_server() -> Iterator[Server]:
    if not OLDER.is_dir():
        pytest.skip("PostgreSQL 15 is not installed here (Debian: apt-get install postgresql-15)")
    with running(OLDER) as server:
        yield server


@pytest.fixture(params=["newer_server", "older_server"], ids=["18", "15"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each in turn: before PostgreSQL 16 all grantors share one membership."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def roles(server: Server) -> Iterator[Roles]:
    with fresh_roles(server.url) as roles:
        yield roles


@pytest.fixture
def newer(newer_server: Server) -> Iterator[Roles]:
    """For what only PostgreSQL 16 and later have."""
    with fresh_roles(newer_server.url) as roles:
        yield roles


@pytest.fixture
def postgres(roles: Roles) -> Iterator[Postgres]:
    target = Postgres("orders-db", roles.url("rotakey"))
    yield target
    target.close()
