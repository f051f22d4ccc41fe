"""A clock for a single program, apart from this machine's by any offset, which can be set again at any
time."""

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
    """The clock of one program. The user that runs the program must be able to read ``folder``."""

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
        """Set the clock that many seconds ahead of the machine's, or behind it, at once."""
        self.apart = apart
        with self._file.open("r+b") as file:
            file.write(struct.pack("d", apart))

    def step(self, seconds: float) -> None:
        """Move the clock forward, or back."""
        self.set(apart=self.apart + seconds)

    @contextmanager
    def inherited(self) -> Iterator[None]:
        """Give this clock to every process that is started within the block."""
        before = {name: os.environ.get(name) for name in self.environ}
        os.environ.update(self.environ)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value
