"""The settings that every command that talks to Redis or Slack reads first: the environment and
access.yaml."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Collection
from typing import TextIO

import structlog
from structlog.typing import Processor

from bot import config

START_TRIES = 2.0
"""Seconds for which slow patterns are looked for at start."""
log = structlog.get_logger(__name__)


def settings(
    needs: Collection[tuple[str, ...]], *, secrets: bool = True
) -> tuple[config.Environment, config.Policy]:
    """Return the environment, in which ``needs`` have to be set, and the policy; warnings about it are
    logged. Without ``secrets`` the variables of its targets and sources may be unset. Raise Misconfigured."""
    env = config.Environment.read(os.environ, needs=needs)
    text, name = config.bytes_of(env.access_file), str(env.access_file)
    policy = config.load(text, name=name, environ=os.environ, secrets=secrets)
    for each in config.cautions(text, name=name, environ=os.environ, tries=START_TRIES):
        log.warning("access.yaml", warning=str(each))
    return env, policy


def log_as_json() -> None:
    """Log one line of JSON per event to standard output, as platforms like it, the libraries' lines
    included."""
    renderer = structlog.processors.JSONRenderer()
    _log_to(
        sys.stdout, structlog.processors.format_exc_info, renderer, ours=logging.INFO, theirs=logging.WARNING
    )
    logging.captureWarnings(True)


def log_errors() -> None:
    """Log only unexpected errors, to standard error, for a command that prints its own results. Tracebacks
    contain no values of variables, because some of them are secret."""
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    _log_to(sys.stderr, renderer, ours=logging.ERROR, theirs=logging.ERROR)


def _log_to(stream: TextIO, *rendering: Processor, ours: int, theirs: int) -> None:
    """Log our lines and the libraries' through one handler, from these levels on."""
    with_context: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        formatter(
            foreign_pre_chain=[*with_context, structlog.stdlib.add_logger_name],
            processors=[formatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(level=theirs, handlers=[handler], force=True)
    logger = logging.getLogger("rotakey")
    logger.setLevel(ours)
    structlog.configure(
        processors=[*with_context, formatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(ours),
        logger_factory=lambda *_: logger,
    )
