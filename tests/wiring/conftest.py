"""A scene whose processes use servers that are simulated."""

from __future__ import annotations

import pytest

from bot.wiring import adapters
from tests.wiring.scene import Scene


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene()
    monkeypatch.setattr(adapters, "build_target", scene.build)
    return scene
