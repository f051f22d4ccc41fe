"""A running sandbox of which nothing is left behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.cli.sandbox import to_try
from bot.sandbox.run import Sandbox, forget


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder for sandboxes, and remove what they keep outside it, too."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield Path(folder)
        finally:
            forget(Path(folder))


@contextmanager
def running_sandbox(policy: Path | None = None) -> Iterator[Sandbox]:
    with temporary_folder() as folder, Sandbox(to_try(policy), folder) as sandbox:
        yield sandbox
