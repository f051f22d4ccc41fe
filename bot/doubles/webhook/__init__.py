"""Somebody's own system behind an HTTPS endpoint, with accounts, roles and what people have."""

from bot.doubles.webhook.memory import Faults, Members, role_of
from bot.doubles.webhook.server import Served

__all__ = ["Faults", "Members", "Served", "role_of"]
