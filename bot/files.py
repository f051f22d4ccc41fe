"""Files that are replaced whole, so that a crash leaves the old one or the new one; and locks on folders."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def replace_whole(path: Path, texts: Iterable[str]) -> None:
    """Write all of ``texts`` to the file, on disk once this returns; if it raises, the file is as it was.
    Only its owner may read it. Raise OSError."""
    file, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(file, "w", encoding="utf-8") as new:
            new.writelines(texts)
            new.flush()
            os.fsync(new.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a lock on the folder against other processes that write there. Raise OSError."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)
