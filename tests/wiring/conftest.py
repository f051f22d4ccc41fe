"""A scene whose processes build servers that are none."""

from __future__ import annotations

import pytest

from bot.kinds import PostgresSettings
from bot.wiring import processes
from tests.wiring.scene import Scene


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene()
    monkeypatch.setattr(processes, "TARGETS", {PostgresSettings: scene.build})
    return scene
