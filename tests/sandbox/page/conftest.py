"""The world that the page shows, with a bot that hears what people do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.page.stand_in import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    with world.listening():
        yield world
