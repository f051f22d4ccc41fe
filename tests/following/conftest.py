"""A scene whose processes build servers that are none."""

from __future__ import annotations

import pytest

from bot import wiring
from bot.kinds import PostgresSettings
from tests.following.scene import Scene


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene()
    monkeypatch.setattr(wiring, "TARGETS", {PostgresSettings: scene.build})
    return scene
