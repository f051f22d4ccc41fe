"""What every command that talks to Redis or Slack reads first: the environment and access.yaml."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Collection

import structlog

from bot import config


def settings(needs: Collection[tuple[str, ...]]) -> tuple[config.Environment, config.Policy]:
    """The environment, in which ``needs`` have to be set, and the policy. Raises Misconfigured."""
    env = config.Environment.read(os.environ, needs=needs)
    policy = config.load(config.bytes_of(env.access_file), name=str(env.access_file), environ=os.environ)
    env.suit(policy.oncall.values())
    return env, policy


def log_as_json() -> None:
    """One line of JSON an event, to standard output, as platforms like it."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )


def log_errors() -> None:
    """For a command that says itself what people want to know: only what is unforeseen, to standard error."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
