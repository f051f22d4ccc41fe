"""The environment and access.yaml as frozen values; every mistake in them is told at once."""

from bot.config.environment import WEB, WORKER, Environment
from bot.config.mistakes import Mistake
from bot.config.policy import (
    Policy,
    audit_file_in,
    bytes_of,
    caution,
    check,
    load,
    without_replicas_in,
)
from bot.config.schema import schema
from bot.config.targets import Targets, targets_of

__all__ = [
    "WEB",
    "WORKER",
    "Environment",
    "Mistake",
    "Policy",
    "Targets",
    "audit_file_in",
    "bytes_of",
    "caution",
    "check",
    "load",
    "schema",
    "targets_of",
    "without_replicas_in",
]
