"""One sandbox for all stories that can share one; each leaves it as it was."""

from collections.abc import Iterator

import pytest

from tests.e2e.rig import Rig, rig_in


@pytest.fixture(scope="package")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig_in(tmp_path_factory.mktemp("sandbox")) as rig:
        yield rig


@pytest.fixture
def rig(everybody: Rig) -> Iterator[Rig]:
    yield everybody
    everybody.settle()
