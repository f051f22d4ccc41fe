"""The environment and access.yaml as frozen values; all mistakes in them are reported at once."""

from bot.config.doubts import caution
from bot.config.environment import WEB, WORKER, Environment
from bot.config.mistakes import Mistake
from bot.config.policy import (
    Policy,
    bytes_of,
    cautions,
    check,
    load,
    settings_written,
)
from bot.config.schema import schema
from bot.config.targets import Targets, targets_of
from bot.config.variables import variable_names

__all__ = [
    "WEB",
    "WORKER",
    "Environment",
    "Mistake",
    "Policy",
    "Targets",
    "bytes_of",
    "caution",
    "cautions",
    "check",
    "load",
    "schema",
    "settings_written",
    "targets_of",
    "variable_names",
]
