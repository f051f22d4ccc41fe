"""PostgreSQL as a target: membership in a role."""

from bot.targets.postgres.target import Postgres

__all__ = ["Postgres"]
