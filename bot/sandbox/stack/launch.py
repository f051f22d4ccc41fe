"""A launcher that becomes the program named in its arguments, which ends when the process that started the
launcher does.

Run as a script, in a session of its own: ``launch.py PARENT SIGNAL UID:GID PROGRAM ARGUMENT ...``, where
SIGNAL is what the program gets at PARENT's death (Linux only; elsewhere nothing).
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, death_signal: int, account: str, command: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    os.umask(0o077)
    uid, _, gid = account.partition(":")
    if int(uid) != os.getuid():
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if libc and libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0):  # after setuid, which clears it
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        sys.exit("the process that started this has ended")
    os.execv(command[0], command)  # noqa: S606 -- becoming another program is what this is for


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
