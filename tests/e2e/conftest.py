"""One sandbox for all stories that get along with each other; each leaves it as it found it."""

from collections.abc import Iterator

import pytest

from tests.e2e.deployment import Town, town_in


@pytest.fixture(scope="package")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town_in(tmp_path_factory.mktemp("sandbox")) as town:
        yield town


@pytest.fixture
def town(everybody: Town) -> Iterator[Town]:
    yield everybody
    everybody.settle()
