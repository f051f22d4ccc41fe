"""Clocks of single programs, each apart from this machine's by as much as a story says, and ever set anew."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name("apart.c")
COMPILER = shutil.which("cc") or shutil.which("gcc")


def compiled(folder: Path) -> Path:
    library = folder / "apart.so"
    command = [str(COMPILER), "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-lm"]
    subprocess.run(command, check=True)
    return library


class Clock:
    """One program's. Whoever runs it must be able to read ``folder``."""

    def __init__(self, library: Path, folder: Path, name: str) -> None:
        self.library = library
        self._file = folder / name
        self.apart = 0.0
        self._file.write_bytes(struct.pack("d", self.apart))
        self._file.chmod(0o644)

    @property
    def environ(self) -> Mapping[str, str]:
        return {"LD_PRELOAD": str(self.library), "CLOCK_APART": str(self._file)}

    def set(self, *, apart: float) -> None:
        """So many seconds ahead of the machine's, or behind it; at once."""
        self.apart = apart
        with self._file.open("r+b") as file:
            file.write(struct.pack("d", apart))

    def step(self, seconds: float) -> None:
        """Forward, or back."""
        self.set(apart=self.apart + seconds)

    @contextmanager
    def inherited(self) -> Iterator[None]:
        """What is started meanwhile has this clock."""
        before = {name: os.environ.get(name) for name in self.environ}
        os.environ.update(self.environ)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value
