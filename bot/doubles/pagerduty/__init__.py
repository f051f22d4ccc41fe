"""A small PagerDuty with a memory: schedules, rotations, overrides, its REST API, and its faults."""

from bot.doubles.pagerduty.faults import Faults
from bot.doubles.pagerduty.memory import Pager, PagerError
from bot.doubles.pagerduty.rota import Policy
from bot.doubles.pagerduty.server import Served, app, blueprint, serve

__all__ = ["Faults", "Pager", "PagerError", "Policy", "Served", "app", "blueprint", "serve"]
