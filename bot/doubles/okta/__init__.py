"""A small Okta org with a memory: users, groups, group rules, a part of its API, and its faults."""

from bot.doubles.okta.memory import App, Faults, Org
from bot.doubles.okta.server import Served, app, serve

__all__ = ["App", "Faults", "Org", "Served", "app", "serve"]
