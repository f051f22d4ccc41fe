"""A small PagerDuty with a memory: schedules, rotations, overrides, its REST API, and its faults."""

from bot.sandbox.pager.faults import Faults
from bot.sandbox.pager.memory import Pager, PagerError
from bot.sandbox.pager.rota import Policy
from bot.sandbox.pager.server import Served, app, blueprint, serve

__all__ = ["Faults", "Pager", "PagerError", "Policy", "Served", "app", "blueprint", "serve"]
