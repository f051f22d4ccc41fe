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


@contextmanager
def running(binaries: Path | None = None) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="rotakey-") as folder:
        server = Server(Path(folder) / "postgres", fsync=False, binaries=binaries)
        try:
            server.start()
            yield server
        finally:
            server.remove()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def older_server() -> Iterator[Server]:
    if not OLDER.is_dir():
        pytest.skip("PostgreSQL 15 is not installed here (Debian: apt-get install postgresql-15)")
    with running(OLDER) as server:
        yield server


@pytest.fixture
def roles(server: Server) -> Iterator[Roles]:
    with fresh_roles(server.url) as roles:
        yield roles


@pytest.fixture
def postgres(roles: Roles) -> Iterator[Postgres]:
    target = Postgres("orders-db", roles.url("rotakey"))
    yield target
    target.close()
