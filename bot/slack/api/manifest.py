"""Slack's own description of the app: beside the package in a checkout, inside it once installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bot.core.errors import Misconfigured

NAME = "manifest.yml"


def manifest() -> dict[str, Any]:
    """Read the manifest. Raise Misconfigured if it is missing."""
    here = Path(__file__).parent
    places = (here / NAME, here.parents[2] / NAME)
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise Misconfigured(f"{NAME} is missing: it belongs beside the package bot/")
    loaded: dict[str, Any] = yaml.safe_load(found.read_text("utf-8"))
    return loaded


def scopes() -> tuple[str, ...]:
    """Return the scopes that the bot token needs."""
    return tuple(manifest()["oauth_config"]["scopes"]["bot"])
