"""A script that stops processes, with all that they started, for a while: ``pauser.py SECONDS PID ...``

They go on after that time, or as soon as standard input ends: if the process that asked for the pause dies,
nothing stays stopped.
"""

import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path


def main(seconds: float, roots: list[int]) -> None:
    stopped: set[int] = set()
    try:
        while new := _family(roots) - stopped:  # one that was not stopped yet may have started another
            for pid in new:
                _send(pid, signal.SIGSTOP)
            stopped |= new
        select.select([sys.stdin], [], [], seconds)
    finally:
        for pid in stopped:
            _send(pid, signal.SIGCONT)


def _family(roots: list[int]) -> set[int]:
    parents = dict(_parents())
    family = {pid for pid in roots if pid in parents}
    while new := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= new
    return family - {os.getpid()}


def _parents() -> list[tuple[int, int]]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            found.append((int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])))
    return found


def _send(pid: int, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, sign)


if __name__ == "__main__":
    main(float(sys.argv[1]), [int(each) for each in sys.argv[2:]])
