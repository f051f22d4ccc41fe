"""A sandbox in which web, worker, Redis and PostgreSQL each have their own clock."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clocks.clock import COMPILER, Clock, compiled
from tests.e2e.rig import Rig, rig_in


@dataclass(frozen=True, kw_only=True)
class Clocks:
    web: Clock
    worker: Clock
    redis: Clock
    postgres: Clock

    def put_right(self) -> None:
        """Set all clocks right except Redis's: setting that one back has consequences of its own."""
        for clock in (self.web, self.worker, self.postgres):
            clock.set(apart=0)

    def rule(self, pid: int) -> bool:
        """Return whether the process goes by one of these clocks."""
        return self.redis.library.name in Path(f"/proc/{pid}/maps").read_text()


@pytest.fixture(scope="package")
def clocks() -> Iterator[Clocks]:
    if sys.platform != "linux" or COMPILER is None:
        pytest.skip("programs get clocks of their own on Linux, where there is a C compiler")
    with tempfile.TemporaryDirectory(prefix="rotakey-clocks-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as somebody else
        library = compiled(folder)
        yield Clocks(
            **{each: Clock(library, folder, each) for each in ("web", "worker", "redis", "postgres")}
        )


@pytest.fixture(scope="package")
def everybody(clocks: Clocks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with ExitStack() as stack:
        with clocks.postgres.inherited():
            rig = stack.enter_context(rig_in(tmp_path_factory.mktemp("clocks")))
        sandbox = rig.sandbox
        sandbox.web.environ = {**sandbox.web.environ, **clocks.web.environ}
        sandbox.worker.environ = {**sandbox.worker.environ, **clocks.worker.environ}
        with clocks.redis.inherited():
            sandbox.valkey.kill()
            sandbox.valkey.start()
        for process in (sandbox.web, sandbox.worker):
            process.kill()
            process.start()
        sandbox.deployment.wait_until_ready(sandbox.policy.catalog)
        processes = (sandbox.web, sandbox.worker, sandbox.valkey, rig.orders.server)
        assert all(clocks.rule(process.pid) for process in processes if process.pid)
        yield rig


@pytest.fixture
def rig(everybody: Rig, clocks: Clocks) -> Iterator[Rig]:
    yield everybody
    clocks.put_right()
    everybody.settle()
